// Package policy holds the exposure policy: which port of which asset may be
// reached from which zone. It parses and validates the one YAML file, gives
// what each role brings with it, and decides flows. It reads no files, knows
// no firewall's syntax and measures nothing.
package policy

import (
	"net/netip"
	"time"

	"reconshield/internal/exposure"
)

// Policy is one exposure policy. It is immutable after Parse or Default, and
// safe for concurrent use.
type Policy struct {
	File       string // the name given to Parse; empty for Default
	Zones      []Zone // in the file's order
	Assets     []Asset
	Exceptions []Exception
	Resolvers  []netip.Addr // the only ones that may ask DNS servers outside
	Default    Verdict      // of what no rule allows; always Deny today
	DefaultAt  Position     // of the line "default: deny"; zero when there is none

	index *index // nil in a Policy that was not made by Parse or Default
}

// Verdict is what the policy says of a flow.
type Verdict string

// Verdicts.
const (
	Allow Verdict = "allow"
	Deny  Verdict = "deny"
)

// WAN is the name of the zone that holds everybody: the one zone without
// networks unless the file says otherwise.
const WAN = "wan"

// Zone is a side of the network from which a port can be reached.
type Zone struct {
	Name       string
	Interfaces []string       // of the firewall, on which its packets come in; empty: not known
	Networks   []netip.Prefix // its addresses, masked; empty: any address
	Vantage    string         // the scanner that stands in it; empty: none
	Tunnel     Tunnel         // how it reaches us; empty: directly
	At         Position
}

// Tunnel is the kind of tunnel that makes a zone.
type Tunnel string

// Tunnels, by the ports that wan may reach for them: WireGuard 51820/udp,
// OpenVPN 1194/udp, IPsec 500/udp, 4500/udp and ESP (RFC 4303).
const (
	NoTunnel  Tunnel = ""
	WireGuard Tunnel = "wireguard"
	OpenVPN   Tunnel = "openvpn"
	IPsec     Tunnel = "ipsec"
)

// Role says what an asset is for, and brings rules with it: see Role.Rules.
type Role string

// Roles.
const (
	AuthoritativeDNS Role = "authoritative-dns"
	HiddenPrimary    Role = "hidden-primary"
	RecursiveDNS     Role = "recursive-dns"
	Forwarder        Role = "forwarder"
	PublicResolver   Role = "public-resolver"
	Host             Role = "host"
)

// Asset is something that has addresses and an owner.
type Asset struct {
	Name        string
	Addresses   []netip.Addr // unmapped, without zone
	DNSNames    []string     // "names" in the file
	Owner       string
	Role        Role // Host when the file says nothing
	Expose      []Expose
	Secondaries []netip.Prefix // who may transfer zones from it
	Waiver      *Waiver        // of a public resolver; nil for none
	Gateway     bool           // it is the firewall that the zones' interfaces belong to
	Firewall    string         // the format to recommend rules in, such as "nftables"; empty: not said
	At          Position
}

// Waiver is somebody's word that a public resolver is meant to be one.
type Waiver struct {
	Why, Owner string
	Until      time.Time // the last day, at 00:00 UTC; zero: no end
}

// Expose lets zones reach ports of an asset.
type Expose struct {
	Ports []Ports
	To    []string       // names of zones
	From  []netip.Prefix // only these sources of the zones; empty: all of them
	Why   string
	At    Position
}

// Exception is an Expose with an owner, a reason and an end.
type Exception struct {
	Asset string
	Expose
	Owner string
	Until time.Time // the last day on which it holds, at 00:00 UTC
}

// Ports is a range of ports of one transport, both ends included. A protocol
// without ports has First and Last zero.
type Ports struct {
	Transport   exposure.Transport // exposure.UDP, exposure.TCP or ESP
	First, Last uint16
}

// ESP is the protocol of IPsec's packets (RFC 4303), number 50; it has no
// ports and stands here only for the tunnel of a zone.
const ESP exposure.Transport = "esp"

// Flow is the start of a conversation: the first packet that a source sends.
type Flow struct {
	Zone      string // where the packet comes from
	Source    netip.Addr
	Target    netip.Addr
	Transport exposure.Transport // its Base is what counts
	Port      uint16
}

// Decision is the policy's word on a flow with the rule that gave it.
type Decision struct {
	Verdict Verdict
	Rule    Rule
}

// Rule names what decided: a line of the file or knowledge of a role.
type Rule struct {
	Kind RuleKind
	Text string   // one line for people: "role authoritative-dns: 53/udp from wan"
	At   Position // where it stands; of a role, where the asset stands; zero for Default's
}

// RuleKind is where a rule comes from.
type RuleKind string

// Kinds of rules.
const (
	FromRole      RuleKind = "role"
	FromExpose    RuleKind = "expose"
	FromException RuleKind = "exception"
	FromTunnel    RuleKind = "tunnel"
	FromDefault   RuleKind = "default"
)

// Grant is one thing the policy allows, with everything resolved: a zone may
// reach ports of an asset from sources. All that a policy allows is the union
// of its grants.
type Grant struct {
	Asset   *Asset
	Zone    *Zone
	Ports   Ports
	Sources []netip.Prefix // masked, within the zone's networks; empty: any address
	Rule    Rule
	Until   time.Time // zero: no end
}

// Position is a place in the policy file; lines and columns count from 1, and
// a zero Line means nowhere.
type Position struct {
	File         string
	Line, Column int
}
