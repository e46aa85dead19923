package iptables

import (
	"slices"
	"strings"

	"reconshield/internal/firewall"
)

// never is a match that no packet fulfils.
func never() firewall.Match { return firewall.Match{Field: firewall.Src} }

// finish makes the rule, or several of one line when addresses are lists.
func (p *ruleParser) finish(text string) []firewall.Rule {
	for i := range p.mods {
		p.finishModule(&p.mods[i])
	}
	p.finishJump()
	p.finishAction()
	p.plain()
	rule := firewall.Rule{Action: p.action, Pos: p.r.pos(), Text: text}
	pairs := max(1, len(p.srcs)) * max(1, len(p.dsts))
	if pairs > 1 && (p.r.extra+pairs > maxCombined || p.srcNot || p.dstNot) {
		p.srcs, p.dsts, pairs = unite(p.srcs), unite(p.dsts), 1
	}
	if pairs == 1 {
		rule.Matches = p.compose(p.srcs, p.dsts)
		return []firewall.Rule{rule}
	}
	p.r.extra += pairs
	rules := make([]firewall.Rule, 0, pairs)
	for s := range max(1, len(p.srcs)) {
		for d := range max(1, len(p.dsts)) {
			rule.Matches = p.compose(p.srcs[min(s, len(p.srcs)):min(s+1, len(p.srcs))], p.dsts[min(d, len(p.dsts)):min(d+1, len(p.dsts))])
			rules = append(rules, rule)
		}
	}
	return rules
}

func unite(list []addressSet) []addressSet {
	if len(list) < 2 {
		return list
	}
	var spans []firewall.Span[addr]
	for _, a := range list {
		spans = append(spans, a.set.Spans()...)
	}
	return append(list[:0], addressSet{set: firewall.NewSet(spans...)})
}

// finishJump turns a jump to an unknown name into what it may be.
func (p *ruleParser) finishJump() {
	if !p.pending {
		return
	}
	kind := firewall.Jump
	if p.goTo {
		kind = firewall.Goto
	}
	if p.foreign {
		p.action = firewall.Action{Kind: firewall.Unknown, Astray: true, Why: p.r.words.get("target " + clip(p.jump, 64) + " is not known")}
		return
	}
	c, err := p.r.chain(p.jump)
	if err != nil || c.c.Base != nil {
		p.problem("expected a chain of the user after -j, found " + quote(p.jump))
		p.action = firewall.Action{Kind: firewall.Unknown, Why: p.r.words.get("jump to " + clip(p.jump, 64))}
		return
	}
	p.t.pending = true
	p.action = firewall.Action{Kind: kind, Target: c.c}
}

// compose lays the matches of a rule out: addresses, interfaces, protocol, then
// what modules ask.
func (p *ruleParser) compose(srcs, dsts []addressSet) []firewall.Match {
	out := p.r.block(6 + len(p.extra))
	if len(srcs) > 0 {
		out = append(out, firewall.Match{Field: firewall.Src, Not: p.srcNot, Addrs: srcs[0].set})
	}
	if len(dsts) > 0 {
		out = append(out, firewall.Match{Field: firewall.Dst, Not: p.dstNot, Addrs: dsts[0].set})
	}
	out = p.iface(out, firewall.InInterface, p.in, p.inNot)
	out = p.iface(out, firewall.OutInterface, p.out, p.outNot)
	if p.hasProto || p.protoNot {
		out = append(out, firewall.Match{Field: firewall.Protocol, Not: p.protoNot, Numbers: p.r.protocolSet(p.proto)})
	}
	first := len(out)
	out = append(out, p.extra...)
	p.r.matches = p.r.matches[len(out):]
	for _, u := range p.uses {
		p.r.setUses = append(p.r.setUses, setUse{set: u.set, match: &out[first+u.index]})
	}
	return slices.Clip(out)
}

// block gives room for at most n matches out of a common block.
func (r *reader) block(n int) []firewall.Match {
	const most = 2048
	if len(r.matches) < n {
		r.blocked = min(max(2*r.blocked, 32), most)
		r.matches = make([]firewall.Match, max(r.blocked, n))
	}
	return r.matches[:0]
}

func (r *reader) protocolSet(n firewall.Number) firewall.Numbers {
	if s := r.caches.protos[n&255]; !s.Empty() {
		return s
	}
	r.caches.protos[n&255] = firewall.NumbersOf(n)
	return r.caches.protos[n&255]
}

// iface adds a match of an interface; "eth+" is any name that begins so.
func (p *ruleParser) iface(out []firewall.Match, f firewall.Field, name string, not bool) []firewall.Match {
	if name == "" || name == "+" && !not {
		return out
	}
	if strings.HasSuffix(name, "*") {
		return append(out, firewall.Match{
			Field: firewall.Undecidable, Why: p.r.words.get("interface name " + clip(name, 32) + " ends with a star: write + for a pattern"),
		})
	}
	names, ok := p.r.caches.names[name]
	if !ok {
		pattern := name
		if before, wild := strings.CutSuffix(name, "+"); wild {
			pattern = before + "*"
		}
		names = []string{p.r.words.get(pattern)}
		keepIn(&p.r.caches.names, name, names)
	}
	return append(out, firewall.Match{Field: f, Not: not, Names: names})
}
