// Package fabrictest holds plans to render in tests, a grid of conversations to
// try on what was rendered, and what the plan says of each, found without the
// code under test. Only tests import it.
package fabrictest

import (
	"net/netip"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// Hostile is a name or reason that tries to leave every syntax there is.
const Hostile = "x\"'`${var.evil}%{if true}\n}*/\r\nevil: true # -- // ;\u2028\u202e\x1b[31m\x00 $(touch /tmp/x) \\ ]]> \u2019; end"

// Case is a plan with its name.
type Case struct {
	Name string
	Plan firewall.Plan
}

// Plans are plans that every fabric can render but for what its name says.
func Plans() []Case {
	return []Case{
		{"authority", Authority()},
		{"wan only", wanOnly()},
		{"host with resolvers", host()},
		{"resolver", resolver()},
		{"nothing exposed", firewall.Plan{Asset: "db", Role: policy.Host, Addresses: addrs("192.0.2.7", "2001:db8::7"), Zones: zones()}},
		{"v4 only", only("192.0.2.53")},
		{"v6 only", only("2001:db8::53")},
		{"ranges", ranges()},
		{"nested zones", nested()},
		{"hostile", hostile()},
	}
}

// Authority is ns1 of the policy's documentation.
func Authority() firewall.Plan {
	p := firewall.Plan{
		Asset: "ns1", Owner: "dns@example.net", Role: policy.AuthoritativeDNS, Policy: "policy.yaml",
		Addresses: addrs("192.0.2.53", "2001:db8::53"), Zones: zones(),
		Secondaries: prefixes("198.51.100.53/32", "2001:db8:1::53/128"),
	}
	for _, t := range []exposure.Transport{exposure.TCP, exposure.UDP} {
		p.Allows = append(p.Allows,
			firewall.Allow{Zone: "wan", Interfaces: []string{"eth0"}, Transport: t, Ports: ports(53, 53), Why: "role authoritative-dns"},
			firewall.Allow{Zone: "lan", Interfaces: []string{"eth1"}, Sources: prefixes("10.0.0.0/16", "fd00:1::/48"), Transport: t, Ports: ports(53, 53), Why: "role authoritative-dns"},
			firewall.Allow{Zone: "vpn", Interfaces: []string{"wg0"}, Sources: prefixes("10.8.0.0/24"), Transport: t, Ports: ports(53, 53), Why: "role authoritative-dns"},
		)
	}
	p.Allows = append(p.Allows, Admin())
	return p
}

// Admin lets the tunnel reach the administration ports.
func Admin() firewall.Allow {
	return firewall.Allow{
		Zone: "vpn", Interfaces: []string{"wg0"}, Sources: prefixes("10.8.0.0/24"), Transport: exposure.TCP,
		Ports: append(ports(22, 22), ports(953, 953)...), Why: "administration over the tunnel",
	}
}

func zones() []policy.Zone {
	return []policy.Zone{
		{Name: "wan", Interfaces: []string{"eth0"}},
		{Name: "lan", Interfaces: []string{"eth1"}, Networks: prefixes("10.0.0.0/16", "fd00:1::/48")},
		{Name: "vpn", Interfaces: []string{"wg0"}, Networks: prefixes("10.8.0.0/24"), Tunnel: policy.WireGuard},
	}
}

// wanOnly lets the outside in and not the zones with networks.
func wanOnly() firewall.Plan {
	p := Authority()
	p.Allows = []firewall.Allow{
		{Zone: "wan", Interfaces: []string{"eth0"}, Transport: exposure.UDP, Ports: ports(53, 53), Why: "only strangers"},
		Admin(),
	}
	return p
}

func host() firewall.Plan {
	return firewall.Plan{
		Asset: "web1", Role: policy.Host, Addresses: addrs("192.0.2.80", "2001:db8::80"), Zones: zones(),
		Allows: []firewall.Allow{
			{Zone: "wan", Transport: exposure.TCP, Ports: append(ports(80, 80), ports(443, 443)...), Why: "the site"},
			{Zone: "wan", Transport: exposure.UDP, Ports: ports(443, 443), Why: "the site"},
			Admin(),
		},
		DNS: firewall.DNSEgress{Control: true, Resolvers: addrs("10.0.0.53", "fd00:1::53"), Peers: prefixes("198.51.100.0/24", "2001:db8:1::53/128")},
	}
}

func resolver() firewall.Plan {
	return firewall.Plan{
		Asset: "res1", Role: policy.RecursiveDNS, Addresses: addrs("10.0.0.53", "fd00:1::53"), Zones: zones(),
		Allows: []firewall.Allow{
			{Zone: "lan", Interfaces: []string{"eth1"}, Sources: prefixes("10.0.0.0/16", "fd00:1::/48"), Transport: exposure.TCP, Ports: append(ports(53, 53), ports(853, 853)...), Why: "role recursive-dns"},
			{Zone: "lan", Interfaces: []string{"eth1"}, Sources: prefixes("10.0.0.0/16", "fd00:1::/48"), Transport: exposure.UDP, Ports: ports(53, 53), Why: "role recursive-dns"},
			{Zone: "vpn", Interfaces: []string{"wg0"}, Sources: prefixes("10.8.0.0/24"), Transport: exposure.UDP, Ports: ports(53, 53), Why: "role recursive-dns"},
		},
		DNS: firewall.DNSEgress{Control: true, Self: true},
	}
}

func only(address string) firewall.Plan {
	p := Authority()
	p.Addresses = addrs(address)
	p.DNS = firewall.DNSEgress{Control: true, Resolvers: addrs("10.0.0.53")}
	return p
}

// ranges has overlapping and adjacent ranges of several zones.
func ranges() firewall.Plan {
	p := host()
	p.Asset = "media"
	p.Allows = []firewall.Allow{
		{Zone: "wan", Transport: exposure.UDP, Ports: ports(1000, 2000), Why: "media"},
		{Zone: "lan", Sources: prefixes("10.0.0.0/16"), Transport: exposure.UDP, Ports: ports(500, 1500), Why: "media of the house"},
		{Zone: "lan", Sources: prefixes("10.0.128.0/17"), Transport: exposure.UDP, Ports: append(ports(499, 499), ports(2001, 65535)...), Why: "more"},
		{Zone: "lan", Sources: prefixes("10.0.0.0/16"), Transport: exposure.TCP, Ports: ports(1, 65535), Why: "all TCP"},
	}
	return p
}

// nested has the tunnel's network within the house's.
func nested() firewall.Plan {
	p := resolver()
	p.Zones = zones()
	p.Zones[1].Networks = prefixes("10.0.0.0/8", "fd00:1::/48")
	p.Allows = []firewall.Allow{
		{Zone: "lan", Interfaces: []string{"eth1"}, Sources: p.Zones[1].Networks, Transport: exposure.UDP, Ports: ports(53, 53), Why: "the house without the tunnel"},
		Admin(),
	}
	return p
}

func hostile() firewall.Plan {
	p := Authority()
	p.Asset, p.Owner, p.Policy = Hostile, Hostile, Hostile
	for i := range p.Allows {
		p.Allows[i].Why = Hostile
	}
	return p
}

func addrs(texts ...string) []netip.Addr {
	out := make([]netip.Addr, len(texts))
	for i, s := range texts {
		out[i] = netip.MustParseAddr(s)
	}
	return out
}

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, s := range texts {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

func ports(first, last uint16) []firewall.PortRange {
	return []firewall.PortRange{{First: first, Last: last}}
}
