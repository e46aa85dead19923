package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sinkScene is the speed of sending alone.
func sinkScene(size Size) Scene {
	count := 1 << (32 - size.Sink.Bits())
	return Scene{
		Name:  "sink",
		Title: fmt.Sprintf("one port of %s to a sink: frames for a station that is not there; nmap: a /20", size.Sink),
		Sink:  true,
		Set:   func(ctx context.Context, s *Stage) (*Truth, error) { return nil, far(ctx, s, size.Sink, absent) },
		Trials: func(k Kit) []Trial {
			return k.sweeps(size.Sink, []int{FullSpeed}, count, "--retries", "0") // once to each target, as the others
		},
	}
}

// refusedScene has every probe answered by a reset.
func refusedScene(size Size) Scene {
	return Scene{
		Name:     "refused",
		Answered: true,
		Title:    fmt.Sprintf("one closed port of %s, every probe answered by a reset", size.Refused),
		Set: func(ctx context.Context, s *Stage) (*Truth, error) {
			return nil, own(ctx, s, size.Refused)
		},
		Trials: func(k Kit) []Trial {
			return k.sweeps(size.Refused, []int{FullSpeed}, 1<<(32-size.Refused.Bits()))
		},
	}
}

// sparseScene has a known hundredth of the targets open.
func sparseScene(size Size) Scene {
	return Scene{
		Name:     "sparse",
		Answered: true,
		Title:    fmt.Sprintf("one port of %s, a random 1 %% open, every other probe answered by a reset", size.Sparse),
		Set: func(ctx context.Context, s *Stage) (*Truth, error) {
			if err := own(ctx, s, size.Sparse); err != nil {
				return nil, err
			}
			truth := &Truth{Open: make(map[netip.AddrPort]bool)}
			random := rand.New(rand.NewPCG(3, 1)) //nolint:gosec // a truth that is the same each time
			var open []string
			for address := size.Sparse.Addr(); size.Sparse.Contains(address); address = address.Next() {
				if random.IntN(100) == 0 {
					truth.Open[netip.AddrPortFrom(address, sweepPort)] = true
					open = append(open, address.String())
				}
			}
			truth.Closed = 1<<(32-size.Sparse.Bits()) - len(open)
			if err := s.Listen(netip.MustParseAddr(peerAddress), sweepPort); err != nil {
				return nil, err
			}
			return truth, s.Rules(ctx, fmt.Sprintf(`table ip truth {
				set open { type ipv4_addr; elements = { %s } }
				chain input { type filter hook input priority 0; tcp dport %d ip daddr != @open reject with tcp reset; }
			}`, strings.Join(open, ", "), sweepPort))
		},
		Trials: func(k Kit) []Trial {
			trials := k.sweeps(size.Sparse, size.Rates, 1<<(32-size.Sparse.Bits()))
			if k.Ours != "" {
				trials = append(trials, k.ours("no --rate", k.sweep(size.Sparse)...))
			}
			return trials
		},
	}
}

// everythingScene has every target open.
func everythingScene(size Size) Scene {
	return Scene{
		Name:     "all-open",
		Answered: true,
		Title:    fmt.Sprintf("one port of %s, open everywhere: every probe answered by a SYN-ACK", size.Everything),
		Set: func(ctx context.Context, s *Stage) (*Truth, error) {
			truth := &Truth{Open: make(map[netip.AddrPort]bool)}
			for address := size.Everything.Addr(); size.Everything.Contains(address); address = address.Next() {
				truth.Open[netip.AddrPortFrom(address, sweepPort)] = true
			}
			if err := own(ctx, s, size.Everything); err != nil {
				return nil, err
			}
			return truth, s.Listen(netip.MustParseAddr(peerAddress), sweepPort)
		},
		Trials: func(k Kit) []Trial {
			return k.sweeps(size.Everything, []int{FullSpeed}, 1<<(32-size.Everything.Bits()))
		},
	}
}

// sweeps is every tool on one port of a prefix, the bare loop first.
func (k Kit) sweeps(prefix netip.Prefix, rates []int, count int, more ...string) []Trial {
	trials := []Trial{k.bare(prefix.Addr().String(), sweepPort, count)}
	for _, rate := range rates {
		if k.Ours != "" {
			options := slices.Concat(k.sweep(prefix), []string{"--rate", strconv.Itoa(rate)}, more)
			trials = append(trials, k.ours(setting(rate), options...))
		}
		trials = append(trials,
			k.zmap(prefix.String(), sweepPort, rate),
			k.masscan(prefix.String(), strconv.Itoa(sweepPort), rate))
	}
	// A piece is enough: nmap is slower by an order of magnitude.
	piece := netip.PrefixFrom(prefix.Addr(), 20)
	small := k.nmap("a /20, no retries", 40*time.Second, "-sS", "--max-retries", "0", "--min-rate", "100000", "--min-hostgroup", "4096",
		"-p", strconv.Itoa(sweepPort), piece.String())
	small.Read = nil // a piece cannot be held against the whole truth
	return append(trials, small)
}

// sweep is our options for one port of a prefix.
func (k Kit) sweep(prefix netip.Prefix) []string {
	return []string{
		prefix.String(), "--ports", "T:" + strconv.Itoa(sweepPort), "--mode", "raw",
		"--interface", scannerDevice, "--gateway-mac", k.gateway(),
	}
}
