package dnscheck

import (
	"context"
	"slices"
	"strings"
	"sync"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

// Zone is a zone for which the server answers with authority.
type Zone struct {
	Name   string // canonical, with the closing dot
	SOA    *dnswire.SOA
	Source string // "--zone", "name", "PTR", "reverse"
}

// Zones finds the zones to test: those the user named, those that hold the
// target's own name and the PTR of its address, and its reverse zone. Only
// zones for which the server itself gives an authoritative SOA are returned.
func (s *Session) Zones(ctx context.Context) []Zone {
	return s.zones.get(func() []Zone { return s.findZones(ctx) })
}

type candidate struct{ name, source string }

const sourceReverse = "reverse"

func (s *Session) findZones(ctx context.Context) []Zone {
	via := s.Any()
	if via == "" {
		return nil
	}
	candidates := s.zoneCandidates(ctx, via)
	found := make([]*Zone, len(candidates))
	var wg sync.WaitGroup
	for i, c := range candidates {
		wg.Go(func() { found[i] = s.zoneAt(ctx, via, c) })
	}
	wg.Wait()
	var zones []Zone
	for _, z := range found {
		if z != nil && !slices.ContainsFunc(zones, func(o Zone) bool { return o.Name == z.Name }) {
			zones = append(zones, *z)
		}
	}
	return zones
}

func (s *Session) zoneCandidates(ctx context.Context, via exposure.Transport) []candidate {
	var out []candidate
	add := func(name, source string) {
		name = dnswire.CanonicalName(name)
		if name != "." && !slices.ContainsFunc(out, func(c candidate) bool { return c.name == name }) {
			out = append(out, candidate{name, source})
		}
	}
	climb := func(name, source string) {
		labels := dnswire.Labels(dnswire.CanonicalName(name))
		for i := range labels {
			if i == len(labels)-1 && i > 0 {
				break // a top-level domain is nobody's server's own zone
			}
			add(strings.Join(labels[i:], "."), source)
		}
	}
	for _, z := range s.Opts.Zones {
		add(z, "--zone")
	}
	for _, n := range s.Server.Names {
		climb(n, "name")
	}
	for _, n := range s.pointers(ctx, via) {
		climb(n, "PTR")
	}
	if rev, err := dnswire.ReverseName(s.Addr().String()); err == nil {
		labels := dnswire.Labels(rev)
		hostLabels := []int{1, 2} // /24 and /16 for IPv4
		if s.Addr().Is6() {
			hostLabels = []int{16, 20} // /64 and /48
		}
		for _, n := range hostLabels {
			add(strings.Join(labels[n:], "."), sourceReverse)
		}
	}
	return out
}

// pointers are the PTR names of the server's address, asked of the server
// itself and of the vantage's resolver.
func (s *Session) pointers(ctx context.Context, via exposure.Transport) []string {
	var names []string
	if rev, err := dnswire.ReverseName(s.Addr().String()); err == nil {
		if a := s.Ask(ctx, via, question(rev, dnswire.TypePTR)); a.Msg != nil {
			for _, rr := range a.Msg.Answer {
				if ptr, ok := rr.(*dnswire.PTR); ok {
					names = append(names, ptr.Ptr)
				}
			}
		}
	}
	if s.Opts.LookupPTR != nil {
		names = append(names, s.Opts.LookupPTR(ctx, s.Addr())...)
	}
	return names
}

func (s *Session) zoneAt(ctx context.Context, via exposure.Transport, c candidate) *Zone {
	a := s.askSOA(ctx, via, c)
	if a.Msg == nil || !a.Msg.Authoritative {
		return nil
	}
	for _, rr := range a.Msg.Answer {
		if soa, ok := rr.(*dnswire.SOA); ok && dnswire.CanonicalName(soa.Hdr.Name) == c.name {
			if c.source == sourceReverse && emptyZone(soa) {
				return nil
			}
			return &Zone{Name: c.name, SOA: soa, Source: c.source}
		}
	}
	return nil
}

// askSOA asks over the other transport, too, when nothing or a cut answer came
// over the first: a zone that is overlooked takes all its checks along.
func (s *Session) askSOA(ctx context.Context, via exposure.Transport, c candidate) dialogue.Answer {
	a := s.Ask(ctx, via, question(c.name, dnswire.TypeSOA))
	if a.Msg == nil && c.source == sourceReverse || a.Msg != nil && !a.Msg.Truncated {
		return a
	}
	other := exposure.UDP
	if s.Speaks(exposure.TCP) {
		other = exposure.TCP
	}
	if again := s.Fresh(ctx, other, s.Port(), question(c.name, dnswire.TypeSOA), nil); again.Msg != nil {
		a = again
	}
	if a.Msg == nil {
		s.unheard.Store(true)
	}
	return a
}

// emptyZone recognises the zones without content that resolvers serve of
// themselves for private and documentation addresses (RFC 6303 section 3):
// they are not the operator's, and they say nothing of his settings.
func emptyZone(soa *dnswire.SOA) bool {
	switch dnswire.CanonicalName(soa.Mbox) {
	case ".", "nobody.invalid.":
		return true
	}
	return false
}

// noZone is the reason to give when there is no zone to test.
func (s *Session) noZone() string {
	if s.unheard.Load() {
		return "the question for the SOA of a zone met no answer: run again, or with a longer --timeout"
	}
	if len(s.Opts.Zones) > 0 {
		return "the server is not authoritative for " + strings.Join(s.Opts.Zones, ", ") + ", nor for its own name"
	}
	return "no zone of this server is known; name one with --zone"
}
