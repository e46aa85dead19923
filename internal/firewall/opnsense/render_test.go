package opnsense

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device/devicetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func products() map[string]func(firewall.Plan) (firewall.Config, error) {
	return map[string]func(firewall.Plan) (firewall.Config, error){"opnsense": RenderOPNsense, "pfsense": RenderPFSense}
}

func TestRender(t *testing.T) {
	for product, render := range products() {
		for name, place := range map[string]firewall.Place{"host": firewall.OnAsset, "gateway": firewall.OnGateway} {
			for _, tt := range devicetest.Plans(place) {
				t.Run(product+"/"+name+"/"+tt.Name, func(t *testing.T) {
					c, err := render(named(tt.Plan))
					if err != nil {
						t.Fatal(err)
					}
					devicetest.Golden(t, product+"-"+name+"-"+tt.Name, c, *update, os.ReadFile, os.WriteFile)
					box := read(t, c.Files[0].Text)
					devicetest.Prove(t, tt.Plan, func(k devicetest.Packet) bool { return box.accepts(k) })
				})
			}
		}
	}
}

func TestRandom(t *testing.T) {
	for product, render := range products() {
		for _, place := range []firewall.Place{firewall.OnAsset, firewall.OnGateway} {
			devicetest.ProveRandom(t, place, 5, func(t *testing.T, p firewall.Plan) func(devicetest.Packet) bool {
				t.Helper()
				c, err := render(named(p))
				if err != nil {
					t.Fatalf("%s: %v", product, err)
				}
				return read(t, c.Files[0].Text).accepts
			})
		}
	}
}

// named gives interfaces the names that the systems assign.
func named(p firewall.Plan) firewall.Plan {
	rename := func(in []string) []string {
		out := slices.Clone(in)
		for i := range out {
			out[i] = names()[out[i]]
		}
		return out
	}
	p.Zones, p.Allows = slices.Clone(p.Zones), slices.Clone(p.Allows)
	for i := range p.Zones {
		p.Zones[i].Interfaces = rename(p.Zones[i].Interfaces)
	}
	for i := range p.Allows {
		p.Allows[i].Interfaces = rename(p.Allows[i].Interfaces)
	}
	return p
}

func names() map[string]string {
	return map[string]string{"eth0": "wan", "eth1": "lan", "wg0": "opt1", "wg1": "opt2", "dmz0": "opt3"}
}

func TestInterfaceNames(t *testing.T) {
	plan := devicetest.Plans(firewall.OnGateway)[0].Plan
	for product, want := range map[string]string{"opnsense": "<interface>wireguard</interface>", "pfsense": "<interface>WireGuard</interface>"} {
		c, err := products()[product](plan)
		if err != nil || !strings.Contains(c.Files[0].Text, want) {
			t.Errorf("%s: no %s (%v)", product, want, err)
		}
	}
	plan.Zones[2].Tunnel = ""
	_, err := RenderOPNsense(plan)
	var e *firewall.UnsupportedError
	if !errors.As(err, &e) || e.Feature != firewall.FeatureInterfaces {
		t.Errorf("error %v for an interface that has no name", err)
	}
}

func TestRedirect(t *testing.T) {
	plan := devicetest.Plans(firewall.OnGateway)[0].Plan
	plan.DNS.Redirect = true
	for product, render := range products() {
		c, err := render(plan)
		if err != nil {
			t.Fatal(err)
		}
		devicetest.Golden(t, product+"-redirect", c, *update, os.ReadFile, os.WriteFile)
		box := read(t, c.Files[0].Text)
		if len(box.nat) != 8 {
			t.Errorf("%s: %d redirections, want one and its exception for two zones and families", product, len(box.nat))
		}
		if n := strings.Count(c.Files[0].Text, "<dstport>53</dstport>"); n != 2 {
			t.Errorf("%s: %d hairpins, want one for each family of lan, where the resolver stands", product, n)
		}
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
		{"interface", func(p *firewall.Plan) { p.Zones[0].Interfaces = []string{"wan</interface>"} }, firewall.FeatureInterfaces},
	} {
		for product, render := range products() {
			plan := devicetest.Plans(firewall.OnAsset)[0].Plan
			tt.change(&plan)
			_, err := render(plan)
			var e *firewall.UnsupportedError
			if !errors.As(err, &e) || e.Feature != tt.feature {
				t.Errorf("%s, %s: error %v, want feature %s", product, tt.name, err, tt.feature)
			}
		}
	}
}

