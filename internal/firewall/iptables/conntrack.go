package iptables

import (
	"strings"

	"reconshield/internal/firewall"
)

// ctOptions is what one "-m conntrack" or "-m state" asks.
type ctOptions struct {
	state    stateList
	hasState bool
	not      bool
	others   []firewall.Match // about the conversation, which must be known
	ports    []ctPorts
}

// ctPorts is a match of the original direction's ports. What it means depends on
// the rule's protocol, which may stand behind it.
type ctPorts struct {
	name  string
	match firewall.Match
}

// stateList is the argument of --ctstate.
type stateList struct {
	states     firewall.Numbers
	snat, dnat bool
}

// tracked are the states of packets that belong to a conversation.
func tracked() firewall.Numbers {
	return firewall.NumbersOf(firewall.StateNew, firewall.StateEstablished, firewall.StateRelated)
}

func inState(n ...firewall.Number) firewall.Match {
	return firewall.Match{Field: firewall.State, Numbers: firewall.NumbersOf(n...)}
}

func parseStates(s string) (list stateList, ok bool) {
	var states []firewall.Number
	for name := range strings.SplitSeq(s, ",") {
		switch strings.ToUpper(name) {
		case "NEW":
			states = append(states, firewall.StateNew)
		case "ESTABLISHED":
			states = append(states, firewall.StateEstablished)
		case "RELATED":
			states = append(states, firewall.StateRelated)
		case "INVALID":
			states = append(states, firewall.StateInvalid)
		case "UNTRACKED":
			states = append(states, firewall.StateUntracked)
		case "SNAT":
			list.snat = true
		case "DNAT":
			list.dnat = true
		default:
			return list, false
		}
	}
	list.states = firewall.NumbersOf(states...)
	return list, true
}

func (p *ruleParser) conntrackOption(ct *ctOptions, name, value string) {
	switch name {
	case "ctstate", "state":
		list, ok := p.r.caches.states[value]
		if !ok {
			if list, ok = parseStates(value); !ok {
				p.problem("expected states such as NEW,ESTABLISHED, found " + quote(value))
				return
			}
			keepIn(&p.r.caches.states, value, list)
		}
		ct.state, ct.hasState, ct.not = list, true, p.not
	case "ctproto":
		n, all, ok := protocolNumber(value)
		if !ok || all {
			p.problem("unknown protocol " + quote(value) + ": give its number")
			return
		}
		m := firewall.Match{Field: firewall.Protocol, Not: p.not, Numbers: p.r.protocolSet(n)}
		ct.others = append(ct.others, p.decidedIn(m, "ctproto of related packets", firewall.StateNew, firewall.StateEstablished))
	case "ctorigsrc", "ctorigdst":
		a, why := p.r.address(value)
		if why != "" {
			ct.others = append(ct.others, p.ctDoubt(why))
			return
		}
		if name == "ctorigdst" {
			ct.others = append(ct.others, firewall.Match{Field: firewall.OrigDst, Not: p.not, Addrs: a.set})
			return
		}
		m := firewall.Match{Field: firewall.Src, Not: p.not, Addrs: a.set}
		ct.others = append(ct.others, p.decidedIn(m, "ctorigsrc of replies", firewall.StateNew))
	case "ctorigsrcport", "ctorigdstport":
		p.ctPort(ct, name, value)
	case "ctstatus":
		p.ctStatus(ct, value)
	case "ctdir":
		p.ctDirection(ct, value)
	default:
		ct.others = append(ct.others, p.ctDoubt(name+" "+clip(value, 60)+" depends on connection tracking"))
	}
}

func (p *ruleParser) ctDoubt(why string) firewall.Match {
	return firewall.Match{Field: firewall.Undecidable, Not: p.not, Why: p.r.words.get(clip(why, 200))}
}

// decidedIn is m in some states and unknown in the other states of
// conversations.
func (p *ruleParser) decidedIn(m firewall.Match, why string, states ...firewall.Number) firewall.Match {
	known := firewall.NumbersOf(states...)
	return firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{
		{{Field: firewall.State, Numbers: known}, m},
		{
			{Field: firewall.State, Numbers: tracked().Subtract(known)},
			{Field: firewall.Undecidable, Why: p.r.words.get(why + " depends on connection tracking")},
		},
	}}
}

// ctPort reads ports of the original direction. Conversations without ports
// keep something else in their place.
func (p *ruleParser) ctPort(ct *ctOptions, name, value string) {
	set, ok := p.r.ports(value, false)
	if !ok {
		p.problem("expected a port or a range of ports, found " + quote(value))
		return
	}
	m := firewall.Match{Field: firewall.OrigDstPort, Not: p.not, Numbers: set}
	if name == "ctorigsrcport" {
		m = p.decidedIn(firewall.Match{Field: firewall.SrcPort, Not: p.not, Numbers: set}, "ctorigsrcport of replies", firewall.StateNew)
	}
	ct.ports = append(ct.ports, ctPorts{name, m})
}

