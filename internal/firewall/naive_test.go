package firewall

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// naive is a second evaluator, as simple as can be: one packet at a time, every
// undecided match taken both ways. The real one must agree with it on every
// packet of small random worlds.
type naive struct{ e *Evaluator }

// packet is comparable, so that sets of them are maps.
type packet struct {
	src, dst, orig netip.Addr
	sport, dport   Number
	in, out        string
	inKnown        bool
	outKnown       bool
	tracked        bool
	state          Number
	dnat, local    bool
	settled        bool
	protocol       Number
}

type outcome struct {
	p    packet
	what ActionKind // Accept, Drop, Return
}

func (n naive) match(m *Match, p packet) Tri {
	t := n.value(m, p)
	if m.Not {
		return t.not()
	}
	return t
}

func (n naive) value(m *Match, p packet) Tri {
	switch m.Field {
	case Src:
		return triOf(m.Addrs.Contains(p.src))
	case Dst:
		return triOf(m.Addrs.Contains(p.dst))
	case OrigDst:
		return triOf(m.Addrs.Contains(p.orig))
	case SrcPort:
		return triOf(m.Numbers.Contains(p.sport))
	case DstPort:
		return triOf(m.Numbers.Contains(p.dport))
	case Protocol:
		return triOf(m.Numbers.Contains(p.protocol))
	case InInterface:
		return Link{p.inKnown, p.in}.matches(m.Names)
	case OutInterface:
		return Link{p.outKnown, p.out}.matches(m.Names)
	case State:
		if !p.tracked {
			return Maybe
		}
		return triOf(m.Numbers.Contains(p.state))
	case Status:
		return triOf(m.Numbers.Contains(StatusDNAT) == p.dnat)
	case DstLocal:
		return triOf(p.local)
	case Tuple:
		t := No
		for _, conj := range m.Tuples {
			all := Yes
			for i := range conj {
				all = both(all, n.match(&conj[i], p))
			}
			t = both(t.not(), all.not()).not()
		}
		return t
	default: // the world has no other fields
		return Maybe
	}
}

func (n naive) chain(c *Chain, p packet) map[outcome]bool {
	out := map[outcome]bool{}
	alive := map[packet]bool{p: true}
	for i := range c.Rules {
		r := &c.Rules[i]
		next := map[packet]bool{}
		for p := range alive {
			t := Yes
			for j := range r.Matches {
				t = both(t, n.match(&r.Matches[j], p))
			}
			if t != Yes {
				next[p] = true
			}
			if t != No {
				n.act(r.Action, p, out, next)
			}
		}
		alive = next
	}
	for p := range alive {
		out[outcome{p, Return}] = true
	}
	return out
}

func (n naive) act(a Action, p packet, out map[outcome]bool, next map[packet]bool) {
	switch a.Kind {
	case Continue:
		next[p] = true
	case Accept, SNAT:
		out[outcome{p, Accept}] = true
	case Drop, Reject:
		out[outcome{p, Drop}] = true
	case Return:
		out[outcome{p, Return}] = true
	case Jump, Goto:
		for o := range n.chain(a.Target, p) {
			if o.what == Return && a.Kind == Jump {
				next[o.p] = true
			} else {
				out[o] = true
			}
		}
	case Notrack:
		if !p.tracked {
			p.state = StateUntracked
		}
		next[p] = true
	case Unknown:
		out[outcome{p, Accept}], out[outcome{p, Drop}], next[p] = true, true, true
	case DNAT:
		was := p
		p.settled = true
		if a.To.First.IsValid() {
			p.dst = a.To.First
			p.local = n.e.IsLocal(p.dst) == Yes
		}
		if a.To.FirstPort != 0 {
			p.dport = Number(a.To.FirstPort)
		}
		p.dnat = p.dst != was.dst || p.dport != was.dport
		out[outcome{p, Accept}] = true
	case Redirect:
		was := p
		p.settled, p.local, p.dst = true, true, netip.MustParseAddr("10.0.0.1")
		if a.To.FirstPort != 0 {
			p.dport = Number(a.To.FirstPort)
		}
		p.dnat = p.dst != was.dst || p.dport != was.dport
		out[outcome{p, Accept}] = true
	}
}

// hook gives the packets that pass the chains of a hook, and whether any may be
// dropped.
func (n naive) hook(chains []*Chain, in map[packet]bool) (out map[packet]bool, dropped bool) {
	for _, c := range chains {
		next := map[packet]bool{}
		for p := range in {
			if c.Base.Hook == Prerouting && c.Base.Priority >= ConntrackPriority && !p.tracked {
				p.tracked = true
			}
			if c.Base.Kind == NAT && (!p.tracked || p.state != StateNew || p.settled) {
				next[p] = true
				continue
			}
			for o := range n.chain(c, p) {
				if o.what == Drop || o.what == Return && c.Base.Default == DropVerdict {
					dropped = true
					continue
				}
				next[o.p] = true
			}
		}
		in = next
	}
	return in, dropped
}

