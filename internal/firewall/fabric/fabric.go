// Package fabric puts a plan into the terms of a filter that stands in the
// network outside the asset and sees addresses, protocols and ports alone: a
// cloud's groups and lists, a cluster's network policies, a DNS server's access
// lists. It decides what of a plan such a filter can express, resolves zones to
// sources, and gives names and comments that are safe in any syntax. It writes
// no format itself.
//
// Outside the asset there are no interfaces, so a zone is known by its sources:
// a zone with networks is those networks, and the zone of everybody else, which
// is known by interface only, is every address that is in no other zone's
// networks; of networks within each other the longest prefix decides. Where
// sources do not tell the zones apart the plan is refused.
package fabric

import (
	"fmt"
	"net/netip"
	"slices"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/policy"
)

// Format names a format and what it lacks beside what every fabric lacks.
type Format struct {
	Name  string
	Lacks []firewall.Feature // of FeatureESP and FeatureGateway
}

// Rule lets new conversations to ports of one transport in.
type Rule struct {
	Transport exposure.Transport
	Ports     []firewall.PortRange // sorted, disjoint, not adjacent; nil for policy.ESP
	Sources   firewall.Addrs       // of the asset's families, never empty
	Zones     []string
	Why       []string // one line each, not yet escaped
}

// Plan is a plan as a fabric sees it.
type Plan struct {
	firewall.Plan
	Families firewall.Family
	Rules    []Rule // sorted by transport (TCP, UDP, ESP), then first port
	Egress   Egress
	Notes    []string
}

// Egress says what the asset may start itself. Free is everything; otherwise
// ports 53 and 853 only to Servers, and everything else.
type Egress struct {
	Free bool
	// Servers are of the asset's families: the approved resolvers, then the
	// asset's secondaries and primaries.
	Servers []netip.Prefix
}

// Of are the servers of one family.
func (e Egress) Of(f firewall.Family) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(e.Servers), func(p netip.Prefix) bool { return firewall.FamilyOf(p.Addr()) != f })
}

// Why says whom DNS may be sent to.
func (p Plan) Why() string {
	if len(p.DNS.Peers) > 0 {
		return "DNS to the approved resolvers, and to secondaries and primaries"
	}
	return "DNS to the approved resolvers"
}

// New resolves the plan, or gives a *firewall.UnsupportedError.
func New(f Format, p firewall.Plan) (Plan, error) {
	out := Plan{Plan: p, Families: families(p.Addresses)}
	if err := f.refuse(p); err != nil {
		return Plan{}, err
	}
	var parts []part
	for _, a := range p.Allows {
		if a.Transport == policy.ESP && slices.Contains(f.Lacks, firewall.FeatureESP) {
			return Plan{}, f.unsupported(firewall.FeatureESP, Line(a.Why, lineMax), "end the tunnel on another host, outside this filter")
		}
		sources, err := f.sources(p, a)
		if err != nil {
			return Plan{}, err
		}
		if sources = sources.Intersect(firewall.AllOf(out.Families)); !sources.Empty() {
			parts = append(parts, part{a, sources})
		}
	}
	out.Rules = rules(parts)
	out.Egress = egress(p, out.Families)
	out.Notes = notes(p)
	return out, nil
}

// Has reports whether the asset has addresses of the family.
func (p Plan) Has(f firewall.Family) bool { return p.Families&f != 0 }

// Of gives the fewest prefixes of a rule's sources in one family.
func (r Rule) Of(f firewall.Family) []netip.Prefix {
	return firewall.Prefixes(r.Sources.Intersect(firewall.AllOf(f)))
}

func families(addrs []netip.Addr) firewall.Family {
	var f firewall.Family
	for _, a := range addrs {
		f |= firewall.FamilyOf(a)
	}
	if f == 0 {
		return firewall.Inet
	}
	return f
}

func (f Format) unsupported(feature firewall.Feature, where, hint string) error {
	return &firewall.UnsupportedError{Format: f.Name, Feature: feature, Where: where, Hint: hint}
}

// refuse finds what no rule outside the asset can do.
func (f Format) refuse(p firewall.Plan) error {
	switch {
	case p.Limit != nil:
		return f.unsupported(firewall.FeatureRateLimit, "new DNS queries a source",
			"recommend without rate limits and let the DNS server limit its responses")
	case p.DNS.Control && p.DNS.Redirect:
		return f.unsupported(firewall.FeatureRedirect, "DNS egress",
			"recommend without the redirection, or for the firewall that the clients' packets pass")
	case p.DNS.Control && p.Place == firewall.OnGateway:
		return f.unsupported(firewall.FeatureGateway, "control of the DNS that the gateway forwards",
			"recommend for the asset itself")
	case p.Place == firewall.OnGateway && slices.Contains(f.Lacks, firewall.FeatureGateway):
		return f.unsupported(firewall.FeatureGateway, "", "recommend for the asset itself")
	case p.DNS.Control && p.DNS.Self && p.Docker:
		return f.unsupported(firewall.FeatureDocker, "DNS of containers on a resolver leaves with the resolver's address",
			"recommend for the asset's own firewall")
	}
	return nil
}

