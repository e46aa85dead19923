package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/policy"
)

func date(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return at
}

// flow reads "wan 198.51.100.7 192.0.2.53 53/udp".
func flow(text string) policy.Flow {
	part := strings.Fields(text)
	f := policy.Flow{Zone: part[0], Source: netip.MustParseAddr(part[1]), Target: netip.MustParseAddr(part[2])}
	_, _ = fmt.Sscanf(strings.ReplaceAll(part[3], "/", " "), "%d %s", &f.Port, &f.Transport)
	return f
}

func TestDecideIssue(t *testing.T) {
	p := parsed(t, "testdata/good/issue.yaml")
	at := date("2026-12-01T00:00:00Z")
	tests := []struct{ flow, want string }{
		{"wan 198.51.100.7 192.0.2.53 53/udp", "allow issue.yaml:6:5 role authoritative-dns: 53/udp from wan"},
		{"wan 198.51.100.7 192.0.2.53 53/tcp", "allow issue.yaml:6:5 role authoritative-dns: 53/tcp from wan"},
		{"wan 2001:db8:9::1 2001:db8::53 53/udp", "allow issue.yaml:6:5 role authoritative-dns: 53/udp from wan"},
		{"wan 198.51.100.7 ::ffff:192.0.2.53 53/udp", "allow issue.yaml:6:5 role authoritative-dns: 53/udp from wan"},
		{"wan ::ffff:198.51.100.7 192.0.2.53 53/udp", "allow issue.yaml:6:5 role authoritative-dns: 53/udp from wan"},
		{"wan 198.51.100.7 192.0.2.53 53/quic", "allow issue.yaml:6:5 role authoritative-dns: 53/udp from wan"},
		{"wan 198.51.100.7 192.0.2.53 53/tls", "allow issue.yaml:6:5 role authoritative-dns: 53/tcp from wan"},
		{"wan 10.0.0.7 192.0.2.53 53/udp", "allow issue.yaml:6:5 role authoritative-dns: 53/udp from wan"},
		{"lan 10.0.0.7 192.0.2.53 53/udp", "allow issue.yaml:6:5 role authoritative-dns: 53/udp from lan"},
		{"lan 10.1.0.7 192.0.2.53 53/udp", "deny issue.yaml:15:1 default: deny"},
		{"lan 2001:db8:9::1 2001:db8::53 53/udp", "deny issue.yaml:15:1 default: deny"},
		{"wan 198.51.100.7 192.0.2.53 22/tcp", "deny issue.yaml:15:1 default: deny"},
		{"lan 10.0.0.7 192.0.2.53 22/tcp", "deny issue.yaml:15:1 default: deny"},
		{"vpn 10.8.0.7 192.0.2.53 22/tcp", "allow issue.yaml:11:9 expose: 22/tcp to vpn"},
		{"vpn 10.8.0.7 192.0.2.53 22/udp", "deny issue.yaml:15:1 default: deny"},
		{"vpn 10.0.0.7 192.0.2.53 22/tcp", "deny issue.yaml:15:1 default: deny"},
		{"wan 10.8.0.7 192.0.2.53 22/tcp", "deny issue.yaml:15:1 default: deny"},
		{"lan 10.0.0.7 192.0.2.53 9153/tcp", "allow issue.yaml:13:5 exception until 2027-03-31 for metrics: 9153/tcp to lan"},
		{"vpn 10.8.0.7 192.0.2.53 9153/tcp", "deny issue.yaml:15:1 default: deny"},
		{"wan 198.51.100.7 192.0.2.53 51820/udp", "allow issue.yaml:4:3 tunnel wireguard of zone vpn: 51820/udp from wan"},
		{"lan 10.0.0.7 192.0.2.53 51820/udp", "deny issue.yaml:15:1 default: deny"},
		{"wan 198.51.100.7 192.0.2.53 853/tcp", "deny issue.yaml:15:1 default: deny"},
		{"wan 198.51.100.7 192.0.2.54 53/udp", "deny issue.yaml:15:1 default: deny; the address is of no asset"},
		{"wan 2001:db8:9::1 192.0.2.53 53/udp", "deny issue.yaml:15:1 default: deny; source and target are of different families"},
		{"dmz 198.51.100.7 192.0.2.53 53/udp", "deny issue.yaml:15:1 default: deny; the zone is not declared"},
	}
	for _, tt := range tests {
		d := p.Decide(flow(tt.flow), at)
		if got := fmt.Sprintf("%s %s %s", d.Verdict, d.Rule.At, d.Rule.Text); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.flow, got, tt.want)
		}
	}
	if d := p.Decide(policy.Flow{Zone: "wan", Target: netip.MustParseAddr("192.0.2.53"), Transport: exposure.UDP, Port: 53}, at); d.Verdict != policy.Deny {
		t.Error("a flow without a source is allowed")
	}
}

