package junos_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud/cloudtest"
	"reconshield/internal/firewall/junos"
)

// Very large and very nested configurations end in bounded time.
func TestHostileSizes(t *testing.T) {
	const global = "set security policies global policy p%d match source-address a%d\nset security policies global policy p%d match destination-address any\n" +
		"set security policies global policy p%d match application any\nset security policies global policy p%d then permit\n"
	var many strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, "set security address-book global address a%d 10.%d.%d.%d/32\n", i, i>>16, i>>8&255, i&255)
		fmt.Fprintf(&many, global, i, i, i, i, i)
	}
	permit := "set security policies global policy p then permit\nset security policies global policy p match source-address any\nset security policies global policy p match "
	var sets, apps, groups strings.Builder
	for i := range 5000 {
		for _, j := range []int{(i*7 + 1) % 5000, (i*11 + 3) % 5000, i + 1} {
			fmt.Fprintf(&sets, "set security address-book global address-set s%d address-set s%d\n", i, j)
			fmt.Fprintf(&apps, "set applications application-set s%d application-set s%d\n", i, j)
		}
		fmt.Fprintf(&groups, "set groups g%d security policies global policy p then deny\nset apply-groups g%d\n", i, i)
	}
	sets.WriteString(permit + "destination-address s0\n" + permit + "application any\n")
	apps.WriteString(permit + "destination-address any\n" + permit + "application s0\n")
	groups.WriteString(permit + "destination-address any\n" + permit + "application any\n")
	garbage := "set security policies default-policy deny-all\n" + strings.Repeat("insert x\n", 1_000_000)
	deep := "security " + strings.Repeat("{ a ", 60) + strings.Repeat("; }", 60)
	for name, text := range map[string]string{"rules": many.String(), "sets": sets.String(), "applications": apps.String(), "groups": groups.String(), "garbage": garbage, "deep": deep} {
		start := time.Now()
		rs, err := junos.Parse("f", []byte(text))
		if err != nil {
			if name != "deep" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if got := ask(t, rs, "a.0", "10.1.2.3 > 192.0.2.53 udp/53"); name != "deep" && name != "garbage" && (name == "rules") != (got == "REACHABLE") {
			t.Errorf("%s: got %s", name, got)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s: took %s", name, took)
		}
		if len(rs.Unparsed) > 2002 {
			t.Errorf("%s: %d pieces are not read", name, len(rs.Unparsed))
		}
	}
}

func TestReadErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"hello", "within a block"},
		{"system { host-name a; }", "expected the output of show configuration"},
		{"security { policies }", "expected ; before }"},
		{"security { policies;", "within a block"},
		{"security { a \"b; }", "quotation"},
		{"security;\n}", "f:2: expected ;"},
		{strings.Repeat("a { ", 100), "at most 64 blocks"},
	}
	for _, tt := range tests {
		_, err := junos.Parse("f", []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v, want %q", tt.text, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	text := fixture(f)
	f.Add([]byte(text))
	f.Add([]byte(strings.Join(flatten(text), "\n")))
	f.Add([]byte("set security policies global policy a then permit\nset groups g security x\nset apply-groups g\ndelete groups g\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rs, err := junos.Parse("f", text)
		if (rs == nil) == (err == nil) {
			t.Fatal("expected either a ruleset or an error")
		}
		if err == nil {
			cloudtest.Check(t, rs)
			firewall.NewEvaluator(rs)
		}
	})
}

// TestGolden holds what is read of the fixture, rule by rule.
func TestGolden(t *testing.T) {
	rs := read(t, fixture(t))
	lines := cloudtest.Lines(rs)
	for _, r := range rs.Host.Routes {
		lines = append(lines, fmt.Sprintf("route %s through %s", r.Prefix, r.Interface))
	}
	for _, p := range firewall.Prefixes(rs.Host.Local) {
		lines = append(lines, "own "+p.String())
	}
	for _, a := range rs.Assumed {
		lines = append(lines, "assumed: "+a)
	}
	got, path := strings.Join(lines, "\n")+"\n", filepath.Join("testdata", "read.golden")
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("what is read changed (-want +got); run with -update if that is meant:\n%s", diff)
	}
}
