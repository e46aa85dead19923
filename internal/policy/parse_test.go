package policy_test

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/policy"
)

var update = flag.Bool("update", false, "write the goldens anew")

func read(tb testing.TB, path string) []byte {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func parsed(tb testing.TB, path string) *policy.Policy {
	tb.Helper()
	p, err := policy.Parse(filepath.Base(path), read(tb, path))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, path)), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func files(t *testing.T, pattern string, least int) []string {
	t.Helper()
	all, err := filepath.Glob(pattern)
	if err != nil || len(all) < least {
		t.Fatalf("%s: %d files, %v", pattern, len(all), err)
	}
	return all
}

// Each file of testdata/bad breaks one rule; its first line says which.
func TestBadFilesSayWhatToMend(t *testing.T) {
	var b strings.Builder
	for _, path := range files(t, "testdata/bad/*.yaml", 60) {
		_, err := policy.Parse(filepath.Base(path), read(t, path))
		if err == nil {
			t.Errorf("%s: accepted", path)
			continue
		}
		var all policy.Errors
		if !errors.As(err, &all) {
			t.Errorf("%s: %T is not Errors", path, err)
		}
		for _, e := range all {
			if line := e.Error(); strings.ContainsAny(line, "\n\x1b") || e.Line == 0 {
				t.Errorf("%s: no good line: %q", path, line)
			}
		}
		fmt.Fprintln(&b, err)
	}
	golden(t, "testdata/bad.golden", b.String())
}

func TestGrantsOfTheGoodFiles(t *testing.T) {
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, path := range files(t, "testdata/good/*.yaml", 3) {
		p := parsed(t, path)
		var b strings.Builder
		for _, g := range p.Grants(at) {
			end := ""
			if !g.Until.IsZero() {
				end = " until " + g.Until.Format(time.DateOnly)
			}
			fmt.Fprintf(&b, "%s %s from %s %v%s\t%s %d:%d %s\n", g.Asset.Name, g.Ports, g.Zone.Name, g.Sources, end, g.Rule.Kind, g.Rule.At.Line, g.Rule.At.Column, g.Rule.Text)
		}
		for _, w := range p.Warnings(at) {
			fmt.Fprintln(&b, w)
		}
		golden(t, strings.TrimSuffix(path, ".yaml")+".golden", b.String())
	}
}

