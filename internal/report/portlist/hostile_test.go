package portlist

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"reconshield/internal/exposure"
)

// poisoned puts s in every text that a network or a user can fill.
func poisoned(s string) ([]exposure.Observation, Options, Summary) {
	rows := sampleRows()
	word := s
	if word == "" {
		word = "none"
	}
	for i := range rows {
		o := &rows[i]
		o.Reason, o.Detail, o.Vantage = exposure.Reason(word), s, s
		o.Labels = []exposure.Label{exposure.Label(s), exposure.Label(s)}
		o.Service = &exposure.Service{
			Protocol: s, Product: exposure.Product(s), Name: s, Version: s, CPE: s, How: s, Banner: s,
			Confidence: exposure.Confidence(s), Details: []string{s, s, s},
		}
	}
	rows[0].State, rows[1].Transport = exposure.State(word), exposure.Transport(word)
	rows[2].Addr = netip.MustParseAddr("fe80::1").WithZone(s)
	opts := sampleOptions()
	opts.Tool, opts.Version, opts.Args, opts.Mode, opts.TCP, opts.Scope = s, s, []string{s, s}, s, s, []string{s}
	opts.Names = func(netip.Addr) []string { return []string{s, s, s} }
	opts.Registered = func(uint16, exposure.Transport) string { return s }
	summary := sampleSummary()
	summary.Notes, summary.Mode, summary.Shard, summary.Scope = []string{s, s}, s, s, []string{s}
	summary.States[exposure.State(s)] = 1
	return rows, opts, summary
}

// FuzzFormats: whatever stands in a row, every format stays whole, keeps every
// row, and lets no control character through.
func FuzzFormats(f *testing.F) {
	for _, s := range []string{
		"", "plain", hostile, "-->", "]]>", "'", "\"", ",", "\xff\x00\x1b", "%s%n", "a\n=b", "--", "---", "-----",
		strings.Repeat("例", 3000), strings.Repeat("\x00", 5000), strings.Repeat("\"", 9000), strings.Repeat("&", 2000),
		strings.Repeat(" ", 5000),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rows, opts, summary := poisoned(s[:min(len(s), 16<<10)])
		for _, format := range []Format{Table, JSONL, JSON, CSV, XML} {
			path := filepath.Join(t.TempDir(), "out")
			for name, out := range map[string]string{
				"stream": written(t, format, rows, opts, &summary), "file": file(t, format, path, rows, opts, &summary),
			} {
				if !utf8.ValidString(out) {
					t.Fatalf("%s %s: not UTF-8", format, name)
				}
				for _, r := range out {
					if r != '\n' && !unicode.IsPrint(r) {
						t.Fatalf("%s %s: %U got through", format, name, r)
					}
				}
			}
			if format == Table {
				continue
			}
			if got := readRows(t, format, path); got != len(rows) {
				t.Fatalf("%s: %d rows of %d", format, got, len(rows))
			}
		}
	})
}

// TestRowFitsPage: whatever a server says of itself, a row is below a page.
func TestRowFitsPage(t *testing.T) {
	for _, s := range []string{strings.Repeat("\x00", 1<<16), strings.Repeat("\u202e", 1<<14), strings.Repeat(`"`, 1<<16), strings.Repeat("x", 1<<16)} {
		rows, opts, _ := poisoned(s)
		for _, o := range rows {
			for name, encoded := range map[string][]byte{
				"jsonl": jsonLines{opts.encoder()}.row(nil, o), "json": jsonDocument{opts.encoder()}.row(nil, o, false),
				"csv": csvLines{opts.Registered}.row(nil, o), "xml": newXMLDocument(opts).row(nil, o, false),
			} {
				if len(encoded) > pageSize || bytes.Count(encoded, []byte("\n")) != 1 {
					t.Errorf("%s: a row of %d bytes, %d lines", name, len(encoded), bytes.Count(encoded, []byte("\n")))
				}
			}
		}
	}
}
