// Package devicetest proves renderers: plans to render, what a plan means for
// a packet, told without the renderers' own tables, and a grid of packets to
// compare a rendered text with. It is for tests alone.
package devicetest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// Packet is the first of a conversation.
type Packet struct {
	In        string // the interface it comes in on; empty when the asset sends it itself
	Src, Dst  netip.Addr
	Transport exposure.Transport
	Port      uint16
}

// Case is a plan with a name.
type Case struct {
	Name string
	Plan firewall.Plan
}

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

func addrs(texts ...string) []netip.Addr {
	out := make([]netip.Addr, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParseAddr(t)
	}
	return out
}

func ports(pairs ...uint16) []firewall.PortRange {
	var out []firewall.PortRange
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, firewall.PortRange{First: pairs[i], Last: pairs[i+1]})
	}
	return out
}

// Zones are wan on eth0, lan on eth1 and the tunnel vpn on wg0.
func Zones() []policy.Zone {
	return []policy.Zone{
		{Name: "wan", Interfaces: []string{"eth0"}},
		{Name: "lan", Interfaces: []string{"eth1"}, Networks: prefixes("10.0.0.0/16", "2001:db8:1::/48")},
		{Name: "vpn", Interfaces: []string{"wg0"}, Networks: prefixes("10.8.0.0/24", "2001:db8:8::/64"), Tunnel: policy.WireGuard},
	}
}

// Hostile is text that ends comments, strings and commands where it can.
const Hostile = "a\"b'c`d\n; rm -rf / #\r\n*/ --> ]]> </descr> $(id) \\ ! ? | & %s ‘x’ \u2028 pass all\npermit ip any any\nexit"

// Plans are what every format renders.
func Plans(place firewall.Place) []Case {
	z := Zones()
	allow := func(zone int, t exposure.Transport, why string, p ...uint16) firewall.Allow {
		return firewall.Allow{Zone: z[zone].Name, Interfaces: z[zone].Interfaces, Sources: z[zone].Networks, Transport: t, Ports: ports(p...), Why: why}
	}
	metrics := allow(1, exposure.TCP, "exception: metrics", 9153, 9153)
	metrics.Until = time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
	role := "role authoritative-dns: 53 from "
	ns1 := firewall.Plan{
		Asset: "ns1", Owner: "dns@example.net", Role: policy.AuthoritativeDNS, Addresses: addrs("192.0.2.53", "2001:db8::53"),
		Place: place, Zones: z, Policy: "policy.yaml",
		Allows: []firewall.Allow{
			allow(0, exposure.UDP, role+"wan", 53, 53), allow(0, exposure.TCP, role+"wan", 53, 53),
			allow(1, exposure.UDP, role+"lan", 53, 53), allow(1, exposure.TCP, role+"lan", 53, 53), metrics,
			allow(2, exposure.TCP, "expose: 22,953/tcp to vpn", 22, 22, 53, 53, 953, 953),
		},
		DNS: firewall.DNSEgress{Control: true, Resolvers: addrs("10.0.0.53", "2001:db8:1::53", "203.0.113.9"), Peers: prefixes("198.51.100.7/32", "2001:db8:ffff::/64")},
	}
	resolver := firewall.Plan{
		Asset: "resolver", Role: policy.RecursiveDNS, Addresses: addrs("10.0.0.54", "10.0.0.55"), Place: place, Zones: z,
		Allows: []firewall.Allow{
			allow(1, exposure.UDP, "role recursive-dns", 53, 53, 443, 443, 853, 853), allow(1, exposure.TCP, "expose", 53, 53, 8000, 8080),
			{Zone: "vpn", Interfaces: []string{"wg0", "wg1"}, Sources: prefixes("10.8.0.0/25", "10.8.0.192/26"), Transport: exposure.TCP, Ports: ports(22, 22), Why: "admins"},
		},
		DNS: firewall.DNSEgress{Control: true, Self: true, Resolvers: addrs("10.0.0.53")},
	}
	resolver.Zones = Zones()
	resolver.Zones[2].Interfaces = []string{"wg0", "wg1"}
	tunnel := firewall.Plan{
		Asset: "gate", Role: policy.Host, Addresses: addrs("2001:db8::1"), Place: place, Zones: z,
		Allows: []firewall.Allow{
			{Zone: "wan", Interfaces: []string{"eth0"}, Transport: policy.ESP, Why: "tunnel ipsec"},
			{Zone: "wan", Interfaces: []string{"eth0"}, Transport: exposure.UDP, Ports: ports(500, 500, 4500, 4500), Why: "tunnel ipsec"},
			{Zone: "wan", Interfaces: []string{"eth0"}, Sources: prefixes("198.51.100.0/24"), Transport: exposure.TCP, Ports: ports(80, 80), Why: "IPv4 only"},
		},
		DNS: firewall.DNSEgress{Control: true},
	}
	plain := firewall.Plan{
		Asset: Hostile, Owner: Hostile, Role: policy.Host, Addresses: addrs("192.0.2.80", "2001:db8::80"), Place: place, Policy: Hostile,
		Zones: []policy.Zone{{Name: "wan"}, {Name: Hostile, Networks: z[1].Networks}},
		Allows: []firewall.Allow{
			{Zone: "wan", Transport: exposure.TCP, Ports: ports(80, 80, 443, 443), Why: Hostile},
			{Zone: Hostile, Sources: prefixes("10.0.0.0/16", "10.8.0.0/24", "2001:db8:1::/48"), Transport: exposure.TCP, Ports: ports(22, 22), Why: Hostile},
		},
		DNS: firewall.DNSEgress{Control: true, Resolvers: addrs("10.0.0.53", "2001:db8:1::53")},
	}
	return []Case{{"ns1", ns1}, {"resolver", resolver}, {"gate", tunnel}, {"plain", plain}}
}

