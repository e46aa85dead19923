package analyze

import (
	"fmt"
	"net/netip"
	"slices"

	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// answer judges one range of ports for one zone.
func (in *inspector) answer(s subject, z *side, span firewall.Span[firewall.Number], grants []policy.Grant) Answer {
	a := Answer{
		Asset: s.asset.Name, Address: s.addr, Zone: z.Name, Port: uint16(span.First), Transport: s.via.name,
		Verdict: Blocked, Sources: []netip.Prefix{}, Why: []Line{}, Policy: policy.Deny,
	}
	if span.Last > span.First {
		a.LastPort = uint16(span.Last)
	}
	if rule, ok := allowedBy(grants, z.Zone, span); ok {
		a.Policy, a.PolicyRule = policy.Allow, rule
	}
	in.settle(&a, s, z, z.row(span.First))
	return a
}

// row is what the zone can do with a port; the zero value for nothing.
func (z *side) row(port firewall.Number) row {
	i, found := slices.BinarySearchFunc(z.rows, port, func(r row, p firewall.Number) int {
		switch {
		case r.ports.Last < p:
			return -1
		case r.ports.First > p:
			return 1
		}
		return 0
	})
	if !found {
		return row{}
	}
	return z.rows[i]
}

// settle gives the verdict with its reasons.
func (in *inspector) settle(a *Answer, s subject, z *side, x row) {
	sources := z.sources
	if len(in.rules.Unparsed) > 0 {
		x.must = firewall.Addrs{}
		x.may = sources
	}
	doubtful := x.may.Subtract(x.must)
	genuine := in.genuine(s.addr)
	switch {
	case !x.must.Intersect(genuine).Empty():
		a.Verdict = Reachable
		a.Sources = firewall.Prefixes(x.must)
		for _, p := range x.sports {
			a.SourcePorts = append(a.SourcePorts, portText(p))
		}
	case !x.may.Intersect(genuine).Empty():
		a.Verdict = Undecided
	}
	if a.Verdict != Blocked && !doubtful.Intersect(genuine).Empty() {
		a.Undecided = firewall.Prefixes(doubtful)
	}
	pick := x.must
	if usual := x.must.Subtract(x.special); !usual.Intersect(genuine).Empty() && len(x.sports) > 0 {
		pick = x.special
	}
	if a.Verdict == Undecided {
		pick = doubtful
	}
	if a.Verdict == Blocked {
		pick = sources
	}
	in.explain(a, s, z, x, pick.Intersect(genuine))
}

// genuine are the sources that can be, in the family of the target.
func (in *inspector) genuine(target netip.Addr) firewall.Addrs {
	return in.real[firewall.FamilyOf(target)]
}

func martians() firewall.Addrs {
	return firewall.AddrsOf(
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("224.0.0.0/4"),
		netip.MustParsePrefix("255.255.255.255/32"), netip.MustParsePrefix("::/127"), netip.MustParsePrefix("ff00::/8"))
}

// explain traces a packet that shows the verdict.
func (in *inspector) explain(a *Answer, s subject, z *side, x row, pick firewall.Addrs) {
	if pick.Empty() {
		if z.sources.Empty() && !in.opt.Query.Source.IsValid() {
			a.Why = append(a.Why, Line{File: in.opt.Policy.File, Rule: fmt.Sprintf("zone %s has no network of this address family in the policy", z.Name)})
		}
		return
	}
	source, sport := typical(pick), usualPort
	if x.special.Contains(source) {
		sport = x.sports[0].First
	}
	var best firewall.Trace
	link := ""
	for i, tracer := range z.tracers {
		t := tracer.Trace(source, sport, firewall.Number(a.Port))
		if i == 0 || better(a.Verdict, t, best) {
			best, link = t, z.questions[i].In.Name
		}
	}
	if !s.addr.IsUnspecified() { // else no packet could be sent to it
		a.Witness = &Witness{Interface: link, Source: source, SourcePort: uint16(sport), Target: s.addr, Port: a.Port, Transport: a.Transport}
	}
	if lines := z.lines(best.Hops); len(lines) > 0 {
		a.Why = lines
	}
	if a.Verdict == Undecided && x.gaveUp {
		a.Why = append(a.Why, Line{File: in.rules.Files[0], Rule: "(the ruleset as a whole)", Undecided: gaveUp})
	}
	if a.Verdict == Undecided {
		for _, u := range in.rules.Unparsed {
			a.Why = append(a.Why, Line{File: u.Pos.File, Line: u.Pos.Line, Rule: u.Text, Undecided: "not understood: " + u.Why})
		}
	}
	if len(a.Why) == 0 {
		a.Why = append(a.Why, Line{File: in.rules.Files[0], Rule: "no rule stands in the way"})
	}
}

// gaveUp says why an answer is open though no single rule is.
const gaveUp = "deciding every port of the address takes more work than one question may cost; ask for fewer ports with --query, or rehearse the ruleset"

// better reports whether a trace shows the verdict better than another.
func better(v Verdict, t, than firewall.Trace) bool {
	switch v {
	case Reachable:
		return t.Must && !than.Must
	case Undecided:
		return t.May && !t.Must && (!than.May || than.Must)
	case Blocked:
	}
	return false
}

//nolint:gochecknoglobals // read-only table
var usualSources = []netip.Addr{netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("2001:db8:ffff::7")}

// typical picks an address that people recognise as one of many: of the
// documentation prefixes where they are in the set, else the second of it.
func typical(s firewall.Addrs) netip.Addr {
	for _, a := range usualSources {
		if s.Contains(a) {
			return a
		}
	}
	r := s.Spans()[0]
	if next := r.First.Next(); next.IsValid() && s.Contains(next) {
		return next
	}
	return r.First
}

// lines tells hops; the same hops once.
func (z *side) lines(hops []firewall.Hop) []Line {
	if len(hops) == 0 {
		return nil
	}
	out, ok := z.told[&hops[0]]
	if !ok {
		out = make([]Line, len(hops))
		for i, h := range hops {
			out[i] = line(h)
		}
		if z.told == nil {
			z.told = map[*firewall.Hop][]Line{}
		}
		z.told[&hops[0]] = out
	}
	return slices.Clip(out)
}

func line(h firewall.Hop) Line {
	l := Line{File: h.Pos().File, Line: h.Pos().Line, Undecided: h.Why, Depth: h.Depth}
	if h.Rule != nil {
		l.Rule = h.Rule.Text
	} else {
		verdict := "accept"
		if h.Chain.Base.Default == firewall.DropVerdict {
			verdict = "drop"
		}
		l.Rule = fmt.Sprintf("%s %s: policy %s", h.Chain.Table, h.Chain.Name, verdict)
	}
	return l
}

func portText(p firewall.Span[firewall.Number]) string {
	if p.First == p.Last {
		return fmt.Sprint(p.First)
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

// allowedBy names the first rule of the policy that lets any source of the zone
// reach the ports.
func allowedBy(grants []policy.Grant, z *policy.Zone, span firewall.Span[firewall.Number]) (string, bool) {
	for i := range grants {
		if grants[i].Zone.Name == z.Name && covers(&grants[i], span) {
			return grants[i].Rule.Text, true
		}
	}
	return "", false
}

func covers(g *policy.Grant, span firewall.Span[firewall.Number]) bool {
	return firewall.Number(g.Ports.First) <= span.First && span.Last <= firewall.Number(g.Ports.Last)
}

// join unites neighbouring ranges that a zone answers alike. Single ports of the
// policy stay single.
func join(in []Answer) []Answer {
	open := map[string]int{}
	out := in[:0]
	for next := range in {
		a := &in[next]
		if i, ok := open[a.Zone]; ok && alike(&out[i], a) {
			out[i].LastPort = max(a.Port, a.LastPort)
			continue
		}
		open[a.Zone] = len(out)
		out = append(out, *a)
	}
	return slices.Clone(out) // many are joined
}

func alike(a, b *Answer) bool {
	return max(a.Port, a.LastPort)+1 == b.Port && a.Policy == policy.Deny && b.Policy == policy.Deny &&
		a.Verdict == b.Verdict && slices.Equal(a.Sources, b.Sources) && slices.Equal(a.Undecided, b.Undecided) &&
		slices.Equal(a.SourcePorts, b.SourcePorts) && slices.Equal(a.Why, b.Why)
}
