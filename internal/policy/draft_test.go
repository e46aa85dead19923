package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/policy"
)

func open(t exposure.Transport, n uint16, reach string, s *exposure.Service, labels ...exposure.Label) exposure.PortState {
	p := exposure.PortState{Observation: exposure.Observation{Target: exposure.Target{Transport: t, Port: n}, State: exposure.Open, Service: s, Labels: labels}}
	if reach != "" {
		p.Meaning = &exposure.Meaning{Reach: reach, Name: "a-name"}
	}
	return p
}

func assessment() *exposure.Assessment {
	dns := &exposure.Service{Protocol: "dns", Product: exposure.BIND, Name: "BIND 9", Version: "9.18.24"}
	check := func(id string, s exposure.Status) exposure.CheckResult {
		return exposure.CheckResult{ID: id, Status: s}
	}
	addr := netip.MustParseAddr
	return &exposure.Assessment{
		Finished: date("2026-11-23T12:00:00Z"), Partial: true,
		Assets: []exposure.Asset{
			{Address: addr("192.0.2.53"), Names: []string{"ns1.example.net."}, Zones: []string{"example.net."}, Checks: []exposure.CheckResult{check("REC-1", exposure.Pass)}, Ports: []exposure.PortState{
				open("udp", 53, "internet", dns), open("tcp", 53, "internet", dns), open("tcp", 22, "vpn", &exposure.Service{Protocol: "ssh", Name: "OpenSSH", Version: "9.2"}),
				open("tcp", 443, "internet", nil), open("tcp", 3306, "host", &exposure.Service{Protocol: "mysql", Banner: "x"}),
				{Observation: exposure.Observation{Target: exposure.Target{Transport: "tcp", Port: 25}, State: exposure.Closed}},
			}},
			{Address: addr("2001:db8::53"), Names: []string{"ns1.example.net"}, Ports: []exposure.PortState{open("udp", 53, "internet", dns)}},
			{Address: addr("10.0.0.53"), Checks: []exposure.CheckResult{check("REC-1", exposure.Fail)}, Ports: []exposure.PortState{open("udp", 53, "internet", dns), open("tcp", 8953, "host", nil)}},
			{Address: addr("10.0.0.54"), Names: []string{"true.example.net"}, Checks: []exposure.CheckResult{check("FWD-2", exposure.Fail), check("REC-1", exposure.Fail)}, Ports: []exposure.PortState{open("udp", 53, "internet", dns)}},
			{Address: addr("192.0.2.60"), Zones: []string{"example.org."}, Checks: []exposure.CheckResult{check("REC-1", exposure.Fail)}, Ports: []exposure.PortState{open("udp", 53, "internet", dns)}},
			{Address: addr("192.0.2.80"), Names: []string{"www.example.net"}, Ports: []exposure.PortState{
				open("tcp", 80, "internet", &exposure.Service{Protocol: "http", Name: "nginx\n  - {evil: true}\x1b[2J"}), open("tcp", 443, "internet", nil),
				open("tcp", 8080, "", nil, exposure.LabelUnproven), open("tcp", 5432, "lan", nil), open("tcp", 25, "internet", nil, exposure.LabelTarpit),
			}},
			{Address: addr("192.0.2.81"), Names: []string{"bad name\n", "-"}, Ports: []exposure.PortState{open("udp", 53, "internet", dns)}},
		},
	}
}