type box struct {
	t          *testing.T
	rules, nat []*etree.Element
	aliases    map[string][]string
}

func read(t *testing.T, text string) box {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(text); err != nil {
		t.Fatal(err)
	}
	b := box{t: t, aliases: map[string][]string{}}
	b.rules = doc.Root().FindElements("filter/rule")
	b.nat = doc.Root().FindElements("nat/rule")
	if len(doc.Root().FindElements("//descr/*")) > 0 {
		t.Error("a description has elements")
	}
	uuids := map[string]bool{}
	for _, a := range doc.FindElements("//alias") {
		content := a.SelectElement("content")
		if content == nil {
			content = a.SelectElement("address")
		}
		name := a.SelectElement("name").Text()
		if len(name) > 31 || strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			t.Errorf("alias name %q", name)
		}
		b.aliases[name] = strings.Fields(content.Text())
	}
	for _, e := range doc.FindElements("//[@uuid]") {
		id := e.SelectAttrValue("uuid", "")
		if uuids[id] || len(id) != 36 {
			t.Errorf("uuid %q is bad or twice there", id)
		}
		uuids[id] = true
	}
	return b
}

// accepts runs a packet through the floating rules; at their end both systems
// drop what comes in and let out what they send. Without "quick" the last that
// matches decides.
func (b box) accepts(k devicetest.Packet) bool {
	verdict := k.In == ""
	for _, r := range b.rules {
		text := func(name string) string {
			if e := r.SelectElement(name); e != nil {
				return e.Text()
			}
			return ""
		}
		if text("floating") != "yes" {
			b.t.Fatal("a rule is not floating")
		}
		out := text("direction") == "out"
		if out != (k.In == "") || !in(text("interface"), names()[k.In]) || !b.protocol(text("ipprotocol"), text("protocol"), k) {
			continue
		}
		if b.end(r.SelectElement("source"), k.Src, 0) && b.end(r.SelectElement("destination"), k.Dst, k.Port) {
			if verdict = text("type") == "pass"; text("quick") != "" {
				return verdict
			}
		}
	}
	return verdict
}

func in(list, name string) bool {
	return list == "" || name != "" && slices.Contains(strings.Split(list, ","), name)
}

func (b box) protocol(family, proto string, k devicetest.Packet) bool {
	if family == "inet" && k.Src.Is6() || family == "inet6" && k.Src.Is4() {
		return false
	}
	return proto == "" || slices.Contains(strings.Split(proto, "/"), string(k.Transport))
}

func (b box) end(e *etree.Element, a netip.Addr, port uint16) bool {
	ok := e.SelectElement("any") != nil
	if x := e.SelectElement("address"); x != nil {
		list := b.aliases[x.Text()]
		if list == nil {
			list = []string{x.Text()}
		}
		for _, w := range list {
			p, err := netip.ParsePrefix(w)
			ok = ok || w == a.String() || err == nil && p.Contains(a)
		}
	}
	x := e.SelectElement("port")
	if x == nil || !ok {
		return ok
	}
	list := b.aliases[x.Text()]
	if list == nil {
		list = []string{strings.ReplaceAll(x.Text(), "-", ":")}
	}
	return slices.ContainsFunc(list, func(w string) bool {
		first, last, ok := strings.Cut(w, ":")
		if !ok {
			last = first
		}
		lo, _ := strconv.Atoi(first)
		hi, _ := strconv.Atoi(last)
		return lo <= int(port) && int(port) <= hi
	})
}
