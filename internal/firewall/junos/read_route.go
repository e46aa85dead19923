package junos

import (
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/firewall"
)

// maxRoutes is how many static routes are taken over.
const maxRoutes = 1000

// place tells the device's own addresses, and through which interfaces others
// are reached, as far as that is certain. Loopback is always among its own, so
// that what is not is known to stand behind it.
func (c *configuration) place() (firewall.Addrs, []firewall.Route) {
	local := []firewall.Span[netip.Addr]{span(netip.MustParseAddr("127.0.0.1")), span(netip.IPv6Loopback())}
	var connected []firewall.Route
	c.families(func(name string, family *node) {
		for _, a := range family.find("address").kidsOf() {
			p, err := netip.ParsePrefix(a.word)
			if err != nil || p.Addr().Is4In6() {
				continue
			}
			local = append(local, span(p.Addr()))
			if !strings.HasPrefix(name, "lo0.") && p.Bits() < p.Addr().BitLen() {
				connected = append(connected, firewall.Route{Prefix: p.Masked(), Interface: name, Pos: c.at(a)})
			}
			for g := range a.find("vrrp-group").each() {
				for v := range g.find("virtual-address").each() {
					if x, err := netip.ParseAddr(v.word); err == nil && x.Zone() == "" && !x.Is4In6() {
						local = append(local, span(x))
					}
				}
			}
		}
		if family.find("dhcp") != nil || family.find("dhcp-client") != nil || family.find("dhcpv6-client") != nil {
			c.assume("the address that %s gets by DHCP is not known; it is taken as none that is asked about", name)
		}
	})
	if len(connected) == 0 {
		c.assume("no interface has an address in this file; every asset is taken as standing behind the device unless --host or gateway: true says otherwise")
	}
	return firewall.NewSet(local...), append(connected, c.static(connected)...)
}

// kidsOf are the active words below; nil for nil.
func (n *node) kidsOf() []*node { return slices.Collect(n.each()) }

// families calls f for each family of each unit of each interface.
func (c *configuration) families(f func(name string, family *node)) {
	for i := range c.root.find("interfaces").each() {
		if i.find("disable") != nil {
			continue
		}
		for u := range i.find("unit").each() {
			if u.find("disable") != nil {
				continue
			}
			for family := range u.find("family").each() {
				f(i.word+"."+u.word, family)
			}
		}
	}
}

// static gives the static routes, when all can be resolved and nothing else
// makes routes. One that is missing could make others lie.
func (c *configuration) static(connected []firewall.Route) []firewall.Route {
	for _, protocol := range []string{"bgp", "isis", "ospf", "ospf3", "rip", "ripng"} {
		if c.root.find("protocols", protocol) != nil {
			c.assume("static routes are not used, as %s makes others", protocol)
			return nil
		}
	}
	options := c.root.find("routing-options")
	routes := options.find("static", "route").kidsOf()
	for rib := range options.find("rib").each() {
		routes = append(routes, rib.find("static", "route").kidsOf()...)
	}
	if c.root.find("routing-instances") != nil || len(routes) > maxRoutes {
		c.assume("static routes are not used, as the device has several tables of routes or more than 1000 routes")
		return nil
	}
	var out []firewall.Route
	for _, r := range routes {
		p, err := netip.ParsePrefix(r.word)
		link := outOf(r, connected)
		if err != nil || link == "" {
			c.assume("static routes are not used: which interface that of %s goes through is not known", r.word)
			return nil
		}
		out = append(out, firewall.Route{Prefix: p.Masked(), Interface: link, Pos: c.at(r)})
	}
	return out
}

// outOf is the interface of a route's only next hop, or "".
func outOf(route *node, connected []firewall.Route) string {
	hop, ok := route.find("next-hop").one()
	if !ok || route.find("qualified-next-hop") != nil || route.find("next-table") != nil {
		return ""
	}
	a, err := netip.ParseAddr(hop)
	if err != nil {
		if strings.Contains(hop, ".") {
			return hop
		}
		return ""
	}
	for _, r := range connected {
		if r.Prefix.Contains(a) {
			return r.Interface
		}
	}
	return ""
}
