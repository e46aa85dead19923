package rehearse_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
	"reconshield/internal/policy"
	"reconshield/internal/rehearse"
)

const policyText = `
zones:
  wan: {interfaces: [eth0]}
  lan: {interfaces: [eth1, eth2], networks: [10.0.0.0/8]}
  vpn: {interfaces: [wg0], networks: [10.8.0.0/24], tunnel: wireguard}
  dmz: {networks: [198.51.100.0/30]}
assets:
  - name: ns1
    addresses: [192.0.2.53, "2001:db8::53"]
    role: authoritative-dns
    owner: dns@example.net
    expose:
      - {ports: [123/udp], to: [lan], from: [10.0.0.9/32]}
  - name: gate
    addresses: [192.0.2.1, 10.0.0.1]
    gateway: true
    owner: net@example.net
resolvers: [10.0.0.53]
default: deny
`

// shown is a scene as lines.
func shown(s rehearse.Scene) string {
	var b strings.Builder
	for _, i := range s.Interfaces {
		fmt.Fprintln(&b, i.Name, i.Addresses)
	}
	for _, z := range s.Zones {
		fmt.Fprintln(&b, z.Name, z.Interface, z.Sources, z.Routes)
	}
	for _, h := range s.Behind {
		fmt.Fprintln(&b, h.Name, h.Interface, h.Addresses)
	}
	return b.String()
}

func describe(t *testing.T, name string) (rehearse.Scene, []string) {
	t.Helper()
	p, err := policy.Parse("p.yaml", []byte(policyText))
	if err != nil {
		t.Fatal(err)
	}
	asset, ok := p.Asset(name)
	if !ok {
		t.Fatal("no asset", name)
	}
	return rehearse.Describe(p, asset, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
}

func TestDescribe(t *testing.T) {
	cases := map[string]string{
		"ns1": `eth0 [192.0.2.53/32 2001:db8::53/128]
eth1 [10.0.0.2/8]
eth2 [10.0.0.3/8]
wg0 [10.8.0.1/24]
wan eth0 [5.6.7.9 2a00:5678::9] [0.0.0.0/0 ::/0]
lan eth1 [10.0.0.10 10.0.0.9] [10.0.0.0/8]
lan/eth2 eth2 [10.0.0.11 10.0.0.12] []
vpn wg0 [10.8.0.9] [10.8.0.0/24]
dmz eth0 [198.51.100.2] [198.51.100.0/30]
resolver eth1 [10.0.0.53]
`,
		"gate": `eth0 [192.0.2.1/32]
eth1 [10.0.0.1/8]
eth2 [10.0.0.2/8]
wg0 [10.8.0.1/24]
wan eth0 [5.6.7.9 2a00:5678::9] [0.0.0.0/0 ::/0]
lan eth1 [10.0.0.10 10.0.0.9] [10.0.0.0/8]
lan/eth2 eth2 [10.0.0.11 10.0.0.12] []
vpn wg0 [10.8.0.9] [10.8.0.0/24]
dmz eth0 [198.51.100.2] [198.51.100.0/30]
resolver eth1 [10.0.0.53]
ns1 eth0 [192.0.2.53]
ns1 eth0 [2001:db8::53]
`,
	}
	for name, want := range cases {
		scene, notes := describe(t, name)
		if diff := cmp.Diff(want, shown(scene)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(notes) != 0 {
			t.Errorf("%s: notes %q", name, notes)
		}
	}
}

func TestFurnish(t *testing.T) {
	addrs := func(p string) firewall.Addrs { return firewall.AddrsOf(netip.MustParsePrefix(p)) }
	dnat := func(first, last string) firewall.Action {
		a := firewall.Action{Kind: firewall.DNAT, To: firewall.NATRange{First: netip.MustParseAddr(first), Last: netip.MustParseAddr(last)}}
		return a
	}
	r := &firewall.Ruleset{Chains: []*firewall.Chain{{Rules: []firewall.Rule{
		{Matches: []firewall.Match{{Field: firewall.Src, Addrs: addrs("172.17.0.0/16")}, {Field: firewall.OutInterface, Not: true, Names: []string{"docker0"}}}, Action: firewall.Action{Kind: firewall.SNAT}},
		{Matches: []firewall.Match{{Field: firewall.InInterface, Not: true, Names: []string{"docker0"}}}, Action: dnat("172.17.0.2", "172.17.0.2")},
		{Matches: []firewall.Match{{Field: firewall.Dst, Addrs: addrs("172.18.0.2/32")}, {Field: firewall.OutInterface, Names: []string{"br-1"}}}, Action: firewall.Action{Kind: firewall.Accept}},
		{Action: dnat("172.18.0.2", "172.18.0.2"), Pos: firewall.Position{File: "f", Line: 4}},
		{Action: dnat("192.0.2.53", "192.0.2.53")},
		{Action: dnat("10.9.0.2", "10.9.0.200"), Pos: firewall.Position{File: "f", Line: 6}},
		{Matches: []firewall.Match{{Field: firewall.InInterface, Names: []string{"ppp*", "lo", "eth9"}}}},
		{Matches: []firewall.Match{{Field: firewall.Tuple, Tuples: [][]firewall.Match{{{Field: firewall.OutInterface, Names: []string{"eth8"}}}}}}},
		{Action: dnat("2001:db8:9::1", "2001:db8:9::1"), Pos: firewall.Position{File: "f", Line: 9}},
	}}}}
	scene := rehearse.Scene{
		Interfaces: []rehearse.Interface{{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.53/24")}}, {Name: "eth1"}},
		Zones:      []rehearse.Zone{{Name: "lan", Interface: "eth1", Sources: []netip.Addr{netip.MustParseAddr("10.0.0.9")}, Routes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}},
	}
	got, notes := scene.Furnish(r)
	if want := "eth0 [192.0.2.53/24]\neth1 []\ndocker0 [172.17.0.1/16]\nbr-1 []\neth9 []\neth8 []\nlan eth1 [10.0.0.9] [10.0.0.0/8]\n" +
		"172.17.0.2 docker0 [172.17.0.2]\n172.18.0.2 br-1 [172.18.0.2]\n"; !strings.HasPrefix(shown(got), want) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, shown(got)))
	}
	if len(got.Behind) != 2+16 || got.Behind[17].Interface != "eth1" {
		t.Errorf("behind: %v", got.Behind)
	}
	want := []string{
		"f:6: packets may be redirected to 10.9.0.200, but nobody answers from 10.9.0.18 on",
		"f:9: packets are redirected to 2001:db8:9::1, but nothing says behind which interface that is: nobody answers there",
	}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}
