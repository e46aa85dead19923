package device

import (
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// Cautions are notes that hold for every format: zones that rules match by
// address alone because the policy names no interface for them, exceptions that
// end, and what the control of DNS on a gateway does to other servers.
func Cautions(p firewall.Plan) []string {
	out := Sides(p)
	if slices.ContainsFunc(p.Allows, func(a firewall.Allow) bool { return !a.Until.IsZero() }) {
		out = append(out, "Exceptions do not end by themselves: make the rules anew after the last day that their comment names.")
	}
	return slices.Concat(out, Amplifies(p), Hidden(p), Through(p))
}

// Amplifies is a note on a resolver for everybody without a limit.
func Amplifies(p firewall.Plan) []string {
	if p.Role != policy.PublicResolver || p.Limit != nil {
		return nil
	}
	return []string{"A resolver that answers everybody is used to flood others with its answers, and nothing here limits what a source gets: limit it by --rate-limit or in the server, and keep DNS cookies on (RFC 7873)."}
}

// Sides are notes on zones that rules cannot tell apart by interfaces alone.
func Sides(p firewall.Plan) []string {
	var out []string
	for _, z := range p.Zones {
		if slices.ContainsFunc(p.Allows, func(a firewall.Allow) bool { return a.Zone == z.Name && len(a.Interfaces) == 0 }) {
			out = append(out, "Zone "+Plain(z.Name, 60)+" has no interfaces here: its rules hold for packets from any interface. Name its interfaces in the policy to be stricter, where they are this machine's.")
		}
		for _, other := range p.Zones {
			shared := slices.ContainsFunc(z.Interfaces, func(name string) bool { return slices.Contains(other.Interfaces, name) })
			if z.Tunnel != policy.NoTunnel && other.Name != z.Name && shared {
				out = append(out, "Zone "+Plain(z.Name, 60)+" has an interface in common with "+Plain(other.Name, 60)+": whoever sends from there with an address of the tunnel's networks is taken for it. Give the tunnel an interface of its own (for IPsec on Linux an xfrm interface).")
			}
		}
	}
	return out
}

// Hidden are notes on what control of DNS does not see, and on what it takes
// from the asset; nil without control.
func Hidden(p firewall.Plan) []string {
	if !p.DNS.Control {
		return nil
	}
	return append(starved(p), "DNS over HTTPS looks like the web (443) and is not held back: turn it off in browsers and clients, or name its servers in rules of your own.")
}

func starved(p firewall.Plan) []string {
	var out []string
	if p.DNS.Self {
		return nil
	}
	if p.Role == policy.AuthoritativeDNS {
		out = append(out, "A server that gets its zones from a primary can ask it only when the policy names the primary as an asset with this one among its secondaries.")
	}
	if !slices.ContainsFunc(families(), func(f firewall.Family) bool {
		return len(hosts(p.Addresses, f)) > 0 && len(hosts(p.DNS.Resolvers, f)) > 0
	}) {
		out = append(out, "No approved resolver has an address of a family that the asset has: it can resolve no names. Add one to the policy.")
	}
	return out
}

// Locked warns of rules on the asset itself that let nobody open a session on
// any of the ports by which such a machine is usually administered, all TCP; nil
// when somebody may, and for a gateway's rules.
func Locked(p firewall.Plan, ports ...uint16) []string {
	words := make([]string, len(ports))
	for i, port := range ports {
		words[i] = fmt.Sprintf("%d/tcp", port)
		open := slices.ContainsFunc(p.Allows, func(a firewall.Allow) bool {
			return a.Transport == exposure.TCP && slices.ContainsFunc(a.Ports, func(r firewall.PortRange) bool { return r.First <= port && port <= r.Last })
		})
		if open {
			return nil
		}
	}
	if p.Place != firewall.OnAsset {
		return nil
	}
	return []string{"No zone may reach " + strings.Join(words, " or ") + ": a new session of administration is refused once this is loaded. Add an expose rule to the policy first if that is how you administer the asset."}
}

// Leases is a note on rules on the asset itself: what DHCP needs beyond them.
// Over IPv4 clients read the answers past the firewall.
func Leases() string {
	return "DHCPv6 answers to the client's link-local address are not let in: give a server its address statically or by router advertisement."
}

// Through are notes on what a gateway forwards for others than the asset;
// none for rules on the asset.
func Through(p firewall.Plan) []string {
	if p.Place != firewall.OnGateway {
		return nil
	}
	var inside, bare []string
	for _, z := range p.Inside() {
		inside = append(inside, Plain(z.Name, 60))
	}
	for _, z := range p.Zones {
		if len(z.Networks) == 0 && !firewall.Outside(z) {
			bare = append(bare, Plain(z.Name, 60))
		}
	}
	who := "No zone inside has networks in the policy: only the asset opens conversations through this gateway."
	if len(inside) > 0 {
		who = "Zones inside (" + strings.Join(inside, ", ") + ") may open conversations to the outside, not to each other's networks."
		if p.DNS.Control {
			who += " Their DNS goes to the approved resolvers only."
		}
	}
	out := []string{
		who + " What else behind the gateway must be reached, from outside or from another zone, needs rules of your own before these.",
		"What the gateway itself answers and asks, its own DNS too, is not part of this: ask for the rules of the gateway as an asset.",
	}
	if len(bare) > 0 {
		out = append(out, "Hosts in "+strings.Join(bare, " and ")+" can open nothing through this gateway: give these zones their networks in the policy if they shall.")
	}
	if p.DNS.Control {
		out = append(out, "What keeps DNS from leaving also drops queries from outside to other DNS servers behind this gateway: put what lets those in before it.")
	}
	return out
}
