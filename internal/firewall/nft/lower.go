package nft

import (
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/firewall"
)

// lowering turns one rule as read into rules of the model: matches gather until
// a statement acts.
type lowering struct {
	b       *builder
	t       *table
	r       *ruleAST
	matches []firewall.Match
	out     []firewall.Rule
	ended   bool // a verdict stood
	// first and notFirst: the rule asked for the first header of IPv6, or for
	// its not being something.
	first, notFirst bool
}

func (b *builder) lower(t *table, c *chain, r *ruleAST) []firewall.Rule {
	l := &lowering{b: b, t: t, r: r, matches: make([]firewall.Match, 0, len(r.stmts)+1)}
	for i := range r.stmts {
		if l.ended {
			l.afterVerdict(&r.stmts[i])
			break
		}
		l.statement(&r.stmts[i], i == len(r.stmts)-1)
	}
	if len(l.out) == 0 {
		l.emit(firewall.Action{Kind: firewall.Continue})
	}
	b.rules += len(l.out)
	if b.rules > maxRules {
		return b.tooMany(c, r)
	}
	return l.out
}

// tooMany ends the growth by maps: the rule may do anything.
func (b *builder) tooMany(c *chain, r *ruleAST) []firewall.Rule {
	if !b.full {
		b.full = true
		b.unparsed(r.pos.Line, r.text, fmt.Sprintf("expected at most %d rules with the elements of maps; chain %s goes on", maxRules, c.fw.Name))
	}
	return []firewall.Rule{{Action: firewall.Action{Kind: firewall.Unknown, Why: "too many rules"}, Pos: r.pos, Text: r.text}}
}

func (l *lowering) afterVerdict(s *stmt) {
	if s.kind == stNop {
		return
	}
	l.b.unparsed(l.r.pos.Line, l.r.text, "a statement after the verdict")
	l.out = append(l.out, l.rule(l.matches, firewall.Action{Kind: firewall.Unknown, Why: "a statement after the verdict"}))
}

func (l *lowering) rule(matches []firewall.Match, a firewall.Action) firewall.Rule {
	return firewall.Rule{Matches: slices.Clip(matches), Action: a, Pos: l.r.pos, Text: l.r.text}
}

// emit makes a rule of the matches so far and extra ones.
func (l *lowering) emit(a firewall.Action, extra ...firewall.Match) {
	matches := slices.Clip(l.matches)
	for _, m := range extra {
		matches = addMatch(matches, m)
	}
	drops := a.Kind == firewall.Drop || a.Kind == firewall.Reject
	// Who evades an accept gains nothing, and so who is caught by the opposite
	// of a drop; all else, such as a jump, may help.
	if l.first && a.Kind != firewall.Accept || l.notFirst && !drops {
		matches = append(matches, firewall.Match{
			Field: firewall.Undecidable,
			Why:   "ip6 nexthdr sees the first header alone: a sender evades it by an extension header; meta l4proto does not",
		})
	}
	l.out = append(l.out, l.rule(matches, a))
}

// and adds conditions for the rest of the rule. In tables of one family the
// family is not asked again.
func (l *lowering) and(matches ...firewall.Match) {
	for _, m := range matches {
		if !l.needless(&m) {
			l.matches = addMatch(l.matches, m)
		}
	}
}

func (l *lowering) needless(m *firewall.Match) bool {
	if m.Field != firewall.NFProto || m.Not {
		return false
	}
	switch l.t.family {
	case "ip":
		return m.Numbers.Contains(4)
	case "ip6":
		return m.Numbers.Contains(6)
	}
	return false
}

// addMatch appends a match that is not there yet: nft implies the same protocol
// again and again.
func addMatch(list []firewall.Match, m firewall.Match) []firewall.Match {
	if m.Field == firewall.Protocol || m.Field == firewall.NFProto || m.Field == firewall.State {
		for i := range list {
			if o := &list[i]; o.Field == m.Field && o.Not == m.Not && o.Numbers.Equal(m.Numbers) {
				return list
			}
		}
	}
	return append(list, m)
}

// note remembers that the first header of IPv6 was asked for.
func (l *lowering) note(s *subject, not bool) {
	if s.role == firstHeader {
		l.first, l.notFirst = l.first || !not, l.notFirst || not
	}
}

func (l *lowering) statement(s *stmt, last bool) {
	switch s.kind {
	case stMatch:
		l.and(l.match(s)...)
	case stVmap:
		l.vmap(s)
	case stVerdict:
		l.ended = true
		l.emit(l.verdict(&s.left))
	case stReject:
		l.ended = true
		l.reject(s)
	case stNop:
		l.copied(s)
	case stUndecidable:
		l.key(&s.right)
		l.and(undecidable(s.op)...)
	case stUnknown:
		l.emit(firewall.Action{Kind: firewall.Unknown, Why: s.op, Astray: s.text == "fwd" || s.text == "tproxy"})
	case stNAT:
		l.ended = true
		l.nat(s)
	case stMangle:
		l.mangle(s, last)
	case stUpdate:
		l.key(&s.right)
		if s.op != "delete" && !last {
			l.and(undecidable("the set " + s.left.text + " may be full, or a limit in it reached")...)
		}
	case stNotrack:
		l.emit(firewall.Action{Kind: firewall.Notrack})
	case stXT:
		l.extension(s)
	}
}

