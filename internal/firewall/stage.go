package firewall

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
)

// stage is what is left of the chains of one hook when all of a header but its
// ports and source is fixed.
type stage struct {
	h     header
	base  *Chain
	views map[*Chain]*view
	porty []*view  // those with rules about particular destination ports
	dcuts []Number // see cuts
	scuts []Number
	cost  int // of making it
	// open are the sources that rules about no particular ports may let through;
	// with wide set everybody.
	open Addrs
	wide bool
	// steady says that no rule but those of porty looks at ports.
	steady bool
}

// view is what is left of one chain.
type view struct {
	rules   []scoped
	general []int32 // those that are about no particular destination ports
	ports   spanIndex[Number]
	anyone  []int32 // those of general that are about no particular sources
	sources spanIndex[netip.Addr]
	targets []*Chain // that rules of general jump to
	// steady says that the rules of general look at no ports at all, so that
	// they do the same under all of them; rest is then what they do.
	steady bool
	rest   *summary
	once   sync.Once // of rest, where views are shared
	// shifts says that rules of it change destinations: what their bits of fates
	// mean is known to one walk alone.
	shifts bool
	// cyclic marks a chain that can reach itself; the kernel refuses those.
	cyclic bool
}

// scoped is a rule that may match; maybe says that more than source and ports
// decide.
type scoped struct {
	*compiled
	maybe  bool
	tuples []scopedTuple
}

type scopedTuple struct {
	not      bool
	elements []scoped
}

// newStage follows the base chain through every jump that can be taken.
func (e *Evaluator) newStage(h header, base *Chain) *stage {
	s := &stage{h: h, base: base, views: map[*Chain]*view{}}
	todo := []*Chain{base}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s.views[c] != nil {
			continue
		}
		v := e.view(&h, c)
		s.views[c] = v
		for i := range v.rules {
			if t := v.rules[i].rule.Action.Target; t != nil {
				todo = append(todo, t)
			}
		}
	}
	s.markCycles()
	var open []Span[netip.Addr]
	s.wide, s.steady = base.Base.Default == AcceptVerdict, true
	for c, v := range s.views {
		s.steady = s.steady && v.steady
		if p := e.programs[c]; p == nil || !p.plain {
			s.cost += len(v.rules)
		}
		if len(v.ports.spans) > 0 {
			s.porty = append(s.porty, v)
		}
		s.wide = s.wide || v.cyclic
		for _, i := range v.general {
			open = s.lets(open, &v.rules[i])
		}
	}
	s.open = NewSet(open...)
	s.dcuts, s.scuts = s.cuts()
	return s
}

// resting reports whether no rule of the stage is about the ports, so that it
// does the same under all such ports.
func (s *stage) resting(dports Span[Number]) bool {
	return s.steady && !slices.ContainsFunc(s.porty, func(v *view) bool { return v.ports.meets(dports) })
}

// lets appends the sources that a rule may let through.
func (s *stage) lets(open []Span[netip.Addr], r *scoped) []Span[netip.Addr] {
	switch kind := r.rule.Action.Kind; {
	case r.rule.Action.Astray, kind == Accept, kind == SNAT, kind == DNAT, kind == Redirect, kind == Unknown:
		if r.src == nil {
			s.wide = true
			return open
		}
		return append(open, r.src.Spans()...)
	}
	return open
}

// masks reports whether a rule may change sources.
func (s *stage) masks() bool {
	for _, v := range s.views {
		for i := range v.rules {
			if v.rules[i].rule.Action.Kind == SNAT {
				return true
			}
		}
	}
	return false
}

// through gives the sources of live that may get through under the header's
// ports; all others are dropped for sure.
func (s *stage) through(h *header, live Addrs) Addrs {
	if s.wide {
		return live
	}
	var spans []Span[netip.Addr]
	t := stage{}
	for _, v := range s.porty {
		for _, i := range v.ports.meeting(h.origDport, nil) {
			spans = t.lets(spans, &v.rules[i])
			if t.wide {
				return live
			}
		}
	}
	open := s.open
	if len(spans) > 0 {
		open = open.Union(NewSet(spans...))
	}
	return live.Intersect(open)
}