func TestDecideRoles(t *testing.T) {
	p := parsed(t, "testdata/good/everything.yaml")
	tests := []struct {
		flow, at string
		want     policy.Verdict
	}{
		{"wan 192.0.2.53 10.0.1.53 53/tcp", "2026-12-01T00:00:00Z", policy.Allow},    // a secondary of the hidden primary
		{"wan 192.0.2.54 10.0.1.53 53/tcp", "2026-12-01T00:00:00Z", policy.Deny},     // nobody else
		{"dmz 10.0.9.53 10.0.1.53 53/udp", "2026-12-01T00:00:00Z", policy.Allow},     // a secondary inside
		{"dmz 10.0.9.54 10.0.1.53 53/udp", "2026-12-01T00:00:00Z", policy.Deny},      // its neighbour
		{"wan 10.0.9.53 10.0.1.53 53/udp", "2026-12-01T00:00:00Z", policy.Deny},      // forged: dmz's address from wan
		{"wan 198.51.100.7 10.0.0.53 53/udp", "2026-12-01T00:00:00Z", policy.Deny},   // a resolver
		{"lan 10.0.0.7 10.0.0.53 443/udp", "2026-12-01T00:00:00Z", policy.Allow},     // DNS over HTTP/3
		{"guests 10.0.0.7 10.0.0.53 53/udp", "2026-12-01T00:00:00Z", policy.Deny},    // a zone without networks
		{"wan 203.0.113.9 10.0.0.53 53/udp", "2027-01-31T23:59:59Z", policy.Allow},   // the exception's last second
		{"wan 203.0.113.9 10.0.0.53 53/udp", "2027-02-01T00:00:00Z", policy.Deny},    // and after it
		{"wan 203.0.113.16 10.0.0.53 53/udp", "2027-01-31T23:59:59Z", policy.Deny},   // outside its from
		{"wan 198.51.100.7 192.0.2.8 853/udp", "2027-06-30T12:00:00Z", policy.Allow}, // the waiver's last day
		{"wan 198.51.100.7 192.0.2.8 853/udp", "2027-07-01T00:00:00Z", policy.Deny},  // and after it
		{"lan 10.0.0.7 192.0.2.8 853/udp", "2027-07-01T00:00:00Z", policy.Allow},     // then it is a resolver for its own
		{"wan 198.51.100.7 192.0.2.1 53/udp", "2026-12-01T00:00:00Z", policy.Deny},   // a forwarder
		{"lan 10.0.0.7 192.0.2.1 53/udp", "2026-12-01T00:00:00Z", policy.Allow},
		{"lan 10.0.0.7 192.0.2.1 853/tcp", "2026-12-01T00:00:00Z", policy.Deny}, // plain DNS only
		{"wan 198.51.100.7 192.0.2.1 0/esp", "2026-12-01T00:00:00Z", policy.Allow},
		{"wan 198.51.100.7 192.0.2.1 4500/udp", "2026-12-01T00:00:00Z", policy.Allow},
		{"wan 198.51.100.7 192.0.2.1 4500/tcp", "2026-12-01T00:00:00Z", policy.Deny},
		{"wan 198.51.100.7 192.0.2.53 51820/udp", "2026-12-01T00:00:00Z", policy.Deny}, // not the gateway
		{"vpn 10.8.0.7 192.0.2.1 22/tcp", "2026-12-01T00:00:00Z", policy.Allow},
		{"vpn 10.8.0.8 192.0.2.1 22/tcp", "2026-12-01T00:00:00Z", policy.Deny},
		{"branch 198.51.100.127 192.0.2.1 22/tcp", "2026-12-01T00:00:00Z", policy.Allow},
		{"branch 198.51.100.128 192.0.2.1 22/tcp", "2026-12-01T00:00:00Z", policy.Deny},
		{"wan 203.0.113.9 192.0.2.80 8003/tcp", "2026-12-01T00:00:00Z", policy.Allow},
		{"wan 203.0.113.9 192.0.2.80 8004/tcp", "2026-12-01T00:00:00Z", policy.Deny},
		{"wan 203.0.113.9 192.0.2.80 53/udp", "2026-12-01T00:00:00Z", policy.Deny}, // a host has no DNS
	}
	for _, tt := range tests {
		if d := p.Decide(flow(tt.flow), date(tt.at)); d.Verdict != tt.want {
			t.Errorf("%s at %s: %s by %s", tt.flow, tt.at, d.Verdict, d.Rule.Text)
		}
	}
	ended := p.Decide(flow("wan 203.0.113.9 10.0.0.53 53/udp"), date("2027-02-01T00:00:00Z"))
	if want := "default: deny; what allowed it ended on 2027-01-31 (exception until 2027-01-31 for a branch office without a tunnel: 53/udp to wan)"; ended.Rule.Text != want {
		t.Errorf("got %s", ended.Rule.Text)
	}
}