// copied lowers dup: past all rules that follow, a copy of what is not for the
// host itself goes to another one, which may be the target or know it. At
// ingress it leaves for the hardware address that it came to, and so for nobody.
func (l *lowering) copied(s *stmt) {
	if s.text != "dup" || l.t.family == "netdev" {
		return
	}
	why := "dup sends a copy of the packet to another host, past all rules that follow"
	l.emit(firewall.Action{Kind: firewall.Continue, Astray: true, Why: why}, localDst(true))
}

// key adds what nft checks before it reads the key of an update or a meter.
func (l *lowering) key(e *expr) {
	if e.kind != exNone {
		_, implied := l.b.subjectsOf(e)
		l.and(implied...)
	}
}

// verdict gives the action of accept, jump and so on.
func (l *lowering) verdict(e *expr) firewall.Action {
	switch e.text {
	case "accept":
		return firewall.Action{Kind: firewall.Accept}
	case "drop":
		return firewall.Action{Kind: firewall.Drop}
	case "return":
		return firewall.Action{Kind: firewall.Return}
	case "continue":
		return firewall.Action{Kind: firewall.Continue}
	case "jump", "goto":
		if len(e.args) != 1 || e.args[0].kind != exValue || e.args[0].text == "" {
			return firewall.Action{Kind: firewall.Unknown, Why: e.text + " to a chain that is not named"}
		}
		a := firewall.Action{Kind: firewall.Jump, Target: l.t.chain(e.args[0].text).fw}
		if a.Target.Pos.File == "" {
			a.Target.Pos = l.r.pos
		}
		if e.text == "goto" {
			a.Kind = firewall.Goto
		}
		return a
	case "queue":
		return firewall.Action{Kind: firewall.Unknown, Why: "queue hands packets to a program"}
	}
	return firewall.Action{Kind: firewall.Unknown, Why: "verdict " + clip(e.text, 40) + " is not understood"}
}

// reject adds what the kind of reply implies (nft(8), REJECT STATEMENT).
func (l *lowering) reject(s *stmt) {
	switch s.op {
	case "tcp reset":
		l.and(protoIs(6))
	case "icmp":
		l.and(familyIs(4))
	case "icmpv6":
		l.and(familyIs(6))
	}
	l.emit(firewall.Action{Kind: firewall.Reject})
}

// mangle lowers "meta mark set …": marks are undecidable where they are
// matched, headers are not modelled at all.
func (l *lowering) mangle(s *stmt, last bool) {
	switch first, rest, _ := strings.Cut(s.left.text, " "); first {
	case "meta", "ct":
	case "ip", "ip6", "tcp", "udp", "sctp", "th", "dccp", "udplite", "icmp", "icmpv6":
		if harmless(rest) {
			break
		}
		fallthrough
	default:
		if !strings.HasPrefix(s.left.text, "tcp option") {
			l.emit(firewall.Action{Kind: firewall.Unknown, Astray: true, Why: "writing " + clip(s.left.text, 40) + " changes the packet"})
		}
	}
	if s.right.kind == exMap && !last {
		l.and(undecidable("a lookup in a map that may have no such element")...)
	}
}

// harmless are fields that no match of the model looks at.
func harmless(field string) bool {
	switch field {
	case "dscp", "ecn", "ttl", "hoplimit", "flowlabel", "checksum", "id", "window":
		return true
	}
	return false
}

// NeedsIPTablesSave is the Why of the one Unparsed of a file that lists rules
// of iptables-nft with extensions that nft cannot show. The tables it speaks of
// are those that iptables-save prints.
const NeedsIPTablesSave = "rules of iptables-nft are listed without their parameters: give the iptables-save (and ip6tables-save) of the host as well"

// extension lowers what iptables-nft left in the kernel and nft cannot show.
func (l *lowering) extension(s *stmt) {
	if !l.b.xt {
		l.b.xt = true
		l.b.unparsed(l.r.pos.Line, l.r.text, NeedsIPTablesSave)
	}
	name := clip(s.text, 40)
	if s.op == "match" {
		if name != "comment" {
			l.and(undecidable("the parameters of iptables' match " + name + " are not listed: give iptables-save as well")...)
		}
		return
	}
	switch name {
	case "LOG", "NFLOG", "MARK", "CONNMARK", "TCPMSS", "CHECKSUM", "CLASSIFY", "DSCP", "TOS", "TRACE":
		// The packet goes on as it is.
	case "REJECT":
		l.ended = true
		l.emit(firewall.Action{Kind: firewall.Reject})
	case "MASQUERADE":
		l.ended = true
		l.emit(firewall.Action{Kind: firewall.SNAT})
		l.route(firewall.SNAT)
	default:
		l.emit(firewall.Action{Kind: firewall.Unknown, Astray: true, Why: "the parameters of iptables' target " + name + " are not listed: give iptables-save as well"})
	}
}
