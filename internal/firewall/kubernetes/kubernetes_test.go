package kubernetes_test

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric/fabrictest"
	"reconshield/internal/firewall/kubernetes"
	"reconshield/internal/policy"
)

type ipBlock struct {
	CIDR   string   `yaml:"cidr"`
	Except []string `yaml:"except"`
}

func (b ipBlock) contains(t *testing.T, a netip.Addr) bool {
	t.Helper()
	whole := netip.MustParsePrefix(b.CIDR)
	for _, s := range b.Except {
		p := netip.MustParsePrefix(s)
		if p.Bits() <= whole.Bits() || !whole.Contains(p.Addr()) {
			t.Errorf("%s is not strictly within %s", p, whole)
		}
		if p.Contains(a) {
			return false
		}
	}
	return whole.Contains(a)
}

// Head is what both kinds have.
type Head struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
}

type selector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type networkPolicy struct {
	Head `yaml:",inline"`
	Spec struct {
		PodSelector selector      `yaml:"podSelector"`
		PolicyTypes []string      `yaml:"policyTypes"`
		Ingress     []networkRule `yaml:"ingress"`
		Egress      []networkRule `yaml:"egress"`
	} `yaml:"spec"`
}

type networkRule struct {
	Ports []struct {
		Protocol string `yaml:"protocol"`
		Port     int    `yaml:"port"`
		EndPort  int    `yaml:"endPort"`
	} `yaml:"ports"`
	From []peer `yaml:"from"`
	To   []peer `yaml:"to"`
}

type peer struct {
	IPBlock ipBlock `yaml:"ipBlock"`
}

func TestNetworkPolicyMeansThePlan(t *testing.T) {
	for _, c := range fabrictest.Plans() {
		t.Run(c.Name, func(t *testing.T) {
			var got networkPolicy
			parse(t, kubernetes.RenderNetworkPolicy, c.Plan, &got)
			valid(t, got.Head, "networking.k8s.io/v1", "NetworkPolicy", got.Spec.PodSelector)
			judge := func(direction string, rules []networkRule) func(fabrictest.Packet) bool {
				return func(k fabrictest.Packet) bool {
					return !slices.Contains(got.Spec.PolicyTypes, direction) ||
						slices.ContainsFunc(rules, func(r networkRule) bool { return r.permits(t, k) })
				}
			}
			fabrictest.Inbound(t, c.Plan, judge("Ingress", got.Spec.Ingress))
			fabrictest.Outbound(t, c.Plan, judge("Egress", got.Spec.Egress))
		})
	}
}

func (r networkRule) permits(t *testing.T, k fabrictest.Packet) bool {
	t.Helper()
	peers := append(slices.Clone(r.From), r.To...)
	if len(peers) > 0 && !slices.ContainsFunc(peers, func(p peer) bool { return p.IPBlock.contains(t, k.Peer) }) {
		return false
	}
	for _, p := range r.Ports {
		if p.Port < 1 || p.EndPort != 0 && p.EndPort < p.Port {
			t.Errorf("port %d-%d", p.Port, p.EndPort)
		}
		if p.Protocol == strings.ToUpper(string(k.Transport)) && p.Port <= int(k.Port) && int(k.Port) <= max(p.Port, p.EndPort) {
			return true
		}
	}
	return len(r.Ports) == 0
}

type ciliumPolicy struct {
	Head `yaml:",inline"`
	Spec struct {
		EndpointSelector selector     `yaml:"endpointSelector"`
		Ingress          []ciliumRule `yaml:"ingress"`
		Egress           []ciliumRule `yaml:"egress"`
	} `yaml:"spec"`
}

type ciliumRule struct {
	FromEntities []string  `yaml:"fromEntities"`
	ToEntities   []string  `yaml:"toEntities"`
	FromCIDRSet  []ipBlock `yaml:"fromCIDRSet"`
	ToCIDR       []string  `yaml:"toCIDR"`
	ToPorts      []struct {
		Ports []struct {
			Port     string `yaml:"port"`
			EndPort  int    `yaml:"endPort"`
			Protocol string `yaml:"protocol"`
		} `yaml:"ports"`
	} `yaml:"toPorts"`
	ICMPs []struct {
		Fields []struct {
			Family string `yaml:"family"`
			Type   int    `yaml:"type"`
		} `yaml:"fields"`
	} `yaml:"icmps"`
}

