package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

// poisoned puts s in every text that a network, a name or a user can fill.
func poisoned(s string) *exposure.Assessment {
	a := rich()
	a.Tool, a.Version, a.Vantage, a.Profile, a.Scope, a.Warnings = s, s, s, s, []string{s}, []string{s}
	a.Unmeasured = []exposure.Gap{{What: s, Why: s, Remedy: s, Address: s}}
	a.Assets = a.Assets[1:4]
	a.Quiet[0].Ports, a.Quiet[0].Reason = s, exposure.Reason(s)
	for i := range a.Assets {
		asset := &a.Assets[i]
		asset.Names, asset.Zones, asset.Labels = []string{s, s}, []string{s}, append(asset.Labels, exposure.Label(s))
		asset.Ports = asset.Ports[:min(len(asset.Ports), 3)]
		asset.Checks = asset.Checks[:min(len(asset.Checks), 3)]
		for j := range asset.Ports {
			p := &asset.Ports[j]
			p.Reason, p.Detail, p.Labels = exposure.Reason(s), s, []exposure.Label{exposure.Label(s)}
			p.Service = &exposure.Service{
				Protocol: s, Product: exposure.Product(s), Name: s, Version: s, CPE: s, How: s, Banner: s, Details: []string{s},
			}
		}
		for j := range asset.Checks {
			c := &asset.Checks[j]
			c.ID, c.Subject, c.Reason = s, s, s
		}
		for j := range asset.Findings {
			f := &asset.Findings[j]
			f.ID, f.Fingerprint, f.Title, f.Summary, f.Why, f.Subject = s, s, s, s, s, s
			f.Evidence = []exposure.Evidence{{Query: s, Response: s, Rcode: s, From: s, Note: s, Raw: []byte(s)}}
			f.Fix = []exposure.Fix{{Kind: "configuration", For: s, Text: s, Lines: s}, {Kind: "firewall", For: s, Text: s, Lines: s}}
			f.References = []exposure.Reference{{Title: s, URL: s}, {Title: s, URL: "https://" + s}}
		}
	}
	return a
}

// FuzzReports: whatever stands in an assessment, every format stays whole and
// lets no control character through.
func FuzzReports(f *testing.F) {
	for _, s := range []string{"", "plain", hostile, "</script>{{.}}", strings.Repeat("例", 400), "\xff\x00\x1b", "%s%n", "a\n=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a := poisoned(s[:min(len(s), 2048)])
		for _, format := range report.Formats() {
			var b bytes.Buffer
			if err := report.Write(&b, format, a, report.Options{Verbose: len(s)%2 == 0, Width: 80}); err != nil {
				t.Fatalf("%s: %v", format, err)
			}
			out := b.String()
			if !utf8.ValidString(out) {
				t.Fatalf("%s: not UTF-8", format)
			}
			for _, r := range out {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Fatalf("%s: %U got through", format, r)
				}
			}
			checkWhole(t, format, out)
		}
	})
}

func checkWhole(t *testing.T, format report.Format, out string) {
	t.Helper()
	switch format {
	case report.JSON, report.SARIF:
		if !json.Valid([]byte(out)) {
			t.Fatalf("%s: not JSON", format)
		}
	case report.JSONL:
		for line := range strings.Lines(out) {
			if !json.Valid([]byte(line)) {
				t.Fatalf("not JSON: %s", line)
			}
		}
	case report.CSV:
		if _, err := csv.NewReader(strings.NewReader(out)).ReadAll(); err != nil {
			t.Fatal(err)
		}
	case report.HTML:
		if strings.Contains(out, "<script") || strings.Contains(out, "ZgotmplZ") {
			t.Fatal("markup got through, or the template refused a value")
		}
	case report.Terminal:
	}
}

// TestManyAssets: the time grows with the number of assets, not with its square.
func TestManyAssets(t *testing.T) {
	a := rich()
	model := bindAsset()
	a.Assets = nil
	addr := bindAddr
	for range 1024 {
		next := model
		next.Address = addr
		next.Findings = nil
		a.Assets = append(a.Assets, next)
		addr = addr.Next()
	}
	start := time.Now()
	for _, f := range report.Formats() {
		render(t, f, a, report.Options{})
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("1024 assets took %s", d)
	}
}