func TestDefaultAndNilDenyEverything(t *testing.T) {
	at := date("2026-12-01T00:00:00Z")
	for name, p := range map[string]*policy.Policy{"nil": nil, "default": policy.Default(), "by hand": {}} {
		if d := p.Decide(flow("wan 198.51.100.7 192.0.2.53 53/udp"), at); d.Verdict != policy.Deny {
			t.Errorf("%s: %s", name, d.Rule.Text)
		}
		if n := len(p.Grants(at)); n != 0 {
			t.Errorf("%s: %d grants", name, n)
		}
		if _, found := p.AssetOf(netip.MustParseAddr("192.0.2.53")); found {
			t.Errorf("%s: has an asset", name)
		}
		if len(p.Warnings(at)) == 0 {
			t.Errorf("%s: no warning", name)
		}
	}
	if z := policy.Default().ZoneOf(netip.MustParseAddr("192.0.2.53")); z == nil || z.Name != policy.WAN {
		t.Error("Default has no zone wan")
	}
}

// A Policy that a program put together decides as one that was parsed.
func TestPolicyByHand(t *testing.T) {
	p := parsed(t, "testdata/good/everything.yaml")
	hand := &policy.Policy{File: p.File, Zones: p.Zones, Assets: p.Assets, Exceptions: p.Exceptions, Resolvers: p.Resolvers, Default: p.Default, DefaultAt: p.DefaultAt}
	at := date("2026-12-01T00:00:00Z")
	if diff := cmp.Diff(fmt.Sprint(p.Grants(at)), fmt.Sprint(hand.Grants(at))); diff != "" {
		t.Error(diff)
	}
	f := flow("wan 198.51.100.7 192.0.2.53 53/udp")
	if hand.Decide(f, at) != p.Decide(f, at) {
		t.Error("they disagree")
	}
}

func TestZoneOfTakesTheLongestNetwork(t *testing.T) {
	p := parsed(t, "testdata/good/everything.yaml")
	for addr, want := range map[string]string{
		"10.0.9.1": "dmz", "10.0.8.1": "lan", "10.8.0.1": "vpn", "2001:db8:1::5": "lan", "fd00:8::1": "vpn", "::ffff:10.0.9.1": "dmz", "203.0.113.1": "wan", "2001:db8:2::1": "wan",
	} {
		if z := p.ZoneOf(netip.MustParseAddr(addr)); z == nil || z.Name != want {
			t.Errorf("%s: got %v, want %s", addr, z, want)
		}
	}
	closed, err := policy.Parse("", []byte("zones: {wan: {networks: [192.0.2.0/24]}}"))
	if err != nil || closed.ZoneOf(netip.MustParseAddr("10.0.0.1")) != nil {
		t.Errorf("an address of no zone has one (%v)", err)
	}
}

