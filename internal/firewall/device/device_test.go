package device_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/firewall/device/devicetest"
	"reconshield/internal/policy"
)

func TestPlain(t *testing.T) {
	for _, tt := range []struct {
		in   string
		most int
		want string
	}{
		{"role host: 22/tcp", 100, "role host: 22/tcp"},
		{"  a\n\tb  ", 100, "a b"},
		{"zone \"vpn\" 'x' `y`", 100, "zone vpn x y"},
		{"a;b|c$d?e%f!g\\h", 100, "a,b_c_d_e_f_g_h"},
		{"metrics für ops", 100, "metrics f_r ops"},
		{"a\u2028b\u0085c", 100, "a b c"},
		{"abcdef", 3, "abc"},
		{"ab cdef", 3, "ab"},
		{"abc", 0, ""},
	} {
		if got := device.Plain(tt.in, max(tt.most, 0)); got != tt.want {
			t.Errorf("Plain(%q, %d) = %q, want %q", tt.in, tt.most, got, tt.want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add(devicetest.Hostile, 40)
	f.Fuzz(func(t *testing.T, in string, most int) {
		if most < 0 || most > 1000 {
			return
		}
		const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:/()_+=@-"
		if got := device.Plain(in, most); len(got) > most || strings.Trim(got, safe) != "" {
			t.Errorf("Plain(%q, %d) = %q", in, most, got)
		}
		label := device.Label(in, most+1)
		if label == "" || len(label) > most+1 || strings.Trim(label, safe[:62]+"-") != "" || strings.Contains("0123456789-", label[:1]) {
			t.Errorf("Label(%q, %d) = %q", in, most+1, label)
		}
	})
}

func TestTag(t *testing.T) {
	tags := map[string]string{}
	for _, name := range []string{"ns1", "ns-1", "ns_1", "ns.1", "1", "", "resolver-frankfurt-1", "resolver-frankfurt-2", "größe"} {
		tag := device.Tag(name, 12)
		if len(tag) > 12 || tags[tag] != "" {
			t.Errorf("Tag(%q) = %q, which %q has", name, tag, tags[tag])
		}
		tags[tag] = name + " "
	}
	if got := device.Tag("ns1", 12); got != "ns1" {
		t.Errorf("Tag of a plain name is %q", got)
	}
}

func TestRemark(t *testing.T) {
	until := time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		row  device.Row
		most int
		want string
	}{
		{device.Row{Why: "metrics"}, 40, "metrics"},
		{device.Row{Why: "metrics", Until: until}, 40, "metrics (until 2027-03-31)"},
		{device.Row{Why: strings.Repeat("m", 100), Until: until}, 30, "mmmmmmmmmmm (until 2027-03-31)"},
		{device.Row{Until: until}, 30, "(until 2027-03-31)"},
	} {
		if got := device.Remark(tt.row, tt.most); got != tt.want || len(got) > tt.most {
			t.Errorf("Remark = %q, want %q", got, tt.want)
		}
	}
}

// TestSound gives plans that lack something: it must never become "any".
func TestSound(t *testing.T) {
	can := device.Abilities{Format: "x", Host: true, Gateway: true}
	for _, tt := range []struct {
		name   string
		change func(*firewall.Plan)
	}{
		{"no addresses", func(p *firewall.Plan) { p.Addresses = nil }},
		{"invalid address", func(p *firewall.Plan) { p.Addresses = []netip.Addr{{}} }},
		{"unspecified resolver", func(p *firewall.Plan) { p.DNS.Resolvers = []netip.Addr{netip.IPv6Unspecified()} }},
		{"no ports", func(p *firewall.Plan) { p.Allows[0].Ports = nil }},
		{"descending ports", func(p *firewall.Plan) { p.Allows[0].Ports = []firewall.PortRange{{First: 2, Last: 1}} }},
		{"ports of esp", func(p *firewall.Plan) { p.Allows[0].Transport = policy.ESP }},
		{"no transport", func(p *firewall.Plan) { p.Allows[0].Transport = "" }},
		{"another transport", func(p *firewall.Plan) { p.Allows[0].Transport = exposure.TLS }},
		{"invalid source", func(p *firewall.Plan) { p.Allows[0].Sources = []netip.Prefix{{}} }},
		{"unmasked source", func(p *firewall.Plan) { p.Allows[0].Sources = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")} }},
		{"mapped source", func(p *firewall.Plan) {
			p.Allows[0].Sources = []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}
		}},
		{"unmasked network", func(p *firewall.Plan) { p.Zones[1].Networks = []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")} }},
	} {
		p := devicetest.Plans(firewall.OnAsset)[0].Plan
		if err := device.Refuse(p, can); err != nil {
			t.Fatalf("the plan before: %v", err)
		}
		tt.change(&p)
		err := device.Refuse(p, can)
		var unsupported *firewall.UnsupportedError
		if err == nil || errors.As(err, &unsupported) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
}

// TestOutside sees that a zone of everybody is never taken for a network of
// clients, however it is written.
func TestOutside(t *testing.T) {
	p := devicetest.Plans(firewall.OnGateway)[0].Plan
	p.Zones = append([]policy.Zone{
		{Name: "wan", Interfaces: []string{"eth0"}, Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}},
		{Name: "internet", Interfaces: []string{"eth9"}, Networks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}},
	}, p.Zones[1:]...)
	for _, r := range device.Forward(p) {
		outside := slices.Contains(r.Interfaces, "eth0") || slices.Contains(r.Interfaces, "eth9")
		asset := len(r.Targets) > 0 && slices.Contains(p.Addresses, r.Targets[0].Addr())
		if outside && !r.Deny && !asset {
			t.Errorf("the outside may: %+v", r)
		}
	}
}

func TestQuote(t *testing.T) {
	for text, want := range map[string]string{
		"p.yaml": "p.yaml", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "-x": "'-x'", "$(x)": "'$(x)'", "a\nb": "'a b'", "é": "'é'",
	} {
		if got := device.Quote(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestNotes(t *testing.T) {
	plain := devicetest.Plans(firewall.OnAsset)[0].Plan
	for _, tt := range []struct {
		name   string
		change func(*firewall.Plan)
		want   string
	}{
		{"nobody administers", func(p *firewall.Plan) { p.Allows = p.Allows[:2] }, "No zone may reach 22/tcp: "},
		{"a zone without interfaces", func(p *firewall.Plan) { p.Allows[0].Interfaces = nil }, "Zone wan has no interfaces here: "},
		{"a tunnel on the outside's interface", func(p *firewall.Plan) { p.Zones[2].Interfaces = []string{"eth0"} }, "Zone vpn has an interface in common with wan: "},
		{"resolvers of the other family", func(p *firewall.Plan) { p.Addresses, p.DNS.Resolvers = p.Addresses[:1], p.DNS.Resolvers[1:2] }, "No approved resolver has an address of a family that the asset has: "},
		{"zones from a primary", func(*firewall.Plan) {}, "A server that gets its zones from a primary "},
		{"for everybody", func(p *firewall.Plan) { p.Role = policy.PublicResolver }, "A resolver that answers everybody "},
		{"an exception", func(*firewall.Plan) {}, "Exceptions do not end by themselves: "},
	} {
		p := plain
		p.Allows, p.Zones = slices.Clone(p.Allows), slices.Clone(p.Zones)
		tt.change(&p)
		if notes := append(device.Locked(p, 22), device.Cautions(p)...); !slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n, tt.want) }) {
			t.Errorf("%s: no note %q in %q", tt.name, tt.want, notes)
		}
	}
	for _, n := range append(device.Locked(plain, 22), device.Cautions(plain)...) {
		for _, no := range []string{"No zone may", "Zone ", "No approved", "A resolver that"} {
			if strings.HasPrefix(n, no) {
				t.Errorf("without a reason: %q", n)
			}
		}
	}
}
