package junos

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// system are the services of host-inbound-traffic that use one set of ports
// (Junos, system-services under security zones).
var system = map[string]string{ //nolint:gochecknoglobals // read-only table
	"bootp": "udp/67-68", "dhcp": "udp/67-68", "dhcpv6": "udp/546-547", "dns": "udp/53 tcp/53", "finger": "tcp/79", "ftp": "tcp/21",
	"http": "tcp/80", "https": "tcp/443", "ident-reset": "tcp/113", "ike": "udp/500 udp/4500", "lsping": "udp/3503", "netconf": "tcp/830",
	"ntp": "udp/123", "ping": "1/8 58/128", "r2cp": "udp/28672", "rlogin": "tcp/513", "rsh": "tcp/514", "snmp": "udp/161",
	"snmp-trap": "udp/162", "ssh": "tcp/22", "telnet": "tcp/23", "tftp": "udp/69", "traceroute": "udp/33434-33523",
	"xnm-clear-text": "tcp/3221", "xnm-ssl": "tcp/3220",
}

// routing are the protocols of host-inbound-traffic.
var routing = map[string]string{ //nolint:gochecknoglobals // read-only table
	"bfd": "udp/3784-3785 udp/4784", "bgp": "tcp/179", "igmp": "2", "ldp": "tcp/646 udp/646", "msdp": "tcp/639", "ndp": "58/133 58/134 58/135 58/136 58/137",
	"ospf": "89", "ospf3": "89", "pgm": "113", "pim": "103", "rip": "udp/520", "ripng": "udp/521", "router-discovery": "1/9 1/10",
	"rsvp": "46", "sap": "udp/9875", "vrrp": "112",
}

// toDevice makes the chains of what is for the device itself.
func (c *configuration) toDevice(security *node) {
	if len(c.order) > 0 {
		base := c.base("host-inbound-traffic", firewall.Input, firewall.Inet, firewall.DropVerdict, firewall.Position{File: c.file})
		base.Rules = append(base.Rules, c.stranger(c.order[0].node), c.managed())
		c.elsewhere(base)
		for _, z := range c.order {
			c.inbound(base, z)
		}
		base.Rules = append(base.Rules, firewall.Rule{
			Matches: []firewall.Match{{Field: firewall.Protocol, Numbers: firewall.NumbersOf(cloud.IPIP, 41, 47, cloud.ESP, cloud.AH)}},
			Action:  firewall.Action{Kind: firewall.Unknown, Why: "which tunnels end at the device is not read"},
			Pos:     c.at(c.order[0].node), Text: "tunnels that end at the device",
		})
	}
	policies := security.find("policies")
	var own *firewall.Chain
	c.pairs(policies, func(from, to string, pair *node) {
		if to != host {
			return
		}
		if own == nil {
			own = c.base("policies to "+host, firewall.Input, firewall.Inet, firewall.AcceptVerdict, c.at(pair))
			own.Base.Priority = 10
		}
		chain, in := c.policies("from-zone "+from+" to-zone "+host, pair, from, ""), c.link(firewall.InInterface, []string{from})
		own.Rules = append(own.Rules, c.jump(pair, "from-zone "+from+" to-zone "+host, chain, in), firewall.Rule{
			Matches: in, Action: firewall.Action{Kind: firewall.Unknown, Why: "what becomes of packets that no policy to " + host + " matches is not known"},
			Pos: c.at(pair), Text: "the end of the policies to " + host,
		})
	})
	for p := range policies.find("global", "policy").each() {
		if slices.Contains(p.find("match", "to-zone").words(), host) {
			c.skip(p, "global policy "+p.word+" to-zone "+host, "global policies for the device itself are not read")
		}
	}
}

// managed lets in what comes through the ports for management alone; the filters
// of lo0 judge it.
func (c *configuration) managed() firewall.Rule {
	return firewall.Rule{
		Matches: []firewall.Match{{Field: firewall.InInterface, Names: outOfBand()}},
		Action:  firewall.Action{Kind: firewall.Accept}, Pos: c.at(c.order[0].node), Text: "a port for management, which is in no zone",
	}
}

// elsewhere leaves open what is for the address of an interface in another zone
// than the packet came in through: policies from one to the other and the other
// zone's host-inbound-traffic judge it.
func (c *configuration) elsewhere(base *firewall.Chain) {
	own := map[string][]firewall.Span[netip.Addr]{}
	c.families(func(name string, family *node) { own[name] = append(own[name], addressesOf(family)...) })
	for _, z := range c.order {
		var spans []firewall.Span[netip.Addr]
		for _, name := range z.interfaces {
			spans = append(spans, own[name]...)
		}
		if len(spans) == 0 {
			continue
		}
		base.Rules = append(base.Rules, firewall.Rule{
			Matches: []firewall.Match{
				cloud.Addrs(firewall.Dst, firewall.NewSet(spans...)), {Field: firewall.InInterface, Names: z.interfaces, Not: true},
			},
			Action: firewall.Action{Kind: firewall.Unknown, Why: "what is for the device's address in another zone needs policies from one to the other, which are not followed"},
			Pos:    c.at(z.node), Text: cloud.OneLine("addresses of the device in zone "+z.name, 300),
		})
	}
}

// inbound adds the rules of one zone: those of interfaces that have their own
// come in the place of the zone's.
func (c *configuration) inbound(base *firewall.Chain, z *zone) {
	var rest []string
	for _, name := range z.interfaces {
		own := z.node.find("interfaces", name, "host-inbound-traffic")
		if own == nil {
			own = z.node.find("interfaces", strings.TrimSuffix(name, ".0"), "host-inbound-traffic")
		}
		if own == nil {
			rest = append(rest, name)
			continue
		}
		c.admit(base, own, []string{name})
	}
	if n := z.node.find("host-inbound-traffic"); n != nil && len(rest) > 0 {
		c.admit(base, n, rest)
	}
}

// admit adds the rules of one host-inbound-traffic.
func (c *configuration) admit(base *firewall.Chain, n *node, interfaces []string) {
	add := func(at *node, kind firewall.ActionKind, what application) {
		m := what[0]
		if len(what) > 1 {
			m = []firewall.Match{{Field: firewall.Tuple, Tuples: what}}
		}
		base.Rules = append(base.Rules, firewall.Rule{
			Matches: append([]firewall.Match{{Field: firewall.InInterface, Names: interfaces}}, m...),
			Action:  firewall.Action{Kind: kind}, Pos: c.at(at), Text: cloud.OneLine("host-inbound-traffic "+at.word, 300),
		})
	}
	for part := range n.each() {
		table := system
		switch part.word {
		case "system-services":
		case "protocols":
			table = routing
		default:
			add(part, firewall.Accept, doubtful("host-inbound-traffic has "+part.word+", which is not known"))
			continue
		}
		for s := range part.each() {
			if s.find("except") != nil {
				add(s, firewall.Drop, admitted(table, s.word))
			}
		}
		for s := range part.each() {
			if s.find("except") == nil {
				add(s, firewall.Accept, admitted(table, s.word))
			}
		}
	}
}

// admitted is what a service of host-inbound-traffic is.
func admitted(table map[string]string, name string) application {
	switch {
	case name == "any-service":
		return application{nil}
	case name == "all":
		var out application
		for _, key := range slices.Sorted(maps.Keys(table)) {
			out = append(out, services(table[key])...)
		}
		return append(out, doubtful("which other ports \"all\" stands for depends on what the device runs")...)
	case table[name] != "":
		return services(table[name])
	}
	return doubtful("what the service " + cloud.OneLine(name, 80) + " uses is not known")
}