func TestWarnings(t *testing.T) {
	text := `
zones:
  lan: {networks: [10.0.0.0/16]}
  guests: {interfaces: [wlan0]}
  wan: {interfaces: [eth0]}
  vpn: {networks: [10.8.0.0/24], tunnel: wireguard}
  ovpn: {interfaces: [eth0], networks: [10.9.0.0/24], tunnel: openvpn}
assets:
  - {name: res, addresses: [10.0.0.53], role: recursive-dns}
  - {name: pub, addresses: [192.0.2.8], role: public-resolver, owner: me, waiver: {why: w, owner: o, until: 2026-12-10}}
exceptions:
  - {asset: res, ports: [9153/tcp], to: [lan], why: metrics, owner: ops@example.net, until: 2026-12-05}
`
	p, err := policy.Parse("p.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	always := []string{
		`p.yaml:6:3: tunnel zone "vpn" has no interfaces: rules can match its network only, which others can forge`,
		`p.yaml:6:3: no asset has gateway: true, so wan may not reach the port of tunnel zone "vpn"`,
		`p.yaml:7:3: no asset has gateway: true, so wan may not reach the port of tunnel zone "ovpn"`,
		`p.yaml:7:3: tunnel zone "ovpn" shares an interface with wan: its network can be forged from there`,
		`p.yaml:9:5: asset "res" has no owner`,
		`p.yaml:9:5: zone "guests" may not ask asset "res": it has no networks`,
	}
	tests := []struct {
		at   string
		more []string
	}{
		{"2026-11-01T00:00:00Z", nil},
		{"2026-12-05T23:59:59Z", []string{`p.yaml:10:5: the waiver of asset "pub" (w, o) ends on 2026-12-10`, `p.yaml:12:5: the exception of asset "res" (metrics, ops@example.net) ends on 2026-12-05`}},
		{"2026-12-11T00:00:00Z", []string{`p.yaml:10:5: the waiver of asset "pub" (w, o) ended on 2026-12-10: it resolves for zones with networks only`, `p.yaml:12:5: the exception of asset "res" (metrics, ops@example.net) ended on 2026-12-05 and allows nothing; remove it or renew it`}},
	}
	for _, tt := range tests {
		var got []string
		for _, w := range p.Warnings(date(tt.at)) {
			got = append(got, w.String())
		}
		if diff := cmp.Diff(append(slices.Clone(always), tt.more...), got); diff != "" {
			t.Errorf("%s: %s", tt.at, diff)
		}
	}
}

// randomPolicy writes a policy that Parse accepts or refuses, both often.
func randomPolicy(r *rand.Rand) string {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	var b strings.Builder
	b.WriteString("zones:\n  wan: {}\n")
	for _, z := range []string{"lan: {networks: [10.0.0.0/16, \"2001:db8:1::/48\"]}", "vpn: {networks: [10.0.8.0/24], tunnel: " + pick("wireguard", "openvpn", "ipsec") + "}", "guests: {interfaces: [wlan0]}", "dmz: {networks: [192.0.2.0/25]}"} {
		if r.IntN(4) > 0 {
			b.WriteString("  " + z + "\n")
		}
	}
	b.WriteString("assets:\n")
	n := 1 + r.IntN(3)
	for i := range n {
		role := pick("host", "authoritative-dns", "hidden-primary", "recursive-dns", "forwarder", "public-resolver")
		fmt.Fprintf(&b, "  - name: a%d\n    addresses: [192.0.2.%d, \"2001:db8::%d\"]\n    role: %s\n    gateway: %v\n", i, i+1, i+1, role, r.IntN(2) == 0)
		if role == "hidden-primary" {
			b.WriteString("    secondaries: [192.0.2.9, 10.0.8.0/28, \"2001:db8:1::9\"]\n")
		}
		if role == "public-resolver" {
			b.WriteString("    waiver: {why: w, owner: o, until: 2026-12-0" + pick("1", "2") + "}\n")
		}
		b.WriteString("    expose:\n")
		for range r.IntN(3) {
			fmt.Fprintf(&b, "      - {ports: [%s], to: [%s]%s}\n", pick("80/tcp", "443", "70-90/tcp", "8000-8002", "22/tcp", "53/udp"), pick("wan", "lan", "vpn", "wan, lan"), pick("", "", ", from: [10.0.8.0/26]", ", from: [10.0.0.0/8, 192.0.2.4]"))
		}
	}
	b.WriteString("exceptions:\n")
	for range r.IntN(3) {
		fmt.Fprintf(&b, "  - {asset: a%d, ports: [%s], to: [%s], why: w, owner: o, until: 2026-12-0%s}\n", r.IntN(n), pick("22/tcp", "53/tcp", "161/udp"), pick("wan", "lan", "guests"), pick("1", "2"))
	}
	return b.String()
}

