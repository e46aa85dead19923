package firewall

import (
	"net/netip"
	"slices"
)

// fate is a set of things that may become of a packet in a chain. The bits
// come in pairs for packets that connection tracking shall see and for those
// that a rule exempted from it.
type fate uint64

const (
	acceptTracked fate = 1 << iota
	acceptUntracked
	returnTracked
	returnUntracked
	liveTracked // still in the chain; only while it is walked
	liveUntracked
	dropped
	lost // may end anywhere: a loop, or more NAT targets than there are bits
	astray
	firstNAT

	accepted = acceptTracked | acceptUntracked
	returned = returnTracked | returnUntracked
	live     = liveTracked | liveUntracked
	// maxNAT is the number of bits left for destinations of NAT.
	maxNAT = 55
)

// summary is the fate of every source in a chain: the fate of bounds[i] and of
// what follows it below bounds[i+1].
type summary struct {
	bounds []netip.Addr
	fates  []fate
}

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

// everywhere is the summary of one fate for all, the same one within a
// question.
func (w *walk) everywhere(f fate) *summary {
	if s := w.plain[f]; s != nil {
		return s
	}
	s := &summary{bounds: []netip.Addr{w.first}, fates: []fate{f}}
	if w.plain != nil && f < firstNAT {
		w.plain[f] = s
	}
	return s
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
	if s := w.pictures[key]; large && s != nil {
		return s
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

// picture is all that a summary depends on. Many ports differ in which rule
// lets everybody in, not in who comes through.
type picture struct {
	all     setID
	strokes [8]struct {
		kind      ActionKind
		may, must setID
		target    *summary
	}
}

// picture gives the key of a summary that is worth keeping.
func (w *walk) picture(strokes []stroke) (key picture, large bool) {
	if w.marks != nil || len(w.nats) > 0 || len(strokes) > len(key.strokes) {
		return key, false
	}
	key.all = idOf(w.all)
	size := len(w.all.spans)
	for i := range strokes {
		s, k := &strokes[i], &key.strokes[i]
		if kind := s.rule.rule.Action.Kind; kind == DNAT || kind == Redirect {
			return key, false // what their bits mean is the walk's own
		}
		k.kind, k.may, k.must, k.target = s.rule.rule.Action.Kind, idOf(s.may), idOf(s.must), s.target
		size += len(s.may.spans)
		if s.target != nil {
			size += len(s.target.bounds)
		}
	}
	return key, size > few
}

// leave turns what is still in the chain at its end into what returns.
func leave(f fate) fate {
	if f&liveTracked != 0 {
		f |= returnTracked
	}
	if f&liveUntracked != 0 {
		f |= returnUntracked
	}
	return f &^ live
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

// cutAddrs gives the starts of the intervals that no stroke divides.
func (w *walk) cutAddrs(bounds []netip.Addr, strokes []stroke) []netip.Addr {
	bounds = append(bounds, w.first)
	if !w.whole {
		bounds = cutAt(bounds, w.all)
	}
	for i := range strokes {
		s := &strokes[i]
		bounds = cutAt(bounds, s.may)
		if !s.may.Equal(s.must) {
			bounds = cutAt(bounds, s.must)
		}
		if s.target == nil {
			continue
		}
		for _, r := range s.may.Spans() {
			from, _ := slices.BinarySearchFunc(s.target.bounds, r.First, netip.Addr.Compare)
			for ; from < len(s.target.bounds) && s.target.bounds[from].Compare(r.Last) <= 0; from++ {
				bounds = append(bounds, s.target.bounds[from])
			}
		}
	}
	slices.SortFunc(bounds, netip.Addr.Compare)
	return slices.Compact(bounds)
}

func cutAt(bounds []netip.Addr, s Addrs) []netip.Addr {
	for _, r := range s.Spans() {
		bounds = append(bounds, r.First)
		if next := r.Last.Next(); next.IsValid() {
			bounds = append(bounds, next)
		}
	}
	return bounds
}

// canvas holds the fates of the intervals; next skips those that are decided.
type canvas struct {
	bounds []netip.Addr
	fates  []fate
	next   []int32 // union-find: next[i] is i, or nearer to the next undecided interval
}

// clear puts everybody of all into the chain, anew.
func (c *canvas) clear(bounds []netip.Addr, all Addrs) {
	c.bounds = bounds
	c.fates = slices.Grow(c.fates[:0], len(bounds))[:len(bounds)]
	c.next = slices.Grow(c.next[:0], len(bounds)+1)[:len(bounds)+1]
	clear(c.fates)
	for i := range c.fates {
		c.next[i] = int32(i + 1)
	}
	c.next[len(bounds)] = int32(len(bounds))
	for _, r := range all.Spans() {
		for i := c.at(r.First); int(i) < len(bounds) && bounds[i].Compare(r.Last) <= 0; i++ {
			c.fates[i], c.next[i] = liveTracked, i
		}
	}
}

// open is the first undecided interval from i on.
func (c *canvas) open(i int32) int32 {
	root := i
	for c.next[root] != root {
		root = c.next[root]
	}
	for c.next[i] != root {
		c.next[i], i = root, c.next[i]
	}
	return root
}

// at is the interval that starts at a or, if none does, the next one.
func (c *canvas) at(a netip.Addr) int32 {
	i, _ := slices.BinarySearchFunc(c.bounds, a, netip.Addr.Compare)
	return int32(i)
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

// meet is the fate of packets after a rule; sure says that the rule matches
// them, otherwise it may.
func meet(f fate, kind ActionKind, nat, target fate, sure bool) fate {
	if sure {
		return f&^live | act(f, kind, nat, target)
	}
	return f | act(f, kind, nat, target)
}

// act is what a matching rule makes of the live packets of f.
func act(f fate, kind ActionKind, nat, target fate) fate {
	tracked, untracked := f&liveTracked != 0, f&liveUntracked != 0
	pair := func(t, u fate) (out fate) {
		if tracked {
			out |= t
		}
		if untracked {
			out |= u
		}
		return out
	}
	switch kind {
	case Accept, SNAT:
		return pair(acceptTracked, acceptUntracked)
	case Drop, Reject:
		return dropped
	case Return:
		return pair(returnTracked, returnUntracked)
	case DNAT, Redirect:
		return nat
	case Notrack:
		return liveUntracked
	case Unknown:
		return f&live | dropped | pair(acceptTracked, acceptUntracked) | nat
	case Jump:
		out := enter(target, tracked, untracked)
		return out&^returned | liveAgain(out)
	case Goto:
		return enter(target, tracked, untracked)
	case Continue:
	}
	return f&live | nat
}

// enter is the fate in a chain of packets that come in tracked or not. Its
// summary is of tracked ones; what is exempt stays so.
func enter(target fate, tracked, untracked bool) fate {
	var out fate
	if tracked {
		out |= target
	}
	if untracked {
		out |= target &^ (acceptTracked | returnTracked)
		if target&accepted != 0 {
			out |= acceptUntracked
		}
		if target&returned != 0 {
			out |= returnUntracked
		}
	}
	return out
}

func liveAgain(f fate) (out fate) {
	if f&returnTracked != 0 {
		out |= liveTracked
	}
	if f&returnUntracked != 0 {
		out |= liveUntracked
	}
	return out
}

// destination is where NAT sends packets; self is the host, whatever its
// address on the way in.
type destination struct {
	to   NATRange
	self bool
}

// refused reports whether the kernel drops packets that come from outside and
// were given the destination, unless it is told otherwise (route_localnet).
func (d destination) refused() bool { return d.to.First.IsLoopback() || d.to.Last.IsLoopback() }

// natBit gives the bit of a destination, the same for the same one.
func (w *walk) natBit(a Action) fate {
	to := destination{to: a.To, self: a.Kind == Redirect}
	i := slices.Index(w.nats, to)
	if i < 0 {
		if len(w.nats) == maxNAT {
			return lost
		}
		i = len(w.nats)
		w.nats = append(w.nats, to)
	}
	return firstNAT << i
}

// of is the fate at a; none for a nil summary.
func (s *summary) of(a netip.Addr) fate {
	if s == nil {
		return 0
	}
	i, found := slices.BinarySearchFunc(s.bounds, a, netip.Addr.Compare)
	if !found {
		i--
	}
	return s.fates[i]
}

// compact joins neighbours of the same fate.
func (w *walk) compact(bounds []netip.Addr, fates []fate) *summary {
	n := 0
	for i, f := range fates {
		if i == 0 || fates[i-1] != f {
			n++
		}
	}
	if n == 1 {
		return w.everywhere(fates[0])
	}
	s := &summary{make([]netip.Addr, 0, n), make([]fate, 0, n)}
	for i, f := range fates {
		if i == 0 || fates[i-1] != f {
			s.bounds, s.fates = append(s.bounds, bounds[i]), append(s.fates, f)
		}
	}
	return s
}