func (n naive) ask(p packet) (may, must bool) {
	live, gone := n.hook(n.e.hooks[Prerouting], map[packet]bool{p: true})
	for p := range live {
		p.tracked = true
		hook := Forward
		p.out, p.outKnown = "", false
		if p.local {
			hook, p.outKnown = Input, true
		} else if l := n.e.link(Span[netip.Addr]{p.dst, p.dst}); l.Known {
			p.out, p.outKnown = l.Name, true
		}
		through, dropped := n.hook(n.e.hooks[hook], map[packet]bool{p: true})
		gone = gone || dropped
		may = may || len(through) > 0
	}
	return may, may && !gone
}

// world makes random rulesets over addresses 10.0.0.0/28 and ports 0-7.
type world struct{ *rand.Rand }

func (w world) link() string { return []string{"eth0", "eth1", "wg0"}[w.IntN(3)] }

func (w world) addr() netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(w.IntN(16))}) }

func (w world) addrs() Addrs {
	var spans []Span[netip.Addr]
	for range 1 + w.IntN(2) {
		a, b := w.addr(), w.addr()
		spans = append(spans, Span[netip.Addr]{earlier(a, b), later(a, b)})
	}
	return NewSet(spans...)
}

func (w world) numbers(below int) Numbers {
	a, b := Number(w.IntN(below)), Number(w.IntN(below))
	return NumberRange(min(a, b), max(a, b))
}

func (w world) match(depth int) Match {
	m := Match{Not: w.IntN(4) == 0}
	switch w.IntN(13) {
	case 0, 1, 2:
		m.Field, m.Addrs = Src, w.addrs()
	case 3:
		m.Field, m.Addrs = Dst, w.addrs()
	case 4, 5:
		m.Field, m.Numbers = DstPort, w.numbers(8)
	case 6:
		m.Field, m.Numbers = SrcPort, w.numbers(8)
	case 7:
		m.Field, m.Names = InInterface, []string{[]string{"eth0", "eth1", "eth*", "lo"}[w.IntN(4)]}
	case 8:
		m.Field, m.Numbers = State, w.numbers(5)
	case 9:
		m.Field, m.Addrs = OrigDst, w.addrs()
	case 10:
		m.Field, m.Numbers = Status, NumbersOf(StatusDNAT)
	case 11:
		m.Field = Undecidable
	case 12:
		if depth > 0 {
			return Match{Field: DstLocal, Not: m.Not}
		}
		m.Field, m.Not = Tuple, w.IntN(2) == 0
		for range 1 + w.IntN(3) {
			m.Tuples = append(m.Tuples, []Match{w.match(1), w.match(1)})
			if w.IntN(4) == 0 {
				m.Tuples = append(m.Tuples, []Match{w.match(1), {Field: Undecidable}})
			}
		}
	}
	return m
}

func (w world) chain(kind Kind, targets []*Chain, raw bool) *Chain {
	c := &Chain{Family: IPv4}
	for range w.IntN(6) {
		r := Rule{Action: Action{Kind: []ActionKind{Accept, Accept, Drop, Drop, Return, Continue, Unknown}[w.IntN(7)]}}
		for range w.IntN(3) {
			r.Matches = append(r.Matches, w.match(0))
		}
		if len(targets) > 0 && w.IntN(3) == 0 {
			r.Action = Action{Kind: []ActionKind{Jump, Goto}[w.IntN(2)], Target: targets[w.IntN(len(targets))]}
		} else if raw && w.IntN(3) == 0 {
			r.Action = Action{Kind: Notrack}
		} else if kind == NAT && w.IntN(2) == 0 {
			r.Action = Action{Kind: []ActionKind{DNAT, Redirect}[w.IntN(2)]}
			if w.IntN(2) == 0 {
				a := w.addr()
				r.Action.To.First, r.Action.To.Last = a, a
			}
			if w.IntN(2) == 0 {
				r.Action.To.FirstPort = uint16(1 + w.IntN(7))
				r.Action.To.LastPort = r.Action.To.FirstPort
			}
			if r.Action.Kind == Redirect {
				r.Action.To.First, r.Action.To.Last = netip.Addr{}, netip.Addr{}
			}
		}
		c.Rules = append(c.Rules, r)
	}
	return c
}

func (w world) ruleset() *Ruleset {
	r := &Ruleset{Host: HostFacts{Local: AddrsOf(netip.MustParsePrefix("10.0.0.1/32"))}}
	if w.IntN(2) == 0 {
		r.Host.Routes = []Route{{Prefix: netip.MustParsePrefix("10.0.0.8/29"), Interface: "eth1"}}
	}
	base := func(h Hook, k Kind, priority int, raw bool) {
		var users []*Chain
		for range w.IntN(3) {
			users = append(users, w.chain(k, users, raw))
		}
		c := w.chain(k, users, raw)
		c.Base = &Base{Hook: h, Kind: k, Priority: priority, Default: Verdict(w.IntN(2))}
		r.Chains = append(append(r.Chains, users...), c)
	}
	if w.IntN(2) == 0 {
		base(Prerouting, Filter, RawPriority, true)
	}
	if w.IntN(2) == 0 {
		base(Prerouting, NAT, DNATPriority, false)
		base(Prerouting, NAT, DNATPriority, false)
	}
	base(Input, Filter, FilterPriority, false)
	if w.IntN(3) == 0 {
		base(Input, Filter, SecurityPriority, false)
	}
	base(Forward, Filter, FilterPriority, false)
	return r
}