func TestDraft(t *testing.T) {
	prefixes := func(texts ...string) (out []netip.Prefix) {
		for _, text := range texts {
			out = append(out, netip.MustParsePrefix(text))
		}
		return out
	}
	own := []policy.Interface{
		{Name: "lo", Networks: prefixes("127.0.0.1/8")},
		{Name: "eth0", Networks: prefixes("198.51.100.2/24", "fe80::1/64")},
		{Name: "eth1", Networks: prefixes("10.0.0.1/16", "fd00:1::1/64")},
		{Name: "wg0", Networks: prefixes("10.8.0.1/24")},
		{Name: "docker0", Networks: prefixes("172.17.0.1/16")},
		{Name: "tun7"},
		{Name: "eth1", Networks: prefixes("10.0.0.1/16")},
	}
	tests := []struct {
		name string
		in   policy.DraftInput
	}{
		{"skeleton", policy.DraftInput{}},
		{"interfaces", policy.DraftInput{Interfaces: own}},
		{"assessment", policy.DraftInput{Assessment: assessment()}},
		{"full", policy.DraftInput{Assessment: assessment(), Interfaces: own, At: date("2026-12-01T00:00:00Z")}},
		{"from-lan", policy.DraftInput{Assessment: assessment(), Zone: "lan"}},
	}
	for _, tt := range tests {
		text := policy.Draft(tt.in)
		golden(t, "testdata/draft/"+tt.name+".yaml", text)
		p, err := policy.Parse(tt.name, []byte(text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		for _, zone := range []string{"wan", "lan"} {
			for _, admin := range []string{"22/tcp", "8953/tcp", "8080/tcp", "3306/tcp", "5432/tcp", "25/tcp"} {
				for _, target := range []string{"192.0.2.53", "10.0.0.53", "192.0.2.80"} {
					if d := p.Decide(flow(zone+" 10.0.0.9 "+target+" "+admin), date("2026-12-01T00:00:00Z")); d.Verdict == policy.Allow {
						t.Errorf("%s: %s of %s is allowed from %s: %s", tt.name, admin, target, zone, d.Rule.Text)
					}
				}
			}
		}
	}
}

func TestDraftDecides(t *testing.T) {
	p, err := policy.Parse("", []byte(policy.Draft(policy.DraftInput{Assessment: assessment()})))
	if err != nil {
		t.Fatal(err)
	}
	at := date("2026-12-01T00:00:00Z")
	for text, want := range map[string]policy.Verdict{
		"wan 203.0.113.1 192.0.2.53 53/udp":     policy.Allow, // authoritative
		"wan 2001:db8:9::1 2001:db8::53 53/tcp": policy.Allow, // the same asset by its name
		"wan 203.0.113.1 192.0.2.60 53/udp":     policy.Allow, // authoritative and open: its zones must stay reachable
		"wan 203.0.113.1 10.0.0.53 53/udp":      policy.Deny,  // an open resolver is closed
		"wan 203.0.113.1 10.0.0.54 53/udp":      policy.Deny,  // an open forwarder, too
		"wan 203.0.113.1 192.0.2.81 53/udp":     policy.Deny,  // nobody knows what for
		"wan 203.0.113.1 192.0.2.80 443/tcp":    policy.Allow, // ordinarily public
		"wan 203.0.113.1 192.0.2.53 443/tcp":    policy.Deny,  // the web console of a DNS server
	} {
		if d := p.Decide(flow(text), at); d.Verdict != want {
			t.Errorf("%s: %s by %s", text, d.Verdict, d.Rule.Text)
		}
	}
}

// What is written in comments is accepted when the # is removed.
func TestDraftedExceptionsParse(t *testing.T) {
	text := policy.Draft(policy.DraftInput{Assessment: assessment()})
	before := strings.Count(text, "  # - {asset:")
	p, err := policy.Parse("", []byte(strings.ReplaceAll(text, "  # - {asset:", "  - {asset:")))
	if err != nil || before == 0 || len(p.Exceptions) != before {
		t.Errorf("%d proposed: %v", before, err)
	}
}

// Whatever the assessment says, the draft can be read and exposes only what
// its input calls public.
func TestDraftOfAnything(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"a", "true", "null", "1", "~", "-", "ns1.example.net", "x: y", "#", "\"", "\\", "\n", "\x1b", "\u202e", "é", "\xff", "*a", "&a", "[", "{", "}", "", strings.Repeat("z", 300), "123.example.net", "off", ".inf"}
	word := func() string { return words[r.IntN(len(words))] + words[r.IntN(len(words))] }
	for range 500 {
		a := &exposure.Assessment{}
		for range r.IntN(8) {
			asset := exposure.Asset{Address: netip.AddrFrom4([4]byte{byte(r.IntN(256)), 0, 2, byte(r.IntN(4))}), Names: []string{word(), word()}, Zones: []string{word()}}
			for range r.IntN(6) {
				asset.Ports = append(asset.Ports, open(exposure.Transport([]string{"udp", "tcp", word()}[r.IntN(3)]), uint16(r.IntN(1000)), []string{"", "internet", word()}[r.IntN(3)], &exposure.Service{Protocol: word(), Name: word(), Version: word()}))
			}
			a.Assets = append(a.Assets, asset)
		}
		in := policy.DraftInput{Assessment: a, Zone: word(), Interfaces: []policy.Interface{{Name: word(), Networks: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, 2, 3}), r.IntN(33))}}, {Name: word()}}}
		text := policy.Draft(in)
		if _, err := policy.Parse("draft", []byte(text)); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
}

func TestDraftOfVeryMuchStaysReadable(t *testing.T) {
	a := &exposure.Assessment{}
	for i := range 12_000 {
		asset := exposure.Asset{Address: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Names: []string{fmt.Sprintf("host%d.example.net", i)}}
		for n := range uint16(40) {
			asset.Ports = append(asset.Ports, open("tcp", 20+n, "", nil))
		}
		a.Assets = append(a.Assets, asset)
	}
	text := policy.Draft(policy.DraftInput{Assessment: a})
	if !strings.Contains(text, "further assets") {
		t.Error("what was left out is not said")
	}
	if _, err := policy.Parse("draft", []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestEveryExpectationNamesACheck(t *testing.T) {
	text, err := os.ReadFile("../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range policy.Roles() {
		all := role.Expectations()
		if (len(all) == 0) != (role == policy.Host) {
			t.Errorf("%s has %d expectations", role, len(all))
		}
		for _, e := range all {
			if !strings.Contains(string(text), "\n## "+e.Check+": ") || e.Text == "" || e.Reach == "" {
				t.Errorf("%s: %+v", role, e)
			}
		}
	}
}
