package analyze

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"go4.org/netipx"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
)

// dead finds rules in the files that no packet comes to: earlier rules of their chain take
// all that they match. One rule that covers them is always found; several that
// cover them together are looked for among the nearest, see crowdLimit.
func (in *inspector) dead(ctx context.Context) []Finding {
	var out []Finding
	for _, c := range in.rules.Chains {
		d := newShadows(c)
		for i := range c.Rules {
			if ctx.Err() != nil {
				return nil
			}
			if c.Rules[i].Implied {
				continue // nobody wrote it, so nobody can take it out
			}
			if cover := d.cover(i); cover != nil {
				out = append(out, deadFinding(c, &c.Rules[i], cover))
			}
			d.add(i)
		}
	}
	return out
}

func deadFinding(c *firewall.Chain, r *firewall.Rule, cover []*firewall.Rule) Finding {
	f := Finding{ID: Redundant, Severity: exposure.Info, Rules: []Line{ruleLine(r)}}
	for _, by := range cover {
		f.Rules = append(f.Rules, ruleLine(by))
		if opposed(r.Action.Kind, by.Action.Kind) {
			f.ID, f.Severity = Contradicted, exposure.LowSev
		}
	}
	where := fmt.Sprintf("%s: the rule in %s %s", r.Pos, c.Table, c.Name)
	by := cover[0].Pos.String()
	if len(cover) > 1 {
		by = fmt.Sprintf("%s and %d more", by, len(cover)-1)
	}
	if f.ID == Contradicted {
		f.Title = "overruled: " + r.Pos.String()
		f.Summary = fmt.Sprintf("%s never acts: %s takes all its packets and does the opposite", where, by)
		f.Fix = "decide which of them is meant; move the rule up or delete it"
		return f
	}
	f.Title = "without effect: " + r.Pos.String()
	f.Summary = fmt.Sprintf("%s never acts: %s takes all its packets", where, by)
	f.Fix = "delete it"
	return f
}

func opposed(a, b firewall.ActionKind) bool {
	drop := func(k firewall.ActionKind) bool { return k == firewall.Drop || k == firewall.Reject }
	return a == firewall.Accept && drop(b) || drop(a) && b == firewall.Accept
}

func ruleLine(r *firewall.Rule) Line { return Line{File: r.Pos.File, Line: r.Pos.Line, Rule: r.Text} }

// crowdLimit is how many overlapping rules are tried as a joint cover, and how
// many of the nearest rules are tried as one.
const crowdLimit = 48

// shadows holds the deciding rules of a chain so far, by what their sources,
// destinations and ports are: rules of one pattern are found by their values.
type shadows struct {
	chain    *firewall.Chain
	shapes   []shape
	patterns []pattern
	cells    map[cell][]int
	latest   []int
}

// pattern is which values a rule is told by: the lengths of its prefixes, -1
// for none, and whether it has a single destination port.
type pattern struct {
	src, dst int
	port     bool
}

// cell is a pattern with its values. A part that the pattern has not is zero.
type cell struct {
	pattern
	from, to netip.Prefix
	number   firewall.Number
}

func newShadows(c *firewall.Chain) *shadows {
	return &shadows{chain: c, shapes: make([]shape, len(c.Rules)), cells: map[cell][]int{}}
}

// cover gives the earlier rules that take all packets of rule i; nil for none.
func (d *shadows) cover(i int) []*firewall.Rule {
	d.shapes[i] = shapeOf(d.chain.Rules[i].Matches)
	s := &d.shapes[i]
	if s.never {
		return nil
	}
	candidates := d.candidates(s)
	for _, j := range candidates {
		if s.within(&d.shapes[j]) {
			return []*firewall.Rule{&d.chain.Rules[j]}
		}
	}
	return d.joint(s, candidates)
}

// joint tries to cover a rule by several.
func (d *shadows) joint(s *shape, candidates []int) []*firewall.Rule {
	if len(candidates) > crowdLimit {
		candidates = candidates[len(candidates)-crowdLimit:]
	}
	rest := []shape{*s}
	var used []*firewall.Rule
	for _, j := range candidates {
		next, changed := subtract(rest, &d.shapes[j])
		if !changed {
			continue
		}
		used = append(used, &d.chain.Rules[j])
		if len(next) == 0 {
			return used
		}
		if len(next) > crowdLimit {
			return nil
		}
		rest = next
	}
	return nil
}

// add makes rule i a possible cover of later ones, if it decides for sure.
func (d *shadows) add(i int) {
	s := &d.shapes[i]
	switch d.chain.Rules[i].Action.Kind {
	case firewall.Accept, firewall.Drop, firewall.Reject, firewall.Return, firewall.Goto, firewall.DNAT, firewall.Redirect, firewall.SNAT:
	case firewall.Continue, firewall.Jump, firewall.Notrack, firewall.Unknown:
		return
	}
	if s.unsure || s.never {
		return
	}
	var k cell
	k.from, k.src = prefixOf(s.src)
	k.to, k.dst = prefixOf(s.dst)
	if one(s.dport) {
		k.port, k.number = true, s.dport.Spans()[0].First
	}
	if !slices.Contains(d.patterns, k.pattern) {
		d.patterns = append(d.patterns, k.pattern)
	}
	d.cells[k] = append(d.cells[k], i)
	d.latest = append(d.latest, i)
}

// prefixOf gives a set as a prefix with its length; -1 when it is none.
func prefixOf(s *firewall.Addrs) (netip.Prefix, int) {
	if s == nil || len(s.Spans()) != 1 {
		return netip.Prefix{}, -1
	}
	p, ok := netipx.IPRangeFrom(s.Spans()[0].First, s.Spans()[0].Last).Prefix()
	if !ok {
		return netip.Prefix{}, -1
	}
	return p, p.Bits()
}

// one reports whether a set is one point.
func one[T firewall.Point[T]](s *firewall.Set[T]) bool {
	return s != nil && len(s.Spans()) == 1 && s.Spans()[0].First == s.Spans()[0].Last
}

// cellLimit is how many rules of one cell are compared with each later rule.
const cellLimit = 256

// candidates gives earlier rules that may cover s, and the nearest, ascending.
func (d *shadows) candidates(s *shape) []int {
	out := slices.Clone(d.latest[max(0, len(d.latest)-crowdLimit):])
	from, src := prefixOf(s.src)
	to, dst := prefixOf(s.dst)
	for _, p := range d.patterns {
		if p.src > src || p.dst > dst || p.port && !one(s.dport) {
			continue
		}
		k := cell{pattern: p}
		if p.src >= 0 {
			k.from = netip.PrefixFrom(from.Addr(), p.src).Masked()
		}
		if p.dst >= 0 {
			k.to = netip.PrefixFrom(to.Addr(), p.dst).Masked()
		}
		if p.port {
			k.number = s.dport.Spans()[0].First
		}
		found := d.cells[k]
		out = append(out, found[max(0, len(found)-cellLimit):]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
