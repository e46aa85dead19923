package fortios_test

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
	"reconshield/internal/firewall/fortios"
)

// Very large and very nested configurations end in bounded time.
func TestHostileSizes(t *testing.T) {
	var many strings.Builder
	many.WriteString("config firewall address\n")
	for i := range 100_000 {
		fmt.Fprintf(&many, "edit a%d\nset subnet 10.%d.%d.%d 255.255.255.255\nnext\n", i, i>>16, i>>8&255, i&255)
	}
	many.WriteString("end\nconfig firewall policy\n")
	for i := range 100_000 {
		fmt.Fprintf(&many, "edit %d\nset srcintf any\nset dstintf any\nset srcaddr a%d\nset dstaddr all\nset action accept\nset schedule always\nset service ALL\nnext\n", i+1, i)
	}
	many.WriteString("end\n")
	accept := func(rest string) string {
		return block("firewall policy", "1", "set srcintf any", "set dstintf any", "set srcaddr all", "set action accept", "set schedule always", "set "+rest)
	}
	nested := func(block, kind string) string {
		text := "config firewall " + block + "\n"
		for i := range 5000 {
			text += fmt.Sprintf("edit g%d\nset member g%d g%d g%d\nnext\n", i, (i*7+1)%5000, (i*11+3)%5000, i+1)
		}
		return text + "end\n" + accept(kind)
	}
	var vips strings.Builder
	vips.WriteString("config firewall vip\n")
	for i := range 10_000 {
		fmt.Fprintf(&vips, "edit v%d\nset extip 192.0.2.%d\nset mappedip 10.0.%d.%d\nset portforward enable\nset extport %d\nnext\n", i, i%200, i>>8, i&255, i%5000+1)
	}
	vips.WriteString("end\nconfig firewall vipgrp\nedit all\nset member")
	for i := range 10_000 {
		fmt.Fprintf(&vips, " v%d", i)
	}
	vips.WriteString("\nnext\nend\nconfig firewall policy\n")
	for i := range 20_000 {
		fmt.Fprintf(&vips, "edit %d\nset srcintf any\nset dstintf any\nset srcaddr all\nset dstaddr all\nset action deny\nset schedule always\nset service ALL\nnext\n", i+1)
	}
	vips.WriteString("end\n")
	garbage := strings.Repeat("config firewall policy\nx\nend\n", 100_000)
	for name, text := range map[string]string{"rules": many.String(), "groups": nested("addrgrp", "dstaddr g0\nset service ALL"), "services": nested("service group", "dstaddr all\nset service g0"), "garbage": garbage, "virtual IPs": vips.String()} {
		start := time.Now()
		rs := read(t, text)
		if got := ask(t, rs, "wan1", "10.1.2.3 > 192.0.2.53 udp/53"); name == "rules" && got != "REACHABLE" || name != "rules" && got == "REACHABLE" {
			t.Errorf("%s: got %s", name, got)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s: took %s", name, took)
		}
		if len(rs.Unparsed) > 1001 {
			t.Errorf("%s: %d pieces are not read", name, len(rs.Unparsed))
		}
	}
}

func TestReadErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", "expected the configuration of a FortiGate"},
		{"hello\n", "expected the configuration of a FortiGate"},
		{"end\n", "f:1: end outside of a block"},
		{"config firewall policy\nedit 1\n", "f:3: the text ends within config firewall policy"},
		{"config firewall policy\nedit 1 2\nend\n", "f:2: expected edit with one name"},
		{"config\n", "expected config with a name"},
		{strings.Repeat("config a\n", 100), "at most 16 within each other"},
	}
	for _, tt := range tests {
		_, err := fortios.Parse("f", []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %v, want %q", tt.text, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(fixture(f)))
	f.Add([]byte("config vdom\nedit root\nconfig firewall policy\nedit 1\nset action accept\nnext\nend\nnext\nend\n"))
	f.Add([]byte("config firewall vip\nedit a\nset extip 192.0.2.1-192.0.2.9\nset mappedip \"10.0.0.1-10.0.0.9\"\nnext\nend\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rs, err := fortios.Parse("f", text)
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
