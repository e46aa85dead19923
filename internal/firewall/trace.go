package firewall

import (
	"net/netip"
	"slices"
)

// Hop is a rule that took part in what became of a packet.
type Hop struct {
	Chain *Chain
	Rule  *Rule // nil: the chain's default
	// Sure is false when it is undecided whether the rule matches, or what it
	// does; Why then says what cannot be known.
	Sure bool
	Why  string
	// Depth is 0 in a base chain, one more behind each jump.
	Depth int
}

// Pos is where the rule or the default stands.
func (h Hop) Pos() Position {
	if h.Rule != nil {
		return h.Rule.Pos
	}
	return h.Chain.Base.Pos
}

// Trace is the way of one packet.
type Trace struct {
	May, Must bool // whether it may and must get through
	// Hops are the rules that decided, in order: destination NAT, jumps that led
	// to a decision, what accepted or dropped, and all that is undecided.
	Hops []Hop
}

// Witness is a packet that shows an answer.
type Witness struct {
	In         string // interface; empty: any
	Source     netip.Addr
	SourcePort uint16
	Target     netip.Addr
	Port       uint16
	Protocol   Number
}

// Tracer follows single packets of a question. It is not safe for concurrent
// use; Evaluator.Tracer gives as many as are needed.
type Tracer struct {
	e      *Evaluator
	q      Question
	stages map[stageKey]*stage
	rests  map[traceKey]*rest
	path   path // its memory serves one packet after the other
}

// traceKey names packets but for their destination ports.
type traceKey struct {
	source netip.Addr
	sport  Number
}

// rest is what becomes of packets under ports that no rule is about.
type rest struct {
	trace Trace
	seen  []*view // that packets passed
	porty bool    // a rule was about the ports after all
}

// holds reports whether the trace is that of other packets to the port as well.
func (r *rest) holds(port Number) bool {
	return r != nil && !slices.ContainsFunc(r.seen, func(v *view) bool { return v.ports.meets(Span[Number]{port, port}) })
}

// Tracer prepares to follow packets of a question. Of q, Ports, Sources and
// Packet.SourcePort are not looked at.
func (e *Evaluator) Tracer(q Question) *Tracer {
	return &Tracer{e: e, q: q, stages: map[stageKey]*stage{}, rests: map[traceKey]*rest{}}
}

// Trace follows one packet. The caller must not change the hops.
func (t *Tracer) Trace(source netip.Addr, sourcePort, port Number) Trace {
	key := traceKey{source, sourcePort}
	if r := t.rests[key]; r.holds(port) {
		return r.trace
	}
	found := &rest{}
	found.trace = t.follow(source, sourcePort, port, found)
	if !found.porty {
		t.rests[key] = found
	}
	return found.trace
}

func (t *Tracer) follow(source netip.Addr, sourcePort, port Number, found *rest) Trace {
	q := t.q
	q.Ports, q.Packet.SourcePort = Span[Number]{port, port}, Span[Number]{sourcePort, sourcePort}
	h, _ := t.e.header(&q)
	if h.ported() {
		h.sport = q.Packet.SourcePort
	}
	all := NewSet(Span[netip.Addr]{source.Unmap(), source.Unmap()})
	p := &t.path
	p.Evaluator, p.first, p.cost, p.stages = t.e, AllOf(h.family).Spans()[0].First, &budget{t.e.limit}, t.stages
	p.leaves, p.record, p.rest = p.leaves[:0], &[]Hop{}, found
	s := state{h: h, live: all}
	p.hooks(s, t.e.route(&s))
	out := Trace{Hops: *p.record}
	dropped := false
	for i := range p.leaves {
		l := &p.leaves[i]
		out.May = out.May || !l.accepted.Empty()
		dropped = dropped || !l.came.Empty() && l.kept.Empty()
	}
	out.Must = out.May && !dropped
	return out
}

// mark is a rule that met the packet in a chain.
type mark struct {
	rule *scoped
	sure bool
}

// note keeps that a rule met the packet.
func (w *walk) note(c *Chain, s *stroke, sure bool) {
	if w.marks != nil {
		w.marks[c] = append(w.marks[c], mark{s.rule, sure})
	}
}