func TestParseKeepsWhatTheFileSays(t *testing.T) {
	p := parsed(t, "testdata/good/everything.yaml")
	gw, _ := p.Asset("gw")
	got := []any{
		p.Zones[1].Interfaces, p.Zones[0].Vantage, gw.DNSNames, gw.Firewall, gw.Gateway, gw.Expose[0].Why, p.Exceptions[0].Why,
		p.Assets[4].Waiver.Until.Format(time.DateOnly), p.Exceptions[0].Until.Format(time.DateOnly), fmt.Sprint(p.Resolvers), p.Default,
		p.Zones[3].At, gw.At, gw.Expose[0].At, p.Exceptions[0].At, p.DefaultAt,
	}
	f := "everything.yaml"
	want := []any{
		[]string{"eth1", "eth1.20"},
		"probe-1",
		[]string{"gw.example.net", "_dmarc.example.net"},
		"nftables", true, "the operators' desks", "a branch office without a tunnel",
		"2027-06-30", "2027-01-31", "[10.0.0.53 2001:db8::5353]", policy.Deny,
		policy.Position{File: f, Line: 12, Column: 3},
		policy.Position{File: f, Line: 16, Column: 5},
		policy.Position{File: f, Line: 24, Column: 9},
		policy.Position{File: f, Line: 47, Column: 5},
		policy.Position{File: f, Line: 57, Column: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestManyErrorsAreCounted(t *testing.T) {
	text := "assets:\n" + strings.Repeat("  - {}\n", 200)
	_, err := policy.Parse("p.yaml", []byte(text))
	var all policy.Errors
	if !errors.As(err, &all) || len(all) != 50 {
		t.Fatalf("%d errors", len(all))
	}
	if got, want := all[49].Error(), "p.yaml: 351 more errors follow; mend these first"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var one policy.Error
	if !errors.As(err, &one) || one.Line != 2 {
		t.Errorf("the first fault is not unwrapped: %v", one)
	}
}

// What a parser of YAML can be made to waste is refused before it begins.
func TestHostileText(t *testing.T) {
	many := func(n int, f func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(f(i))
		}
		return b.String()
	}
	tests := []struct{ name, text, want string }{
		{"too large", strings.Repeat("#", policy.MaxSize+1), "are too many"},
		{"deep lists in brackets", "zones: " + strings.Repeat("[", 100_000), "within each other"},
		{"deep maps in braces", "zones: " + strings.Repeat("{a: ", 100_000), "within each other"},
		{"deep dashes", strings.Repeat("- ", 100_000), "within each other"},
		{"deep indentation", many(500, func(i int) string { return strings.Repeat(" ", i) + "a:\n" }), "within each other"},
		{"keys without end", many(300_000, func(i int) string { return fmt.Sprintf("k%d: v\n", i) }), "keys in one map"},
		{"keys without end in braces", "a: {" + many(300_000, func(i int) string { return fmt.Sprintf("k%d: v,", i) }) + "}", "keys in one map"},
		{"billion laughs", "a: &a [x, x]\nb: &b [*a, *a]\n", "anchors"},
		{"assets without end", "assets:\n" + many(10_001, func(i int) string { return fmt.Sprintf("- {name: a%d, addresses: [10.%d.%d.1]}\n", i, i/256, i%256) }), "more than 10000 assets"},
		{"zones without end", "zones:\n" + many(300, func(i int) string { return fmt.Sprintf("  z%d: {}\n", i) }), "more than 256 zones"},
		{"grants without end", "zones:\n" + many(250, func(i int) string { return fmt.Sprintf("  z%d: {}\n", i) }) + "assets:\n" + many(2000, func(i int) string {
			return fmt.Sprintf("- {name: a%d, addresses: [10.%d.%d.1], role: authoritative-dns}\n", i, i/256, i%256)
		}), "too many rules"},
		{"sources times networks", "zones:\n  lan:\n    networks:\n" + many(20_000, func(i int) string { return fmt.Sprintf("    - 10.%d.%d.0/24\n", i/256, i%256) }) +
			"assets:\n- name: a\n  addresses: [192.0.2.1]\n  expose:\n  - ports: [80/tcp]\n    to: [lan]\n    from:\n" + many(20_000, func(i int) string { return fmt.Sprintf("    - 11.%d.%d.0/24\n", i/256, i%256) }), "too many sources"},
		{"names without end", "assets:\n- name: a\n  addresses: [192.0.2.1]\n  names: [" + many(300_000, func(i int) string { return fmt.Sprintf("n%d, ", i) }) + "]\n", "more than 1024 names"},
		{"not UTF-8", "zones:\n  \xff", "p.yaml:2:3: byte 0xff is not UTF-8"},
		{"a control character", "zones: \x1b[2J", "p.yaml:1:8: control character 0x1b"},
	}
	for _, tt := range tests {
		start := time.Now()
		_, err := policy.Parse("p.yaml", []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%s: took %s", tt.name, d)
		}
	}
}

func TestNamesCannotCarrySyntax(t *testing.T) {
	for _, bad := range []string{"a b", "a;b", "a'b", `a"b`, "a$b", "a`b", "a{b", "-a", ".a", "", strings.Repeat("a", 64), "é", "a\nb"} {
		text := fmt.Sprintf("assets: [{name: %q, addresses: [192.0.2.1]}]", bad)
		if _, err := policy.Parse("", []byte(text)); err == nil {
			t.Errorf("name %q: accepted", bad)
		}
		if bad == "" || bad == "a b" {
			continue
		}
		if _, err := policy.Parse("", fmt.Appendf(nil, "zones: {lan: {interfaces: [%q]}}", bad)); err == nil {
			t.Errorf("interface %q: accepted", bad)
		}
	}
	for _, good := range []string{"eth0", "eth0.5", "wg+", "wlan*", "GigabitEthernet0/0", "ge-0/0/0.0", "Ethernet 2", "br-lan", "eth0:1"} {
		if _, err := policy.Parse("", fmt.Appendf(nil, "zones: {lan: {interfaces: [%q]}}", good)); err != nil {
			t.Error(err)
		}
	}
}

func TestParsePorts(t *testing.T) {
	for in, want := range map[string]string{
		"22/tcp": "[22/tcp]", "53": "[53/tcp 53/udp]", "8000-8080/udp": "[8000-8080/udp]", "1-65535": "[1-65535/tcp 1-65535/udp]",
		"": "error", "/tcp": "error", "0/tcp": "error", "65536/tcp": "error", "22/sctp": "error", "22/TCP": "error", "80-22/tcp": "error", "022/tcp": "error", "+22": "error", "22-/tcp": "error", "22/tcp/udp": "error", "1-2-3": "error",
	} {
		ports, err := policy.ParsePorts(in)
		got := fmt.Sprint(ports)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %s (%v), want %s", in, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		all, _ := filepath.Glob(pattern)
		for _, path := range all {
			f.Add(read(f, path))
		}
	}
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := policy.Parse("p.yaml", text)
		if err != nil {
			var all policy.Errors
			if !errors.As(err, &all) || len(all) == 0 || len(all) > 50 {
				t.Fatalf("%T %v", err, err)
			}
			for _, e := range all {
				if strings.ContainsAny(e.Error(), "\n\x1b\x00") {
					t.Fatalf("not one line: %q", e.Error())
				}
			}
			return
		}
		for _, g := range p.Grants(at) {
			source := netip.MustParseAddr("203.0.113.9")
			if len(g.Sources) > 0 {
				source = g.Sources[0].Addr()
			}
			for _, target := range g.Asset.Addresses {
				flow := policy.Flow{Zone: g.Zone.Name, Source: source, Target: target, Transport: g.Ports.Transport, Port: g.Ports.First}
				if d := p.Decide(flow, at); d.Verdict != policy.Allow && source.BitLen() == target.BitLen() {
					t.Fatalf("%+v is granted and denied", flow)
				}
			}
		}
		p.Warnings(at)
	})
}
