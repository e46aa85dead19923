//go:build linux

package dnscheck

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"reconshield/internal/exposure"
)

// TestAlternativesAreComments: lines that are pasted whole must not carry out
// one alternative after the other.
func TestAlternativesAreComments(t *testing.T) {
	t.Parallel()
	for _, c := range Catalogue() {
		for product, fix := range c.Fixes {
			other := false
			for line := range strings.Lines(fix.Lines) {
				text := strings.TrimSpace(line)
				remark := strings.HasPrefix(text, "#") || strings.HasPrefix(text, "//")
				if other && !remark && text != "" && text != "};" {
					t.Errorf("%s, %s: %q would act beside what it stands in for", c.ID, product, text)
				}
				other = remark && (strings.HasSuffix(text, ":") && strings.Contains(text, " or") || other)
			}
			if remark := strings.Contains(fix.Lines, "-Enable $false"); remark && c.ID != "REC-3" && !strings.Contains(fix.Lines, "# authoritative only:") {
				t.Errorf("%s, %s: recursion is switched off without a word", c.ID, product)
			}
		}
	}
}

// TestKeyedFixesAreAccepted carries out the command that makes the key, and
// gives the lines to the product's own checker.
func TestKeyedFixesAreAccepted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		fixes   Fixes
		product exposure.Product
		folder  string
		more    string
		check   []string
		pkg     string
	}{
		{"XFR-1", transferFixes(), exposure.Knot, "/etc/knot", "", []string{"knotc", "-c", "conf", "conf-check"}, "knot"},
		{"UPD-1", updateFixes(), exposure.Knot, "/etc/knot", "", []string{"knotc", "-c", "conf", "conf-check"}, "knot"},
		{"XFR-1", transferFixes(), exposure.NSD, "/etc/nsd", "    zonefile: example.net.zone\n", []string{"nsd-checkconf", "conf"}, "nsd"},
	} {
		t.Run(tt.name+" "+string(tt.product), func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			lines := strings.ReplaceAll(tt.fixes[tt.product].Lines, tt.folder, home)
			first, _, _ := strings.Cut(lines, "\n")
			maker, ok := strings.CutPrefix(first, "# first: ")
			if !ok {
				t.Fatalf("%q makes no key", first)
			}
			command(t, tt.pkg, "sh", "-c", "PATH=$PATH:/usr/sbin; "+maker)
			file := filepath.Join(home, "conf")
			if err := os.WriteFile(file, []byte(lines+"\n"+tt.more), 0o600); err != nil {
				t.Fatal(err)
			}
			for i, word := range tt.check {
				if word == "conf" {
					tt.check[i] = file
				}
			}
			command(t, tt.pkg, tt.check...)
		})
	}
}