// hops puts the marks of a chain and of those it jumps to in order. Jumps that
// decided nothing and sure returns are left out. What a chain did is told once:
// seen says of those that were told whether there was anything.
func (w *walk) hops(c *Chain, depth int, seen map[*Chain]bool) (out []Hop) {
	if depth > deepest {
		return nil
	}
	seen[c] = false // while it is told: on a cycle it is told already
	defer func() { seen[c] = len(out) > 0 }()
	if v := w.views[c]; v != nil && v.cyclic {
		return []Hop{{Chain: c, Rule: firstRule(c), Why: "chains jump in a circle", Depth: depth}}
	}
	for _, m := range w.marks[c] {
		h := Hop{Chain: c, Rule: m.rule.rule, Sure: m.sure, Depth: depth}
		if !m.sure {
			h.Why = w.doubt(m.rule)
		}
		switch m.rule.rule.Action.Kind {
		case Jump, Goto:
			target := m.rule.rule.Action.Target
			decided, told := seen[target]
			var below []Hop
			if !told {
				below = w.hops(target, depth+1, seen)
				decided = len(below) > 0
			}
			if decided {
				out = append(append(out, h), below...)
			}
			continue
		case Return, SNAT:
			if m.sure {
				continue
			}
		case Unknown, Continue: // the latter when it leads astray
			h.Sure = false
			if h.Why == "" {
				h.Why = m.rule.rule.Action.Why
			}
		case Accept, Drop, Reject, DNAT, Redirect, Notrack:
		}
		out = append(out, h)
	}
	return out
}

func firstRule(c *Chain) *Rule {
	if len(c.Rules) == 0 {
		return nil
	}
	return &c.Rules[0]
}

// doubt says why it is not known whether a rule matches.
func (w *walk) doubt(s *scoped) string {
	if s.why != "" {
		return s.why
	}
	for i := range s.rest {
		m := &s.rest[i]
		if w.h.decide(m) != Maybe {
			continue
		}
		switch m.Field {
		case InInterface:
			return "the interface that packets come in on is not known; give the zone's interfaces"
		case OutInterface:
			return "the interface that packets leave by is not known; give the output of \"ip -j route\" as well"
		case DstLocal:
			return "whether the destination is the host itself is not known; give the output of \"ip -j address\" as well"
		case State:
			return "connection tracking has not seen the packet here"
		case Src, Dst, OrigDst, SrcPort, DstPort, OrigDstPort, Protocol, NFProto, Status, ICMPType, TCPFlags, Tuple, Undecidable, Presumed:
		}
	}
	for i := range s.tuples {
		for j := range s.tuples[i].elements {
			if el := &s.tuples[i].elements[j]; el.maybe {
				return w.doubt(el)
			}
		}
	}
	return "translation leaves the destination open"
}

// keep records the hops of a base chain, and its default where that decided.
func (p *path) keep(w *walk, c *Chain, f fate) {
	if p.record == nil {
		return
	}
	hops := w.hops(c, 0, map[*Chain]bool{})
	byDefault := f&returned != 0
	quiet := c.Base.Default == AcceptVerdict && (c.Base.Kind != Filter || len(c.Rules) == 0 && c.Base.Priority != FilterPriority || c.Base.Hook == Prerouting || c.Base.Hook == Postrouting || c.Base.Hook == Ingress)
	if byDefault && !quiet {
		hops = append(hops, Hop{Chain: c, Sure: true})
	}
	*p.record = append(*p.record, hops...)
}

// question notes at the rule that translated a packet why it is not known what
// becomes of it.
func (p *path) question(d destination, after *header) {
	if p.record == nil {
		return
	}
	var why string
	switch {
	case d.refused():
		why = "the kernel drops what comes from outside to the loopback, unless route_localnet is set"
	case after.dstLocal == Maybe && d.to.First == d.to.Last:
		why = "whether the destination is the host itself is not known; give the output of \"ip -j address\" as well"
	default:
		return
	}
	hops := *p.record
	for i := len(hops) - 1; i >= 0; i-- {
		if r := hops[i].Rule; r != nil && r.Action.Kind == DNAT && r.Action.To == d.to && hops[i].Why == "" {
			hops[i].Sure, hops[i].Why = false, why
			return
		}
	}
}
