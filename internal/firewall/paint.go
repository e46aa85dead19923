package firewall

import "net/netip"

// walk evaluates the chains of a stage for one box of ports.
type walk struct {
	*stage
	h     header
	first netip.Addr // of the family
	all   Addrs      // the sources that are looked at
	whole bool       // they are all of the family
	memo  map[*Chain]*summary
	calm  map[*Chain]bool
	cost  *budget
	// canvas lends its memory to one chain after the other.
	canvas *canvas
	work   []stroke      // of the chains that are being painted, one behind the other
	rest   *rest         // of a trace; nil otherwise
	nats   []destination // meaning of the bits of fates from firstNAT on
	// pictures are the large summaries of a question.
	pictures map[picture]*summary
	plain    map[fate]*summary // see everywhere
	// marks of every chain, while a single packet is traced; nil otherwise.
	marks map[*Chain][]mark
}

// budget bounds the work on one question.
type budget struct{ left int }

func (b *budget) spend(n int) bool {
	b.left -= n
	return b.left >= 0
}

// deepest is how many chains may be entered one from another. Linux allows 16
// in nft; iptables-legacy has no bound.
const deepest = 512

func (w *walk) summary(c *Chain, depth int) *summary {
	if s := w.memo[c]; s != nil {
		return s
	}
	v := w.views[c]
	if v.cyclic || depth > deepest || w.cost.left < 0 {
		return w.everywhere(lost)
	}
	var s *summary
	if w.marks == nil && w.quiet(c, depth) {
		s = w.resting(c, v, depth)
	} else {
		s = w.paint(c, v, depth)
	}
	w.memo[c] = s
	return s
}

// quiet reports whether a chain does what it does under most ports: no rule of
// it or below it is about the header's ports.
func (w *walk) quiet(c *Chain, depth int) bool {
	if q, ok := w.calm[c]; ok {
		return q
	}
	v := w.views[c]
	q := v.steady && !v.shifts && !v.cyclic && depth <= deepest && len(v.ports.meeting(w.h.origDport, nil)) == 0
	for i := 0; q && i < len(v.targets); i++ {
		q = w.quiet(v.targets[i], depth+1)
	}
	w.calm[c] = q
	return q
}

// resting is what a quiet chain does, worked out once for all boxes.
func (w *walk) resting(c *Chain, v *view, depth int) *summary {
	v.once.Do(func() {
		full := &walk{
			stage: w.stage, h: w.h, first: w.first, all: AllOf(w.h.family), whole: true,
			memo: map[*Chain]*summary{}, calm: w.calm, cost: w.cost, canvas: w.canvas,
		}
		v.rest = full.paint(c, v, depth)
	})
	return v.rest
}

// stroke is one rule ready to be painted.
type stroke struct {
	rule      *scoped
	may, must Addrs
	target    *summary // of a jump or goto
}

// paint computes a chain's summary. The addresses are cut into the intervals
// that no rule divides; rules paint them in order, and an interval that was
// surely decided is skipped from then on, so that every decided rule costs what
// it decides.
func (w *walk) paint(chain *Chain, v *view, depth int) *summary {
	before := len(w.work)
	w.strokes(v, depth)
	strokes := w.work[before:]
	defer func() { w.work = w.work[:before] }()
	key, large := w.picture(strokes)
	if large {
		if s := w.pictures[key]; s != nil {
			return s
		}
	}
	bounds := w.cutAddrs(w.canvas.bounds[:0], strokes)
	c := w.canvas
	c.clear(bounds, w.all)
	if !w.cost.spend(len(bounds) + len(strokes)) {
		return w.everywhere(lost)
	}
	for i := range strokes {
		if !w.apply(chain, c, &strokes[i]) {
			return w.everywhere(lost)
		}
	}
	for i, f := range c.fates {
		c.fates[i] = leave(f)
	}
	s := w.compact(bounds, c.fates)
	if large && w.pictures != nil {
		w.pictures[key] = s
	}
	return s
}

// strokes appends the rules of a view to the work.
func (w *walk) strokes(v *view, depth int) {
	hits := v.ports.meeting(w.h.origDport, nil)
	if w.rest != nil {
		w.rest.seen, w.rest.porty = append(w.rest.seen, v), w.rest.porty || len(hits) > 0 || !v.steady
	}
	for _, i := range v.about(hits, w.all, w.whole) {
		r := &v.rules[i]
		if r.rule.Action.Kind == Continue && !r.rule.Action.Astray {
			continue
		}
		may, must := r.sources(&w.h, w.all)
		if may.Empty() {
			continue
		}
		s := stroke{rule: r, may: may, must: must}
		if r.rule.Action.Kind == Jump || r.rule.Action.Kind == Goto {
			s.target = w.summary(r.rule.Action.Target, depth+1)
		}
		w.work = append(w.work, s)
		if may.Equal(must) && w.ends(&s) && must.Equal(w.all) {
			break // nothing gets past it
		}
	}
}

// ends reports whether a rule keeps every packet that it matches.
func (w *walk) ends(s *stroke) bool {
	switch s.rule.rule.Action.Kind {
	case Accept, Drop, Reject, Return, Goto, DNAT, Redirect, SNAT:
		return true
	case Continue, Jump, Notrack, Unknown:
	}
	return false
}

// apply paints one rule; false when the budget is spent.
func (w *walk) apply(chain *Chain, c *canvas, s *stroke) bool {
	kind, bit := s.rule.rule.Action.Kind, fate(0)
	switch {
	case kind == DNAT || kind == Redirect:
		bit = w.natBit(s.rule.rule.Action)
	case s.rule.rule.Action.Astray:
		bit = astray
	}
	for _, r := range s.may.Spans() {
		for i := c.open(c.at(r.First)); int(i) < len(c.bounds) && c.bounds[i].Compare(r.Last) <= 0; i = c.open(i + 1) {
			if !w.cost.spend(1) {
				return false
			}
			sure := s.must.Contains(c.bounds[i])
			w.note(chain, s, sure)
			c.fates[i] = meet(c.fates[i], kind, bit, s.target.of(c.bounds[i]), sure)
			if c.fates[i]&live == 0 {
				c.next[i] = i + 1
			}
		}
	}
	return true
}
