package firewall

import (
	"net/netip"
	"strings"
)

// Tri is a truth that may not be known.
type Tri uint8

// Truths.
const (
	No Tri = iota
	Yes
	Maybe
)

func triOf(b bool) Tri {
	if b {
		return Yes
	}
	return No
}

// not is the negation.
func (t Tri) not() Tri {
	switch t {
	case No:
		return Yes
	case Yes:
		return No
	case Maybe:
	}
	return Maybe
}

// Link is an interface as far as it is known. The zero value is an interface
// of which only is known that it is not the loopback one.
type Link struct {
	Known bool
	Name  string // empty with Known: there is none, as on input the outgoing one
}

// Loopback is the name of the interface on which only the host itself talks.
const Loopback = "lo"

// matches says whether one of the patterns names the interface.
func (l Link) matches(patterns []string) Tri {
	verdict := No
	for _, p := range patterns {
		switch stem, wild := strings.CutSuffix(p, "*"); {
		case !l.Known && p == Loopback:
		case !l.Known && p == "*":
			return Yes
		case !l.Known:
			verdict = Maybe
		case wild && l.Name != "" && strings.HasPrefix(l.Name, stem), !wild && l.Name == p:
			return Yes
		}
	}
	return verdict
}

// header is what is fixed of a packet while its source stays open. Ports are
// spans that no rule in sight divides.
type header struct {
	family    Family
	in, out   Link
	dst       Span[netip.Addr]
	dstKnown  bool // false: some address of the host, after a redirection
	dstLocal  Tri
	origDst   netip.Addr
	protocol  Number
	sport     Span[Number]
	dport     Span[Number]
	origDport Span[Number]
	mapped    bool   // dport is what NAT made of origDport
	tracked   bool   // connection tracking has seen the packet
	state     Number // then
	settled   bool   // a NAT chain has decided on the destination
	dnat      Tri    // whether that changed it
	masked    bool   // a NAT chain may have changed the source
	icmp      Number
	flags     Number
}

// Protocols that have ports where TCP has them, and those with types.
const (
	icmpProtocol    Number = 1
	tcpProtocol     Number = 6
	udpProtocol     Number = 17
	dccpProtocol    Number = 33
	icmp6Protocol   Number = 58
	sctpProtocol    Number = 132
	udpLiteProtocol Number = 136
)

func (h *header) ported() bool {
	return h.protocol == tcpProtocol || h.protocol == udpProtocol || h.protocol == dccpProtocol ||
		h.protocol == sctpProtocol || h.protocol == udpLiteProtocol
}

// decide says whether a match that needs no source holds.
func (h *header) decide(m *Match) Tri {
	t := h.value(m)
	if m.Not {
		return t.not()
	}
	return t
}

func (h *header) value(m *Match) Tri {
	switch m.Field {
	case OrigDst:
		if h.origDst.IsUnspecified() {
			return Maybe
		}
		return triOf(m.Addrs.Contains(h.origDst))
	case NFProto:
		if h.family == IPv4 {
			return triOf(m.Numbers.Contains(4))
		}
		return triOf(m.Numbers.Contains(6))
	case InInterface:
		return h.in.matches(m.Names)
	case OutInterface:
		return h.out.matches(m.Names)
	case State:
		if !h.tracked {
			return Maybe
		}
		return triOf(m.Numbers.Contains(h.state))
	case Status:
		return h.status(m)
	case DstLocal:
		return h.dstLocal
	case ICMPType:
		return triOf(m.Numbers.Contains(h.icmp))
	case TCPFlags:
		return triOf(m.Numbers.Contains(h.flags))
	case Presumed:
		return Yes
	case Src, Dst, SrcPort, DstPort, OrigDstPort, Protocol, Tuple, Undecidable:
	}
	return Maybe
}

func (h *header) status(m *Match) Tri {
	done, none := m.Numbers.Contains(StatusDNAT), m.Numbers.Contains(StatusNone)
	switch {
	case done == none:
		return triOf(done)
	case done:
		return h.dnat
	}
	return h.dnat.not()
}

// impossible reports a match on what the packet does not have, which never
// holds even when negated.
func (h *header) impossible(m *Match) bool {
	switch m.Field {
	case ICMPType:
		return h.protocol != icmpProtocol && h.protocol != icmp6Protocol
	case TCPFlags:
		return h.protocol != tcpProtocol
	case Src, Dst, OrigDst, SrcPort, DstPort, OrigDstPort, Protocol, NFProto, InInterface, OutInterface,
		State, Status, DstLocal, Tuple, Undecidable, Presumed:
	}
	return false
}

// admits says whether everything of r but source and ports fits the header:
// No when it cannot match, Maybe when that is undecided, Yes when source and
// ports alone decide.
func (h *header) admits(r *compiled) Tri {
	verdict := Yes
	for i := range r.protocol {
		if r.protocol[i].holds(Span[Number]{h.protocol, h.protocol}) == No {
			return No
		}
	}
	if (len(r.dports) > 0 || len(r.sports) > 0) && !h.ported() {
		return No
	}
	for i := range r.dst {
		t := Maybe
		if h.dstKnown {
			t = r.dst[i].holds(h.dst)
		}
		if t == No {
			return No
		}
		verdict = both(verdict, t)
	}
	for i := range r.rest {
		if h.impossible(&r.rest[i]) {
			return No
		}
		t := h.decide(&r.rest[i])
		if t == No {
			return No
		}
		verdict = both(verdict, t)
	}
	if r.why != "" {
		return Maybe
	}
	return verdict
}

// both is the conjunction.
func both(a, b Tri) Tri {
	switch {
	case a == No || b == No:
		return No
	case a == Maybe || b == Maybe:
		return Maybe
	}
	return Yes
}

// ports says whether the header's ports fulfil r.
func (h *header) ports(r *compiled) Tri {
	verdict := Yes
	for i := range r.dports {
		verdict = both(verdict, r.dports[i].holds(h.dport))
	}
	for i := range r.sports {
		verdict = both(verdict, r.sports[i].holds(h.sport))
	}
	for i := range r.oports {
		verdict = both(verdict, r.oports[i].holds(h.origDport))
	}
	return verdict
}
