package firewall

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
)

// Evaluator answers exactly what a ruleset does with packets. It is made once
// for a ruleset and safe for concurrent use.
//
// Every match that the ruleset alone cannot decide is taken both ways, so that
// each answer is a pair of sets: what may get through whatever is undecided, and
// what must. Must is a part of may, and the truth lies between them.
//
// Not modelled: policy routing, bridges, IPsec transformations, and what
// programs do with packets that rules hand them. Rules that involve them are
// undecided.
type Evaluator struct {
	rules    *Ruleset
	programs map[*Chain]*program
	hooks    map[Hook][]*Chain // base chains by priority
	local    Addrs
	routes   []Route // longest prefix first
	alike    *alike
	mu       sync.Mutex
	plain    map[plainKey]*view
	limit    int // see SetLimit
}

// NewEvaluator prepares a ruleset. Facts of the host are those of the ruleset.
func NewEvaluator(r *Ruleset) *Evaluator {
	e := &Evaluator{rules: r, programs: map[*Chain]*program{}, hooks: map[Hook][]*Chain{}, local: r.Host.Local, alike: newAlike(r), limit: Limit, plain: map[plainKey]*view{}}
	// Of chains with the same priority Linux runs the newest first
	// (nf_hook_entries_grow).
	for _, c := range slices.Backward(r.Chains) {
		e.programs[c] = compileChain(c)
		if c.Base != nil {
			e.hooks[c.Base.Hook] = append(e.hooks[c.Base.Hook], c)
		}
	}
	for hook, chains := range e.hooks {
		e.hooks[hook] = inOrder(hook, chains)
	}
	e.routes = slices.Clone(r.Host.Routes)
	slices.SortStableFunc(e.routes, func(a, b Route) int { return cmp.Compare(b.Prefix.Bits(), a.Prefix.Bits()) })
	return e
}

// Question asks who can start a conversation with a target.
type Question struct {
	In       Link       // where the packets come in
	Target   netip.Addr // as the sender sees it, before any NAT; unspecified: the host's, not known
	Local    Tri        // whether Target is the host's own; Maybe asks for both ways
	Protocol Number     // 6, 17, …
	Ports    Span[Number]
	Sources  Addrs // who is asked about; the zero value stands for every address of the family
	// Packet is what the first packet looks like beyond that; the zero value is
	// that of a new conversation: state new, and SYN alone in TCP.
	Packet Packet
}

// Packet gives what a question fixes of the packet beside addresses and ports.
type Packet struct {
	State      Number       // StateNew …
	Flags      Number       // of TCP; 0 stands for SYN
	ICMP       Number       // type<<8|code
	SourcePort Span[Number] // the zero value stands for all
}

// Reach is an answer for a range of ports.
type Reach struct {
	Ports       Span[Number]
	SourcePorts Span[Number]
	May, Must   Addrs
}

// Limit is how much work one question may cost before its answer is given up
// as undecided; a unit is about 50 ns.
const Limit = 100_000_000

// SetLimit puts another limit in the place of Limit. It must come before the
// first question.
func (e *Evaluator) SetLimit(n int) { e.limit = n }

// Ask answers a question, with the ports in ascending order. Where the work
// exceeds Limit everything may and nothing must get through, and ok is false.
func (e *Evaluator) Ask(q Question) (answers []Reach, ok bool) {
	h, all := e.header(&q)
	sources := all
	if !q.Sources.Empty() {
		sources = all.Intersect(q.Sources)
	}
	key := e.alike.key(&h, &q)
	whole, known := e.alike.get(key)
	if !known {
		p := &path{Evaluator: e, first: all.Spans()[0].First, cost: &budget{e.limit}, stages: map[stageKey]*stage{}, rests: map[restKey]*passed{}, pictures: map[picture]*summary{}, plain: map[fate]*summary{}, ended: map[endKey]*passed{}}
		start := state{h: h, live: all}
		p.hooks(start, e.route(&start))
		if p.cost.left < 0 {
			return []Reach{{Ports: h.origDport, SourcePorts: h.sport, May: sources}}, false
		}
		whole = overlay(p.leaves, all)
		e.alike.put(key, whole)
	}
	return limit(whole, sources), true
}

// limit keeps of answers about every source those about some.
func limit(whole []Reach, sources Addrs) []Reach {
	out := make([]Reach, len(whole))
	for i, r := range whole {
		r.May, r.Must = r.May.Intersect(sources), r.Must.Intersect(sources)
		out[i] = r
	}
	return joinBands(out)
}

func (e *Evaluator) header(q *Question) (header, Addrs) {
	target := q.Target.Unmap().WithZone("")
	h := header{
		family: FamilyOf(target), in: q.In, out: Link{Known: true},
		dst: Span[netip.Addr]{target, target}, dstKnown: true, dstLocal: q.Local, origDst: target,
		protocol: q.Protocol, dport: q.Ports, origDport: q.Ports, sport: q.Packet.SourcePort,
		state: q.Packet.State, flags: q.Packet.Flags, icmp: q.Packet.ICMP,
	}
	if target.IsUnspecified() {
		h.dst, h.dstKnown = AllOf(h.family).Spans()[0], false
	}
	if h.sport == (Span[Number]{}) {
		h.sport = Span[Number]{0, 65535}
	}
	if h.flags == 0 {
		h.flags = SYN
	}
	if !h.ported() {
		h.dport, h.sport, h.origDport = Span[Number]{}, Span[Number]{}, Span[Number]{}
	}
	return h, AllOf(h.family)
}

// IsLocal says whether an address is the host's own, as far as the ruleset's
// files tell.
func (e *Evaluator) IsLocal(a netip.Addr) Tri {
	if a.IsLoopback() || e.local.Contains(a) {
		return Yes
	}
	if e.local.Empty() || e.rules.Host.Partial && !e.rules.Host.Remote.Contains(a) {
		return Maybe
	}
	return No
}

// link gives the interface through which a range of addresses is reached.
func (e *Evaluator) link(r Span[netip.Addr]) Link {
	for _, route := range e.routes {
		first, last := route.Prefix.Contains(r.First), route.Prefix.Contains(r.Last)
		if first && last {
			return Link{Known: true, Name: route.Interface}
		}
		if first || last {
			break
		}
	}
	return Link{}
}
