package panos

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

func TestUnsupported(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*firewall.Plan)
		feature firewall.Feature
	}{
		{"host", func(p *firewall.Plan) { p.Place = firewall.OnAsset }, firewall.FeatureHost},
		{"limit", func(p *firewall.Plan) { p.Limit = &firewall.RateLimit{PerSecond: 50, Burst: 100} }, firewall.FeatureRateLimit},
		{"redirect", func(p *firewall.Plan) { p.DNS.Redirect = true }, firewall.FeatureRedirect},
		{"zone's name", func(p *firewall.Plan) { p.Allows[0].Zone = "wan ] to any" }, firewall.FeatureInterfaces},
		{"part of a zone", func(p *firewall.Plan) { p.Zones[1].Interfaces = []string{"eth1", "eth2"} }, firewall.FeatureInterfaces},
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

type box struct {
	t         *testing.T
	addresses map[string]netip.Prefix
	services  map[string][2]string // protocol, ports
	rules     map[string]map[string][]string
	order     []string
}

var (
	addressLine = regexp.MustCompile(`^set address (\S+) ip-netmask (\S+)$`)
	serviceLine = regexp.MustCompile(`^set service (\S+) protocol (tcp|udp) port ([0-9,-]+)$`)
	ruleLine    = regexp.MustCompile(`^set rulebase security rules (\S+) (from .*)$`)
	whyLine     = regexp.MustCompile(`^set rulebase security rules (\S+) description "[^"]*"$`)
	moveLine    = regexp.MustCompile(`^move rulebase security rules (\S+) (top|after (\S+))$`)
	part        = regexp.MustCompile(`([a-z]+) (\[ [^]]* \]|\S+)`)
)

// load knows the commands that the renderer writes and fails on every other.
func load(t *testing.T, text string) *box {
	t.Helper()
	d := &box{t: t, addresses: map[string]netip.Prefix{}, services: map[string][2]string{}, rules: map[string]map[string][]string{}, order: []string{"older"}}
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if line[0] == '#' {
			continue
		}
		if m := addressLine.FindStringSubmatch(line); m != nil {
			d.addresses[m[1]] = netip.MustParsePrefix(m[2])
		} else if m := serviceLine.FindStringSubmatch(line); m != nil {
			d.services[m[1]] = [2]string{m[2], m[3]}
		} else if m := ruleLine.FindStringSubmatch(line); m != nil {
			d.order = append(d.order, m[1])
			d.rules[m[1]] = map[string][]string{}
			for _, f := range part.FindAllStringSubmatch(m[2], -1) {
				d.rules[m[1]][f[1]] = strings.Fields(strings.Trim(f[2], "[]"))
			}
		} else if m := moveLine.FindStringSubmatch(line); m != nil {
			d.order = slices.DeleteFunc(d.order, func(n string) bool { return n == m[1] })
			d.order = slices.Insert(d.order, slices.Index(d.order, m[3])+1, m[1])
		} else if !whyLine.MatchString(line) {
			t.Fatalf("unknown command %q", line)
		}
	}
	if d.order[len(d.order)-1] != "older" {
		t.Errorf("older rules are not last: %q", d.order)
	}
	return d
}

func (d *box) accepts(k devicetest.Packet, zones []policy.Zone) bool {
	zone := "dmz"
	for _, z := range zones {
		if slices.Contains(z.Interfaces, k.In) {
			zone = z.Name
		}
	}
	for _, name := range d.order[:len(d.order)-1] {
		r := d.rules[name]
		if everything(r["from"]) || slices.Contains(r["from"], zone) {
			if d.within(r["source"], k.Src) && d.within(r["destination"], k.Dst) && d.service(r, k) {
				return r["action"][0] == "allow"
			}
		}
	}
	return false
}

func everything(list []string) bool { return len(list) == 1 && list[0] == "any" }

func (d *box) within(names []string, a netip.Addr) bool {
	return everything(names) || slices.ContainsFunc(names, func(n string) bool {
		p, ok := d.addresses[n]
		if !ok {
			d.t.Fatalf("unknown address %q", n)
		}
		return p.Contains(a)
	})
}

func (d *box) service(r map[string][]string, k devicetest.Packet) bool {
	switch r["application"][0] { // an echo is no packet of the grid
	case "ping", "ping6":
		return false
	case "ipsec-esp":
		return k.Transport == policy.ESP
	}
	return everything(r["service"]) || slices.ContainsFunc(r["service"], func(n string) bool {
		s, ok := d.services[n]
		if !ok {
			d.t.Fatalf("unknown service %q", n)
		}
		return s[0] == string(k.Transport) && slices.ContainsFunc(strings.Split(s[1], ","), func(w string) bool {
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
