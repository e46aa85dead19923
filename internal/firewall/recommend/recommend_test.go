package recommend_test

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/recommend"
	"reconshield/internal/policy"
)

// lines are a plan's Allows in words.
func lines(p firewall.Plan) []string {
	var out []string
	for _, a := range p.Allows {
		from := "any"
		if len(a.Sources) > 0 {
			from = strings.Trim(fmt.Sprint(a.Sources), "[]")
		}
		out = append(out, fmt.Sprintf("%s %v %s %s %v %s", a.Zone, a.Interfaces, from, a.Transport, a.Ports, a.Why))
	}
	return out
}

func TestNew(t *testing.T) {
	all := plans(t)
	for _, c := range []struct {
		plan string
		want []string
	}{
		{"authoritative", []string{
			"wan [eth0] any udp [53 51820] role authoritative-dns; tunnel wireguard of zone vpn (line 5)",
			"wan [eth0] any tcp [53] role authoritative-dns",
			"lan [eth1] 10.0.0.0/16 fd00:10::/48 udp [53] role authoritative-dns",
			"lan [eth1] 10.0.0.0/16 fd00:10::/48 tcp [53] role authoritative-dns",
			"lan [eth1] 10.0.0.0/16 fd00:10::/48 tcp [9153] exception until 2027-03-31 for metrics (line 15)",
			"vpn [wg0] 10.8.0.0/24 fd00:8::/64 udp [53] role authoritative-dns",
			"vpn [wg0] 10.8.0.0/24 fd00:8::/64 tcp [22 53 953] role authoritative-dns; expose (line 12)",
		}},
		{"behind", []string{
			"wan [] any udp [53] role authoritative-dns",
			"wan [] any tcp [53] role authoritative-dns",
			"vpn [] 10.8.0.0/24 fd00:8::/64 tcp [22] role authoritative-dns; expose (line 12)",
		}},
		{"resolver", []string{
			"wan [eth0] any udp [500 4500] tunnel ipsec of zone vpn (line 5)",
			"wan [eth0] any esp [] tunnel ipsec of zone vpn (line 5)",
			"lan [eth1] 10.0.0.0/16 fd00:10::/48 udp [53 443 853] role recursive-dns",
			"lan [eth1] 10.0.0.0/16 fd00:10::/48 tcp [53 443 853] role recursive-dns",
			"vpn [wg0] 10.8.0.0/24 fd00:8::/64 udp [53 443 853] role recursive-dns",
			"vpn [wg0] 10.8.0.0/24 fd00:8::/64 tcp [22 53 443 853 953 8000-8080] role recursive-dns; expose (line 12)",
		}},
	} {
		t.Run(c.plan, func(t *testing.T) {
			if diff := cmp.Diff(c.want, lines(all[c.plan])); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNewAgrees compares every plan with the policy, flow by flow.
func TestNewAgrees(t *testing.T) {
	p := parse(t, "ns1")
	plan := plans(t)["authoritative"]
	ends := map[string]string{"wan": "eth0", "lan": "eth1", "vpn": "wg0"}
	for _, target := range plan.Addresses {
		for zone, in := range ends {
			for _, from := range []string{"198.51.100.2", "10.0.0.2", "10.8.0.2", "10.1.0.1", "fd00:10::2", "fd00:8::2", "2001:db8:51::2"} {
				source := netip.MustParseAddr(from)
				if source.Is4() != target.Is4() {
					continue
				}
				for _, transport := range []exposure.Transport{exposure.UDP, exposure.TCP} {
					for port := uint16(1); port < 60000; port += 1 + port/1000*7 {
						flow := policy.Flow{Zone: zone, Source: source, Target: target, Transport: transport, Port: port}
						want := p.Decide(flow, at()).Verdict == policy.Allow
						if got := allowed(plan, in, source, transport, port); got != want {
							t.Fatalf("%+v: plan %v, policy %v", flow, got, want)
						}
					}
				}
			}
		}
	}
}

func TestNewMerges(t *testing.T) {
	zones := "zones: {wan: {}, lan: {networks: [10.0.0.0/16]}}\n"
	for _, c := range []struct{ name, expose, want string }{
		{"ports that touch", "[{ports: [1000/tcp], to: [lan]}, {ports: [1001/tcp, 1002-1005/tcp], to: [lan]}]", "lan [] 10.0.0.0/16 tcp [1000-1005] expose (line 5)"},
		{"what a wider source covers", "[{ports: [1000/tcp], to: [lan], from: [10.0.5.0/24]}, {ports: [1000/tcp], to: [lan]}]", "lan [] 10.0.0.0/16 tcp [1000] expose (line 5)"},
		{"what is covered in part", "[{ports: [1000-1002/tcp], to: [lan], from: [10.0.5.0/24]}, {ports: [1001/tcp], to: [lan]}]", "lan [] 10.0.5.0/24 tcp [1000 1002] expose (line 5)\nlan [] 10.0.0.0/16 tcp [1001] expose (line 5)"},
		{"each transport by itself", "[{ports: [1000/tcp, 1000/udp], to: [lan]}]", "lan [] 10.0.0.0/16 udp [1000] expose (line 5)\nlan [] 10.0.0.0/16 tcp [1000] expose (line 5)"},
		{"zones in the file's order", "[{ports: [1000/tcp], to: [lan]}, {ports: [2000/tcp], to: [wan]}]", "wan [] any tcp [2000] expose (line 5)\nlan [] 10.0.0.0/16 tcp [1000] expose (line 5)"},
		{"anybody from any interface covers all", "[{ports: [1000/tcp], to: [lan, wan]}]", "wan [] any tcp [1000] expose (line 5)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := zones + "assets:\n  - name: a\n    addresses: [192.0.2.1]\n    expose: " + c.expose + "\n    owner: a@example.net\n"
			p, err := policy.Parse("p.yaml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			plan, err := recommend.New(p, "a", recommend.Options{At: at()})
			if err != nil {
				t.Fatal(err)
			}
			got := regexp.MustCompile(`\(line \d+\)(; expose \(line \d+\))?`).ReplaceAllString(strings.Join(lines(plan), "\n"), "(line 5)")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewLeavesOutWhatHasEnded(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		want bool
	}{{at(), true}, {time.Date(2027, 3, 31, 23, 59, 0, 0, time.UTC), true}, {time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC), false}} {
		plan, err := recommend.New(parse(t, "ns1"), "ns1", recommend.Options{At: c.at})
		if err != nil {
			t.Fatal(err)
		}
		if got := allowed(plan, "eth1", netip.MustParseAddr("10.0.0.2"), exposure.TCP, 9153); got != c.want {
			t.Errorf("at %s: %v, want %v", c.at, got, c.want)
		}
	}
}

func TestNewDNS(t *testing.T) {
	for _, c := range []struct {
		policy, asset string
		opt           recommend.Options
		want          string
	}{
		{"ns1", "ns1", recommend.Options{}, "{true false [10.0.0.53 fd00:10::53] [198.51.100.0/30] false}"},
		{"ns1", "ns1", recommend.Options{DNSFree: true}, "{false false [10.0.0.53 fd00:10::53] [] false}"},
		{"ns1", "ns1", recommend.Options{Redirect: true}, "{true false [10.0.0.53 fd00:10::53] [198.51.100.0/30] true}"},
		{"resolver", "r1", recommend.Options{}, "{true true [10.0.0.53 fd00:10::53] [] false}"},
	} {
		c.opt.At = at()
		plan, err := recommend.New(parse(t, c.policy), c.asset, c.opt)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(plan.DNS); got != c.want {
			t.Errorf("%s %+v: %s, want %s", c.policy, c.opt, got, c.want)
		}
	}
}

func TestNewErrors(t *testing.T) {
	const strange = "zones: {wan: {}, lan: {interfaces: [eth1]}}\nassets:\n  - {name: a, addresses: [192.0.2.1], owner: a@example.net, expose: [{ports: [1000/tcp], to: [lan]}]}\n  - {name: gw, addresses: [192.0.2.2], owner: a@example.net, gateway: true}\n"
	for _, c := range []struct {
		name, policy, asset string
		opt                 recommend.Options
		want                string
	}{
		{"unknown asset", "", "ns2", recommend.Options{}, `asset "ns2" is unknown, did you mean "ns1"? (known are ns1)`},
		{"far asset", "", "mailserver", recommend.Options{}, `asset "mailserver" is unknown (known are ns1)`},
		{"limit", "", "ns1", recommend.Options{RateLimit: &firewall.RateLimit{}}, "the limit is 0 a second with a burst of 0: expected 1 to 1000000 of each"},
		{"the gateway's interfaces", strange, "a", recommend.Options{}, "zone lan has no networks, and its interfaces are the gateway's: rules on a itself cannot tell who is in it; add networks to the zone or ask for the gateway's rules"},
		{"no resolvers", strange, "gw", recommend.Options{Redirect: true}, "DNS can be redirected to approved resolvers only, and the policy names none beside gw: add resolvers: [address]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := parse(t, "ns1")
			if c.policy != "" {
				var err error
				if p, err = policy.Parse("p.yaml", []byte(c.policy)); err != nil {
					t.Fatal(err)
				}
			}
			c.opt.At = at()
			if _, err := recommend.New(p, c.asset, c.opt); err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
	if _, err := recommend.New(nil, "ns1", recommend.Options{At: at()}); err == nil || !strings.Contains(err.Error(), "has no assets") {
		t.Errorf("without a policy: %v", err)
	}
}

func TestFind(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range recommend.Formats() {
		if f.Title == "" || f.Render == nil {
			t.Errorf("%s lacks a title or a renderer", f.Name)
		}
		for _, name := range append([]string{f.Name, strings.ToUpper(f.Name)}, f.Aliases...) {
			if found, err := recommend.Find(name); err != nil || found.Name != f.Name {
				t.Errorf("%s leads to %s, %v", name, found.Name, err)
			}
			if lower := strings.ToLower(name); lower == name && seen[name] {
				t.Errorf("%s stands for two formats", name)
			} else {
				seen[name] = true
			}
		}
	}
	if len(seen) == 0 {
		t.Error("no formats")
	}
	_, err := recommend.Find("nftable")
	if err == nil || !strings.HasPrefix(err.Error(), `format "nftable" is unknown, did you mean "nftables"? (known are nftables, `) {
		t.Errorf("%v", err)
	}
}

func TestUnsupported(t *testing.T) {
	all := plans(t)
	for _, c := range []struct {
		plan, format string
		want         firewall.Feature
	}{
		{"gateway", "ufw", firewall.FeatureGateway},
		{"gateway", "firewalld", firewall.FeatureGateway},
		{"docker", "firewalld", firewall.FeatureDocker},
		{"limited", "firewalld", firewall.FeatureRateLimit},
		{"redirecting", "firewalld", firewall.FeatureRedirect},
	} {
		t.Run(c.plan+"/"+c.format, func(t *testing.T) {
			f, err := recommend.Find(c.format)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.Render(all[c.plan])
			if lacks, ok := errors.AsType[*firewall.UnsupportedError](err); !ok || lacks.Feature != c.want || lacks.Hint == "" {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestRefused are plans that no format for Linux can hold.
func TestRefused(t *testing.T) {
	good := plans(t)["authoritative"]
	for _, c := range []struct {
		name   string
		change func(*firewall.Plan)
		want   string
	}{
		{"no addresses", func(p *firewall.Plan) { p.Addresses = nil }, "has no addresses"},
		{"quote in an interface", func(p *firewall.Plan) { p.Allows[0].Interfaces = []string{`eth0" accept`} }, "cannot be an interface's name"},
		{"pattern of iptables", func(p *firewall.Plan) { p.Allows[0].Interfaces = []string{"eth+"} }, "cannot be an interface's name"},
		{"long interface", func(p *firewall.Plan) { p.Zones[0].Interfaces = []string{"abcdefghijklmnop"} }, "cannot be an interface's name"},
		{"other transport", func(p *firewall.Plan) { p.Allows[0].Transport = "sctp" }, "expected tcp, udp or esp"},
		{"no ports", func(p *firewall.Plan) { p.Allows[0].Ports = nil }, "names no ports"},
	} {
		for _, format := range linux() {
			t.Run(c.name+"/"+format, func(t *testing.T) {
				p := good
				p.Allows, p.Zones = slices.Clone(good.Allows), slices.Clone(good.Zones)
				c.change(&p)
				f, err := recommend.Find(format)
				if err != nil {
					t.Fatal(err)
				}
				if _, err = f.Render(p); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want %q", err, c.want)
				}
			})
		}
	}
}

// hostile is a plan with text that wants out of a comment in every field that
// becomes one.
func hostile(good firewall.Plan) firewall.Plan {
	const evil = "x\"; accept\n-A INPUT -j ACCEPT\r\n}\u2028'; reboot; ' $(reboot) `reboot` \\ --> <accept/> -- \x00\x1b[2J é%s"
	good.Owner, good.Policy, good.Role = evil, evil, policy.Role(evil)
	good.Allows = slices.Clone(good.Allows)
	for i := range good.Allows {
		good.Allows[i].Why = strings.Repeat(evil, i*3+1)
	}
	return good
}

// TestHostile wants nothing to change beside comments.
func TestHostile(t *testing.T) {
	comments := regexp.MustCompile(`(?m)^\s*#.*$|comment "[^"\n]*"|comment '[^'\n]*'|<!-- .* -->|<description>.*</description>`)
	for _, format := range linux() {
		t.Run(format, func(t *testing.T) {
			good := plans(t)["authoritative"]
			want, got := render(t, format, good), render(t, format, hostile(good))
			for i := range want.Files {
				plain := func(text string) string {
					// Long reasons stand above their rules in full.
					return regexp.MustCompile(`\n+`).ReplaceAllString(comments.ReplaceAllString(text, ""), "\n")
				}
				if diff := cmp.Diff(plain(want.Files[i].Text), plain(got.Files[i].Text)); diff != "" {
					t.Errorf("%s changes (-good +bad):\n%s", want.Files[i].Name, diff)
				}
				if strings.ContainsAny(got.Files[i].Text, "\x00\x1b\r\u2028") {
					t.Errorf("%s has control characters", got.Files[i].Name)
				}
			}
		})
	}
}

func TestNewSecondaries(t *testing.T) {
	p, err := policy.Parse("p.yaml", []byte("zones:\n  wan: {interfaces: [eth0]}\nassets:\n  - name: ns0\n    addresses: [192.0.2.53]\n    role: hidden-primary\n    owner: dns@example.net\n    secondaries: [198.51.100.53, \"2001:db8:51::53\"]\ndefault: deny\n"))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := recommend.New(p, "ns0", recommend.Options{At: at()})
	if err != nil {
		t.Fatal(err)
	}
	want := prefixes([]string{"198.51.100.53/32", "2001:db8:51::53/128"})
	if diff := cmp.Diff(want, plan.Secondaries, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("secondaries (-want +got):\n%s", diff)
	}
	format, err := recommend.Find("bind")
	if err != nil {
		t.Fatal(err)
	}
	c, err := format.Render(plan)
	if err != nil {
		t.Fatal(err)
	}
	if text := c.Files[0].Text; !strings.Contains(text, "198.51.100.53") || !strings.Contains(text, "2001:db8:51::53") {
		t.Errorf("BIND's configuration does not name the secondaries:\n%s", text)
	}
}
