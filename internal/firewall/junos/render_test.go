package junos

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
			d := load(t, c.Files[0].Text)
			devicetest.Prove(t, tt.Plan, func(k devicetest.Packet) bool { return d.accepts(k, tt.Plan.Zones) })
		})
	}
}

func TestRandom(t *testing.T) {
	devicetest.ProveRandom(t, firewall.OnGateway, 60, func(t *testing.T, p firewall.Plan) func(devicetest.Packet) bool {
		t.Helper()
		c, err := Render(p)
		if err != nil {
			t.Fatal(err)
		}
		d := load(t, c.Files[0].Text)
		return func(k devicetest.Packet) bool { return d.accepts(k, p.Zones) }
	})
}

// TestRedirect reads the rules of destination NAT in order: the first decides.
func TestRedirect(t *testing.T) {
	plan := devicetest.Plans(firewall.OnGateway)[0].Plan
	plan.DNS.Redirect = true
	c, err := Render(plan)
	if err != nil {
		t.Fatal(err)
	}
	devicetest.Golden(t, "redirect", c, *update, os.ReadFile, os.WriteFile)
	d := load(t, c.Files[0].Text)
	devicetest.Prove(t, plan, func(k devicetest.Packet) bool { return d.accepts(k, plan.Zones) })
	for _, tt := range []struct {
		zone, from, to, want string
	}{
		{"lan", "10.0.3.4", "198.51.100.7", "10.0.0.53"},
		{"vpn", "10.8.0.9", "198.51.100.7", "10.0.0.53"},
		{"lan", "2001:db8:1::9", "2001:db8:ffff::7", "2001:db8:1::53"},
		{"lan", "10.0.3.4", "203.0.113.9", ""},
		{"lan", "10.0.3.4", "192.0.2.53", ""},
		{"lan", "10.0.0.53", "198.51.100.7", ""},
		{"wan", "10.0.3.4", "198.51.100.7", ""},
	} {
		if got := d.translated(tt.zone, netip.MustParseAddr(tt.from), netip.MustParseAddr(tt.to)); got != tt.want {
			t.Errorf("%s -> %s in %s goes to %q, want %q", tt.from, tt.to, tt.zone, got, tt.want)
		}
	}
	if got := strings.Join(d.nat["source"], "\n"); !strings.Contains(got, "rule-set rs-ns1-zone-2 to zone lan") || strings.Contains(got, "zone vpn") {
		t.Errorf("want source NAT for lan alone, where the resolver stands:\n%s", got)
	}
}

func TestUnsupported(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*firewall.Plan)
		feature firewall.Feature
	}{
		{"host", func(p *firewall.Plan) { p.Place = firewall.OnAsset }, firewall.FeatureHost},
		{"limit", func(p *firewall.Plan) { p.Limit = &firewall.RateLimit{PerSecond: 50, Burst: 100} }, firewall.FeatureRateLimit},
		{"redirect without a zone", func(p *firewall.Plan) { p.DNS.Redirect = true; p.Zones[1].Interfaces = nil; p.Allows = p.Allows[:2] }, firewall.FeatureRedirect},
		{"zone's name", func(p *firewall.Plan) { p.Allows[0].Zone = "wan\nset system" }, firewall.FeatureInterfaces},
		{"part of a zone", func(p *firewall.Plan) { p.Zones[1].Interfaces = []string{"eth1", "eth2"} }, firewall.FeatureInterfaces},
		{"interface", func(p *firewall.Plan) { p.Zones[0].Interfaces = []string{"ge-0/0/0\ncommit"} }, firewall.FeatureInterfaces},
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

type rule struct {
	name string
	m    map[string][]string
}

type box struct {
	t         *testing.T
	addresses map[string]netip.Prefix
	apps      map[string]map[string]string
	rules     []rule
	nat       map[string][]string // source and destination, as they stand
}

var (
	addressLine = regexp.MustCompile(`^security address-book global address (\S+) (\S+)$`)
	appLine     = regexp.MustCompile(`^applications application (\S+) (protocol|destination-port|icmp-type|icmp6-type) (\S+)$`)
	policyLine  = regexp.MustCompile(`^security policies global policy (\S+) (?:(description) "([^"]*)"|match (\S+) (\S+)|(then) (permit|deny))$`)
)

// load knows the commands that the renderer writes and fails on every other.
func load(t *testing.T, text string) *box {
	t.Helper()
	d := &box{t: t, addresses: map[string]netip.Prefix{}, apps: map[string]map[string]string{}, nat: map[string][]string{}}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if line[0] == '#' || strings.HasPrefix(line, "delete groups rs-") || strings.HasPrefix(line, "set apply-groups rs-") || line == "set security policies default-policy deny-all" {
			continue
		}
		w := strings.SplitN(line, " ", 4)
		if w[0] != "set" || w[1] != "groups" {
			t.Fatalf("unknown command %q", line)
		}
		d.command(w[3])
	}
	return d
}