// TestDecideAgreesWithGrants compares the index with a plain walk over the
// grants, for random policies and flows.
func TestDecideAgreesWithGrants(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	at := date("2026-12-02T00:00:00Z")
	var accepted, refused, allowed, denied int
	for range 4000 {
		p, err := policy.Parse("p.yaml", []byte(randomPolicy(r)))
		if err != nil {
			refused++
			continue
		}
		accepted++
		grants := p.Grants(at)
		for _, g := range grants {
			checkGrant(t, g)
		}
		for range 60 {
			f := randomFlow(r, grants)
			want := policy.Deny
			var rule policy.Rule
			for _, g := range grants {
				if covers(g, f) {
					want, rule = policy.Allow, g.Rule
					break
				}
			}
			got := p.Decide(f, at)
			if got.Verdict != want || want == policy.Allow && got.Rule != rule {
				t.Fatalf("%+v: decided %+v, granted %s %+v", f, got, want, rule)
			}
			if want == policy.Allow {
				allowed++
			} else {
				denied++
			}
		}
	}
	if accepted < 200 || refused < 200 || allowed < 1000 || denied < 1000 {
		t.Errorf("the test says little: %d accepted, %d refused, %d allowed, %d denied", accepted, refused, allowed, denied)
	}
}

// randomFlow is anything, or what a grant allows but for one thing.
func randomFlow(r *rand.Rand, grants []policy.Grant) policy.Flow {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	f := policy.Flow{
		Zone:      pick("wan", "lan", "vpn", "guests", "dmz", "none"),
		Source:    netip.MustParseAddr(pick("10.0.0.1", "10.0.8.5", "10.0.8.70", "192.0.2.9", "192.0.2.4", "203.0.113.1", "2001:db8:1::9", "2001:db8:9::1")),
		Target:    netip.MustParseAddr(pick("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.200", "2001:db8::1", "2001:db8::2")),
		Transport: exposure.Transport(pick("udp", "tcp", "esp")),
		Port:      []uint16{22, 53, 80, 85, 161, 443, 500, 853, 1194, 4500, 8001, 51820}[r.IntN(12)],
	}
	if len(grants) == 0 || r.IntN(3) == 0 {
		return f
	}
	g := grants[r.IntN(len(grants))]
	near := policy.Flow{Zone: g.Zone.Name, Source: f.Source, Target: g.Asset.Addresses[r.IntN(2)], Transport: g.Ports.Transport, Port: g.Ports.First}
	if len(g.Sources) > 0 {
		near.Source = g.Sources[r.IntN(len(g.Sources))].Addr()
	}
	switch r.IntN(6) {
	case 0:
		near.Zone = f.Zone
	case 1:
		near.Source = f.Source
	case 2:
		near.Target = f.Target
	case 3:
		near.Transport = f.Transport
	case 4:
		near.Port = f.Port
	}
	return near
}

func covers(g policy.Grant, f policy.Flow) bool {
	portless := g.Ports.Transport == policy.ESP
	return g.Zone.Name == f.Zone && slices.Contains(g.Asset.Addresses, f.Target) && f.Source.Is4() == f.Target.Is4() &&
		g.Ports.Transport == f.Transport && (portless || g.Ports.First <= f.Port && f.Port <= g.Ports.Last) &&
		(len(g.Sources) == 0 || slices.ContainsFunc(g.Sources, func(s netip.Prefix) bool { return s.Contains(f.Source) }))
}

