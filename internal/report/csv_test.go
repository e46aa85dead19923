package report_test

import (
	"encoding/csv"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

// readCSV gives rows by column name, each cell as a reader gets it who takes
// one leading apostrophe off.
func readCSV(t *testing.T, text string) []map[string]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, cell := range row {
			m[rows[0][i]] = strings.TrimPrefix(cell, "'")
		}
		out = append(out, m)
	}
	return out
}

func TestCSVHoldsEveryPortAndFinding(t *testing.T) {
	a := rich()
	ports, findings := 0, 0
	for _, asset := range a.Assets {
		ports += len(asset.Ports)
		findings += len(asset.Findings)
	}
	got := map[string]int{}
	for _, row := range readCSV(t, render(t, report.CSV, a, report.Options{})) {
		got[row["type"]]++
	}
	if diff := cmp.Diff(map[string]int{"port": ports, "finding": findings}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCSVRoundTrip(t *testing.T) {
	rows := readCSV(t, render(t, report.CSV, rich(), report.Options{}))
	i := slices.IndexFunc(rows, func(r map[string]string) bool { return r["id"] == "XFR-1" })
	if i < 0 {
		t.Fatal("XFR-1 is not in the file")
	}
	got := rows[i]
	maps.DeleteFunc(got, func(_, v string) bool { return v == "" })
	want := map[string]string{
		"type": "finding", "address": "192.0.2.53", "names": "ns1.example.net www.example.net", "port": "53", "transport": "tcp",
		"id": "XFR-1", "fingerprint": exposure.Fingerprint("XFR-1", bindAddr, 53, "example.net"), "severity": "high",
		"confidence": "high", "title": "Zone transfer is allowed to anyone", "subject": "example.net",
		"summary": transfer().Summary, "references": "RFC 5936 §5 https://www.rfc-editor.org/rfc/rfc5936#section-5",
		"evidence": got["evidence"], "fix": got["fix"],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(got["fix"], "zone \"example.net\" {\n    allow-transfer { key \"xfer-key\"; };\n};") {
		t.Errorf("the configuration is not whole: %q", got["fix"])
	}
	if n := strings.Count(got["evidence"], "\n"); n != 1 {
		t.Errorf("%d line breaks in two pieces of evidence", n)
	}
}

func TestCSVCellsAreNoFormulas(t *testing.T) {
	for _, title := range []string{
		"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "'", "＝1", "＋1", "－1", "＠x", "plain", "a=1", "",
	} {
		a := clean()
		a.Assets[0].Findings = []exposure.Finding{{ID: "ID-2", Address: unboundAddr, Severity: exposure.LowSev, Title: title}}
		raw, err := csv.NewReader(strings.NewReader(render(t, report.CSV, a, report.Options{}))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		cell := raw[len(raw)-1][slices.Index(raw[0], "title")]
		if strings.IndexAny(cell, "=+-@\t\r＝＋－＠") == 0 {
			t.Errorf("%q is written as %q", title, cell)
		}
		if back := strings.TrimPrefix(cell, "'"); back != report.Sanitize(title) {
			t.Errorf("%q comes back as %q", title, back)
		}
	}
}
