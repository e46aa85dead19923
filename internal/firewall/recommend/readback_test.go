package recommend_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/asa"
	"reconshield/internal/firewall/device"
	"reconshield/internal/firewall/dialect"
	"reconshield/internal/firewall/fabric/fabrictest"
	"reconshield/internal/firewall/fortios"
	"reconshield/internal/firewall/ios"
	"reconshield/internal/firewall/junos"
	"reconshield/internal/firewall/recommend"
	"reconshield/internal/policy"
)

// variants are plans of every role, with every tunnel and of each family, on
// the asset and in front of it.
func variants(t *testing.T) map[string]firewall.Plan {
	t.Helper()
	out := map[string]firewall.Plan{}
	for role, more := range map[policy.Role]string{
		policy.AuthoritativeDNS: "secondaries: [198.51.100.53, \"2001:db8:51::/64\"]",
		policy.HiddenPrimary:    "secondaries: [198.51.100.53, \"2001:db8:51::53\"]",
		policy.RecursiveDNS:     "expose: [{ports: [22/tcp, 8000-8080/tcp], to: [vpn]}]",
		policy.Forwarder:        "expose: [{ports: [22/tcp], to: [vpn], from: [10.8.0.128/25]}]",
		policy.PublicResolver:   "waiver: {why: open by contract, owner: ops@example.net, until: 2027-03-31}",
		policy.Host:             "expose: [{ports: [80/tcp, 443/tcp, 443/udp], to: [wan]}, {ports: [30000-65535/udp], to: [lan]}]",
	} {
		for family, addresses := range map[string]string{"v4": "192.0.2.53", "v6": "\"2001:db8::53\"", "both": "192.0.2.53, \"2001:db8::53\""} {
			for _, tunnel := range []policy.Tunnel{policy.WireGuard, policy.OpenVPN, policy.IPsec} {
				text := fmt.Sprintf(`zones:
  wan: {interfaces: [eth0]}
  lan: {interfaces: [eth1], networks: [10.0.0.0/16, "fd00:10::/48"]}
  vpn: {interfaces: [wg0], networks: [10.8.0.0/24, "fd00:8::/64"], tunnel: %s}
assets:
  - {name: a, addresses: [%s], role: %s, owner: dns@example.net, %s}
resolvers: [10.0.0.53, "fd00:10::53"]
default: deny
`, tunnel, addresses, role, more)
				p, err := policy.Parse("p.yaml", []byte(text))
				if err != nil {
					t.Fatalf("%v\n%s", err, text)
				}
				for _, place := range []firewall.Place{firewall.OnAsset, firewall.OnGateway} {
					name := fmt.Sprintf("%s %s %s %d", role, family, tunnel, place)
					if out[name], err = recommend.New(p, "a", recommend.Options{At: at(), Place: place}); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
			}
		}
	}
	return out
}

// TestReadBack reads what was rendered with the readers of the audit and proves
// it equal to the plan, for every port, source and interface. What ufw and
// firewalld make of theirs is proven by TestKernel and TestUFW.
func TestReadBack(t *testing.T) {
	all := variants(t)
	for format, read := range map[string]func(*testing.T, firewall.Plan, firewall.Config) (*firewall.Ruleset, error){
		"nftables": readLinux, "iptables": readLinux,
		"asa": func(_ *testing.T, _ firewall.Plan, c firewall.Config) (*firewall.Ruleset, error) {
			return asa.Parse("a", text0(c))
		},
		"fortios": func(_ *testing.T, _ firewall.Plan, c firewall.Config) (*firewall.Ruleset, error) {
			return fortios.Parse("a", text0(c))
		},
		"ios": readIOS, "junos": readJunos,
	} {
		t.Run(format, func(t *testing.T) {
			f, err := recommend.Find(format)
			if err != nil {
				t.Fatal(err)
			}
			proven := 0
			for name, plan := range all {
				c, err := f.Render(plan)
				if lacks, ok := errors.AsType[*firewall.UnsupportedError](err); ok && lacks.Feature == firewall.FeatureHost {
					continue // devices stand in front of the asset
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				rules, err := read(t, plan, c)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				for _, line := range analyze.Prove(plan, rules) {
					t.Errorf("%s: %s", name, line)
				}
				proven++
			}
			if proven < len(all)/2 {
				t.Errorf("%d plans of %d proven", proven, len(all))
			}
		})
	}
}

// TestReadBackClouds does so for clouds, which know neither interfaces nor the
// asset's addresses.
func TestReadBackClouds(t *testing.T) {
	for _, format := range []string{"aws-sg", "aws-nacl", "azure", "gcp"} {
		t.Run(format, func(t *testing.T) {
			f, err := recommend.Find(format)
			if err != nil {
				t.Fatal(err)
			}
			proven := 0
			for name, plan := range variants(t) {
				if plan.Place == firewall.OnGateway || strings.Contains(name, string(policy.OpenVPN)) {
					continue // to these formats it is as WireGuard
				}
				c, err := f.Render(plan)
				if lacks, ok := errors.AsType[*firewall.UnsupportedError](err); ok && lacks.Feature == firewall.FeatureSize {
					continue // of the network ACL, which takes few entries
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				fabrictest.Prove(t, plan, c)
				proven++
			}
			if proven < 12 {
				t.Errorf("%d plans proven, want 12 at least", proven)
			}
		})
	}
}

func text0(c firewall.Config) []byte { return []byte(c.Files[0].Text) }

func readLinux(_ *testing.T, _ firewall.Plan, c firewall.Config) (*firewall.Ruleset, error) {
	var sources []dialect.Source
	for _, f := range c.Files {
		sources = append(sources, dialect.Source{Name: f.Name, Text: []byte(f.Text)})
	}
	return dialect.Load(sources, dialect.Options{})
}

// readIOS binds the lists for every other interface to one, as the file's end
// tells people to.
func readIOS(t *testing.T, _ firewall.Plan, c firewall.Config) (*firewall.Ruleset, error) {
	t.Helper()
	head, tail, ok := strings.Cut(c.Files[0].Text, "! Bind to every other interface, the asset's own too:\n")
	if !ok {
		t.Fatalf("no lists for other interfaces:\n%s", c.Files[0].Text)
	}
	return ios.Parse("a", []byte(head+"interface unknown0\n"+strings.ReplaceAll(tail, "! ", " ")))
}

// readJunos puts the interfaces into the zones that the policies name.
func readJunos(_ *testing.T, p firewall.Plan, c firewall.Config) (*firewall.Ruleset, error) {
	text := c.Files[0].Text
	others := append(device.Interfaces(device.Forward(p)), "eth0", "eth1", "wg0", "unknown0")
	for _, z := range p.Zones {
		for _, name := range z.Interfaces {
			text += "set security zones security-zone " + z.Name + " interfaces " + name + "\n"
			others = slices.DeleteFunc(others, func(o string) bool { return o == name })
		}
	}
	for _, name := range others {
		text += "set security zones security-zone other interfaces " + name + "\n"
	}
	return junos.Parse("a", []byte(text))
}
