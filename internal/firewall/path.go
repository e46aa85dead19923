package firewall

import (
	"net/netip"
	"slices"
)

// path follows packets through the hooks and gathers where they end.
type path struct {
	*Evaluator
	first  netip.Addr // of the family
	cost   *budget
	leaves []leaf
	stages map[stageKey]*stage
	rests  map[restKey]*passed
	// pictures and ended remember large work that many ports have in common.
	pictures map[picture]*summary
	plain    map[fate]*summary
	ended    map[endKey]*passed
	canvas   canvas // kept for the next chain
	walk     walk   // likewise
	sorted   ends   // likewise
	marks    map[*Chain][]mark
	record   *[]Hop // of a trace; nil otherwise
	rest     *rest  // of a trace; nil otherwise
}

// leaf is an end that packets of a box may have: they are accepted or, of
// those that came, all but the kept may be dropped.
type leaf struct {
	box
	accepted   Addrs
	came, kept Addrs
}

// state is a set of packets on their way.
type state struct {
	h    header
	live Addrs
}

// phase is a point on the way that decides how the rest of it goes.
type phase uint8

const (
	beforeTracking phase = iota
	beforeRouting
	toHost
	toOthers
	leaving
	done
)

// step is a stretch of base chains to pass, and the phase that they belong to.
type step struct {
	phase  phase
	chains []*Chain
}

// route gives the steps for packets on their way in.
func (e *Evaluator) route(s *state) []step {
	var untracked, tracked []*Chain
	for _, c := range slices.Concat(e.hooks[Always], e.hooks[Ingress], e.hooks[Prerouting]) {
		if c.Base.Interfaces != nil && s.h.in.matches(c.Base.Interfaces) == No {
			continue
		}
		if c.Base.Hook == Always || c.Base.Hook == Ingress || c.Base.Priority <= ConntrackPriority {
			untracked = append(untracked, c)
		} else {
			tracked = append(tracked, c)
		}
	}
	return []step{{beforeTracking, untracked}, {beforeRouting, tracked}}
}

// hooks takes packets through the steps and what follows them.
func (p *path) hooks(s state, steps []step) {
	if s.live.Empty() || p.cost.left < 0 {
		return
	}
	if len(steps) == 0 {
		p.leaves = append(p.leaves, leaf{box: s.box(), accepted: s.live})
		return
	}
	p.chains(s, steps[0].chains, steps)
}

func (s *state) box() box { return box{s.h.origDport, s.h.sport} }

// chains takes packets through the rest of a step, one chain at a time.
func (p *path) chains(s state, rest []*Chain, steps []step) {
	if len(rest) == 0 {
		p.next(s, steps)
		return
	}
	c := rest[0]
	if c.Family&s.h.family == 0 || c.Base.Kind == NAT && !s.translatable() {
		p.chains(s, rest[1:], steps)
		return
	}
	st := p.stage(s.h, c)
	sports := divide(s.h.sport, st.scuts)
	for _, d := range divide(s.h.origDport, st.dcuts) {
		for _, sp := range sports {
			if !p.cost.spend(1 + len(st.views)) {
				return
			}
			p.pass(st, state{s.h.within(box{d, sp}), s.live}, rest, steps)
		}
	}
}

// stage gives the stage of a chain for a header, whatever its ports.
func (p *path) stage(h header, c *Chain) *stage {
	key := stageKey{h, c}
	key.h.sport, key.h.origDport = Span[Number]{}, Span[Number]{}
	if !h.mapped {
		key.h.dport = Span[Number]{}
	}
	st := p.stages[key]
	if st == nil {
		st = p.newStage(h, c)
		p.cost.spend(st.cost)
		p.stages[key] = st
	}
	return st
}

// stageKey is what a stage depends on: a header without the ports that are
// still to be divided.
type stageKey struct {
	h header
	c *Chain
}

// translatable reports whether NAT chains see the packets: the first of
// conversations that are tracked, before they have a new destination.
func (s *state) translatable() bool {
	return s.h.tracked && s.h.state == StateNew && !s.h.settled
}

// passed is what one base chain makes of packets.
type passed struct {
	kept, tracked, untracked Addrs // kept: not dropped for sure
	astray                   Addrs // may get through whatever follows
	nat                      []Addrs
	to                       []destination // of nat
}

// restKey names packets under ports that no rule of a stage is about.
type restKey struct {
	st    *stage
	live  setID
	maybe bool
}

