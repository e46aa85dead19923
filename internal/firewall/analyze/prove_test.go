package analyze_test

import (
	"fmt"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/dialect"
	"reconshield/internal/firewall/recommend"
	"reconshield/internal/policy"
)

// policies that plans are made of; each asset of each is rendered.
func policies() map[string]string {
	return map[string]string{
		"authoritative": ns1,
		"with a gateway": `
zones:
  wan: {interfaces: [eth0]}
  lan: {interfaces: [eth1], networks: [10.0.0.0/16, "2001:db8:10::/48"]}
  vpn: {interfaces: [wg0], networks: [10.8.0.0/24], tunnel: wireguard}
assets:
  - {name: gw, addresses: [192.0.2.1, "2001:db8::1"], role: forwarder, owner: net@example.net, gateway: true, expose: [{ports: [22/tcp], to: [vpn]}]}
  - {name: ns1, addresses: [192.0.2.53, "2001:db8::53"], role: authoritative-dns, owner: dns@example.net, secondaries: [198.51.100.53], expose: [{ports: [22/tcp, 953/tcp], to: [vpn]}]}
  - {name: res, addresses: [10.0.0.53, "2001:db8:10::53"], role: recursive-dns, owner: dns@example.net}
  - {name: web, addresses: [192.0.2.80], role: host, owner: web@example.net, expose: [{ports: [80/tcp, 443/tcp, 443/udp, 7100-7110/tcp], to: [wan, lan]}, {ports: [5432/tcp], to: [lan], from: [10.0.7.0/24]}]}
exceptions:
  - {asset: ns1, ports: [9153/tcp], to: [lan], why: metrics, owner: ops@example.net, until: 2027-03-31}
resolvers: [10.0.0.53, "2001:db8:10::53"]
default: deny
`,
	}
}

// What is rendered means what was planned: for every port, every source, every
// interface. A format may refuse a plan, but not all of them.
func TestRenderedTextMeansThePlan(t *testing.T) {
	proven := map[string]int{}
	for name, text := range policies() {
		p, err := policy.Parse("p.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range p.Assets {
			for _, opt := range []recommend.Options{
				{At: at()},
				{At: at(), Place: firewall.OnGateway},
				{At: at(), DNSFree: true},
				{At: at(), RateLimit: &firewall.RateLimit{PerSecond: 100, Burst: 200}},
				{At: at(), Docker: true},
				{At: at(), Redirect: true},
			} {
				plan, err := recommend.New(p, a.Name, opt)
				if err != nil {
					continue
				}
				for _, f := range []string{"nftables", "iptables"} {
					label := fmt.Sprintf("%s: %s of %s with %+v", f, a.Name, name, opt)
					if prove(t, label, f, plan) {
						proven[f]++
					}
				}
			}
		}
	}
	for _, f := range []string{"nftables", "iptables"} {
		if proven[f] < 12 {
			t.Errorf("only %d plans proven in %s", proven[f], f)
		}
	}
}

func prove(t *testing.T, label, name string, plan firewall.Plan) bool {
	t.Helper()
	f, err := recommend.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := f.Render(plan)
	if err != nil {
		return false
	}
	var sources []dialect.Source
	for _, file := range c.Files {
		sources = append(sources, dialect.Source{Name: file.Name, Text: []byte(file.Text)})
	}
	r, err := dialect.Load(sources, dialect.Options{})
	if err != nil {
		t.Errorf("%s: %v", label, err)
		return false
	}
	if wrong := analyze.Prove(plan, r); len(wrong) > 0 {
		t.Errorf("%s:\n%s", label, strings.Join(wrong, "\n"))
		return false
	}
	return true
}

// A text that means something else is noticed.
func TestProveFindsWhatIsWrong(t *testing.T) {
	p, err := policy.Parse("p.yaml", []byte(ns1))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := recommend.New(p, "ns1", recommend.Options{At: at()})
	if err != nil {
		t.Fatal(err)
	}
	f, err := recommend.Find("nftables")
	if err != nil {
		t.Fatal(err)
	}
	c, err := f.Render(plan)
	if err != nil {
		t.Fatal(err)
	}
	text := c.Files[0].Text
	for _, change := range [][2]string{
		{"dport 53", "dport 54"},
		{"policy drop", "policy accept"},
		{"10.8.0.0/24", "10.8.0.0/16"},
		{`"wg0"`, `"eth0"`},
		{"ct state established,related", "ct state established,related,new"},
		{"tcp dport", "th dport"},
	} {
		changed := strings.ReplaceAll(text, change[0], change[1])
		if changed == text {
			t.Errorf("the text has no %q:\n%s", change[0], text)
			continue
		}
		r, err := dialect.Load([]dialect.Source{{Name: "x.nft", Text: []byte(changed)}}, dialect.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(analyze.Prove(plan, r)) == 0 {
			t.Errorf("%q for %q goes unnoticed", change[1], change[0])
		}
	}
}