// checkGrant holds for every grant of every policy, whatever it says.
func checkGrant(t *testing.T, g policy.Grant) {
	t.Helper()
	if len(g.Zone.Networks) > 0 && len(g.Sources) == 0 {
		t.Fatalf("%s: zone %s has networks and anybody may", g.Rule.Text, g.Zone.Name)
	}
	for _, s := range g.Sources {
		if s != s.Masked() || len(g.Zone.Networks) > 0 && !slices.ContainsFunc(g.Zone.Networks, func(n netip.Prefix) bool { return n.Contains(s.Addr()) && n.Bits() <= s.Bits() }) {
			t.Fatalf("%s: source %s is not of zone %s", g.Rule.Text, s, g.Zone.Name)
		}
	}
	admin, is := g.Asset.Role.Administration(g.Ports)
	if is && g.Rule.Kind == policy.FromExpose && g.Zone.Tunnel == policy.NoTunnel {
		t.Fatalf("%s: %s goes to a zone without a tunnel", g.Rule.Text, admin.What)
	}
	if dns := g.Ports.Contains(exposure.UDP, 53); dns && g.Rule.Kind == policy.FromExpose && len(g.Zone.Networks) == 0 && g.Asset.Role != policy.AuthoritativeDNS {
		t.Fatalf("%s: strangers get DNS of a %s", g.Rule.Text, g.Asset.Role)
	}
	resolves := g.Asset.Role == policy.RecursiveDNS || g.Asset.Role == policy.Forwarder
	if resolves && g.Ports.Contains(exposure.UDP, 53) && len(g.Sources) == 0 {
		t.Fatalf("%s: a resolver for everybody", g.Rule.Text)
	}
}

// TestManyNetworks: sources are found in a long list as in a short one, also
// where networks lie within each other or meet.
func TestManyNetworks(t *testing.T) {
	var networks []string
	for i := range 3000 {
		networks = append(networks, fmt.Sprintf("10.%d.%d.0/24", i/100, i%100*2))
	}
	networks = append(networks, "10.3.0.0/16", "10.4.0.0/15", "\"2001:db8::/48\"")
	p, err := policy.Parse("", []byte("zones: {partners: {networks: ["+strings.Join(networks, ", ")+"]}}\nassets: [{name: a, addresses: [192.0.2.1], expose: [{ports: [443/tcp], to: [partners]}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	at := date("2026-12-01T00:00:00Z")
	z, _ := p.Zone("partners")
	r := rand.New(rand.NewPCG(3, 3))
	verdicts := map[policy.Verdict]int{}
	for range 5000 {
		f := flow("partners 10.0.0.1 192.0.2.1 443/tcp")
		f.Source = netip.AddrFrom4([4]byte{10, byte(r.IntN(40)), byte(r.IntN(256)), byte(r.IntN(256))})
		want := policy.Deny
		if slices.ContainsFunc(z.Networks, func(n netip.Prefix) bool { return n.Contains(f.Source) }) {
			want = policy.Allow
		}
		if d := p.Decide(f, at); d.Verdict != want {
			t.Fatalf("%s: %s", f.Source, d.Verdict)
		}
		verdicts[want]++
	}
	if verdicts[policy.Allow] < 500 || verdicts[policy.Deny] < 500 {
		t.Errorf("the test says little: %v", verdicts)
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	p := parsed(t, "testdata/good/everything.yaml")
	at := date("2026-12-01T00:00:00Z")
	for _, text := range []string{"vpn 10.8.0.7 192.0.2.1 22/tcp", "wan 203.0.113.1 10.0.0.53 22/udp"} {
		f := flow(text)
		if n := testing.AllocsPerRun(100, func() { p.Decide(f, at) }); n > 0 {
			t.Errorf("%s: %v allocations", text, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	var text strings.Builder
	text.WriteString("zones:\n  wan: {interfaces: [eth0]}\n  lan: {networks: [10.0.0.0/8]}\n  vpn: {networks: [172.16.0.0/24], tunnel: wireguard}\nassets:\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "  - {name: a%d, addresses: [192.0.%d.%d], role: recursive-dns, expose: [{ports: [22/tcp, 953/tcp], to: [vpn]}]}\n", i, i/250, i%250+1)
	}
	p, err := policy.Parse("p.yaml", []byte(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	at := date("2026-12-01T00:00:00Z")
	for name, f := range map[string]policy.Flow{"allow": flow("vpn 172.16.0.9 192.0.20.7 953/tcp"), "deny": flow("wan 203.0.113.1 192.0.20.7 53/udp")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(f, at)
			}
		})
	}
	b.Run("parse 10000 assets", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = policy.Parse("p.yaml", []byte(text.String()))
		}
	})
}