// view reduces a chain. A plain one is reduced once for all headers of a family.
func (e *Evaluator) view(h *header, c *Chain) *view {
	p := e.programs[c]
	if p == nil || c.Family&h.family == 0 {
		return &view{steady: true}
	}
	if !p.plain || h.masked {
		return e.reduce(h, p)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	key := plainKey{h.family, c}
	v := e.plain[key]
	if v == nil {
		v = e.reduce(h, p)
		e.plain[key] = v
	}
	return v
}

// plainKey names the view of a plain chain.
type plainKey struct {
	family Family
	chain  *Chain
}

func (e *Evaluator) reduce(h *header, p *program) *view {
	v := &view{}
	for _, i := range p.about(h.dst, h.dstKnown) {
		if s, ok := h.scope(&p.rules[i]); ok {
			v.rules = append(v.rules, s)
		}
	}
	v.sift(h.mapped)
	return v
}

// scope reduces a rule; ok is false when it cannot match.
func (h *header) scope(c *compiled) (s scoped, ok bool) {
	t := h.admits(c)
	if t == No {
		return s, false
	}
	if h.masked && c.src != nil {
		hidden := *c
		hidden.src, hidden.why = nil, cmp.Or(c.why, "source NAT before this rule leaves the source open")
		c, t = &hidden, Maybe
	}
	s = scoped{compiled: c, maybe: t == Maybe}
	for i := range c.tuples {
		st := scopedTuple{not: c.tuples[i].not}
		for j := range c.tuples[i].elements {
			if el, ok := h.scope(&c.tuples[i].elements[j]); ok {
				st.elements = append(st.elements, el)
			}
		}
		if len(st.elements) == 0 && !st.not {
			return s, false
		}
		s.tuples = append(s.tuples, st)
	}
	return s, true
}

// sift sorts the rules of a view by the ports and sources that they are about.
func (v *view) sift(mapped bool) {
	v.steady = true
	for i := range v.rules {
		r := &v.rules[i]
		if ports := r.wantedPorts(mapped); ports != nil {
			for _, s := range ports {
				v.ports.add(s, int32(i))
			}
			continue
		}
		v.shifts = v.shifts || r.rule.Action.Kind == DNAT || r.rule.Action.Kind == Redirect
		v.general = append(v.general, int32(i))
		v.steady = v.steady && len(r.dports)+len(r.sports)+len(r.oports)+len(r.tuples) == 0
		if t := r.rule.Action.Target; t != nil && !slices.Contains(v.targets, t) {
			v.targets = append(v.targets, t)
		}
		if r.src == nil {
			v.anyone = append(v.anyone, int32(i))
			continue
		}
		for _, s := range r.src.Spans() {
			v.sources.add(s, int32(i))
		}
	}
	v.ports.build()
	v.sources.build()
}

// wantedPorts gives the destination ports that a rule is about, those that the
// sender sees; nil when it is about any.
func (s *scoped) wantedPorts(mapped bool) []Span[Number] {
	for _, c := range s.oports {
		if !c.not {
			return c.set.Spans()
		}
	}
	for _, c := range s.dports {
		if !c.not && !mapped {
			return c.set.Spans()
		}
	}
	return nil
}

// about gives the rules that may match under the header's ports for some of
// the sources, ascending. whole says that the sources are all there are.
func (v *view) about(hits []int32, sources Addrs, whole bool) []int32 {
	const few = 8
	general := v.general
	if !whole && len(sources.Spans()) <= few && len(v.sources.spans) > few {
		var near []int32
		for _, s := range sources.Spans() {
			near = v.sources.meeting(s, near)
		}
		slices.Sort(near)
		general = mergeSorted(v.anyone, slices.Compact(near))
	}
	if len(hits) == 0 {
		return general
	}
	slices.Sort(hits)
	return mergeSorted(general, slices.Compact(hits))
}

// sources gives the addresses for which a rule may and must match under the
// header.
func (s *scoped) sources(h *header, all Addrs) (may, must Addrs) {
	t := h.ports(s.compiled)
	if t == No {
		return Addrs{}, Addrs{}
	}
	may = all
	if s.src != nil {
		may = s.src.Intersect(all)
	}
	must = may
	for i := range s.tuples {
		tmay, tmust := s.tuples[i].sources(h, all)
		may, must = may.Intersect(tmay), must.Intersect(tmust)
	}
	if s.maybe || t == Maybe {
		must = Addrs{}
	}
	return may, must
}

func (t *scopedTuple) sources(h *header, all Addrs) (may, must Addrs) {
	var mays, musts []Span[netip.Addr]
	for i := range t.elements {
		a, b := t.elements[i].sources(h, all)
		mays, musts = append(mays, a.Spans()...), append(musts, b.Spans()...)
	}
	may, must = NewSet(mays...), NewSet(musts...)
	if t.not {
		return all.Subtract(must), all.Subtract(may)
	}
	return may, must
}
