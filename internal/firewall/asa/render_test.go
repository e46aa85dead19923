package asa

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device/devicetest"
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
			box := load(t, c.Files[0].Text)
			devicetest.Prove(t, tt.Plan, box.accepts)
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
		return load(t, c.Files[0].Text).accepts
	})
}

func TestRenderUnsupported(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  func(*firewall.Plan)
		feature firewall.Feature
	}{
		{"host", func(p *firewall.Plan) { p.Place = firewall.OnAsset }, firewall.FeatureHost},
		{"limit", func(p *firewall.Plan) { p.Limit = &firewall.RateLimit{PerSecond: 50, Burst: 100} }, firewall.FeatureRateLimit},
		{"redirect", func(p *firewall.Plan) { p.DNS.Redirect = true }, firewall.FeatureRedirect},
		{"interface", func(p *firewall.Plan) { p.Zones[0].Interfaces = []string{"outside\nno access-group"} }, firewall.FeatureInterfaces},
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
	t             *testing.T
	groups, lists map[string][][]string
	bound         map[string]string // interface, or "" for all, to list
}

// load knows the commands that the renderer writes and fails on every other.
func load(t *testing.T, text string) *box {
	t.Helper()
	b := &box{t: t, groups: map[string][][]string{}, lists: map[string][][]string{}, bound: map[string]string{}}
	group := ""
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		w := strings.Fields(line)
		switch {
		case w[0] == "!", line == "no sysopt connection permit-vpn":
		case w[0] == "object-group":
			group = w[2]
		case line[0] == ' ':
			b.groups[group] = append(b.groups[group], w[1:])
		case w[0] == "access-list" && w[2] == "remark":
			if len(line) > len("access-list  remark ")+len(w[1])+100 {
				t.Errorf("remark too long: %s", line)
			}
		case w[0] == "access-list" && w[2] == "extended":
			b.lists[w[1]] = append(b.lists[w[1]], w[3:])
		case w[0] == "access-group" && w[2] == "global":
			b.bound[""] = w[1]
		case w[0] == "access-group" && w[3] == "interface":
			b.bound[w[4]] = w[1]
		default:
			t.Fatalf("unknown command %q", line)
		}
	}
	return b
}

// accepts: the list of the interface first, then the global one, then deny.
func (b *box) accepts(k devicetest.Packet) bool {
	for _, list := range []string{b.bound[k.In], b.bound[""]} {
		for _, e := range b.lists[list] {
			if b.matches(e[1:], k) {
				return e[0] == "permit"
			}
		}
	}
	return false
}

func (b *box) matches(w []string, k devicetest.Packet) bool {
	if w[0] != "ip" && w[0] != string(k.Transport) {
		return false
	}
	from, w := b.address(w[1:], k.Src)
	to, w := b.address(w, k.Dst)
	return from && to && (len(w) == 0 || b.port(w, k.Port))
}

func (b *box) address(w []string, a netip.Addr) (ok bool, rest []string) {
	switch {
	case w[0] == "any":
		return true, w[1:]
	case w[0] == "any4":
		return a.Is4(), w[1:]
	case w[0] == "any6":
		return a.Is6(), w[1:]
	case w[0] == "host":
		return w[1] == a.String(), w[2:]
	case w[0] == "object-group":
		for _, member := range b.groups[w[1]] {
			in, _ := b.address(member, a)
			ok = ok || in
		}
		return ok, w[2:]
	case strings.Contains(w[0], "/"):
		return netip.MustParsePrefix(w[0]).Contains(a), w[1:]
	}
	net, mask := netip.MustParseAddr(w[0]).As4(), netip.MustParseAddr(w[1]).As4()
	if !a.Is4() {
		return false, w[2:]
	}
	ok = true
	for i, octet := range a.As4() {
		ok = ok && octet&mask[i] == net[i]
	}
	return ok, w[2:]
}

func (b *box) port(w []string, p uint16) bool {
	switch w[0] {
	case "eq":
		return w[1] == strconv.Itoa(int(p))
	case "range":
		lo, _ := strconv.Atoi(w[1])
		hi, _ := strconv.Atoi(w[2])
		return lo <= int(p) && int(p) <= hi
	case "object-group":
		for _, member := range b.groups[w[1]] {
			if b.port(member, p) {
				return true
			}
		}
		return false
	}
	b.t.Fatalf("unknown port match %q", w)
	return false
}