func (d *box) command(c string) {
	if m := addressLine.FindStringSubmatch(c); m != nil {
		d.addresses[m[1]] = netip.MustParsePrefix(m[2])
	} else if m := appLine.FindStringSubmatch(c); m != nil {
		if d.apps[m[1]] == nil {
			d.apps[m[1]] = map[string]string{}
		}
		d.apps[m[1]][m[2]] = m[3]
	} else if m := policyLine.FindStringSubmatch(c); m != nil {
		if n := len(d.rules); n == 0 || d.rules[n-1].name != m[1] {
			d.rules = append(d.rules, rule{m[1], map[string][]string{}})
		}
		r := d.rules[len(d.rules)-1].m
		for i := 2; i < 7; i += 2 {
			if m[i] != "" {
				r[m[i]] = append(r[m[i]], m[i+1])
			}
		}
	} else if kind, rest, ok := strings.Cut(strings.TrimPrefix(c, "security nat "), " "); ok && strings.HasPrefix(c, "security nat ") {
		d.nat[kind] = append(d.nat[kind], rest)
	} else {
		d.t.Fatalf("unknown command %q", c)
	}
}

// translated is the address that a query to port 53 is sent to instead, or "".
func (d *box) translated(zone string, from, to netip.Addr) string {
	sets, pools := map[string]string{}, map[string]string{}
	type translation struct{ set, name, from, to, then string }
	var rules []translation
	for _, line := range d.nat["destination"] {
		w := strings.Fields(line)
		switch {
		case w[0] == "pool":
			pools[w[1]] = strings.Split(w[3], "/")[0]
		case w[2] == "from":
			sets[w[1]] = w[4]
		default:
			if n := len(rules); n == 0 || rules[n-1].name != w[3] || rules[n-1].set != w[1] {
				rules = append(rules, translation{set: w[1], name: w[3]})
			}
			r := &rules[len(rules)-1]
			switch w[len(w)-2] {
			case "source-address":
				r.from = w[len(w)-1]
			case "destination-address":
				r.to = w[len(w)-1]
			case "destination-nat", "pool":
				r.then = w[len(w)-1]
			}
		}
	}
	for _, r := range rules {
		if len(r.name) > 31 || len(r.set) > 31 {
			d.t.Errorf("name too long: %q in %q", r.name, r.set)
		}
		if sets[r.set] == zone && netip.MustParsePrefix(r.from).Contains(from) && netip.MustParsePrefix(r.to).Contains(to) {
			return pools[r.then]
		}
	}
	return ""
}

func (d *box) accepts(k devicetest.Packet, zones []policy.Zone) bool {
	zone := "dmz"
	for _, z := range zones {
		if slices.Contains(z.Interfaces, k.In) {
			zone = z.Name
		}
	}
	for _, r := range d.rules {
		if from := r.m["from-zone"]; len(from) > 0 && !slices.Contains(from, zone) {
			continue
		}
		if d.within(r.m["source-address"], k.Src) && d.within(r.m["destination-address"], k.Dst) && d.application(r.m["application"], k) {
			return r.m["then"][0] == "permit"
		}
	}
	return false
}

func (d *box) within(names []string, a netip.Addr) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		p, ok := d.addresses[n]
		if !ok && n != "any-ipv4" && n != "any-ipv6" {
			d.t.Fatalf("unknown address %q", n)
		}
		return n == "any-ipv4" && a.Is4() || n == "any-ipv6" && a.Is6() || ok && p.Contains(a)
	})
}

func (d *box) application(names []string, k devicetest.Packet) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		if n == "any" {
			return true
		}
		app, ok := d.apps[n]
		if !ok {
			d.t.Fatalf("unknown application %q", n)
		}
		if app["protocol"] != string(k.Transport) {
			return false
		}
		first, last, isRange := strings.Cut(app["destination-port"], "-")
		if !isRange {
			last = first
		}
		lo, _ := strconv.Atoi(first)
		hi, _ := strconv.Atoi(last)
		return first == "" || lo <= int(k.Port) && int(k.Port) <= hi
	})
}
