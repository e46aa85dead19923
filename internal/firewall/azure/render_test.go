package azure_test

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/azure"
	"reconshield/internal/firewall/fabric/fabrictest"
	"reconshield/internal/policy"
)

func TestGroupMeansThePlan(t *testing.T) {
	for _, c := range fabrictest.Plans() {
		t.Run(c.Name, func(t *testing.T) {
			rules := render(t, c.Plan)
			fabrictest.Inbound(t, c.Plan, func(k fabrictest.Packet) bool { return judge(t, rules, "Inbound", k) })
			fabrictest.Outbound(t, c.Plan, func(k fabrictest.Packet) bool { return judge(t, rules, "Outbound", k) })
		})
	}
}

func render(t *testing.T, p firewall.Plan) []fabrictest.Block {
	t.Helper()
	config, err := azure.Render(p)
	if err != nil {
		t.Fatal(err)
	}
	group := fabrictest.Resource(t, fabrictest.ParseHCL(t, config.Files[0].Name, config.Files[0].Text), "azurerm_network_security_group")
	return group.Inner("security_rule")
}

// judge takes the matching rule with the lowest priority. The service's own
// rules let everything out, and would let the virtual network in, which counts
// as a failure here.
func judge(t *testing.T, rules []fabrictest.Block, direction string, k fabrictest.Packet) bool {
	t.Helper()
	best, verdict := 65000, direction == "Outbound"
	decided := false
	peer := map[string]string{"Inbound": "source_address_prefix", "Outbound": "destination_address_prefix"}[direction]
	for _, r := range rules {
		if r.Text["direction"] != direction || r.Int["priority"] >= best {
			continue
		}
		if p := r.Text["protocol"]; p != "*" && !strings.EqualFold(p, string(k.Transport)) {
			continue
		}
		if ports(r, k.Port) && prefixes(r, peer, k.Peer) {
			best, verdict, decided = r.Int["priority"], r.Text["access"] == "Allow", true
		}
	}
	if direction == "Inbound" && !decided {
		t.Errorf("%v is left to the default rules", k)
	}
	return verdict
}

func ports(r fabrictest.Block, port uint16) bool {
	all := append(slices.Clone(r.Lists["destination_port_ranges"]), r.Text["destination_port_range"])
	return slices.ContainsFunc(all, func(s string) bool {
		first, last, ok := strings.Cut(s, "-")
		if !ok {
			last = first
		}
		a, _ := strconv.Atoi(first)
		b, _ := strconv.Atoi(last)
		return s == "*" || s != "" && a <= int(port) && int(port) <= b
	})
}

func prefixes(r fabrictest.Block, name string, a netip.Addr) bool {
	all := append(slices.Clone(r.Lists[name+"es"]), r.Text[name])
	return slices.ContainsFunc(all, func(s string) bool {
		p, err := netip.ParsePrefix(s)
		return s == "*" || err == nil && p.Contains(a)
	})
}

func TestRulesAreValid(t *testing.T) {
	for _, c := range fabrictest.Plans() {
		names, priorities := map[string]bool{}, map[string]bool{}
		for _, r := range render(t, c.Plan) {
			name, d := r.Text["name"], r.Text["description"]
			if name == "" || len(name) > 80 || names[name+r.Text["direction"]] || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
				t.Errorf("%s: name %q", c.Name, name)
			}
			names[name+r.Text["direction"]] = true
			at := r.Text["direction"] + strconv.Itoa(r.Int["priority"])
			if r.Int["priority"] < 100 || r.Int["priority"] > 4096 || priorities[at] {
				t.Errorf("%s: priority %s twice or out of bounds", c.Name, at)
			}
			priorities[at] = true
			if d == "" || len([]rune(d)) > 140 {
				t.Errorf("%s: description %q", c.Name, d)
			}
			v4, v6 := false, false
			for _, p := range r.Lists["source_address_prefixes"] {
				v4, v6 = v4 || !strings.Contains(p, ":"), v6 || strings.Contains(p, ":")
			}
			if v4 && v6 {
				t.Errorf("%s: rule %s mixes families", c.Name, name)
			}
		}
	}
}

func TestPlatformResolver(t *testing.T) {
	for _, c := range []struct {
		resolver string
		denied   bool
	}{{"10.0.0.53", true}, {"168.63.129.16", false}} {
		p := fabrictest.Authority()
		p.DNS = firewall.DNSEgress{Control: true, Resolvers: []netip.Addr{netip.MustParseAddr(c.resolver)}}
		denied := slices.ContainsFunc(render(t, p), func(r fabrictest.Block) bool {
			return r.Text["destination_address_prefix"] == "AzurePlatformDNS" && r.Text["access"] == "Deny"
		})
		if denied != c.denied {
			t.Errorf("with resolver %s the platform's is denied: %v", c.resolver, denied)
		}
	}
}

func TestESP(t *testing.T) {
	p := fabrictest.Authority()
	p.Allows = append(p.Allows, firewall.Allow{Zone: "wan", Transport: policy.ESP, Why: "tunnel"})
	if !slices.ContainsFunc(render(t, p), func(r fabrictest.Block) bool {
		return r.Text["protocol"] == "Esp" && r.Text["access"] == "Allow" && r.Text["source_address_prefix"] == "*"
	}) {
		t.Error("no rule for ESP")
	}
}

func TestUnsupported(t *testing.T) {
	limited, many := fabrictest.Authority(), fabrictest.Authority()
	limited.Limit = &firewall.RateLimit{PerSecond: 100}
	for i := range 500 {
		a := fabrictest.Admin()
		a.Sources = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 8, byte(i >> 8), byte(i)}), 32)}
		a.Ports = []firewall.PortRange{{First: uint16(1000 + 2*i), Last: uint16(1000 + 2*i)}}
		many.Allows = append(many.Allows, a)
	}
	for _, c := range []struct {
		plan    firewall.Plan
		feature firewall.Feature
	}{{limited, firewall.FeatureRateLimit}, {many, firewall.FeatureSize}} {
		var u *firewall.UnsupportedError
		if _, err := azure.Render(c.plan); !errors.As(err, &u) || u.Feature != c.feature {
			t.Errorf("error %v, want %s", err, c.feature)
		}
	}
}