// Want is whether the plan lets a packet begin a conversation.
func Want(p firewall.Plan, k Packet) bool {
	own := func(a netip.Addr) bool { return slices.Contains(p.Addresses, a) }
	if own(k.Dst) {
		return slices.ContainsFunc(p.Allows, func(a firewall.Allow) bool { return covers(a, k) })
	}
	query := p.DNS.Control && k.Transport != policy.ESP && (k.Port == 53 || k.Port == 853)
	if p.Place == firewall.OnAsset {
		return k.In == "" && own(k.Src) && (!query || p.DNS.Self || slices.Contains(p.DNS.Resolvers, k.Dst) || peer(p, k.Dst))
	}
	if own(k.Src) {
		for _, z := range p.Zones {
			if z.Name == "wan" && slices.Contains(z.Interfaces, k.In) {
				return false
			}
		}
		return !query || p.DNS.Self || slices.Contains(p.DNS.Resolvers, k.Dst) || peer(p, k.Dst)
	}
	if query {
		return client(p, k) && (slices.Contains(p.DNS.Resolvers, k.Dst) || slices.Contains(p.DNS.Resolvers, k.Src))
	}
	return client(p, k) && !inside(p, k.Dst)
}

func peer(p firewall.Plan, a netip.Addr) bool {
	return slices.ContainsFunc(p.DNS.Peers, func(n netip.Prefix) bool { return n.Contains(a) })
}

// inside reports whether an address is of a zone that has networks and is not
// wan.
func inside(p firewall.Plan, a netip.Addr) bool {
	return slices.ContainsFunc(p.Zones, func(z policy.Zone) bool {
		return z.Name != "wan" && slices.ContainsFunc(z.Networks, func(n netip.Prefix) bool { return n.Contains(a) })
	})
}

func covers(a firewall.Allow, k Packet) bool {
	in := len(a.Interfaces) == 0 || slices.Contains(a.Interfaces, k.In)
	from := len(a.Sources) == 0
	for _, s := range a.Sources {
		from = from || s.Contains(k.Src)
	}
	port := a.Transport == policy.ESP
	for _, r := range a.Ports {
		port = port || r.First <= k.Port && k.Port <= r.Last
	}
	return in && from && port && a.Transport == k.Transport
}

