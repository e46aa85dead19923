//go:build linux

package pair

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/exposure"
)

// Open makes exactly the TCP targets open: a listener for each of their ports,
// and on the other addresses those ports answer with a reset, as closed ones
// do. It is called once.
func (p *Pair) Open(targets ...exposure.Target) {
	p.tb.Helper()
	if p.limited {
		p.tb.Fatal("pair: Open is called once")
	}
	p.limited = true
	var ports []uint16
	for _, t := range targets {
		if t.Transport != exposure.TCP {
			p.tb.Fatalf("pair: %s is not TCP, use ListenUDP", t)
		}
		p.open[t] = true
		if !slices.Contains(ports, t.Port) {
			ports = append(ports, t.Port)
		}
	}
	set := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(ports)), ", "), "[]")
	p.chain(p.Peer, "input", -5, append(verdicts(targets, "accept"), "tcp dport { "+set+" } reject with tcp reset")...)
	p.ListenTCP(ports...)
}

// Random chooses n different targets out of addresses and ports, the same ones
// for the same seed. There must be more than n to choose from.
func Random(seed uint64, prefix string, transport exposure.Transport, ports []uint16, n int) []exposure.Target {
	all := netip.MustParsePrefix(prefix).Masked()
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // reproducible, no secret
	span := uint64(1) << min(all.Addr().BitLen()-all.Bits(), 32)
	chosen := make([]exposure.Target, 0, n)
	seen := map[exposure.Target]bool{}
	for len(chosen) < n {
		t := exposure.Target{
			Addr: offset(all.Addr(), random.Uint64N(span)), Transport: transport, Port: ports[random.IntN(len(ports))],
		}
		if !seen[t] {
			seen[t] = true
			chosen = append(chosen, t)
		}
	}
	return chosen
}

// offset is the n-th address after addr, by the last 32 bits.
func offset(addr netip.Addr, n uint64) netip.Addr {
	b := addr.AsSlice()
	for i := len(b) - 1; i >= len(b)-4; i-- {
		n += uint64(b[i])
		b[i] = byte(n)
		n >>= 8
	}
	sum, _ := netip.AddrFromSlice(b)
	return sum
}

// State is what a right scan finds at a target: what was asked of the rig,
// with no regard to losses and limits, responders and rules of NFT.
func (p *Pair) State(t exposure.Target) exposure.State {
	switch {
	case p.prohibited[t]:
		return exposure.Filtered
	case p.silent[t] && t.Transport == exposure.UDP:
		return exposure.OpenFiltered
	case p.silent[t]:
		return exposure.Filtered
	case !p.local.Contains(t.Addr) && t.Transport == exposure.UDP:
		return exposure.OpenFiltered
	case !p.local.Contains(t.Addr):
		return exposure.Filtered
	case t.Transport == exposure.TCP && (p.tcp[t.Port] && !p.limited || p.open[t]):
		return exposure.Open
	case t.Transport == exposure.UDP && p.mute[t.Port]:
		return exposure.OpenFiltered
	case t.Transport == exposure.UDP && p.udp[t.Port]:
		return exposure.Open
	}
	return exposure.Closed
}

// Truth is State for many targets.
func (p *Pair) Truth(targets iter.Seq[exposure.Target]) map[exposure.Target]exposure.State {
	truth := map[exposure.Target]exposure.State{}
	for t := range targets {
		truth[t] = p.State(t)
	}
	return truth
}

// Targets gives every port of every address of a prefix.
func Targets(prefix string, transport exposure.Transport, ports ...uint16) iter.Seq[exposure.Target] {
	all := netip.MustParsePrefix(prefix).Masked()
	return func(yield func(exposure.Target) bool) {
		for addr := all.Addr(); all.Contains(addr); addr = addr.Next() {
			for _, port := range ports {
				if !yield(exposure.Target{Addr: addr, Transport: transport, Port: port}) {
					return
				}
			}
		}
	}
}
