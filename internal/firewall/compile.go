package firewall

import (
	"cmp"
	"net/netip"
	"slices"
)

// condition is a set of values or its complement.
type condition[T Point[T]] struct {
	set Set[T]
	not bool
}

// holds says whether all (Yes), none (No) or some (Maybe) of a span fulfil it.
func (c condition[T]) holds(r Span[T]) Tri {
	switch {
	case !c.set.Meets(r):
		return triOf(c.not)
	case c.set.Covers(r):
		return triOf(!c.not)
	}
	return Maybe
}

// compiled is a rule sorted by what evaluation asks first.
type compiled struct {
	rule     *Rule
	src      *Addrs // nil: any
	dst      []condition[netip.Addr]
	protocol []condition[Number]
	dports   []condition[Number]
	sports   []condition[Number]
	oports   []condition[Number] // destination port before NAT
	tuples   []tuple
	rest     []Match // decided by the header alone
	why      string  // of an Undecidable match, the first; empty for none
}

// tuple is a compiled Match of field Tuple.
type tuple struct {
	elements []compiled
	not      bool
}

// program is a chain ready for evaluation.
type program struct {
	chain   *Chain
	rules   []compiled
	general []int32 // rules that look at no single set of destinations, ascending
	index   spanIndex[netip.Addr]
	// plain says that all rules look at sources alone and end there, as in lists
	// of blocked addresses; the view of such a chain is the same for everybody.
	plain bool
}

func compileChain(c *Chain) *program {
	p := &program{chain: c, rules: make([]compiled, len(c.Rules))}
	for i := range c.Rules {
		r := &p.rules[i]
		*r = compileRule(c.Rules[i].Matches)
		r.rule = &c.Rules[i]
		spans := r.wanted()
		if spans == nil {
			p.general = append(p.general, int32(i))
			continue
		}
		for _, s := range spans {
			p.index.add(s, int32(i))
		}
	}
	p.index.build()
	p.plain = !slices.ContainsFunc(p.rules, func(c compiled) bool { return !c.plain() })
	return p
}

// plain reports whether a rule looks at sources alone and goes nowhere else.
func (c *compiled) plain() bool {
	switch c.rule.Action.Kind {
	case Accept, Drop, Reject, Return, Continue, Unknown:
		return len(c.dst)+len(c.protocol)+len(c.dports)+len(c.sports)+len(c.oports)+len(c.tuples)+len(c.rest) == 0
	case Jump, Goto, DNAT, Redirect, SNAT, Notrack:
	}
	return false
}

// wanted gives the destinations that the rule is about; nil when it is about
// any or about too many ranges to index.
func (c *compiled) wanted() []Span[netip.Addr] {
	const most = 16
	for _, d := range c.dst {
		if !d.not && len(d.set.Spans()) <= most && !d.set.Empty() {
			return d.set.Spans()
		}
	}
	return nil
}

func compileRule(matches []Match) compiled {
	var c compiled
	for _, m := range matches {
		switch m.Field {
		case Src:
			c.from(m)
		case Dst:
			c.dst = append(c.dst, condition[netip.Addr]{m.Addrs, m.Not})
		case Protocol:
			c.protocol = append(c.protocol, condition[Number]{m.Numbers, m.Not})
		case DstPort:
			c.dports = append(c.dports, condition[Number]{m.Numbers, m.Not})
		case SrcPort:
			c.sports = append(c.sports, condition[Number]{m.Numbers, m.Not})
		case OrigDstPort:
			c.oports = append(c.oports, condition[Number]{m.Numbers, m.Not})
		case Tuple:
			t := tuple{not: m.Not, elements: make([]compiled, len(m.Tuples))}
			for i, e := range m.Tuples {
				t.elements[i] = compileRule(e)
			}
			c.tuples = append(c.tuples, t)
		case Undecidable:
			c.why = cmp.Or(c.why, m.Why, "a match that cannot be decided")
		case OrigDst, NFProto, InInterface, OutInterface, State, Status, DstLocal, ICMPType, TCPFlags, Presumed:
			c.rest = append(c.rest, m)
		}
	}
	return c
}

func (c *compiled) from(m Match) {
	set := m.Addrs
	if m.Not {
		set = AllOf(Inet).Subtract(set)
	}
	if c.src != nil {
		set = set.Intersect(*c.src)
	}
	c.src = &set
}

// spanIndex finds the spans that meet a span: sorted by start, with the
// farthest end so far to stop early.
type spanIndex[T Point[T]] struct {
	spans []indexed[T]
	reach []T // farthest end among spans[:i+1]
}

type indexed[T Point[T]] struct {
	Span[T]
	rule int32
}

func (x *spanIndex[T]) add(s Span[T], rule int32) {
	x.spans = append(x.spans, indexed[T]{s, rule})
}

func (x *spanIndex[T]) build() {
	slices.SortFunc(x.spans, func(a, b indexed[T]) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.rule, b.rule))
	})
	x.reach = make([]T, len(x.spans))
	for i, s := range x.spans {
		x.reach[i] = s.Last
		if i > 0 {
			x.reach[i] = later(x.reach[i-1], s.Last)
		}
	}
}

// meets reports whether any rule's spans meet r.
func (x *spanIndex[T]) meets(r Span[T]) bool {
	end, _ := slices.BinarySearchFunc(x.spans, r.Last, startsAfter)
	return end > 0 && x.reach[end-1].Compare(r.First) >= 0
}

// startsAfter finds the first span that starts behind last.
func startsAfter[T Point[T]](s indexed[T], last T) int {
	if s.First.Compare(last) <= 0 {
		return -1
	}
	return 1
}

// meeting appends the rules whose spans meet r, in no order, maybe repeated.
func (x *spanIndex[T]) meeting(r Span[T], out []int32) []int32 {
	end, _ := slices.BinarySearchFunc(x.spans, r.Last, startsAfter)
	for i := end - 1; i >= 0 && x.reach[i].Compare(r.First) >= 0; i-- {
		if x.spans[i].Last.Compare(r.First) >= 0 {
			out = append(out, x.spans[i].rule)
		}
	}
	return out
}

// about gives the rules that may concern destinations in r, ascending.
func (p *program) about(r Span[netip.Addr], known bool) []int32 {
	if !known {
		all := make([]int32, len(p.rules))
		for i := range all {
			all[i] = int32(i)
		}
		return all
	}
	hits := p.index.meeting(r, nil)
	if len(hits) == 0 {
		return p.general
	}
	slices.Sort(hits)
	hits = slices.Compact(hits)
	return mergeSorted(p.general, hits)
}

func mergeSorted(a, b []int32) []int32 {
	out := make([]int32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] < b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