// client reports whether a packet comes from within a zone that has networks
// and is not wan.
func client(p firewall.Plan, k Packet) bool {
	for _, z := range p.Zones {
		if z.Name == "wan" || len(z.Interfaces) > 0 && !slices.Contains(z.Interfaces, k.In) {
			continue
		}
		for _, n := range z.Networks {
			if n.Contains(k.Src) {
				return true
			}
		}
	}
	return false
}

// Grid calls f for every packet of the grid. In packets that the asset sends
// itself In is empty; a gateway has none of them.
func Grid(p firewall.Plan, f func(Packet)) {
	others := addrs("198.51.100.7", "10.0.3.4", "10.0.0.53", "10.8.0.9", "10.8.0.130", "10.8.0.200", "203.0.113.9", "172.16.0.1",
		"2001:db8:ffff::7", "2001:db8:1::53", "2001:db8:1::9", "2001:db8:8::9")
	all := slices.Concat(p.Addresses, others)
	for _, in := range []string{"eth0", "eth1", "wg0", "wg1", "dmz0", ""} {
		for _, src := range all {
			own := slices.Contains(p.Addresses, src)
			if (in == "") != (p.Place == firewall.OnAsset && own) {
				continue
			}
			for _, dst := range all {
				if src.Is4() != dst.Is4() || own && slices.Contains(p.Addresses, dst) || p.Place == firewall.OnAsset && !own && !slices.Contains(p.Addresses, dst) {
					continue
				}
				f(Packet{In: in, Src: src, Dst: dst, Transport: policy.ESP})
				for _, port := range []uint16{1, 22, 53, 80, 443, 500, 853, 953, 4500, 7999, 8000, 8040, 8080, 8081, 9153, 40000} {
					f(Packet{In: in, Src: src, Dst: dst, Transport: exposure.UDP, Port: port})
					f(Packet{In: in, Src: src, Dst: dst, Transport: exposure.TCP, Port: port})
				}
			}
		}
	}
}

// Prove compares what a rendered text does, as told by accepts, with what the
// plan means, over the grid.
func Prove(t *testing.T, p firewall.Plan, accepts func(Packet) bool) {
	t.Helper()
	wrong, yes, no := 0, 0, 0
	Grid(p, func(k Packet) {
		got, want := accepts(k), Want(p, k)
		if want {
			yes++
		} else {
			no++
		}
		if got != want {
			if wrong++; wrong <= 8 {
				t.Errorf("%s: accepted %t, the plan says %t", k, got, want)
			}
		}
	})
	if wrong > 8 {
		t.Errorf("%d packets in all", wrong)
	}
	if yes == 0 || no == 0 {
		t.Errorf("the grid proves nothing: %d accepted, %d dropped", yes, no)
	}
}

// String is for messages.
func (k Packet) String() string {
	return fmt.Sprintf("%s -> %s %s/%d in %q", k.Src, k.Dst, k.Transport, k.Port, k.In)
}

// Text is a configuration as one text, for golden files.
func Text(c firewall.Config) string {
	var out strings.Builder
	for _, f := range c.Files {
		out.WriteString("=== " + f.Name + "\n" + f.Text)
	}
	for _, part := range []struct {
		name  string
		steps []firewall.Step
	}{{"check", c.Check}, {"apply", c.Apply}, {"rollback", c.Rollback}, {"verify", c.Verify}} {
		out.WriteString("=== " + part.name + "\n")
		for _, s := range part.steps {
			out.WriteString("- " + s.Text + "\n")
			if s.Command != "" {
				out.WriteString(s.Command + "\n")
			}
		}
	}
	out.WriteString("=== notes\n")
	for _, n := range c.Notes {
		out.WriteString("- " + n + "\n")
	}
	return out.String()
}

// Golden compares a configuration with testdata/NAME.golden. read and write
// are os.ReadFile and os.WriteFile; with update it is written anew.
func Golden[M ~uint32](t *testing.T, name string, c firewall.Config, update bool, read func(string) ([]byte, error), write func(string, []byte, M) error) {
	t.Helper()
	file := "testdata/" + name + ".golden"
	got := Text(c)
	if update {
		if err := write(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("differs from %s; look at the difference and run with -update:\n%s", file, got)
	}
}
