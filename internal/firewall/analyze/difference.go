package analyze

import (
	"cmp"
	"net/netip"
	"slices"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
)

// Change is a port that two rulesets answer differently.
type Change struct {
	Asset     string             `json:"asset"`
	Address   netip.Addr         `json:"address"`
	Zone      string             `json:"zone"`
	Port      uint16             `json:"port"`
	LastPort  uint16             `json:"last_port,omitempty"`
	Transport exposure.Transport `json:"transport"`
	Before    Side               `json:"before"`
	After     Side               `json:"after"`
}

// Side is one of the two answers.
type Side struct {
	Verdict     Verdict        `json:"verdict"`
	Sources     []netip.Prefix `json:"sources"`
	SourcePorts []string       `json:"source_ports,omitempty"` // as those of an Answer
	Undecided   []netip.Prefix `json:"undecided,omitempty"`
	Why         []Line         `json:"why"`
}

// Difference compares two audits made with the same options, in the order of
// the answers. A port of which an audit says nothing is blocked there.
func Difference(before, after *Audit) []Change {
	type key struct {
		asset     string
		address   netip.Addr
		zone      string
		transport exposure.Transport
	}
	var order []key
	pairs := map[key][2][]Answer{}
	for i, answers := range [][]Answer{before.Answers, after.Answers} {
		for _, a := range answers {
			k := key{a.Asset, a.Address, a.Zone, a.Transport}
			p, ok := pairs[k]
			if !ok {
				order = append(order, k)
			}
			p[i] = append(p[i], a)
			pairs[k] = p
		}
	}
	out := []Change{}
	for _, k := range order {
		for _, span := range cut(pairs[k]) {
			b, a := sideAt(pairs[k][0], span), sideAt(pairs[k][1], span)
			if b.same(a) {
				continue
			}
			c := Change{Asset: k.asset, Address: k.address, Zone: k.zone, Port: uint16(span.First), Transport: k.transport, Before: b, After: a}
			if span.Last > span.First {
				c.LastPort = uint16(span.Last)
			}
			out = append(out, c)
		}
	}
	return out
}

// cut gives the ranges of ports that neither list of answers divides.
func cut(pair [2][]Answer) []firewall.Span[firewall.Number] {
	var cuts []firewall.Number
	for _, answers := range pair {
		for i := range answers {
			s := answers[i].span()
			cuts = append(cuts, s.First, s.Last+1)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var out []firewall.Span[firewall.Number]
	for i := 0; i+1 < len(cuts); i++ {
		out = append(out, firewall.Span[firewall.Number]{First: cuts[i], Last: cuts[i+1] - 1})
	}
	return out
}

// sideAt is the answer for a range; answers are in ascending order of ports.
func sideAt(answers []Answer, span firewall.Span[firewall.Number]) Side {
	i, found := slices.BinarySearchFunc(answers, span.First, func(a Answer, p firewall.Number) int {
		switch s := a.span(); {
		case s.Last < p:
			return -1
		case s.First > p:
			return 1
		}
		return 0
	})
	if !found {
		return Side{Verdict: Blocked, Sources: []netip.Prefix{}, Why: []Line{}}
	}
	a := &answers[i]
	return Side{a.Verdict, a.Sources, a.SourcePorts, a.Undecided, a.Why}
}

// same compares what gets through, not why.
func (s Side) same(o Side) bool {
	return cmp.Compare(s.Verdict, o.Verdict) == 0 && slices.Equal(s.Sources, o.Sources) && slices.Equal(s.SourcePorts, o.SourcePorts) && slices.Equal(s.Undecided, o.Undecided)
}
