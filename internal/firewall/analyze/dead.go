package analyze

import (
	"fmt"
	"net/netip"
	"slices"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
)

// dead finds rules that no packet comes to: earlier rules of their chain take
// all that they match. One rule that covers them is always found; several that
// cover them together are looked for among the nearest, see crowdLimit.
func (in *inspector) dead() []Finding {
	var out []Finding
	for _, c := range in.rules.Chains {
		d := newShadows(c)
		for i := range c.Rules {
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

// crowdLimit is how many overlapping rules are tried as a joint cover.
const crowdLimit = 48

// shadows holds the deciding rules of a chain so far, each under the field that
// tells it best from others.
type shadows struct {
	chain   *firewall.Chain
	shapes  []shape
	general []int
	byDst   map[netip.Addr][]int
	bySrc   map[netip.Addr][]int
	byPort  map[firewall.Number][]int
	wide    []int // with sets too large for the maps
}

func newShadows(c *firewall.Chain) *shadows {
	return &shadows{
		chain: c, shapes: make([]shape, len(c.Rules)), byDst: map[netip.Addr][]int{},
		bySrc: map[netip.Addr][]int{}, byPort: map[firewall.Number][]int{},
	}
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
	switch {
	case s.unsure || s.never:
	case one(s.dst):
		d.byDst[s.dst.Spans()[0].First] = append(d.byDst[s.dst.Spans()[0].First], i)
	case one(s.src):
		d.bySrc[s.src.Spans()[0].First] = append(d.bySrc[s.src.Spans()[0].First], i)
	case one(s.dport):
		d.byPort[s.dport.Spans()[0].First] = append(d.byPort[s.dport.Spans()[0].First], i)
	case s.dst != nil || s.src != nil || s.dport != nil:
		d.wide = append(d.wide, i)
	default:
		d.general = append(d.general, i)
	}
}

// one reports whether a set is one point.
func one[T firewall.Point[T]](s *firewall.Set[T]) bool {
	return s != nil && len(s.Spans()) == 1 && s.Spans()[0].First == s.Spans()[0].Last
}

// wideLimit is how many rules about ranges are compared with each later rule.
const wideLimit = 512

// candidates gives earlier rules that may meet s, ascending.
func (d *shadows) candidates(s *shape) []int {
	out := slices.Clone(d.general)
	wide := d.wide
	if len(wide) > wideLimit {
		wide = wide[len(wide)-wideLimit:]
	}
	out = append(out, wide...)
	if one(s.dst) {
		out = append(out, d.byDst[s.dst.Spans()[0].First]...)
	}
	if one(s.src) {
		out = append(out, d.bySrc[s.src.Spans()[0].First]...)
	}
	if one(s.dport) {
		out = append(out, d.byPort[s.dport.Spans()[0].First]...)
	}
	slices.Sort(out)
	return out
}
