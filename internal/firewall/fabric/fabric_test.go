package fabric_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric"
	"reconshield/internal/firewall/fabric/fabrictest"
	"reconshield/internal/policy"
)

// TestRulesMeanThePlan tries the rules themselves, before any format.
func TestRulesMeanThePlan(t *testing.T) {
	for _, c := range fabrictest.Plans() {
		t.Run(c.Name, func(t *testing.T) {
			p, err := fabric.New(fabric.Format{Name: "test"}, c.Plan)
			if err != nil {
				t.Fatal(err)
			}
			fabrictest.Inbound(t, c.Plan, func(k fabrictest.Packet) bool {
				found := 0
				for _, r := range p.Rules {
					for _, q := range r.Ports {
						if r.Transport == k.Transport && q.First <= k.Port && k.Port <= q.Last && r.Sources.Contains(k.Peer) {
							found++
						}
					}
				}
				if found > 1 {
					t.Errorf("%v is let in %d times", k, found)
				}
				return found > 0
			})
		})
	}
}

func TestRulesAreFew(t *testing.T) {
	for _, c := range []struct {
		name string
		plan firewall.Plan
		want []string
	}{
		{"zones add up to everybody", fabrictest.Authority(), []string{"tcp 22, 953", "tcp 53", "udp 53"}},
		{"adjacent ports join", allow("80-80", "81-90"), []string{"tcp 80-90"}},
		{"ranges that overlap", allow("1-100", "50-200"), []string{"tcp 1-200"}},
		{"up to the last port", allow("1-65535", "65535-65535"), []string{"tcp 1-65535"}},
		{"a range the wrong way round", allow("9-8"), nil},
	} {
		p, err := fabric.New(fabric.Format{Name: "test"}, c.plan)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range p.Rules {
			got = append(got, r.Title())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}
}

func allow(ranges ...string) firewall.Plan {
	p := firewall.Plan{Asset: "a", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}
	for _, r := range ranges {
		first, last, _ := strings.Cut(r, "-")
		p.Allows = append(p.Allows, firewall.Allow{
			Zone: "wan", Transport: exposure.TCP, Ports: []firewall.PortRange{{First: number(first), Last: number(last)}},
		})
	}
	return p
}

func number(s string) uint16 {
	n := 0
	for _, r := range s {
		n = 10*n + int(r-'0')
	}
	return uint16(n)
}

func TestReasonsTellTheEnd(t *testing.T) {
	p := allow("80-80")
	p.Allows[0].Why, p.Allows[0].Until = "a trial", time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
	got, err := fabric.New(fabric.Format{Name: "test"}, p)
	if err != nil {
		t.Fatal(err)
	}
	if want := "a trial (until 2027-03-31)"; got.Rules[0].Reason(100) != want {
		t.Errorf("reason %q, want %q", got.Rules[0].Reason(100), want)
	}
}

func TestReasonsAreSaidOnce(t *testing.T) {
	p := allow("80-80", "80-80", "80-80")
	p.Allows[0].Why, p.Allows[1].Why = "role host", "role host; expose (line 12)"
	p.Allows[2].Why, p.Allows[2].Until = "exception until 2027-03-31", time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
	got, err := fabric.New(fabric.Format{Name: "test"}, p)
	if err != nil {
		t.Fatal(err)
	}
	if want := "role host; expose (line 12); exception until 2027-03-31"; got.Rules[0].Reason(100) != want {
		t.Errorf("reason %q, want %q", got.Rules[0].Reason(100), want)
	}
}

func TestTunnelsAreNoted(t *testing.T) {
	p, err := fabric.New(fabric.Format{Name: "test"}, fabrictest.Authority())
	if err != nil {
		t.Fatal(err)
	}
	notes := strings.Join(p.Notes, "\n")
	for _, want := range []string{"wireguard tunnel is not seen here", "the zone lan is matched by its source", "the zone wan is every address"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no note says %q:\n%s", want, notes)
		}
	}
}

func TestResolversOfOtherFamiliesAreLeftOut(t *testing.T) {
	plan := allow("80-80")
	plan.DNS = firewall.DNSEgress{Control: true, Resolvers: []netip.Addr{
		netip.MustParseAddr("::ffff:198.51.100.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("198.51.100.1"),
	}}
	p, err := fabric.New(fabric.Format{Name: "test"}, plan)
	if err != nil {
		t.Fatal(err)
	}
	if got := fabric.Strings(p.Egress.Servers); !cmp.Equal(got, []string{"198.51.100.1/32"}) {
		t.Errorf("resolvers %v", got)
	}
}

func TestNames(t *testing.T) {
	n := fabric.NewNames('-', 10)
	for _, c := range []struct{ in, want string }{
		{"ns1.example.net", "ns1-exampl"}, {"ns1.example.org", "ns1-exam-2"}, {"1st", "a-1st"}, {"", "asset"}, {"\u00fc/..", "asset-2"}, {"a--b", "a-b"},
	} {
		if got := n.Of(c.in); got != c.want {
			t.Errorf("name of %q is %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzTexts(f *testing.F) {
	f.Add(fabrictest.Hostile, 20)
	f.Add("\x00\xff", 1)
	name := regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 5 + max(limit, -limit, 0)%200
		line := fabric.Line(s, limit)
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(line) || utf8.RuneCountInString(line) > limit {
			t.Errorf("line %q of %q", line, s)
		}
		if got := fabric.Name(s, '-', limit); !name.MatchString(got) || len(got) > limit {
			t.Errorf("name %q of %q", got, s)
		}
		if got := fabric.NewNames('-', limit).Of(s, s); !name.MatchString(got) || len(got) > limit {
			t.Errorf("name %q of %q twice", got, s)
		}
		text := fabric.NewTerraform([]string{s})
		b := text.Append("resource", "a", "b")
		b.Comment(s)
		b.Text("description", s)
		back := fabrictest.Resource(t, fabrictest.ParseHCL(t, "x.tf", text.String()), "a")
		if len(back.Text) != 1 || len(back.Blocks) != 0 {
			t.Errorf("read back as %+v from\n%s", back, text)
		}
	})
}

func TestESPNeedsIt(t *testing.T) {
	p := fabrictest.Authority()
	p.Allows = append(p.Allows, firewall.Allow{Zone: "wan", Interfaces: []string{"eth0"}, Transport: policy.ESP, Why: "tunnel"})
	if _, err := fabric.New(fabric.Format{Name: "test", Lacks: []firewall.Feature{firewall.FeatureESP}}, p); err == nil {
		t.Error("ESP is let pass by a format that lacks it")
	}
	got, err := fabric.New(fabric.Format{Name: "test"}, p)
	if err != nil {
		t.Fatal(err)
	}
	if last := got.Rules[len(got.Rules)-1]; last.Title() != "esp" || last.Sources.Contains(netip.MustParseAddr("10.0.0.9")) || !last.Sources.Contains(netip.MustParseAddr("198.51.100.9")) {
		t.Errorf("the last rule is %+v", last)
	}
}
