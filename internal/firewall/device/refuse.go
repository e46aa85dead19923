package device

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// Abilities is what a format can express beyond rules on addresses and ports.
type Abilities struct {
	Format       string // for messages: "Cisco ASA"
	Host         bool   // rules on the asset itself
	Gateway      bool   // rules in front of the asset
	RateLimit    bool
	Redirect     bool
	Interface    func(name string) bool // whether a name can be an interface's; nil: a short plain word
	InterfaceWas string                 // what Interface wants, for the hint
}

// Refuse gives an error for a plan that the format cannot express, and for one
// that would be written with something missing: an empty list of ports or an
// address that is none must never become "any". nil when all is well.
func Refuse(p firewall.Plan, can Abilities) error {
	if err := sound(p); err != nil {
		return err
	}
	no := func(f firewall.Feature, where, hint string) error {
		return &firewall.UnsupportedError{Format: can.Format, Feature: f, Where: where, Hint: hint}
	}
	asset := "asset " + Plain(p.Asset, 60)
	switch {
	case p.Place == firewall.OnAsset && !can.Host:
		return no(firewall.FeatureHost, asset, "it stands in front of the asset: use --place gateway")
	case p.Place == firewall.OnGateway && !can.Gateway:
		return no(firewall.FeatureGateway, asset, "it protects the host it runs on: use --place asset")
	case p.Docker && p.Place == firewall.OnAsset:
		return no(firewall.FeatureDocker, asset, "Docker publishes ports on Linux: use --for nftables or iptables")
	case p.Limit != nil && !can.RateLimit:
		return no(firewall.FeatureRateLimit, asset, "let the DNS server limit (response rate limiting), or leave the limit out")
	case p.DNS.Control && p.DNS.Redirect && !can.Redirect:
		return no(firewall.FeatureRedirect, asset, "leave the redirect out: other DNS is dropped then")
	case p.DNS.Control && p.DNS.Redirect && p.Place == firewall.OnAsset:
		return no(firewall.FeatureRedirect, asset, "only a gateway sees other clients' queries: use --place gateway")
	}
	for _, z := range p.Zones {
		if err := names(z.Name, z.Interfaces, can); err != nil {
			return err
		}
	}
	for _, a := range p.Allows {
		if err := names(a.Zone, a.Interfaces, can); err != nil {
			return err
		}
	}
	return nil
}

// sound checks what every renderer relies on.
func sound(p firewall.Plan) error {
	if len(p.Addresses) == 0 {
		return fmt.Errorf("asset %q has no addresses: give it some in the policy", p.Asset)
	}
	for _, a := range slices.Concat(p.Addresses, p.DNS.Resolvers) {
		if !a.IsValid() || a.IsUnspecified() {
			return fmt.Errorf("asset %q: expected addresses of hosts, got %s", p.Asset, a)
		}
	}
	for _, z := range p.Zones {
		if err := soundSources(z.Name, z.Networks); err != nil {
			return err
		}
	}
	for _, a := range p.Allows {
		if err := soundSources(a.Zone, a.Sources); err != nil {
			return err
		}
		if err := soundPorts(a); err != nil {
			return err
		}
	}
	return nil
}

func soundSources(zone string, prefixes []netip.Prefix) error {
	for _, s := range prefixes {
		if !s.IsValid() || s.Addr().Is4In6() || s != s.Masked() {
			return fmt.Errorf("zone %q: expected sources as masked prefixes, got %s", zone, s)
		}
	}
	return nil
}

func soundPorts(a firewall.Allow) error {
	switch a.Transport {
	case policy.ESP:
		if len(a.Ports) > 0 {
			return fmt.Errorf("zone %q: esp has no ports, got %d", a.Zone, len(a.Ports))
		}
		return nil
	case exposure.TCP, exposure.UDP:
	default:
		return fmt.Errorf("zone %q: expected transport tcp, udp or esp, got %q", a.Zone, a.Transport)
	}
	if len(a.Ports) == 0 {
		return fmt.Errorf("zone %q: an allow for %s has no ports", a.Zone, a.Transport)
	}
	for _, r := range a.Ports {
		if r.First > r.Last {
			return fmt.Errorf("zone %q: expected a range of ports that ascends, got %s", a.Zone, r)
		}
	}
	return nil
}

func names(zone string, interfaces []string, can Abilities) error {
	ok, was := can.Interface, can.InterfaceWas
	if ok == nil {
		ok = func(name string) bool { return Word(name, 15) && !strings.ContainsAny(name, ":/") }
		was = "a name of letters, digits and . _ - of at most 15 bytes"
	}
	taken := []string{"any", "all", "self", "global"} // words by which some format means more than one interface
	for _, i := range interfaces {
		if !ok(i) || slices.Contains(taken, strings.ToLower(i)) {
			return &firewall.UnsupportedError{
				Format: can.Format, Feature: firewall.FeatureInterfaces,
				Where: fmt.Sprintf("zone %s, interface %q", Plain(zone, 60), Plain(i, 60)), Hint: "expected " + was,
			}
		}
	}
	return nil
}

// ByZone refuses plans in which interfaces are not those of a zone, for formats
// that match zones instead of interfaces. ok tells whether a name can be a
// zone's, and was what it wants.
func ByZone(p firewall.Plan, format, was string, ok func(name string) bool) error {
	known := map[string][]string{}
	for _, z := range p.Zones {
		known[z.Name] = z.Interfaces
	}
	for _, r := range Forward(p) {
		if len(r.Interfaces) == 0 {
			continue
		}
		where := "zone " + Plain(r.Zone, 60)
		if !ok(r.Zone) {
			return &firewall.UnsupportedError{Format: format, Feature: firewall.FeatureInterfaces, Where: where, Hint: "zones are matched by name: expected " + was}
		}
		if !slices.Equal(slices.Sorted(slices.Values(known[r.Zone])), slices.Sorted(slices.Values(r.Interfaces))) {
			return &firewall.UnsupportedError{
				Format: format, Feature: firewall.FeatureInterfaces, Where: where,
				Hint: "a zone is matched as a whole: allow all of its interfaces or make another zone",
			}
		}
	}
	return nil
}

// Cautions are notes that hold for every format: zones that rules match by
// address alone because the policy names no interface for them, exceptions that
// end, and what the control of DNS on a gateway does to other servers.
func Cautions(p firewall.Plan) []string {
	var out []string
	for _, z := range p.Zones {
		used := slices.ContainsFunc(p.Allows, func(a firewall.Allow) bool { return a.Zone == z.Name && len(a.Interfaces) == 0 })
		if used {
			out = append(out, "Zone "+Plain(z.Name, 60)+" has no interfaces in the policy: its rules hold for packets from any interface. Name its interfaces there to be stricter.")
		}
	}
	if slices.ContainsFunc(p.Allows, func(a firewall.Allow) bool { return !a.Until.IsZero() }) {
		out = append(out, "Exceptions do not end by themselves: make the rules anew after the last day that their comment names.")
	}
	return slices.Concat(out, Hidden(p), Through(p))
}

// Hidden is a note on the DNS that no rule on ports sees; nil without control
// of DNS.
func Hidden(p firewall.Plan) []string {
	if !p.DNS.Control {
		return nil
	}
	return []string{"DNS over HTTPS looks like the web (443) and is not held back: turn it off in browsers and clients, or name its servers in rules of your own."}
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
