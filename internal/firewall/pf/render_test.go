package pf

import (
	"errors"
	"flag"
	"net/netip"
	"os"
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
				rules := read(t, c.Files[0].Text)
				devicetest.Prove(t, tt.Plan, func(k devicetest.Packet) bool { return rules.accepts(k) })
			})
		}
	}
}

func TestRandom(t *testing.T) {
	for _, place := range []firewall.Place{firewall.OnAsset, firewall.OnGateway} {
		devicetest.ProveRandom(t, place, 20, func(t *testing.T, p firewall.Plan) func(devicetest.Packet) bool {
			t.Helper()
			c, err := Render(p)
			if err != nil {
				t.Fatal(err)
			}
			rules := read(t, c.Files[0].Text)
			return func(k devicetest.Packet) bool { return rules.accepts(k) }
		})
	}
}

func TestRedirect(t *testing.T) {
	plan := devicetest.Plans(firewall.OnGateway)[0].Plan
	plan.DNS.Redirect = true
	c, err := Render(plan)
	if err != nil {
		t.Fatal(err)
	}
	devicetest.Golden(t, "redirect", c, *update, os.ReadFile, os.WriteFile)
	if len(c.Files) != 2 || !strings.Contains(c.Files[0].Text, "rdr-to 10.0.0.53 port 53") || !strings.Contains(c.Files[1].Text, "-> 10.0.0.53 port 53") {
		t.Errorf("files: %+v", c.Files)
	}
	for i, want := range []string{"match out on eth1 inet proto", "nat on eth1 inet proto"} {
		if text := c.Files[i].Text; !strings.Contains(text, want) || strings.Contains(text, "(wg0:0)") {
			t.Errorf("want %q for lan, where the resolver stands, and none for vpn:\n%s", want, text)
		}
	}
	plan.Zones[1].Interfaces = nil
	_, err = Render(plan)
	var e *firewall.UnsupportedError
	if !errors.As(err, &e) || e.Feature != firewall.FeatureRedirect {
		t.Errorf("error %v for clients on no known interface", err)
	}
}

func TestUnsupported(t *testing.T) {
	for _, tt := range []struct {
		name    string
		place   firewall.Place
		change  func(*firewall.Plan)
		feature firewall.Feature
	}{
		{"limit", firewall.OnAsset, func(p *firewall.Plan) { p.Limit = &firewall.RateLimit{PerSecond: 50, Burst: 100} }, firewall.FeatureRateLimit},
		{"docker", firewall.OnAsset, func(p *firewall.Plan) { p.Docker = true }, firewall.FeatureDocker},
		{"redirect on the asset", firewall.OnAsset, func(p *firewall.Plan) { p.DNS.Redirect = true }, firewall.FeatureRedirect},
		{"any interface", firewall.OnAsset, func(p *firewall.Plan) { p.Zones[0].Interfaces = []string{"any"} }, firewall.FeatureInterfaces},
		{"interface", firewall.OnAsset, func(p *firewall.Plan) { p.Allows[0].Interfaces = []string{"em0 to any\npass all"} }, firewall.FeatureInterfaces},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan := devicetest.Plans(tt.place)[0].Plan
			tt.change(&plan)
			_, err := Render(plan)
			var e *firewall.UnsupportedError
			if !errors.As(err, &e) || e.Feature != tt.feature || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want feature %s", err, tt.feature)
			}
		})
	}
}

// rule is one rule as the little reader below understands it.
type rule struct {
	pass, quick          bool
	direction, on, proto []string
	family               string
	from, to, ports      []string
}

type rules struct {
	all    []rule
	tables map[string][]string
}

// read knows the words that the renderer uses and fails on every other.
func read(t *testing.T, text string) rules {
	t.Helper()
	out := rules{tables: map[string][]string{}}
	for line := range strings.Lines(text) {
		w := strings.Fields(strings.ReplaceAll(line, ",", " "))
		if len(w) == 0 || w[0] == "#" || w[0] == "set" {
			continue
		}
		if w[0] == "table" {
			out.tables[w[1]] = w[4 : len(w)-1]
			continue
		}
		out.all = append(out.all, parse(t, w))
	}
	return out
}

func parse(t *testing.T, w []string) rule {
	t.Helper()
	var r rule
	take := func() []string {
		if w[0] != "{" {
			one := w[0]
			w = w[1:]
			return []string{one}
		}
		end := slices.Index(w, "}")
		many := w[1:end]
		w = w[end+1:]
		return many
	}
	for len(w) > 0 {
		word := w[0]
		w = w[1:]
		switch word {
		case "pass":
			r.pass = true
		case "block", "drop", "return", "all", "keep", "state":
		case "quick":
			r.quick = true
		case "in", "out":
			r.direction = []string{word}
		case "on":
			r.on = take()
		case "inet", "inet6":
			r.family = word
		case "proto":
			r.proto = take()
		case "from":
			r.from = take()
		case "to":
			r.to = take()
		case "port":
			r.ports = take()
		case "icmp-type", "icmp6-type":
			take()
		default:
			t.Fatalf("unknown word %q", word)
		}
	}
	return r
}

// accepts runs a packet through: the last match, or the first that is quick. A
// forwarded packet must pass both ways.
func (rs rules) accepts(k devicetest.Packet) bool {
	if k.In == "" {
		return rs.direction(k, "out")
	}
	return rs.direction(k, "in")
}

func (rs rules) direction(k devicetest.Packet, direction string) bool {
	pass := true
	for _, r := range rs.all {
		if !rs.matches(r, k, direction) {
			continue
		}
		pass = r.pass
		if r.quick {
			break
		}
	}
	return pass
}

func (rs rules) matches(r rule, k devicetest.Packet, direction string) bool {
	family := "inet"
	if k.Src.Is6() {
		family = "inet6"
	}
	has := func(list []string, word string) bool { return len(list) == 0 || slices.Contains(list, word) }
	return has(r.direction, direction) && has(r.on, k.In) && (r.family == "" || r.family == family) &&
		has(r.proto, string(k.Transport)) && rs.within(r.from, k.Src) && rs.within(r.to, k.Dst) && port(r.ports, k.Port)
}

func (rs rules) within(list []string, a netip.Addr) bool {
	for _, w := range list {
		if table, ok := rs.tables[w]; ok {
			return rs.within(table, a)
		}
		if w == "any" || w == a.String() {
			return true
		}
		if p, err := netip.ParsePrefix(w); err == nil && p.Contains(a) {
			return true
		}
	}
	return len(list) == 0
}

func port(list []string, p uint16) bool {
	for _, w := range list {
		first, last, ok := strings.Cut(w, ":")
		if !ok {
			last = first
		}
		a, _ := strconv.Atoi(first)
		b, _ := strconv.Atoi(last)
		if a <= int(p) && int(p) <= b {
			return true
		}
	}
	return len(list) == 0
}
