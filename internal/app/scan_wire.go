package app

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"go4.org/netipx"

	"reconshield/internal/netset"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
	"reconshield/internal/rawsock"
	"reconshield/internal/route"
	"reconshield/internal/scan"
)

// carrier is the wire of a scan, and what is known of it. It counts the
// addresses that answered and the packets of this run that really left.
type carrier struct {
	scan.Wire
	mode   string
	name   string // of the only interface; empty when there are several
	onLink bool
	paths  []probe.Path // raw mode only
	raw    *rawsock.Wire
	heard  *census
	left   uint64
}

// Send is a scan.Wire's.
func (c *carrier) Send(probes []probe.Probe) (int, error) {
	n, err := c.Wire.Send(probes)
	c.left += uint64(max(n, 0)) //nolint:gosec // not negative
	return n, err
}

// Receive is a scan.Wire's.
func (c *carrier) Receive(into []probe.Reply, wait time.Duration) (int, error) {
	n, err := c.Wire.Receive(into, wait)
	c.heard.add(into[:n])
	for i := range into[:n] {
		if into[i].Answer >= probe.NoNeighbour && c.left > 0 {
			c.left-- // this machine's own answer: nothing left it
		}
	}
	return n, err
}

// openWire opens the wire that the mode asks for. Auto means raw, where that
// can be done.
func (s *Scan) openWire(ctx context.Context) error {
	if s.opts.Mode != modeConnect {
		err := s.openRaw(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil, s.opts.Mode == modeRaw:
			return &FailureError{Err: err}
		case s.gateway != nil:
			return &FailureError{Err: fmt.Errorf("--gateway-mac needs raw mode: %w", err)}
		case errors.Is(err, errors.ErrUnsupported):
		default:
			s.notes = append(s.notes, "connect mode is used: "+err.Error())
		}
	}
	return s.openConnect()
}

func (s *Scan) openRaw(ctx context.Context) error {
	if err := rawsock.Available(); err != nil {
		return err
	}
	paths, err := route.Paths(ctx, ranges(s.scope), route.Options{Source: s.source, Interface: s.opts.Interface, NextHop: s.gateway})
	if err != nil {
		return err
	}
	w, err := rawsock.Open(rawsock.Config{Paths: paths, Key: probe.RandomKey(), Payloads: payload.New()})
	if err != nil {
		return err
	}
	s.wire = &carrier{
		Wire: w, raw: w, mode: modeRaw, paths: paths, heard: newCensus(s.scope),
		onLink: !slices.ContainsFunc(paths, func(p probe.Path) bool { return p.Unreachable == "" && !p.OnLink() }),
	}
	s.wire.name = paths[0].Name
	if slices.ContainsFunc(paths, func(p probe.Path) bool { return p.Name != paths[0].Name }) {
		s.wire.name = ""
	}
	s.notes = append(s.notes, unreachable(paths)...)
	return nil
}

// unreachable says which addresses cannot be sent to, one line each.
func unreachable(paths []probe.Path) []string {
	const most = 5
	var notes []string
	more := 0
	for _, p := range paths {
		switch {
		case p.Unreachable == "":
		case len(notes) == most:
			more++
		case p.From == p.To:
			notes = append(notes, fmt.Sprintf("%s is not asked: %s", p.From, p.Unreachable))
		default:
			notes = append(notes, fmt.Sprintf("%s-%s are not asked: %s", p.From, p.To, p.Unreachable))
		}
	}
	if more > 0 {
		notes = append(notes, fmt.Sprintf("%d more ranges cannot be sent to", more))
	}
	return notes
}

func (s *Scan) openConnect() error {
	w, err := s.dialer.OpenWire(payload.New())
	if err != nil {
		return &FailureError{Err: err}
	}
	s.wire = &carrier{Wire: w, mode: modeConnect, name: s.opts.Interface, onLink: s.nextDoor(), heard: newCensus(s.scope)}
	s.notes = append(s.notes, w.Limits(product(s.scope.Len(), uint64(s.ports.Len())))...) //nolint:gosec // a length
	return nil
}

// nextDoor reports that every range of the scope lies in one of this machine's
// networks.
func (s *Scan) nextDoor() bool {
	const most = 64 // each is two questions to the system
	prefixes := s.scope.Prefixes()
	return len(prefixes) <= most && !slices.ContainsFunc(prefixes, func(p netip.Prefix) bool {
		return !s.dialer.OnLink(p.Addr()) || !s.dialer.OnLink(netipx.PrefixLastIP(p))
	})
}

// resolve learns the hardware addresses of neighbours, in raw mode.
func (s *Scan) resolve(ctx context.Context) error {
	if s.wire.raw == nil || s.gateway != nil {
		return nil
	}
	pace := 0 // the wire's own
	if s.opts.Rate > 0 {
		const fast = 10_000
		pace = max(1, int(min(s.opts.Rate, fast)))
	}
	return s.wire.raw.Resolve(ctx, neighbours(s.wire.paths), pace)
}

// neighbours gives the addresses of the paths that are on an Ethernet link.
func neighbours(paths []probe.Path) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for _, p := range paths {
			if p.Link != probe.Ethernet || !p.OnLink() || p.Unreachable != "" || p.NextHop != nil {
				continue
			}
			for a := p.From; a.IsValid() && a.Compare(p.To) <= 0; a = a.Next() {
				if !yield(a) {
					return
				}
			}
		}
	}
}

func ranges(scope netset.Scope) []netipx.IPRange {
	var all []netipx.IPRange
	for _, p := range scope.Prefixes() {
		all = append(all, netipx.RangeOfPrefix(p))
	}
	return all
}

// census counts the addresses that answered, by a bit each. In scopes beyond
// its size addresses share bits, and the count is a lower bound.
type census struct {
	scope netset.Scope
	bits  []uint64
	last  netip.Addr
	n     uint64
}

func newCensus(scope netset.Scope) *census {
	const most = 1 << 26 // 8 MiB
	return &census{scope: scope, bits: make([]uint64, (min(scope.Len(), most)+63)/64)}
}

func (c *census) add(replies []probe.Reply) {
	for i := range replies {
		r := &replies[i]
		if r.Addr == c.last || r.Answer == probe.Nothing || r.Answer >= probe.NoNeighbour || r.From != r.Addr {
			continue
		}
		c.last = r.Addr
		at, ok := c.scope.Index(r.Addr)
		if !ok {
			continue
		}
		at %= uint64(len(c.bits)) * 64
		if word, bit := at/64, uint64(1)<<(at%64); c.bits[word]&bit == 0 {
			c.bits[word] |= bit
			c.n++
		}
	}
}
