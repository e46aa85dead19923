package firewall

import (
	"fmt"
	"net/netip"
)

// Ruleset is everything that decides about packets in one place: the tables of
// one Linux host, the access lists of a router, the groups and lists of a cloud
// network. Dialects build it; it is not changed afterwards and is then safe for
// concurrent use.
//
// A dialect must never leave out what it does not understand: a match it cannot
// express becomes a Match of field Undecidable, an action an Action of kind
// Unknown, and text it cannot read at all an Unparsed.
type Ruleset struct {
	Files    []string // the names given to the dialects
	Chains   []*Chain
	Unparsed []Unparsed
	Host     HostFacts
	Assumed  []string // what the dialect took for granted, each one line with how to say otherwise
}

// Unparsed is a piece of a file that was not understood. It makes what it may
// bear on undecided.
type Unparsed struct {
	Pos  Position
	Text string // the line or the piece, at most 200 bytes
	Why  string // one line: what was expected, or what to give as well
}

// HostFacts is what the files tell of the host itself, beside its rules. What
// is not known is empty.
type HostFacts struct {
	Local Addrs // the host's own addresses
	// Partial says that the host may have more addresses than Local, though none
	// of Remote, which are other hosts'.
	Partial bool
	Remote  Addrs
	Routes  []Route // longest prefix first
}

// Route says through which interface addresses are reached.
type Route struct {
	Prefix    netip.Prefix
	Interface string
	Pos       Position // of the rule or line it was learnt from
}

// Position is a place in a file given by the user. Lines count from 1; a zero
// Line means the file as a whole.
type Position struct {
	File string
	Line int
}

// String is "file:12".
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Family is a set of address families.
type Family uint8

// Families. Inet is both.
const (
	IPv4 Family = 1 << iota
	IPv6
	Inet = IPv4 | IPv6
)

// FamilyOf is the family of an address.
func FamilyOf(a netip.Addr) Family {
	if a.Unmap().Is4() {
		return IPv4
	}
	return IPv6
}

// Hook is where a base chain sees packets.
type Hook uint8

// Hooks. Always is for rulesets that know no path through a host: access lists
// and cloud groups, which judge every packet to an asset. Of the hooks of
// Linux, Egress and bridges are not modelled.
const (
	NoHook Hook = iota
	Ingress
	Prerouting
	Input
	Forward
	Output
	Postrouting
	Always
)

// Kind is the type of a base chain.
type Kind uint8

// Kinds. A NAT chain sees only the first packet of a conversation that
// connection tracking knows.
const (
	Filter Kind = iota
	NAT
	RouteKind // of output: like Filter, routes again after a mark changed
)

// Priorities at which Linux itself acts (uapi/linux/netfilter_ipv4.h). A base
// chain below ConntrackPriority sees packets before they are tracked.
const (
	RawPriority       = -300
	ConntrackPriority = -200
	ManglePriority    = -150
	DNATPriority      = -100
	FilterPriority    = 0
	SecurityPriority  = 50
	SNATPriority      = 100
)

// Chain is a list of rules. A chain with Base nil is entered by Jump or Goto
// alone.
type Chain struct {
	Table  string // "filter"; in nft with the family: "inet filter"
	Name   string
	Family Family // packets of other families pass it by
	Base   *Base
	Rules  []Rule
	Pos    Position
}

// Base attaches a chain to a hook. The chains of a hook run in the order of
// their priority; each must accept a packet, and a drop is final. Chains with
// the same priority run against the order of Ruleset.Chains, the newest first.
type Base struct {
	Hook     Hook
	Kind     Kind
	Priority int
	Default  Verdict // what becomes of packets that no rule judged
	// Interfaces restricts the chain to packets that come in on these
	// (patterns as of Match.Names); nil: all packets.
	Interfaces []string
	// Pos is where the default stands: the policy line.
	Pos Position
}

// Verdict is what a chain does in the end.
type Verdict uint8

// Verdicts.
const (
	AcceptVerdict Verdict = iota
	DropVerdict
)

// Rule is a conjunction of matches and what to do with packets that fulfil all
// of them.
type Rule struct {
	Matches []Match
	Action  Action
	Pos     Position
	Text    string // as it stands in the file, at most 300 bytes
	// Implied says that no line of the file is the rule: the device adds it.
	Implied bool
}

// ActionKind says what a rule does.
type ActionKind uint8

// Kinds of actions. Continue is a rule without effect on reachability: a
// counter, a log, a mark. Unknown may do any of accept, drop and continue: a
// queue to a program, an extension that the dialect does not know.
const (
	Continue ActionKind = iota
	Accept
	Drop
	Reject
	Return
	Jump
	Goto
	DNAT // redirects to To; Redirect when To has no address
	Redirect
	SNAT // the source changes; masquerading too
	Notrack
	Unknown
)

// Action is what a rule does.
type Action struct {
	Kind   ActionKind
	Target *Chain // of Jump and Goto
	To     NATRange
	Why    string // of Unknown: what makes it so, one line
	// Astray is of Unknown and Continue: the packet, or a copy of it, may also go
	// a way that no later rule sees, or that others see than those about its
	// address and port: it is rewritten, or sent on from here.
	Astray bool
}

// NATRange is where a NAT action sends packets: one of the addresses, one of
// the ports, both ends included. An invalid First or a zero FirstPort leaves
// that part as it is.
type NATRange struct {
	First, Last         netip.Addr
	FirstPort, LastPort uint16
}
