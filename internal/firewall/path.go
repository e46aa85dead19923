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
	record *[]Hop // of a trace; nil otherwise
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
		if c.Base.Hook == Always || c.Base.Hook == Ingress || c.Base.Priority < ConntrackPriority {
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

// pass takes the packets of one box through one base chain.
func (p *path) pass(st *stage, s state, rest []*Chain, steps []step) {
	base := rest[0].Base
	maybe := base.Interfaces != nil && s.h.in.matches(base.Interfaces) == Maybe
	w := &walk{stage: st, h: s.h, first: p.first, all: s.live, memo: map[*Chain]*summary{}, calm: map[*Chain]bool{}, cost: p.cost}
	if p.record != nil {
		w.marks = map[*Chain][]mark{}
	} else if !maybe {
		w.all = st.through(&s.h, s.live)
	}
	w.whole = w.all.Equal(AllOf(s.h.family))
	if w.all.Empty() {
		p.leaves = append(p.leaves, leaf{box: s.box(), came: s.live})
		return
	}
	sum := w.summary(rest[0], 0)
	p.keep(w, rest[0], sum.of(w.all.Spans()[0].First))
	out := p.ends(sum, w.all, base.Default, maybe)
	s.h.masked = s.h.masked || base.Kind == NAT && base.Hook == Postrouting && st.masks()
	if kept := NewSet(out.kept...); !kept.Equal(s.live) {
		p.leaves = append(p.leaves, leaf{box: s.box(), came: s.live, kept: kept})
	}
	p.onward(s, NewSet(out.tracked...), rest, steps)
	exempt := s
	exempt.h.tracked, exempt.h.state = true, StateUntracked
	if s.h.tracked {
		exempt = s // exempting comes too late
	}
	p.onward(exempt, NewSet(out.untracked...), rest, steps)
	for i, spans := range out.nat {
		if len(spans) > 0 {
			p.onward(p.translate(s, st.nats[i]), NewSet(spans...), rest, steps)
		}
	}
}

func (p *path) onward(s state, through Addrs, rest []*Chain, steps []step) {
	s.live = through
	if !s.live.Empty() {
		p.chains(s, rest[1:], steps)
	}
}

// ends sorts sources by what becomes of them in a base chain.
type ends struct {
	tracked, untracked []Span[netip.Addr]
	kept               []Span[netip.Addr]   // that are not dropped for sure
	nat                [][]Span[netip.Addr] // by number of the bit
}

// ends cuts a summary to the sources that there are.
func (p *path) ends(sum *summary, all Addrs, last Verdict, maybe bool) ends {
	var out ends
	for _, r := range all.Spans() {
		i, found := slices.BinarySearchFunc(sum.bounds, r.First, netip.Addr.Compare)
		if !found {
			i--
		}
		for ; i < len(sum.bounds) && sum.bounds[i].Compare(r.Last) <= 0; i++ {
			piece := Span[netip.Addr]{later(r.First, sum.bounds[i]), r.Last}
			if i+1 < len(sum.bounds) {
				piece.Last = earlier(r.Last, sum.bounds[i+1].Prev())
			}
			out.add(piece, sum.fates[i], last, maybe)
		}
	}
	return out
}

func (e *ends) add(r Span[netip.Addr], f fate, last Verdict, maybe bool) {
	if f&returned != 0 && last == DropVerdict {
		f |= dropped
	}
	if last == DropVerdict {
		f &^= returned
	}
	if f&lost != 0 {
		f |= dropped | acceptTracked
	}
	if maybe {
		f |= acceptTracked
	}
	if f&dropped == 0 {
		e.kept = append(e.kept, r)
	}
	if f&(acceptTracked|returnTracked) != 0 {
		e.tracked = append(e.tracked, r)
	}
	if f&(acceptUntracked|returnUntracked) != 0 {
		e.untracked = append(e.untracked, r)
	}
	for i := 0; f>>i >= firstNAT; i++ {
		if f&(firstNAT<<i) == 0 {
			continue
		}
		for len(e.nat) <= i {
			e.nat = append(e.nat, nil)
		}
		e.nat[i] = append(e.nat[i], r)
	}
}

// translate gives packets their new destination.
func (p *path) translate(s state, d destination) state {
	s.h.settled = true
	before := s.h
	switch {
	case d.self:
		s.h.dstLocal = Yes
		s.h.dst, s.h.dstKnown = p.ownAddress(s.h.family)
	case d.to.First.IsValid():
		s.h.dst, s.h.dstKnown = Span[netip.Addr]{d.to.First.Unmap(), d.to.Last.Unmap()}, true
		s.h.dstLocal = p.IsLocal(s.h.dst.First)
		if last := p.IsLocal(s.h.dst.Last); last != s.h.dstLocal || s.h.dst.First != s.h.dst.Last && s.h.dstLocal == No {
			s.h.dstLocal = Maybe
		}
	}
	if d.to.FirstPort != 0 {
		s.h.dport, s.h.mapped = Span[Number]{Number(d.to.FirstPort), Number(d.to.LastPort)}, true
	}
	s.h.dnat = changed(&before, &s.h)
	return s
}

// changed says whether translation gave another destination. Linux marks a
// conversation as translated only then (nf_nat_setup_info).
func changed(before, after *header) Tri {
	ports := !after.mapped || after.dport == before.dport && after.dport.First == after.dport.Last
	switch {
	case !before.dstKnown || !after.dstKnown:
		return Maybe
	case before.dst == after.dst && before.dst.First == before.dst.Last && ports:
		return No
	case after.dst.Last.Less(before.dst.First) || before.dst.Last.Less(after.dst.First):
		return Yes
	case after.mapped && (after.dport.Last < before.dport.First || before.dport.Last < after.dport.First):
		return Yes
	}
	return Maybe
}

// ownAddress is where a redirection sends packets: the first address of the
// interface they came in on. It is known when the host has only one.
func (p *path) ownAddress(f Family) (Span[netip.Addr], bool) {
	own := p.local.Intersect(AllOf(f)).Spans()
	if len(own) == 1 && own[0].First == own[0].Last {
		return own[0], true
	}
	return AllOf(f).Spans()[0], false
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