func TestAskAgreesWithTheNaiveEvaluator(t *testing.T) {
	rounds := 120
	if testing.Short() {
		rounds = 30
	}
	for seed := range uint64(rounds) {
		w := world{rand.New(rand.NewPCG(seed, 1))}
		e := NewEvaluator(w.ruleset())
		// Several questions to one evaluator, which remembers what is alike.
		for range 4 {
			askOne(t, seed, w, e)
		}
	}
}

func askOne(t *testing.T, seed uint64, w world, e *Evaluator) {
	t.Helper()
	target := w.addr()
	q := Question{Target: target, Local: e.IsLocal(target), Protocol: 17, Ports: Span[Number]{0, 7}, In: Link{Known: w.IntN(4) > 0, Name: w.link()}}
	q.Packet.SourcePort = Span[Number]{0, 7}
	q.Packet.State = []Number{StateNew, StateNew, StateEstablished}[w.IntN(3)]
	q.Sources = AddrsOf(netip.MustParsePrefix("10.0.0.0/28"))
	answers, ok := e.Ask(q)
	if !ok {
		t.Fatalf("seed %d: the budget is spent", seed)
	}
	for _, r := range answers {
		if extra := r.Must.Subtract(r.May); !extra.Empty() {
			t.Fatalf("seed %d: %v must get through and may not", seed, Prefixes(extra))
		}
	}
	if bad := disagreement(e, q, answers); bad != "" {
		t.Fatalf("seed %d: %s", seed, bad)
	}
}

func disagreement(e *Evaluator, q Question, answers []Reach) string {
	for x := range 16 * 8 * 8 {
		src, sport, dport := netip.AddrFrom4([4]byte{10, 0, 0, byte(x % 16)}), Number(x/16%8), Number(x/128)
		p := packet{
			src: src, dst: q.Target, orig: q.Target, sport: sport, dport: dport, in: q.In.Name, inKnown: q.In.Known,
			outKnown: true, state: q.Packet.State, local: q.Local == Yes, protocol: 17,
		}
		may, must := naive{e}.ask(p)
		var gotMay, gotMust bool
		for _, r := range answers {
			if r.Ports.First <= dport && dport <= r.Ports.Last && r.SourcePorts.First <= sport && sport <= r.SourcePorts.Last {
				gotMay, gotMust = gotMay || r.May.Contains(src), gotMust || r.Must.Contains(src)
			}
		}
		tr := e.Tracer(q).Trace(src, sport, dport)
		if may != gotMay || must != gotMust {
			return describe(p, "Ask", may, must, gotMay, gotMust)
		}
		if may != tr.May || must != tr.Must {
			return describe(p, "Trace", may, must, tr.May, tr.Must)
		}
	}
	return ""
}

func describe(p packet, who string, may, must, gotMay, gotMust bool) string {
	word := map[bool]string{true: "yes", false: "no"}
	return who + " of " + p.src.String() + " to " + p.dst.String() + ": may " + word[gotMay] + ", must " + word[gotMust] + "; want may " + word[may] + ", must " + word[must]
}

// Two neighbouring rules that match different sources may change places.
func TestOrderOfDisjointRulesDoesNotMatter(t *testing.T) {
	swapped := 0
	for seed := range uint64(1500) {
		w := world{rand.New(rand.NewPCG(seed, 2))}
		r := w.ruleset()
		q := Question{Target: w.addr(), Local: Maybe, Protocol: 6, Ports: Span[Number]{0, 7}, In: Link{Known: true, Name: "eth0"}}
		before, _ := NewEvaluator(r).Ask(q)
		for _, c := range r.Chains {
			for i := 0; i+1 < len(c.Rules); i++ {
				if apart(&c.Rules[i], &c.Rules[i+1]) {
					c.Rules[i], c.Rules[i+1] = c.Rules[i+1], c.Rules[i]
					swapped++
				}
			}
		}
		after, _ := NewEvaluator(r).Ask(q)
		if len(before) != len(after) {
			t.Fatalf("seed %d: %d answers, then %d", seed, len(before), len(after))
		}
		for i, b := range before {
			if a := after[i]; a.Ports != b.Ports || !a.May.Equal(b.May) || !a.Must.Equal(b.Must) {
				t.Fatalf("seed %d: ports %v: %+v, then %+v", seed, b.Ports, b, a)
			}
		}
	}
	if swapped < 50 {
		t.Errorf("only %d rules changed places", swapped)
	}
}

// apart reports whether two rules surely match different sources.
func apart(a, b *Rule) bool {
	for _, x := range a.Matches {
		for _, y := range b.Matches {
			if x.Field == Src && y.Field == Src && !x.Not && !y.Not && x.Addrs.Intersect(y.Addrs).Empty() {
				return true
			}
		}
	}
	return false
}
