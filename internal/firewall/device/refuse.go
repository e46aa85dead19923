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
		return no(firewall.FeatureGateway, asset, "it protects the host it runs on: use --place host")
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
	if err := soundSources("peers of the asset", p.DNS.Peers); err != nil {
		return err
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
