package analyze

import (
	"reflect"
	"slices"

	"reconshield/internal/firewall"
)

// shape is what a rule matches as a product of sets; nil stands for all values.
type shape struct {
	src, dst                      *firewall.Addrs
	protocol, sport, dport, state *firewall.Numbers
	rest                          []firewall.Match // compared as they are
	unsure                        bool             // holds what cannot be decided
	never                         bool             // matches nothing
}

func shapeOf(matches []firewall.Match) shape {
	var s shape
	for _, m := range matches {
		switch m.Field {
		case firewall.Src:
			narrow(&s, &s.src, m.Addrs, firewall.AllOf(firewall.Inet), m.Not)
		case firewall.Dst:
			narrow(&s, &s.dst, m.Addrs, firewall.AllOf(firewall.Inet), m.Not)
		case firewall.Protocol:
			narrow(&s, &s.protocol, m.Numbers, firewall.NumberRange(0, 255), m.Not)
		case firewall.SrcPort:
			narrow(&s, &s.sport, m.Numbers, firewall.NumberRange(0, 65535), m.Not)
		case firewall.DstPort:
			narrow(&s, &s.dport, m.Numbers, firewall.NumberRange(0, 65535), m.Not)
		case firewall.State:
			narrow(&s, &s.state, m.Numbers, firewall.NumberRange(firewall.StateNew, firewall.StateUntracked), m.Not)
		case firewall.Undecidable:
			s.unsure = true
			s.rest = append(s.rest, m)
		case firewall.OrigDst, firewall.OrigDstPort, firewall.NFProto, firewall.InInterface, firewall.OutInterface,
			firewall.Status, firewall.DstLocal, firewall.ICMPType, firewall.TCPFlags, firewall.Tuple, firewall.Presumed:
			s.rest = append(s.rest, m)
		}
	}
	return s
}

// narrow intersects one side of a shape with the values of a match.
func narrow[T firewall.Point[T]](s *shape, side **firewall.Set[T], set, all firewall.Set[T], not bool) {
	if not {
		set = all.Subtract(set)
	}
	if *side != nil {
		set = set.Intersect(**side)
	}
	s.never = s.never || set.Empty()
	*side = &set
}

// within reports whether everything of s is in o, which is decided.
func (s *shape) within(o *shape) bool {
	return inside(s.src, o.src) && inside(s.dst, o.dst) && inside(s.protocol, o.protocol) &&
		inside(s.sport, o.sport) && inside(s.dport, o.dport) && inside(s.state, o.state) && s.bound(o)
}

// bound reports whether s has every other condition of o.
func (s *shape) bound(o *shape) bool {
	for _, m := range o.rest {
		if !slices.ContainsFunc(s.rest, func(x firewall.Match) bool { return implies(&x, &m) }) {
			return false
		}
	}
	return true
}

// implies reports whether a match is as narrow as another of the same field.
func implies(x, m *firewall.Match) bool {
	if x.Field != m.Field || x.Not != m.Not || x.Field == firewall.Undecidable {
		return false
	}
	if m.Field == firewall.Tuple {
		return reflect.DeepEqual(x.Tuples, m.Tuples)
	}
	return x.Why == m.Why && x.Addrs.Equal(m.Addrs) && x.Numbers.Equal(m.Numbers) && slices.Equal(x.Names, m.Names)
}

func inside[T firewall.Point[T]](a, b *firewall.Set[T]) bool {
	if b == nil {
		return true
	}
	return a != nil && a.Subtract(*b).Empty()
}

// subtract takes o out of shapes; changed is false when nothing of them is in o.
func subtract(from []shape, o *shape) (out []shape, changed bool) {
	for i := range from {
		parts, hit := from[i].without(o)
		out, changed = append(out, parts...), changed || hit
	}
	return out, changed
}

// without gives what is left of s when o is taken out, in pieces that differ
// from s in one side each.
func (s *shape) without(o *shape) (parts []shape, hit bool) {
	if !s.bound(o) || apart(s.src, o.src) || apart(s.dst, o.dst) || apart(s.protocol, o.protocol) ||
		apart(s.sport, o.sport) || apart(s.dport, o.dport) || apart(s.state, o.state) {
		return []shape{*s}, false
	}
	left := *s
	cleave(&parts, &left, &left.src, o.src, firewall.AllOf(firewall.Inet))
	cleave(&parts, &left, &left.dst, o.dst, firewall.AllOf(firewall.Inet))
	cleave(&parts, &left, &left.protocol, o.protocol, firewall.NumberRange(0, 255))
	cleave(&parts, &left, &left.sport, o.sport, firewall.NumberRange(0, 65535))
	cleave(&parts, &left, &left.dport, o.dport, firewall.NumberRange(0, 65535))
	cleave(&parts, &left, &left.state, o.state, firewall.NumberRange(firewall.StateNew, firewall.StateUntracked))
	return parts, true
}

// cleave splits what is left along one side: what lies outside of by becomes a
// part, what lies inside stays left. side points into left.
func cleave[T firewall.Point[T]](parts *[]shape, left *shape, side **firewall.Set[T], by *firewall.Set[T], all firewall.Set[T]) {
	if by == nil {
		return
	}
	have := all
	if *side != nil {
		have = **side
	}
	if outside := have.Subtract(*by); !outside.Empty() {
		*side = &outside
		*parts = append(*parts, *left)
	}
	inner := have.Intersect(*by)
	*side = &inner
}

func apart[T firewall.Point[T]](a, b *firewall.Set[T]) bool {
	return a != nil && b != nil && a.Intersect(*b).Empty()
}
