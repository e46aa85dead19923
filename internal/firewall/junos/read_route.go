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
		local = append(local, addressesOf(family)...)
		for a := range family.find("address").each() {
			p, err := netip.ParsePrefix(a.word)
			if err == nil && !p.Addr().Is4In6() && !strings.HasPrefix(name, "lo0.") && p.Bits() < p.Addr().BitLen() {
				connected = append(connected, firewall.Route{Prefix: p.Masked(), Interface: name, Pos: c.at(a)})
			}
			if a.find("eui-64") != nil {
				c.assume("the address that %s gets by EUI-64 is not known; it is taken as none that is asked about", name)
			}
		}
		if family.find("dhcp") != nil || family.find("dhcp-client") != nil || family.find("dhcpv6-client") != nil {
			c.assume("the address that %s gets by DHCP is not known; it is taken as none that is asked about", name)
		}
	})
	if len(connected) == 0 {
		c.assume("no interface has an address in this file; every asset is taken as standing behind the device unless --host or gateway: true says otherwise")
	}
	if len(c.root.find("routing-instances").kidsOf()) > 0 {
		c.assume("through which interface an address is reached is not known, as the device has several tables of routes")
		return firewall.NewSet(local...), nil
	}
	return firewall.NewSet(local...), append(connected, c.static(connected)...)
}

// addressesOf are the device's own addresses in a family of an interface, with
// those that it shares with others by VRRP.
func addressesOf(family *node) []firewall.Span[netip.Addr] {
	var out []firewall.Span[netip.Addr]
	take := func(text string) {
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" && !a.Is4In6() {
			out = append(out, span(a))
		}
	}
	for a := range family.find("address").each() {
		text, _, _ := strings.Cut(a.word, "/")
		take(text)
		for _, g := range slices.Concat(a.find("vrrp-group").kidsOf(), a.find("vrrp-inet6-group").kidsOf()) {
			for _, v := range slices.Concat(g.find("virtual-address").words(), g.find("virtual-inet6-address").words()) {
				take(v)
			}
		}
	}
	return out
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
	if options.find("aggregate") != nil || options.find("generate") != nil {
		c.assume("static routes are not used, as there are aggregate or generated ones")
		return nil
	}
	for v := range c.root.find("security", "ipsec", "vpn").each() {
		if v.find("traffic-selector") != nil {
			c.assume("static routes are not used, as the traffic selectors of tunnels make others")
			return nil
		}
	}
	routes := options.find("static", "route").kidsOf()
	for rib := range options.find("rib").each() {
		routes = append(routes, rib.find("static", "route").kidsOf()...)
	}
	if len(routes) > maxRoutes {
		c.assume("static routes are not used, as there are more than 1000")
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