// sources resolves the zone of an Allow to addresses.
func (f Format) sources(p firewall.Plan, a firewall.Allow) (firewall.Addrs, error) {
	all := firewall.AllOf(firewall.Inet)
	if len(a.Sources) > 0 {
		return firewall.AddrsOf(a.Sources...).Subtract(nested(p, a)), nil
	}
	if len(a.Interfaces) == 0 {
		return all, nil
	}
	if a.Zone != policy.WAN {
		return all, f.unsupported(firewall.FeatureInterfaces, zoneRule(a),
			"give the zone its networks in the policy")
	}
	for _, z := range p.Zones {
		if z.Name == a.Zone {
			continue
		}
		if len(z.Networks) == 0 {
			return all, f.unsupported(firewall.FeatureInterfaces,
				fmt.Sprintf("zone %s is known by its interface only", Line(z.Name, nameMax)),
				"give the zone its networks in the policy")
		}
		all = all.Subtract(firewall.AddrsOf(z.Networks...))
	}
	return all, nil
}

// nested are the networks of other zones that lie within the Allow's zone. The
// zone's interface keeps them out of it, so without interfaces the longest
// prefix has to decide.
func nested(p firewall.Plan, a firewall.Allow) firewall.Addrs {
	if len(a.Interfaces) == 0 {
		return firewall.Addrs{}
	}
	var own, inner []netip.Prefix
	for _, z := range p.Zones {
		if z.Name == a.Zone {
			own = append(own, z.Networks...)
		}
	}
	for _, z := range p.Zones {
		for _, n := range z.Networks {
			within := func(o netip.Prefix) bool { return o.Bits() < n.Bits() && o.Contains(n.Addr()) }
			if z.Name != a.Zone && (len(own) == 0 || slices.ContainsFunc(own, within)) {
				inner = append(inner, n)
			}
		}
	}
	return firewall.AddrsOf(inner...)
}

func zoneRule(a firewall.Allow) string {
	return fmt.Sprintf("zone %s has no networks: %s", Line(a.Zone, nameMax), Line(a.Why, lineMax))
}

func egress(p firewall.Plan, f firewall.Family) Egress {
	if !p.DNS.Control || p.DNS.Self {
		return Egress{Free: true}
	}
	var out []netip.Prefix
	add := func(n netip.Prefix) {
		if firewall.FamilyOf(n.Addr())&f != 0 && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	for _, a := range p.DNS.Resolvers {
		a = a.Unmap().WithZone("")
		add(netip.PrefixFrom(a, a.BitLen()))
	}
	for _, n := range append(p.DNS.PeersOf(firewall.IPv4), p.DNS.PeersOf(firewall.IPv6)...) {
		add(n)
	}
	return Egress{Servers: out}
}

// OtherPorts are the ports without those of DNS, 53 and 853: what an allow list
// says for "everything but".
func OtherPorts() []firewall.PortRange {
	return []firewall.PortRange{{First: 0, Last: 52}, {First: 54, Last: 852}, {First: 854, Last: 65535}}
}

// notes tells where zones by source differ from zones by interface.
func notes(p firewall.Plan) []string {
	out := append(device.Amplifies(p), device.Hidden(p)...)
	if p.Place == firewall.OnGateway {
		out = append(out, "This filter sees the asset's packets alone: what other hosts open goes past it.")
	}
	for _, a := range p.Allows {
		if len(a.Interfaces) == 0 {
			continue
		}
		text := fmt.Sprintf("Interfaces do not exist outside the asset: the zone %s is matched by its source addresses alone.", Line(a.Zone, nameMax))
		if len(a.Sources) == 0 {
			text = fmt.Sprintf("Interfaces do not exist outside the asset: the zone %s is every address that is in no other zone's networks.", Line(a.Zone, nameMax))
		}
		for _, z := range p.Zones {
			if z.Name == a.Zone && z.Tunnel != policy.NoTunnel {
				text += fmt.Sprintf(" Its %s tunnel is not seen here: packets with these addresses must come from where the tunnel ends; "+
					"when it ends on the asset itself, only its outer packets pass this filter, and the asset's own firewall has to match the inner ones.", z.Tunnel)
			}
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}
