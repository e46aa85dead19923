package device

import (
	"net/netip"
	"slices"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// Row is one rule about new conversations. In a list of rows the first that
// matches decides; what none matches is dropped.
type Row struct {
	Deny       bool
	Family     firewall.Family // IPv4 or IPv6, never both
	Zone       string          // of the policy, that Interfaces belong to; empty: any
	Interfaces []string        // on which the packet comes in; empty: any
	Sources    []netip.Prefix  // of Family; empty: any
	Targets    []netip.Prefix  // of Family; empty: any
	Transports []exposure.Transport
	Ports      []firewall.PortRange // of the target; nil with policy.ESP or no transport
	Why        string               // as the plan says it: not yet safe in a comment
	Until      time.Time            // the last day; zero: no end
}

// Inbound gives what the plan lets reach the asset.
func Inbound(p firewall.Plan) []Row {
	var out []Row
	for _, a := range p.Allows {
		for _, f := range families() {
			targets := hosts(p.Addresses, f)
			sources, anybody := a.Of(f)
			if len(targets) == 0 || len(sources) == 0 && !anybody {
				continue
			}
			if sources = firewall.Prefixes(firewall.AddrsOf(sources...)); len(sources) == 1 && sources[0].Bits() == 0 {
				sources = nil // any address of the family
			}
			out = append(out, Row{
				Family: f, Zone: a.Zone, Interfaces: a.Interfaces, Sources: sources, Targets: targets,
				Transports: []exposure.Transport{a.Transport}, Ports: a.Ports, Why: a.Why, Until: a.Until,
			})
		}
	}
	return out
}

// peering is why the asset sends DNS to its peers.
const peering = "notifications to secondaries and transfers from primaries"

// Outbound gives what restricts the asset's own conversations, for rules on
// the asset itself. What no row matches leaves freely.
func Outbound(p firewall.Plan) []Row {
	if !p.DNS.Control || p.DNS.Self {
		return nil
	}
	var out []Row
	for _, f := range families() {
		if to := hosts(p.DNS.Resolvers, f); len(to) > 0 {
			out = append(out, dns(Row{Family: f, Targets: to, Why: "DNS to the approved resolvers"}))
		}
		if to := p.DNS.PeersOf(f); len(to) > 0 {
			out = append(out, dns(Row{Family: f, Targets: to, Why: peering}))
		}
	}
	for _, f := range families() {
		out = append(out, dns(Row{Family: f, Deny: true, Why: "no other DNS leaves"}))
	}
	return out
}

// Forward gives everything that a gateway in front of the asset decides, as
// firewall.Plan says: what reaches the asset, what leaves it, whose DNS queries
// pass, and what the zones inside open. The rest is dropped.
//
// Everybody who stands in a zone inside may ask the approved resolvers, and an
// approved resolver that stands in such a zone may ask anybody: the zone's
// interface and networks are both matched, so that the outside gains nothing.
// What comes in on the interfaces of wan and claims to be the asset is dropped.
func Forward(p firewall.Plan) []Row {
	out := Inbound(p)
	for _, f := range families() {
		if to := hosts(p.Addresses, f); len(to) > 0 {
			out = append(out, Row{Deny: true, Family: f, Targets: to, Why: "nothing else reaches the asset"})
		}
	}
	out = append(out, spoofed(p)...)
	out = append(out, asked(p)...)
	for _, f := range families() {
		if from := hosts(p.Addresses, f); len(from) > 0 {
			out = append(out, Row{Family: f, Sources: from, Why: "conversations that the asset begins"})
		}
	}
	return append(out, Opened(p)...)
}

// Opened gives the last rows of Forward: what the zones inside may begin,
// conversations to the outside and not to each other. The targets of these rows
// can be the gateway's own addresses as well, which are no part of the plan: a
// format whose rules bear on those, too, has to leave them out.
func Opened(p firewall.Plan) []Row {
	var out []Row
	inside := p.Inside()
	for _, f := range families() {
		var all []netip.Prefix
		for _, z := range inside {
			all = append(all, of(z.Networks, f)...)
		}
		if all = firewall.Prefixes(firewall.AddrsOf(all...)); len(all) == 0 {
			continue
		}
		out = append(out, Row{Deny: true, Family: f, Targets: all, Why: "nothing else reaches the zones inside"})
		for _, z := range inside {
			if from := of(z.Networks, f); len(from) > 0 {
				out = append(out, Row{
					Family: f, Zone: within(z), Interfaces: z.Interfaces, Sources: from,
					Why: "conversations of zone " + z.Name + " to the outside",
				})
			}
		}
	}
	return out
}

func spoofed(p firewall.Plan) []Row {
	var out []Row
	for _, z := range p.Zones {
		if !firewall.Outside(z) || len(z.Interfaces) == 0 {
			continue
		}
		for _, f := range families() {
			if own := hosts(p.Addresses, f); len(own) > 0 {
				out = append(out, Row{
					Deny: true, Family: f, Zone: z.Name, Interfaces: z.Interfaces, Sources: own,
					Why: "nobody outside is the asset",
				})
			}
		}
	}
	return out
}

func asked(p firewall.Plan) []Row {
	if !p.DNS.Control {
		return nil
	}
	var out []Row
	for _, f := range families() {
		own, resolvers := hosts(p.Addresses, f), hosts(p.DNS.Resolvers, f)
		if p.DNS.Self && len(own) > 0 {
			out = append(out, dns(Row{Family: f, Sources: own, Why: "the asset is an approved resolver"}))
		}
		if to := p.DNS.PeersOf(f); !p.DNS.Self && len(own) > 0 && len(to) > 0 {
			out = append(out, dns(Row{Family: f, Sources: own, Targets: to, Why: peering}))
		}
		if len(resolvers) == 0 {
			continue
		}
		if !p.DNS.Self && len(own) > 0 {
			out = append(out, dns(Row{Family: f, Sources: own, Targets: resolvers, Why: "DNS of the asset to the approved resolvers"}))
		}
		out = append(out, Clients(p, f)...)
		out = append(out, recursing(p, f)...)
	}
	for _, f := range families() {
		out = append(out, dns(Row{Family: f, Deny: true, Why: "no other DNS passes"}))
	}
	return out
}

// Clients gives the rows by which everybody in a zone with networks may ask the
// approved resolvers of a family.
func Clients(p firewall.Plan, f firewall.Family) []Row {
	var out []Row
	resolvers := hosts(p.DNS.Resolvers, f)
	for _, z := range p.Inside() {
		if from := of(z.Networks, f); len(from) > 0 && len(resolvers) > 0 {
			out = append(out, dns(Row{
				Family: f, Zone: within(z), Interfaces: z.Interfaces, Sources: from, Targets: resolvers,
				Why: "DNS of zone " + z.Name + " to the approved resolvers",
			}))
		}
	}
	return out
}

func recursing(p firewall.Plan, f firewall.Family) []Row {
	var out []Row
	for _, r := range hosts(p.DNS.Resolvers, f) {
		if z, ok := Home(p, r.Addr()); ok {
			out = append(out, dns(Row{
				Family: f, Zone: within(z), Interfaces: z.Interfaces, Sources: []netip.Prefix{r},
				Why: "an approved resolver asks for everybody",
			}))
		}
	}
	return out
}

// within names a zone that rows can match: one whose interfaces are known.
func within(z policy.Zone) string {
	if len(z.Interfaces) == 0 {
		return ""
	}
	return z.Name
}

// Home is the zone inside with the longest network that holds an address; ok is
// false when no zone's network does.
func Home(p firewall.Plan, a netip.Addr) (home policy.Zone, ok bool) {
	longest := -1
	for _, z := range p.Inside() {
		for _, n := range z.Networks {
			if n.Contains(a) && n.Bits() > longest {
				home, longest = z, n.Bits()
			}
		}
	}
	return home, longest >= 0
}

// For gives the rows that bear on packets that come in on one interface, in
// order; with an empty name those that hold for every interface. What an earlier
// row says of all that its sources send is not said again.
func For(rows []Row, iface string) []Row {
	var out []Row
	var denied []netip.Prefix
	for _, r := range rows {
		done := len(r.Sources) > 0 && !slices.ContainsFunc(r.Sources, func(p netip.Prefix) bool { return !slices.Contains(denied, p) })
		if done || len(r.Interfaces) > 0 && !slices.Contains(r.Interfaces, iface) {
			continue
		}
		out = append(out, r)
		if r.Deny && len(r.Targets) == 0 && len(r.Transports) == 0 {
			denied = append(denied, r.Sources...)
		}
	}
	return out
}

// Interfaces names every interface that the rows match, in order of first use.
func Interfaces(rows []Row) []string {
	var out []string
	for _, r := range rows {
		for _, i := range r.Interfaces {
			if !slices.Contains(out, i) {
				out = append(out, i)
			}
		}
	}
	return out
}

// dns completes a row about queries: UDP and TCP, ports 53 and 853.
func dns(r Row) Row {
	r.Transports = []exposure.Transport{exposure.UDP, exposure.TCP}
	r.Ports = []firewall.PortRange{{First: 53, Last: 53}, {First: 853, Last: 853}}
	return r
}

// Resolvers gives the approved resolvers of a family.
func Resolvers(p firewall.Plan, f firewall.Family) []netip.Prefix { return hosts(p.DNS.Resolvers, f) }

// Addresses gives the asset's addresses of a family.
func Addresses(p firewall.Plan, f firewall.Family) []netip.Prefix { return hosts(p.Addresses, f) }

// hosts gives the addresses of a family as prefixes of full length.
func hosts(addrs []netip.Addr, f firewall.Family) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range addrs {
		if a = a.Unmap().WithZone(""); firewall.FamilyOf(a) == f {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return out
}

func of(prefixes []netip.Prefix, f firewall.Family) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range prefixes {
		if firewall.FamilyOf(p.Addr()) == f {
			out = append(out, p)
		}
	}
	return out
}

func families() []firewall.Family { return []firewall.Family{firewall.IPv4, firewall.IPv6} }
