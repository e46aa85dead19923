package ipfw

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device/devicetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestRender(t *testing.T) {
	for name, place := range map[string]firewall.Place{"host": firewall.OnAsset, "gateway": firewall.OnGateway} {
		for _, tt := range devicetest.Plans(place) {
			t.Run(name+"/"+tt.Name, func(t *testing.T) {
				c, err := Render(tt.Plan)
				if err != nil {
					t.Fatal(err)
				}
				devicetest.Golden(t, name+"-"+tt.Name, c, *update, os.ReadFile, os.WriteFile)
				rules := run(t, c.Files[0].Text)
				devicetest.Prove(t, tt.Plan, func(k devicetest.Packet) bool { return accepts(t, rules, k) })
			})
		}
	}
}

func TestRandom(t *testing.T) {
	for _, place := range []firewall.Place{firewall.OnAsset, firewall.OnGateway} {
		devicetest.ProveRandom(t, place, 12, func(t *testing.T, p firewall.Plan) func(devicetest.Packet) bool {
			t.Helper()
			c, err := Render(p)
			if err != nil {
				t.Fatal(err)
			}
			rules := run(t, c.Files[0].Text)
			return func(k devicetest.Packet) bool { return accepts(t, rules, k) }
		})
	}
}

func TestUnsupported(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*firewall.Plan)
		feature firewall.Feature
	}{
		{"limit", func(p *firewall.Plan) { p.Limit = &firewall.RateLimit{PerSecond: 50, Burst: 100} }, firewall.FeatureRateLimit},
		{"redirect", func(p *firewall.Plan) { p.DNS.Redirect = true }, firewall.FeatureRedirect},
		{"docker", func(p *firewall.Plan) { p.Docker = true }, firewall.FeatureDocker},
		{"interface", func(p *firewall.Plan) { p.Zones[0].Interfaces = []string{"em0; reboot"} }, firewall.FeatureInterfaces},
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
}

// run lets a real shell run the script with a stand-in that writes down its
// arguments, so that nothing hidden in a comment can run unseen.
func run(t *testing.T, script string) [][]string {
	t.Helper()
	if !strings.Contains(script, "fw=\"/sbin/ipfw -q\"\n") {
		t.Fatal("the script names ipfw otherwise")
	}
	script = strings.Replace(script, "fw=\"/sbin/ipfw -q\"\n", "fw=echo\n", 1)
	cmd := exec.CommandContext(t.Context(), "sh", "-s")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sh: %v\n%s", err, out)
	}
	var rules [][]string
	for line := range strings.Lines(string(out)) {
		w := strings.Fields(line)
		switch {
		case len(w) > 4 && w[0] == "add" && w[2] == "set" && w[3] == "22":
			if n := len(rules); n > 0 && atoi(rules[n-1][0]) >= atoi(w[1]) {
				t.Fatalf("numbers do not rise: %s", line)
			}
			rules = append(rules, append([]string{w[1]}, w[4:]...))
		case slices.Contains([]string{"set disable 22", "delete set 22", "set swap 22 21", "set disable 0 enable 21"}, strings.Join(w, " ")):
		default:
			t.Fatalf("unexpected output of the script: %q", line)
		}
	}
	return rules
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }

// accepts runs a new packet through: the first match decides.
func accepts(t *testing.T, rules [][]string, k devicetest.Packet) bool {
	t.Helper()
	for _, r := range rules {
		if r[1] == "check-state" {
			continue
		}
		if matches(t, r, k) {
			return r[1] == "allow"
		}
	}
	return false
}

func matches(t *testing.T, r []string, k devicetest.Packet) bool {
	t.Helper()
	r = r[2:] // number and action
	proto, from, to := r[0], r[2], r[4]
	switch proto {
	case "ip":
	case "ip4", "ip6":
		if k.Src.Is4() != (proto == "ip4") {
			return false
		}
	default:
		if proto != string(k.Transport) {
			return false
		}
	}
	if to == "me" || to == "me6" || !within(from, k.Src) || !within(to, k.Dst) {
		return false // no packet of the grid is for the gateway
	}
	ok := true
	for rest := r[5:]; len(rest) > 0; {
		word := rest[0]
		rest = rest[1:]
		switch {
		case word == "in":
			ok = ok && k.In != ""
		case word == "out":
			ok = ok && k.In == ""
		case word == "recv" || word == "via":
			ok = ok && rest[0] == k.In
			rest = rest[1:]
		case word == "{":
			end := slices.Index(rest, "}")
			ok = ok && slices.Contains(rest[:end], k.In)
			rest = rest[end+1:]
		case word == "frag":
			return false // a packet of the grid is whole
		case word == "setup" || word == "keep-state":
		case word[0] >= '0' && word[0] <= '9':
			ok = ok && port(word, k.Port)
		default:
			t.Fatalf("unknown word %q", word)
		}
	}
	return ok
}

func within(list string, a netip.Addr) bool {
	for w := range strings.SplitSeq(list, ",") {
		p, err := netip.ParsePrefix(w)
		if w == "any" || w == a.String() || w == "me" || err == nil && p.Contains(a) {
			return true
		}
	}
	return false
}

func port(list string, p uint16) bool {
	for w := range strings.SplitSeq(list, ",") {
		first, last, ok := strings.Cut(w, "-")
		if !ok {
			last = first
		}
		if atoi(first) <= int(p) && int(p) <= atoi(last) {
			return true
		}
	}
	return false
}
