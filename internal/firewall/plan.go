package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/policy"
)

// Plan is what a firewall shall do for one asset, before any syntax: the one
// rule model that every format renders. Package recommend makes it of a policy.
//
// Its meaning, which every rendered configuration must have exactly: a new
// conversation to one of Addresses is accepted when an Allow covers it, and
// dropped otherwise. Replies of accepted conversations, what connection
// tracking calls related, loopback, and the ICMP messages that must pass do,
// whoever they are for: for IPv4 the errors (unreachable with fragmentation needed, RFC 1191; time
// exceeded; parameter problem) and echo requests (RFC 1122 section 3.2.2.6),
// for IPv6 those of RFC 4890 section 4.3, echo among them, and on the asset
// those of section 4.4. Nothing is accepted for its source port. A new
// conversation from the asset is accepted unless DNS forbids it.
//
// On a gateway, other hosts count as well. Packets that come in on an interface
// of a zone outside with the asset's address as their source are dropped. Hosts
// in a zone of Inside may open conversations to everywhere but the networks of
// those zones, unless DNS forbids it; their queries to the approved resolvers
// pass wherever those stand, and so do all queries of a resolver that stands
// among them. Nothing else is forwarded: not from one zone inside
// to another, and nothing from outside but to the asset. What is for the gateway
// itself, or from it, is no part of the plan. On an asset with Docker, containers may open
// what the asset may.
type Plan struct {
	Asset     string
	Owner     string
	Role      policy.Role
	Addresses []netip.Addr
	Place     Place
	Zones     []policy.Zone // all of the policy
	Allows    []Allow       // sorted: by zone in the policy's order, then transport, then port
	DNS       DNSEgress
	Limit     *RateLimit // of new inbound DNS queries a source; nil for none
	Docker    bool       // containers with published ports run on the asset
	// Secondaries may transfer zones from the asset, which only configurations of
	// DNS servers can say; empty: nobody.
	Secondaries []netip.Prefix
	Policy      string // the policy file's name, for comments
}

// Inside are the zones of which a gateway lets conversations out: those that
// have networks and are not Outside. A zone with interfaces alone is none of
// them, because nobody could tell whose packets come from there.
func (p Plan) Inside() []policy.Zone {
	var out []policy.Zone
	for _, z := range p.Zones {
		if len(z.Networks) > 0 && !Outside(z) {
			out = append(out, z)
		}
	}
	return out
}

// Outside reports whether a zone holds everybody: wan, and one with a network
// of all addresses.
func Outside(z policy.Zone) bool {
	return z.Name == policy.WAN || slices.ContainsFunc(z.Networks, func(n netip.Prefix) bool { return n.Bits() == 0 })
}

// Place is where the rules stand.
type Place uint8

// Places. On the asset itself the rules are of input; on a gateway in front of
// it, of forwarding. Rules on the asset forward nothing, except for Docker.
const (
	OnAsset Place = iota
	OnGateway
)

// Allow lets new conversations in.
type Allow struct {
	Zone       string
	Interfaces []string           // on which the zone's packets come in; empty: any
	Sources    []netip.Prefix     // masked, of both families; empty: any address
	Transport  exposure.Transport // exposure.TCP, exposure.UDP or policy.ESP
	Ports      []PortRange        // sorted, disjoint; nil for policy.ESP
	Why        string             // one line, for the comment: the policy's rule
	Until      time.Time          // of an exception, the last day; zero: no end
}

// PortRange is a range of ports, both ends included.
type PortRange struct{ First, Last uint16 }

// String is "53" or "8000-8080".
func (r PortRange) String() string {
	if r.First == r.Last {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// Of gives the sources of one family; anyone is true when every address of it
// may be a source. With anyone false and no sources the Allow says nothing of the
// family.
func (a Allow) Of(f Family) (sources []netip.Prefix, anyone bool) {
	if len(a.Sources) == 0 {
		return nil, true
	}
	for _, p := range a.Sources {
		if FamilyOf(p.Addr()) == f {
			sources = append(sources, p)
		}
	}
	return sources, false
}

// DNSEgress says who may ask DNS servers outside (ports 53 and 853, UDP and
// TCP). It holds for what leaves the asset and, on a gateway or with Docker,
// for what is forwarded.
type DNSEgress struct {
	Control   bool         // false: DNS leaves freely
	Self      bool         // the asset is an approved resolver: its own queries go anywhere
	Resolvers []netip.Addr // who everybody else may ask; those of the asset itself left out
	// Peers are whom the asset alone may send DNS as well: its secondaries, for
	// notifications (RFC 1996), and the primaries it transfers zones from.
	Peers    []netip.Prefix
	Redirect bool // send other clients' port 53 to the first resolver of their family
}

// PeersOf are the peers of one family, the fewest prefixes that make them up.
func (e DNSEgress) PeersOf(f Family) []netip.Prefix {
	return Prefixes(AddrsOf(e.Peers...).Intersect(AllOf(f)))
}

// RateLimit is a backstop: new conversations above it, counted a source, are
// dropped. Spoofed sources can use it to shut out whom they imitate, so it is
// set far above honest traffic and never the only measure.
type RateLimit struct {
	PerSecond int
	Burst     int
}

// Feature is something that a plan may need and a format may lack.
type Feature string

// Features.
const (
	FeatureIPv6            Feature = "IPv6"
	FeatureInterfaces      Feature = "matching the interface a packet came in on"
	FeatureInterfaceSource Feature = "matching interface and source together"
	FeatureESP             Feature = "the protocol ESP"
	FeatureRateLimit       Feature = "rate limits a source"
	FeatureDNSEgress       Feature = "control of outgoing DNS"
	FeatureRedirect        Feature = "redirection of DNS to a resolver"
	FeatureDocker          Feature = "published container ports"
	FeatureGateway         Feature = "rules on a gateway in front of the asset"
	FeatureHost            Feature = "rules on the asset itself"
	FeatureICMP            Feature = "the ICMP messages that must pass"
	FeatureStateful        Feature = "replies recognised by their conversation"
	FeatureSize            Feature = "as many rules as the plan needs"
)

// UnsupportedError says that a format cannot express what the plan needs. The
// rules are then not rendered at all.
type UnsupportedError struct {
	Format  string
	Feature Feature
	Where   string // which part of the plan needs it, one line
	Hint    string // what to do, one line
}

// Error is one line.
func (e *UnsupportedError) Error() string {
	text := fmt.Sprintf("%s cannot express %s", e.Format, e.Feature)
	if e.Where != "" {
		text += " (" + e.Where + ")"
	}
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// Config is a rendered plan: files, and what to do with them.
type Config struct {
	Format   string // as in --for: "nftables"
	Files    []File
	Check    []Step // before: that the text is well formed and says what it should
	Apply    []Step
	Rollback []Step
	Verify   []Step   // after: from outside and on the host
	Notes    []string // cautions: what the format does that the reader may not expect
}

// File is one file of a configuration.
type File struct {
	Name string // suggested, without folders: "ns1.nft"
	Text string
}

// Step is something a person does.
type Step struct {
	Text    string // one sentence
	Command string // verbatim, may have several lines; empty when there is none
}
