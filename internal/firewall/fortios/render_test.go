package fortios

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
	for _, tt := range devicetest.Plans(firewall.OnGateway) {
		t.Run(tt.Name, func(t *testing.T) {
			c, err := Render(tt.Plan)
			if err != nil {
				t.Fatal(err)
			}
			devicetest.Golden(t, tt.Name, c, *update, os.ReadFile, os.WriteFile)
			devicetest.Prove(t, tt.Plan, loadBox(t, c.Files[0].Text).accepts)
		})
	}
}

func TestRandom(t *testing.T) {
	devicetest.ProveRandom(t, firewall.OnGateway, 20, func(t *testing.T, p firewall.Plan) func(devicetest.Packet) bool {
		t.Helper()
		c, err := Render(p)
		if err != nil {
			t.Fatal(err)
		}
		return loadBox(t, c.Files[0].Text).accepts
	})
}

func TestUnsupported(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*firewall.Plan)
		feature firewall.Feature
	}{
		{"host", func(p *firewall.Plan) { p.Place = firewall.OnAsset }, firewall.FeatureHost},
		{"limit", func(p *firewall.Plan) { p.Limit = &firewall.RateLimit{PerSecond: 50, Burst: 100} }, firewall.FeatureRateLimit},
		{"redirect", func(p *firewall.Plan) { p.DNS.Redirect = true }, firewall.FeatureRedirect},
		{"interface", func(p *firewall.Plan) { p.Zones[0].Interfaces = []string{"port1\"\nend"} }, firewall.FeatureInterfaces},
		{"any", func(p *firewall.Plan) { p.Allows[0].Interfaces = []string{"any"} }, firewall.FeatureInterfaces},
		{"size", func(p *firewall.Plan) { p.Allows = slices.Repeat(p.Allows, 200) }, firewall.FeatureSize},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan := devicetest.Plans(firewall.OnGateway)[0].Plan
			tt.change(&plan)
			_, err := Render(plan)
			var e *firewall.UnsupportedError
			if !errors.As(err, &e) || e.Feature != tt.feature {
				t.Errorf("error %v, want feature %s", err, tt.feature)
			}
		})
	}
}

// object is what an edit holds: each set's words.
type object map[string][]string

type box struct {
	t       *testing.T
	objects map[string]map[string]object // by block and name
	order   []string                     // of policies
}

var word = regexp.MustCompile(`"([^"\\?]*)"|[^"\s?]+`)

// loadBox knows the nesting of the format and fails on a line outside of it.
func loadBox(t *testing.T, text string) *box {
	t.Helper()
	d := &box{t: t, objects: map[string]map[string]object{}}
	block, name := "", ""
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if line[0] == '#' && block == "" {
			continue
		}
		if word.ReplaceAllString(strings.ReplaceAll(line, " ", ""), "") != "" {
			t.Fatalf("a quotation does not end: %q", line)
		}
		var w []string
		for _, m := range word.FindAllStringSubmatch(line, -1) {
			w = append(w, strings.Trim(m[0], `"`))
		}
		switch {
		case w[0] == "config" && block == "":
			block = strings.Join(w[1:], " ")
			d.objects[block] = map[string]object{}
		case w[0] == "edit" && block != "" && name == "":
			name = w[1]
			d.objects[block][name] = object{}
			if block == "firewall policy" {
				d.order = append(d.order, name)
			}
		case w[0] == "set" && name != "":
			if d.objects[block][name][w[1]] != nil {
				t.Fatalf("set twice: %q", line)
			}
			d.objects[block][name][w[1]] = w[2:]
		case w[0] == "next" && name != "":
			name = ""
		case w[0] == "end" && name == "":
			block = ""
		default:
			t.Fatalf("unknown command %q", line)
		}
	}
	return d
}

func (d *box) accepts(k devicetest.Packet) bool {
	family := ""
	if k.Src.Is6() {
		family = "6"
	}
	for _, n := range d.order {
		p := d.objects["firewall policy"][n]
		if len(p["name"][0]) > 35 {
			d.t.Fatalf("name %q is too long", p["name"])
		}
		in := slices.Contains(p["srcintf"], "any") || slices.Contains(p["srcintf"], k.In)
		if in && d.within(family, p["srcaddr"+family], k.Src) && d.within(family, p["dstaddr"+family], k.Dst) && d.service(p["service"], k) {
			return p["action"][0] == "accept"
		}
	}
	return false
}

func (d *box) within(family string, names []string, a netip.Addr) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		if n == "all" {
			return true
		}
		o, ok := d.objects["firewall address"+family][n]
		if !ok {
			d.t.Fatalf("unknown address %q", n)
		}
		if family == "6" {
			return netip.MustParsePrefix(o["ip6"][0]).Contains(a)
		}
		ones := 0
		for _, octet := range netip.MustParseAddr(o["subnet"][1]).As4() {
			ones += strings.Count(strconv.FormatInt(int64(octet), 2), "1")
		}
		return netip.PrefixFrom(netip.MustParseAddr(o["subnet"][0]), ones).Contains(a)
	})
}

func (d *box) service(names []string, k devicetest.Packet) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		if n == "ALL" {
			return true
		}
		o, ok := d.objects["firewall service custom"][n]
		if !ok {
			d.t.Fatalf("unknown service %q", n)
		}
		if o["protocol"] != nil {
			return o["protocol"][0] == "IP" && o["protocol-number"][0] == "50" && k.Transport == policy.ESP
		}
		return slices.ContainsFunc(o[string(k.Transport)+"-portrange"], func(w string) bool {
			first, last, isRange := strings.Cut(w, "-")
			if !isRange {
				last = first
			}
			lo, _ := strconv.Atoi(first)
			hi, _ := strconv.Atoi(last)
			return lo <= int(k.Port) && int(k.Port) <= hi
		})
	})
}
