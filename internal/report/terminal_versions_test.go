package report_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

// An old release has many known vulnerabilities; they must not drown what was
// proven, and none may be lost.
func TestVersionsDoNotDrownTheReport(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.53")
	with := func(n int) *exposure.Assessment {
		a := exposure.Asset{Address: addr, Findings: []exposure.Finding{{ID: "REC-1", Severity: exposure.HighSev, Title: "Open recursive resolver", Address: addr, Port: 53}}}
		for i := range n {
			id := fmt.Sprintf("CVE-2026-%04d", i+1)
			a.Findings = append(a.Findings, exposure.Finding{
				ID: "VER-1", Severity: exposure.MediumSev, Title: id + ": an example", Subject: id, Address: addr, Port: 53, Why: "of its version",
			})
		}
		return &exposure.Assessment{Assets: []exposure.Asset{a}}
	}
	tests := []struct {
		n       int
		verbose bool
		full    int
		more    string
	}{
		{0, false, 0, ""},
		{3, false, 3, ""},
		{4, false, 4, ""},
		{5, false, 3, "2 more of VER-1"},
		{40, false, 3, "37 more of VER-1"},
		{40, true, 40, ""},
	}
	for _, tt := range tests {
		out := render(t, report.Terminal, with(tt.n), report.Options{Verbose: tt.verbose, Width: 100})
		if got := strings.Count(out, ": an example"); got != tt.full || !strings.Contains(out, "REC-1") {
			t.Errorf("%d findings, verbose %t: %d in full, want %d", tt.n, tt.verbose, got, tt.full)
		}
		if got := strings.Contains(out, "more of VER-1"); got != (tt.more != "") || !strings.Contains(out, tt.more) {
			t.Errorf("%d findings, verbose %t: does not say %q:\n%s", tt.n, tt.verbose, tt.more, out)
		}
	}
	if out := render(t, report.JSON, with(40), report.Options{}); strings.Count(out, ": an example") != 40 {
		t.Error("the JSON report does not hold all of them")
	}
}