// pass takes the packets of one box through one base chain.
func (p *path) pass(st *stage, s state, rest []*Chain, steps []step) {
	base := rest[0].Base
	maybe := base.Interfaces != nil && s.h.in.matches(base.Interfaces) == Maybe
	var out *passed
	if p.record == nil && st.resting(s.h.origDport) {
		key := restKey{st, idOf(s.live), maybe}
		if out = p.rests[key]; out == nil {
			out = p.meet(st, &s, rest[0], maybe)
			p.rests[key] = out
		}
	} else {
		out = p.meet(st, &s, rest[0], maybe)
	}
	s.h.masked = s.h.masked || base.Kind == NAT && (base.Hook == Postrouting || base.Hook == Input) && st.masks()
	if !out.kept.Equal(s.live) {
		p.leaves = append(p.leaves, leaf{box: s.box(), came: s.live, kept: out.kept})
	}
	if !out.astray.Empty() {
		p.leaves = append(p.leaves, leaf{box: s.box(), accepted: out.astray})
	}
	p.onward(s, out.tracked, rest, steps)
	exempt := s
	exempt.h.tracked, exempt.h.state = true, StateUntracked
	if s.h.tracked {
		exempt = s // exempting comes too late
	}
	p.onward(exempt, out.untracked, rest, steps)
	for i, to := range out.nat {
		if !to.Empty() {
			if out.to[i].refused() {
				p.leaves = append(p.leaves, leaf{box: s.box(), came: to})
			}
			translated := p.translate(s, out.to[i])
			p.question(out.to[i], &translated.h)
			p.onward(translated, to, rest, steps)
		}
	}
}

// meet evaluates a base chain for the packets of one box.
func (p *path) meet(st *stage, s *state, c *Chain, maybe bool) *passed {
	w := &p.walk
	*w = walk{stage: st, h: s.h, first: p.first, all: s.live, memo: emptied(w.memo), calm: emptied(w.calm), cost: p.cost, canvas: &p.canvas, rest: p.rest, work: w.work[:0], pictures: p.pictures, plain: p.plain}
	if p.record != nil {
		w.marks = emptied(p.marks)
		p.marks = w.marks
	} else if !maybe {
		w.all = st.through(&s.h, s.live)
	}
	w.whole = w.all.Equal(AllOf(s.h.family))
	if w.all.Empty() {
		return &passed{}
	}
	sum := w.summary(c, 0)
	p.keep(w, c, sum.of(w.all.Spans()[0].First))
	key := endKey{sum, idOf(w.all), idOf(s.live), c, maybe}
	large := len(sum.bounds) > few
	var out *passed
	if large {
		out = p.ended[key]
	}
	if out == nil {
		out = p.ends(sum, w.all, c.Base.Default, maybe).sets(s.live)
		out.to = w.nats
		if p.ended != nil && large {
			p.ended[key] = out
		}
	}
	return out
}

// few is how many intervals are worked through faster than they are looked up.
const few = 64

// emptied gives an empty map, the same one where it is small.
func emptied[V any](m map[*Chain]V) map[*Chain]V {
	const small = 64
	if m == nil || len(m) > small {
		return map[*Chain]V{}
	}
	clear(m)
	return m
}

func (p *path) onward(s state, through Addrs, rest []*Chain, steps []step) {
	s.live = through
	if !s.live.Empty() {
		p.chains(s, rest[1:], steps)
	}
}

// next goes on behind a step.
func (p *path) next(s state, steps []step) {
	switch steps[0].phase {
	case beforeTracking:
		if !s.h.tracked {
			s.h.tracked = true
		}
		p.hooks(s, steps[1:])
	case beforeRouting:
		p.deliver(s)
	case toOthers:
		p.hooks(s, []step{{leaving, p.hooksOf(Postrouting)}})
	case toHost, leaving, done:
		p.hooks(s, nil)
	}
}

func (p *path) hooksOf(h Hook) []*Chain { return p.Evaluator.hooks[h] }

// deliver routes packets: to the host, to others or, where that is not known,
// both ways.
func (p *path) deliver(s state) {
	if s.h.dstLocal != No {
		in := s
		in.h.out = Link{Known: true}
		in.h.dstLocal = Yes
		p.hooks(in, []step{{toHost, p.hooksOf(Input)}})
	}
	if s.h.dstLocal != Yes {
		on := s
		on.h.out = p.link(s.h.dst)
		on.h.dstLocal = No
		p.hooks(on, []step{{toOthers, p.hooksOf(Forward)}})
	}
}