// finishPorts adds the ports.
func (p *ruleParser) finishPorts(ct *ctOptions) {
	for _, c := range ct.ports {
		if p.hasProto && hasPorts(p.proto) {
			ct.others = append(ct.others, c.match)
			continue
		}
		ct.others = append(ct.others, firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{
			{{Field: firewall.Protocol, Numbers: withPorts()}, c.match},
			{
				{Field: firewall.Protocol, Not: true, Numbers: withPorts()},
				{Field: firewall.Undecidable, Why: p.r.words.get(c.name + " of a conversation without ports")},
			},
		}})
	}
}

// ctStatus reads a list of status bits. The first packet of a conversation has
// seen no reply, is not assured and was not expected; NONE has no bit and never
// matches.
func (p *ruleParser) ctStatus(ct *ctOptions, value string) {
	m := firewall.Match{Field: firewall.Tuple, Not: p.not}
	why := firewall.Match{Field: firewall.Undecidable, Why: p.r.words.get("ctstatus " + clip(value, 60) + " depends on connection tracking")}
	for name := range strings.SplitSeq(value, ",") {
		switch strings.ToUpper(name) {
		case "NONE":
		case "SEEN_REPLY":
			m.Tuples = append(m.Tuples,
				[]firewall.Match{inState(firewall.StateEstablished)},
				[]firewall.Match{inState(firewall.StateRelated), why})
		case "ASSURED", "EXPECTED":
			m.Tuples = append(m.Tuples, []firewall.Match{inState(firewall.StateEstablished, firewall.StateRelated), why})
		case "CONFIRMED":
			m.Tuples = append(m.Tuples, []firewall.Match{why})
		default:
			p.problem("unknown ctstatus " + quote(value))
			return
		}
	}
	if len(m.Tuples) == 0 {
		m = never()
		m.Not = p.not
	}
	ct.others = append(ct.others, m)
}

// ctDirection reads ORIGINAL or REPLY: a new conversation is in its original
// direction.
func (p *ruleParser) ctDirection(ct *ctOptions, value string) {
	value = strings.ToUpper(value)
	if value != "ORIGINAL" && value != "REPLY" {
		p.problem("expected ORIGINAL or REPLY, found " + quote(value))
		return
	}
	later := []firewall.Match{
		inState(firewall.StateEstablished, firewall.StateRelated),
		{Field: firewall.Undecidable, Why: "ctdir of established packets"},
	}
	m := firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{later}}
	if (value == "ORIGINAL") != p.not {
		m.Tuples = [][]firewall.Match{{inState(firewall.StateNew)}, later}
	}
	ct.others = append(ct.others, m)
}

// finishConntrack adds the module's matches as the kernel combines them
// (net/netfilter/xt_conntrack.c): a packet without a conversation is judged by
// --ctstate alone, and fails without it.
func (p *ruleParser) finishConntrack(ct *ctOptions) {
	p.finishPorts(ct)
	if !ct.hasState {
		if len(ct.others) > 0 {
			p.add(firewall.Match{Field: firewall.State, Numbers: tracked()})
			p.extra = append(p.extra, ct.others...)
		}
		return
	}
	state := firewall.Match{Field: firewall.State, Not: ct.not, Numbers: ct.state.states}
	if ct.state.snat || ct.state.dnat {
		state = ct.natStates()
	}
	effective := ct.state.states
	if ct.not {
		effective = firewall.NumberRange(firewall.StateNew, firewall.StateUntracked).Subtract(effective)
	}
	loose := effective.Intersect(firewall.NumbersOf(firewall.StateInvalid, firewall.StateUntracked))
	if len(ct.others) == 0 || loose.Empty() {
		p.add(state)
		p.extra = append(p.extra, ct.others...)
		return
	}
	p.add(firewall.Match{Field: firewall.Tuple, Tuples: [][]firewall.Match{
		{{Field: firewall.State, Numbers: loose}},
		append([]firewall.Match{{Field: firewall.State, Numbers: tracked()}, state}, ct.others...),
	}})
}

// natStates is a list of states with SNAT or DNAT among them: either is enough.
func (ct *ctOptions) natStates() firewall.Match {
	m := firewall.Match{Field: firewall.Tuple, Not: ct.not}
	if !ct.state.states.Empty() {
		m.Tuples = append(m.Tuples, []firewall.Match{{Field: firewall.State, Numbers: ct.state.states}})
	}
	if ct.state.dnat {
		m.Tuples = append(m.Tuples, []firewall.Match{{Field: firewall.Status, Numbers: firewall.NumbersOf(firewall.StatusDNAT)}})
	}
	if ct.state.snat {
		m.Tuples = append(m.Tuples, []firewall.Match{{Field: firewall.Undecidable, Why: "ctstate SNAT depends on connection tracking"}})
	}
	return m
}