func TestCiliumMeansThePlan(t *testing.T) {
	for _, c := range fabrictest.Plans() {
		t.Run(c.Name, func(t *testing.T) {
			var got ciliumPolicy
			parse(t, kubernetes.RenderCilium, c.Plan, &got)
			valid(t, got.Head, "cilium.io/v2", "CiliumNetworkPolicy", got.Spec.EndpointSelector)
			judge := func(rules []ciliumRule, k fabrictest.Packet) bool {
				return slices.ContainsFunc(rules, func(r ciliumRule) bool { return r.permits(t, k) })
			}
			fabrictest.Inbound(t, c.Plan, func(k fabrictest.Packet) bool { return judge(got.Spec.Ingress, k) })
			fabrictest.Outbound(t, c.Plan, func(k fabrictest.Packet) bool {
				return len(got.Spec.Egress) == 0 || judge(got.Spec.Egress, k)
			})
			if !slices.ContainsFunc(got.Spec.Ingress, func(r ciliumRule) bool { return len(r.ICMPs) == 1 && len(r.ICMPs[0].Fields) > 0 }) {
				t.Error("no ICMP passes")
			}
		})
	}
}

func (r ciliumRule) permits(t *testing.T, k fabrictest.Packet) bool {
	t.Helper()
	if len(r.ICMPs) > 0 {
		return false // it would have to match ICMP
	}
	all := append(slices.Clone(r.FromEntities), r.ToEntities...)
	blocks := slices.Clone(r.FromCIDRSet)
	for _, s := range r.ToCIDR {
		blocks = append(blocks, ipBlock{CIDR: s})
	}
	if !slices.Contains(all, "all") && !slices.ContainsFunc(blocks, func(b ipBlock) bool { return b.contains(t, k.Peer) }) {
		return false
	}
	for _, list := range r.ToPorts {
		for _, p := range list.Ports {
			first, err := strconv.Atoi(p.Port)
			if err != nil || first < 1 || p.EndPort != 0 && p.EndPort < first {
				t.Errorf("port %s-%d", p.Port, p.EndPort)
			}
			if p.Protocol == strings.ToUpper(string(k.Transport)) && first <= int(k.Port) && int(k.Port) <= max(first, p.EndPort) {
				return true
			}
		}
	}
	return false
}

// parse reads the rendered file strictly: an unknown key fails.
func parse(t *testing.T, render func(firewall.Plan) (firewall.Config, error), p firewall.Plan, into any) {
	t.Helper()
	config, err := render(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions([]byte(config.Files[0].Text), into, yaml.Strict()); err != nil {
		t.Fatalf("%v\n%s", err, config.Files[0].Text)
	}
}

func valid(t *testing.T, h Head, version, kind string, s selector) {
	t.Helper()
	name := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	label := regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	if h.APIVersion != version || h.Kind != kind || !name.MatchString(h.Metadata.Name) || len(s.MatchLabels) != 1 || !label.MatchString(s.MatchLabels["app"]) {
		t.Errorf("head %+v, selector %v", h, s)
	}
}

func TestUnsupported(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*firewall.Plan)
		feature firewall.Feature
	}{
		{"ESP", func(p *firewall.Plan) {
			p.Allows = append(p.Allows, firewall.Allow{Zone: "wan", Transport: policy.ESP})
		}, firewall.FeatureESP},
		{"rate limit", func(p *firewall.Plan) { p.Limit = &firewall.RateLimit{PerSecond: 1} }, firewall.FeatureRateLimit},
		{"gateway", func(p *firewall.Plan) { p.Place = firewall.OnGateway }, firewall.FeatureGateway},
		{"zone by interface", func(p *firewall.Plan) { p.Allows[1].Sources = nil }, firewall.FeatureInterfaces},
		{"port 0", func(p *firewall.Plan) { p.Allows[0].Ports[0].First = 0 }, "port 0"},
	} {
		for format, render := range map[string]func(firewall.Plan) (firewall.Config, error){
			"policy": kubernetes.RenderNetworkPolicy, "cilium": kubernetes.RenderCilium,
		} {
			t.Run(c.name+" of "+format, func(t *testing.T) {
				p := fabrictest.Authority()
				c.change(&p)
				var u *firewall.UnsupportedError
				if _, err := render(p); !errors.As(err, &u) || u.Feature != c.feature || u.Hint == "" {
					t.Errorf("error %v, want %s", err, c.feature)
				}
			})
		}
	}
}
