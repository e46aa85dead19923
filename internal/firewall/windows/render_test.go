package windows

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device/devicetest"
	"reconshield/internal/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestRender(t *testing.T) {
	for _, tt := range devicetest.Plans(firewall.OnAsset) {
		t.Run(tt.Name, func(t *testing.T) {
			c, err := Render(tt.Plan)
			if err != nil {
				t.Fatal(err)
			}
			devicetest.Golden(t, tt.Name, c, *update, os.ReadFile, os.WriteFile)
			rules := read(t, c.Files[0].Text)
			devicetest.Prove(t, tt.Plan, func(k devicetest.Packet) bool { return accepts(t, rules, k) })
		})
	}
}

func TestRandom(t *testing.T) {
	devicetest.ProveRandom(t, firewall.OnAsset, 60, func(t *testing.T, p firewall.Plan) func(devicetest.Packet) bool {
		t.Helper()
		c, err := Render(p)
		if err != nil {
			t.Fatal(err)
		}
		rules := read(t, c.Files[0].Text)
		return func(k devicetest.Packet) bool { return accepts(t, rules, k) }
	})
}

func TestUnsupported(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*firewall.Plan)
		feature firewall.Feature
	}{
		{"gateway", func(p *firewall.Plan) { p.Place = firewall.OnGateway }, firewall.FeatureGateway},
		{"limit", func(p *firewall.Plan) { p.Limit = &firewall.RateLimit{PerSecond: 50, Burst: 100} }, firewall.FeatureRateLimit},
		{"redirect", func(p *firewall.Plan) { p.DNS.Redirect = true }, firewall.FeatureRedirect},
		{"docker", func(p *firewall.Plan) { p.Docker = true }, firewall.FeatureDocker},
		{"quote", func(p *firewall.Plan) { p.Allows[0].Interfaces = []string{"a'; Stop-Computer; '"} }, firewall.FeatureInterfaces},
		{"typographic quote", func(p *firewall.Plan) { p.Allows[0].Interfaces = []string{"a’; Stop-Computer"} }, firewall.FeatureInterfaces},
		{"pattern", func(p *firewall.Plan) { p.Allows[0].Interfaces = []string{"Ethernet*"} }, firewall.FeatureInterfaces},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan := devicetest.Plans(firewall.OnAsset)[0].Plan
			tt.change(&plan)
			_, err := Render(plan)
			var e *firewall.UnsupportedError
			if !errors.As(err, &e) || e.Feature != tt.feature {
				t.Errorf("error %v, want feature %s", err, tt.feature)
			}
		})
	}
	plan := devicetest.Plans(firewall.OnAsset)[0].Plan
	plan.Allows[0].Interfaces = []string{"vEthernet (Default Switch)"}
	if _, err := Render(plan); err != nil {
		t.Errorf("a usual alias: %v", err)
	}
}

var (
	rule  = regexp.MustCompile(`^New-NetFirewallRule -Group \$group -DisplayName '[^'‘’‚‛]*' -Profile Any (.*) \| Out-Null$`)
	field = regexp.MustCompile(`-([A-Za-z]+) ((?:'[^'‘’‚‛$]*',?)+|[A-Za-z0-9,]+)`)
)

// read takes every rule, and sees that all else is what the script always says.
func read(t *testing.T, text string) []map[string][]string {
	t.Helper()
	var out []map[string][]string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		m := rule.FindStringSubmatch(line)
		if m == nil {
			known := line == "" || line[0] == '#' || line[0] == ' ' || strings.HasPrefix(line, "$") || line == "}" ||
				strings.HasPrefix(line, "if (-not") || strings.HasPrefix(line, "Get-NetFirewallRule ") || strings.HasPrefix(line, "Set-NetFirewallProfile ")
			if !known {
				t.Fatalf("unknown line %q", line)
			}
			continue
		}
		if rest := strings.TrimSpace(field.ReplaceAllString(m[1], "")); rest != "" {
			t.Fatalf("unknown words %q in %q", rest, line)
		}
		r := map[string][]string{}
		for _, f := range field.FindAllStringSubmatch(m[1], -1) {
			r[f[1]] = strings.Split(strings.ReplaceAll(f[2], "'", ""), ",")
		}
		out = append(out, r)
	}
	if !strings.Contains(text, "-DefaultInboundAction Block -DefaultOutboundAction Allow") || !strings.Contains(text, "| Disable-NetFirewallRule\n") {
		t.Fatal("the script leaves the default or older rules as they are")
	}
	return out
}

// accepts knows no order: a block wins, then an allow, then the default.
func accepts(t *testing.T, rules []map[string][]string, k devicetest.Packet) bool {
	t.Helper()
	allowed := k.In == ""
	for _, r := range rules {
		if !matches(t, r, k) {
			continue
		}
		if r["Action"][0] == "Block" {
			return false
		}
		allowed = true
	}
	return allowed
}

func matches(t *testing.T, r map[string][]string, k devicetest.Packet) bool {
	t.Helper()
	local, remote := k.Dst, k.Src
	if k.In == "" {
		local, remote = k.Src, k.Dst
	}
	ok := true
	for name, v := range r {
		switch name {
		case "Action":
		case "Direction":
			ok = ok && (v[0] == "Outbound") == (k.In == "")
		case "Protocol":
			ok = ok && (v[0] == strings.ToUpper(string(k.Transport)) || v[0] == "50" && k.Transport == policy.ESP)
		case "LocalAddress":
			ok = ok && within(t, v, local)
		case "RemoteAddress":
			ok = ok && within(t, v, remote)
		case "LocalPort":
			ok = ok && k.In != "" && port(v, k.Port)
		case "RemotePort":
			ok = ok && k.In == "" && port(v, k.Port)
		case "InterfaceAlias":
			ok = ok && slices.Contains(v, k.In)
		case "IcmpType":
			ok = false
		default:
			t.Fatalf("unknown field %s", name)
		}
	}
	return ok
}

func within(t *testing.T, list []string, a netip.Addr) bool {
	t.Helper()
	for _, w := range list {
		if first, last, ok := strings.Cut(w, "-"); ok {
			lo, hi := netip.MustParseAddr(first), netip.MustParseAddr(last)
			if lo.Compare(hi) >= 0 || lo.Is4() != hi.Is4() {
				t.Fatalf("bad range %s", w)
			}
			if a.Is4() == lo.Is4() && lo.Compare(a) <= 0 && a.Compare(hi) <= 0 {
				return true
			}
			continue
		}
		p, err := netip.ParsePrefix(w)
		if w == a.String() || err == nil && p.Contains(a) {
			return true
		}
	}
	return false
}

func port(list []string, p uint16) bool {
	return slices.ContainsFunc(list, func(w string) bool {
		first, last, ok := strings.Cut(w, "-")
		if !ok {
			last = first
		}
		lo, _ := strconv.Atoi(first)
		hi, _ := strconv.Atoi(last)
		return lo <= int(p) && int(p) <= hi
	})
}
