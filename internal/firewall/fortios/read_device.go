package fortios

import (
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// maxRoutes is how many static routes are taken over.
const maxRoutes = 1000

// place tells the device's own addresses, and through which interfaces others
// are reached, as far as that is certain. Loopback is always among its own, so
// that what is not is known to stand behind it.
func (c *configuration) place() (firewall.Addrs, []firewall.Route) {
	local := []firewall.Span[netip.Addr]{span(netip.MustParseAddr("127.0.0.1")), span(netip.IPv6Loopback())}
	var routes []firewall.Route
	for _, i := range c.tables["system interface"].list() {
		if i.one("status", "up") == "down" {
			continue
		}
		if mode := i.one("mode", "static"); mode != "static" {
			c.assume("the address that %s gets by %s is not known; it is taken as none that is asked about", i.name, mode)
			continue
		}
		for _, v := range i.sub("vrrp").list() {
			if a, err := netip.ParseAddr(v.one("vrip", "")); err == nil && a.Is4() {
				local = append(local, span(a))
			}
		}
		for _, p := range owned(i) {
			local = append(local, span(p.Addr()))
			if p.Bits() < p.Addr().BitLen() {
				routes = append(routes, firewall.Route{Prefix: p.Masked(), Interface: i.name, Pos: c.at(i)})
			}
		}
	}
	if len(routes) == 0 {
		c.assume("no interface has an address in this file; every asset is taken as standing behind the device unless --host or gateway: true says otherwise")
	}
	if name := c.tablesOfRoutes(); name != "" {
		c.assume("through which interface an address is reached is not known, as %s has a table of routes of its own", name)
		return firewall.NewSet(local...), nil
	}
	return firewall.NewSet(local...), append(routes, c.static()...)
}

// tablesOfRoutes names an interface that is in a VRF of its own.
func (c *configuration) tablesOfRoutes() string {
	for _, i := range c.tables["system interface"].list() {
		if i.one("vrf", "0") != "0" {
			return i.name
		}
	}
	return ""
}

// owned are the addresses of an interface, with their prefixes.
func owned(i *entry) []netip.Prefix {
	var out []netip.Prefix
	four := [][]string{i.sets["ip"]}
	for _, s := range i.sub("secondaryip").list() {
		four = append(four, s.sets["ip"])
	}
	for _, w := range four {
		if p, err := masked(w); err == nil && !p.Addr().IsUnspecified() {
			out = append(out, p)
		}
	}
	six := i.sub("ipv6")
	if six == nil {
		return out
	}
	texts := []string{six.own.one("ip6-address", "")}
	for _, e := range six.own.sub("ip6-extra-addr").list() {
		texts = append(texts, e.name)
	}
	for _, text := range texts {
		if p, err := netip.ParsePrefix(text); err == nil && p.Addr().Is6() && !p.Addr().Is4In6() && !p.Addr().IsUnspecified() {
			out = append(out, p)
		}
	}
	return out
}

// static gives the static routes, when all can be resolved and nothing else
// makes routes. One that is missing could make others lie.
func (c *configuration) static() []firewall.Route {
	if why := c.otherRoutes(); why != "" {
		c.assume("static routes are not used, as %s may make others", why)
		return nil
	}
	var out []firewall.Route
	devices := map[netip.Prefix]string{}
	for _, family := range []string{"", "6"} {
		for _, r := range c.tables["router static"+family].list() {
			if r.one("status", "enable") == "disable" {
				continue
			}
			p, err := netip.ParsePrefix(r.one("dst", "::/0"))
			if family == "" {
				p, err = masked(r.sets["dst"])
				if len(r.sets["dst"]) == 0 {
					p, err = netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
				}
			}
			device := r.one("device", "")
			if err != nil || device == "" || r.one("dstaddr", r.one("internet-service", "")) != "" || r.one("blackhole", "disable") == "enable" || len(out) == maxRoutes {
				c.assume("static routes are not used: where route %s goes is not known, or there are more than 1000", r.name)
				return nil
			}
			p = p.Masked()
			if other := devices[p]; other != "" && other != device {
				c.assume("static routes are not used: %s goes through %s and %s", p, other, device)
				return nil
			}
			devices[p] = device
			out = append(out, firewall.Route{Prefix: p, Interface: device, Pos: c.at(r)})
		}
	}
	return out
}

// otherRoutes names a block that makes routes besides the static ones.
func (c *configuration) otherRoutes() string {
	for _, name := range []string{"router policy", "router policy6"} {
		if len(c.tables[name].list()) > 0 {
			return name
		}
	}
	for _, name := range []string{"system sdwan", "system virtual-wan-link"} {
		if t := c.tables[name]; t != nil && (len(t.own.sub("service").list()) > 0 || len(t.own.sub("members").list()) > 1) {
			return name
		}
	}
	if t := c.tables["router bgp"]; t != nil && t.own.one("as", "0") != "0" {
		return "router bgp"
	}
	for _, name := range []string{"router ospf", "router ospf6", "router rip", "router ripng", "router isis"} {
		t := c.tables[name]
		for _, sub := range []string{"network", "area", "ospf-interface", "ospf6-interface", "interface", "isis-interface"} {
			if t != nil && len(t.own.sub(sub).list()) > 0 {
				return name
			}
		}
	}
	return ""
}

// toDevice makes the chains of what is for the device itself.
func (c *configuration) toDevice() {
	var rules []firewall.Rule
	for _, block := range []string{"firewall local-in-policy", "firewall local-in-policy6"} {
		family := ""
		if strings.HasSuffix(block, "6") {
			family = "6 in local-in-policy6"
		}
		for _, p := range c.tables[block].list() {
			rules = append(rules, c.localIn(p, family))
		}
	}
	interfaces := c.tables["system interface"].list()
	at := firewall.Position{File: c.file, Line: 1}
	if len(interfaces) > 0 {
		at = c.at(interfaces[0])
	}
	base := c.base("local-in-policy", firewall.Input, firewall.FilterPriority, firewall.DropVerdict)
	accepted := c.accepted(interfaces, at)
	for i := range rules {
		if rules[i].Action.Kind == firewall.Accept {
			rules[i].Action = firewall.Action{Kind: firewall.Jump, Target: accepted}
		}
	}
	base.Rules = slices.Concat(c.stranger(), rules, c.elsewhere(interfaces))
	for _, i := range interfaces {
		base.Rules = append(base.Rules, c.access(i, true)...)
	}
	base.Rules = append(base.Rules, firewall.Rule{
		Action: firewall.Action{Kind: firewall.Unknown, Why: "which other services the device offers, as tunnels and routing, is not read"},
		Pos:    at, Text: "other services of the device",
	})
}

// accepted makes the chain of what a local-in policy accepts: surely let in is
// only what allowaccess offers as well.
func (c *configuration) accepted(interfaces []*entry, at firewall.Position) *firewall.Chain {
	chain := &firewall.Chain{Table: "device", Name: "accepted by local-in-policy", Family: firewall.Inet, Pos: at}
	c.chains = append(c.chains, chain)
	chain.Rules = c.elsewhere(interfaces)
	for _, i := range interfaces {
		chain.Rules = append(chain.Rules, c.access(i, false)...)
	}
	chain.Rules = append(chain.Rules, firewall.Rule{
		Action: firewall.Action{Kind: firewall.Unknown, Why: "whether a local-in policy opens what allowaccess does not is not known"},
		Pos:    at, Text: "other services of the device",
	})
	return chain
}

// elsewhere leaves open what is for the address of another interface than the
// packet came in through: policies from one to the other judge it as well.
func (c *configuration) elsewhere(interfaces []*entry) []firewall.Rule {
	var out []firewall.Rule
	for _, i := range interfaces {
		var own []firewall.Span[netip.Addr]
		for _, p := range owned(i) {
			own = append(own, span(p.Addr()))
		}
		if len(own) == 0 {
			continue
		}
		out = append(out, firewall.Rule{
			Matches: []firewall.Match{
				cloud.Addrs(firewall.Dst, firewall.NewSet(own...)), {Field: firewall.InInterface, Names: []string{i.name}, Not: true},
			},
			Action: firewall.Action{Kind: firewall.Unknown, Why: "what is for the address of another interface needs a policy from one to the other, which is not followed"},
			Pos:    c.at(i), Text: cloud.OneLine("addresses of interface "+i.name, 300),
		})
	}
	return out
}

// localIn translates a local-in policy, which has its interfaces under "intf"
// and judges no virtual IPs.
func (c *configuration) localIn(p *entry, family string) firewall.Rule {
	r := firewall.Rule{Pos: c.at(p), Text: describe(p)}
	if p.one("status", "enable") == "disable" {
		r.Action.Kind = firewall.Continue
		return r
	}
	r.Action = c.action(p)
	r.Matches = append(r.Matches, c.link(firewall.InInterface, p, "intf")...)
	r.Matches = append(r.Matches, c.common(p)...)
	own := func(_ *entry, family string, names []string, negate bool) firewall.Match {
		m := c.join(family, names, 0).match(firewall.Dst)
		m.Not = negate
		return m
	}
	if m := c.sides(p, family, own); m != nil {
		r.Matches = append(r.Matches, m...)
	} else {
		r.Matches = append(r.Matches, cloud.Undecidable("the policy has no addresses that are read"))
	}
	return r
}

// access are the rules of an interface's allowaccess. Ports may have been
// changed, and administrators bound to hosts. A second address has services of
// its own. With drops, what can be nothing else is dropped where it is not
// allowed.
func (c *configuration) access(i *entry, drops bool) []firewall.Rule {
	in := firewall.Match{Field: firewall.InInterface, Names: []string{i.name}}
	var out []firewall.Rule
	var others []firewall.Span[netip.Addr]
	for _, s := range i.sub("secondaryip").list() {
		p, err := masked(s.sets["ip"])
		if err != nil {
			c.skip(s.line, "config secondaryip edit "+s.name, "expected set ip with an address and a mask")
			continue
		}
		others = append(others, span(p.Addr()))
		m := []firewall.Match{in, cloud.Addrs(firewall.Dst, firewall.NewSet(span(p.Addr())))}
		out = append(out, c.offers(s, "interface "+i.name+" secondaryip "+s.name, s.sets["allowaccess"], 4, m, drops)...)
	}
	m := []firewall.Match{in}
	if len(others) > 0 {
		m = append(m, firewall.Match{Field: firewall.Dst, Addrs: firewall.NewSet(others...), Not: true})
	}
	out = append(out, c.offers(i, "interface "+i.name, i.sets["allowaccess"], 4, m, drops)...)
	var six []string
	if t := i.sub("ipv6"); t != nil {
		six = t.own.sets["ip6-allowaccess"]
	}
	return append(out, c.offers(i, "interface "+i.name, six, 6, []firewall.Match{in}, drops)...)
}

// offers are the rules of one allowaccess in one version of IP.
func (c *configuration) offers(at *entry, what string, allowed []string, version firewall.Number, m []firewall.Match, drops bool) []firewall.Rule {
	ports := map[string]string{
		"ping": "", "https": c.port("admin-sport", "443"), "http": c.port("admin-port", "80"), "ssh": c.port("admin-ssh-port", "22"),
		"telnet": c.port("admin-telnet-port", "23"), "fgfm": "541", "snmp": "161",
	}
	var out []firewall.Rule
	for _, name := range []string{"ping", "https", "http", "ssh", "telnet", "fgfm", "snmp"} {
		r := firewall.Rule{Pos: c.at(at), Text: cloud.OneLine(what+" allowaccess "+name, 300)}
		r.Matches = slices.Concat([]firewall.Match{{Field: firewall.NFProto, Numbers: firewall.NumbersOf(version)}}, m, offered(name, ports[name], version))
		switch {
		case slices.Contains(allowed, name):
			r.Action.Kind = firewall.Accept
			if c.hasTrusted && name != "fgfm" {
				r.Matches = append(r.Matches, cloud.Undecidable("trusted hosts of administrators are not read"))
			}
		case drops && (name == "ping" || name == "ssh" || name == "telnet"):
			r.Action.Kind, r.Text = firewall.Drop, cloud.OneLine(what+" without allowaccess "+name, 300)
		default:
			continue // the port may be one of tunnels or portals
		}
		out = append(out, r)
	}
	return out
}

// isTrusting reports whether an administrator is bound to hosts.
func (c *configuration) isTrusting() bool {
	return slices.ContainsFunc(c.tables["system admin"].list(), func(a *entry) bool {
		return slices.ContainsFunc(a.keys, func(k string) bool { return strings.Contains(k, "trusthost") })
	})
}

func (c *configuration) port(key, otherwise string) string {
	if t := c.tables["system global"]; t != nil {
		return t.own.one(key, otherwise)
	}
	return otherwise
}

// offered is what a service of allowaccess is.
func offered(name, port string, version firewall.Number) []firewall.Match {
	if name == "ping" {
		if version == 6 {
			return []firewall.Match{cloud.Protocol(cloud.ICMPv6), {Field: firewall.ICMPType, Numbers: firewall.NumberRange(128<<8, 128<<8|255)}}
		}
		return []firewall.Match{cloud.Protocol(cloud.ICMP), {Field: firewall.ICMPType, Numbers: firewall.NumberRange(8<<8, 8<<8|255)}}
	}
	n := cloud.TCP
	if name == "snmp" {
		n = cloud.UDP
	}
	m, err := cloud.PortList(firewall.DstPort, []string{port})
	if err != nil {
		return []firewall.Match{cloud.Undecidable("the port of " + name + ": expected a number")}
	}
	return []firewall.Match{cloud.Protocol(n), m}
}
