package intel

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/intel/version"
)

func TestEmbeddedTable(t *testing.T) {
	table := DefaultTable()
	rows, exploited, scores := table.Counts()
	if rows < 540 || exploited != 1653 || scores != 0 {
		t.Errorf("%d rows, %d exploited, %d scores", rows, exploited, scores)
	}
	if table.Date() != "2026-08-21" || table.CatalogueVersion() != "2026.07.23" {
		t.Errorf("the table is of %q, the catalogue of %q", table.Date(), table.CatalogueVersion())
	}
	if !strings.Contains(table.Edition(), table.Date()) {
		t.Errorf("the edition %q does not name the date", table.Edition())
	}
	if added, ok := table.KEV("cve-2020-1350"); added != "2021-11-03" || !ok {
		t.Errorf("CVE-2020-1350: %q, %t", added, ok)
	}
	if _, ok := table.KEV("CVE-2023-50387"); ok {
		t.Error("KeyTrap is not known to be exploited")
	}
}

// Every row must be usable: titled, with readable ranges that hold a version.
func TestRowsCanBeUsed(t *testing.T) {
	table := DefaultTable()
	for _, a := range table.data.Rows {
		if a.Title == "" || len(a.Title) > 130 || strings.ContainsAny(a.Title, "…<>") {
			t.Errorf("%s for %s: title %q", a.ID, a.Product, a.Title)
		}
		if a.Product == exposure.WindowsDNS {
			if len(a.Ranges) > 0 {
				t.Errorf("%s: Windows has ranges that no banner can be compared with", a.ID)
			}
			continue
		}
		if len(a.Ranges) == 0 {
			t.Errorf("%s for %s has no range", a.ID, a.Product)
		}
		for _, r := range a.Ranges {
			end, err := version.Endpoint(a.Product, r.Fixed+r.LastAffected)
			if err != nil {
				t.Errorf("%s for %s: %v", a.ID, a.Product, err)
				continue
			}
			if r.Introduced == "" {
				continue
			}
			first, err := version.Endpoint(a.Product, r.Introduced)
			if err != nil {
				t.Errorf("%s for %s: %v", a.ID, a.Product, err)
				continue
			}
			if c := first.Compare(end); c > 0 || c == 0 && r.Fixed != "" {
				if !first.OpensBranch() || !end.Prerelease() { // from 9.11.0 before 9.11.0rc3: its betas
					t.Errorf("%s for %s: nothing is between %s and %s%s", a.ID, a.Product, r.Introduced, r.Fixed, r.LastAffected)
				}
			}
		}
	}
}

func row(confidence exposure.Confidence, fixed []string, ranges ...Range) *Affected {
	return &Affected{ID: "CVE-2000-0001", Product: exposure.BIND, Title: "an example", Confidence: confidence, FixedIn: fixed, Ranges: ranges}
}

func TestRanges(t *testing.T) {
	const high, low = exposure.High, exposure.Low
	tests := []struct {
		name    string
		a       *Affected
		in, out string // versions, set apart by blanks
	}{
		{"before the fix", row(high, nil, Range{Introduced: "9.16.0", Fixed: "9.16.5"}), "9.16.0 9.16.4 9.16.5rc1 9.16.4-P9", "9.16.5 9.16.5-P1 9.15.9"},
		{"up to and including", row(high, nil, Range{Introduced: "9.16.0", LastAffected: "9.16.5"}), "9.16.5 9.16.5b1", "9.16.5-P1 9.16.6"},
		{"from the first release", row(high, nil, Range{Fixed: "9.4.0"}), "9.0.0 8.2.1 9.4.0rc1", "9.4.0"},
		{"candidates of the first release of a branch", row(high, nil, Range{Introduced: "9.18.0", Fixed: "9.18.1"}), "9.18.0 9.18.0rc1 9.18.0b2", "9.17.22 9.18.1"},
		{"candidates of a later release are no older", row(high, nil, Range{Introduced: "9.18.4", Fixed: "9.18.9"}), "9.18.4", "9.18.4rc1 9.18.3"},
		{"editions are apart", row(high, nil, Range{Introduced: "9.16.0", LastAffected: "9.16.50"}), "9.16.8", "9.16.8-S1"},
		{"the preview's own range", row(high, nil, Range{Introduced: "9.16.8-S1", LastAffected: "9.16.50-S1"}), "9.16.8-S1 9.16.50-S1 9.16.20-S3", "9.16.8 9.16.50-S2 9.16.51-S1 9.11.3-S1"},
		{"extended support by its branch", row(high, nil, Range{Introduced: "9.0.0", Fixed: "9.9.7-P2"}), "9.6-ESV-R11", "9.10-ESV"},
		{"extended support by its own range", row(high, nil, Range{Introduced: "9.0.0", Fixed: "9.9.7"}, Range{Introduced: "9.6-ESV", Fixed: "9.6-ESV-R4-P1"}), "9.6-ESV-R4 9.6-ESV 9.6.1", "9.6-ESV-R4-P1 9.6-ESV-R5"},
		{"only the first fix is known: its branch alone", row(low, nil, Range{Fixed: "9.16.9"}), "9.16.8 9.16.9rc1", "9.11.1 9.16.9 9.14.2"},
		{"fixed in an older branch, too", row(high, []string{"9.11.20", "9.16.9"}, Range{Fixed: "9.16.9"}), "9.11.19 9.14.3 9.16.8", "9.11.20 9.11.36 9.16.9"},
		{"a range of the branch itself is not undone by an earlier fix", row(high, []string{"9.8.4-P2"}, Range{Introduced: "9.8.5b1", Fixed: "9.8.5b2"}), "9.8.5b1", "9.8.5b2 9.8.4-P2"},
		{"no end", row(high, nil, Range{Introduced: "9.0.0"}), "", "9.0.0 9.18.0"},
		{"unreadable ends", row(high, nil, Range{Introduced: "x", Fixed: "9.9.9"}, Range{Fixed: "9.11.0.a20151215"}, Range{Fixed: "soon"}), "", "9.0.0 9.18.0"},
		{"no range", row(high, nil), "", "9.0.0"},
	}
	for _, tt := range tests {
		for want, texts := range map[bool]string{true: tt.in, false: tt.out} {
			for text := range strings.FieldsSeq(texts) {
				v, err := version.Parse(exposure.BIND, text)
				if err != nil {
					t.Fatal(err)
				}
				if got := covers(tt.a, v); got != want {
					t.Errorf("%s: %s: got %t", tt.name, text, got)
				}
			}
		}
	}
}

// The JSON names are a contract with other programs.
func TestMatchJSON(t *testing.T) {
	table := NewTable(Data{Date: "2026-01-02", Rows: []Affected{
		{ID: "CVE-2000-0001", Product: exposure.BIND, Title: "scored", Confidence: exposure.High, CVSS: &Score{Score: 7.5}, FixedIn: []string{"9.16.9", "9.18.2"}, Ranges: []Range{{Fixed: "9.16.9"}, {Introduced: "9.18.0", Fixed: "9.18.2"}}},
		{ID: "CVE-2000-0002", Product: exposure.BIND, Title: "nobody has scored it", Confidence: exposure.Medium, Ranges: []Range{{LastAffected: "9.16.8"}}},
	}}, Catalogue{Version: "2026.01.01", Entries: []Exploited{{ID: "CVE-2000-0002", Added: "2025-12-31"}}}, Probabilities{Date: "2026-01-01", Scores: map[string]float64{"CVE-2000-0001": 0.25}})
	got, err := table.Match("BIND 9", "9.16.8")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"product":"bind","version":"9.16.8","distribution":false,` +
		`"table":"DNS server vulnerabilities of 2026-01-02, known exploited vulnerabilities 2026.01.01, EPSS of 2026-01-01","matches":[` +
		`{"cve":"CVE-2000-0002","title":"nobody has scored it","severity":"unscored","cvss":null,"kev":true,"kev_added":"2025-12-31","fixed_in":[],"confidence":"medium","url":"https://www.cve.org/CVERecord?id=CVE-2000-0002"},` +
		`{"cve":"CVE-2000-0001","title":"scored","severity":"high","cvss":7.5,"epss":0.25,"kev":false,"fixed_in":["9.16.9"],"confidence":"high","url":"https://www.cve.org/CVERecord?id=CVE-2000-0001"}]}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
	none, err := table.Match("bind", "9.18.9")
	if err != nil {
		t.Fatal(err)
	}
	if text, _ = json.Marshal(none); !strings.Contains(string(text), `"matches":[]`) {
		t.Errorf("no match must be an empty list: %s", text)
	}
}

func TestMatchByProduct(t *testing.T) {
	tests := []struct {
		product, version string
		want             string // one CVE that must match; "": none at all
		err              error
	}{
		{"bind", "9.16.50-S1", "CVE-2025-40776", nil},
		{"BIND9", "9.16.50", "CVE-2024-1737", nil},
		{"powerdns-recursor", "4.9.8", "CVE-2024-25590", nil},
		{"PowerDNS Recursor", "4.9.8", "CVE-2024-25590", nil},
		{"pdns-auth", "4.9.13", "CVE-2026-33257", nil},
		{"powerdns-auth", "v4.9.13", "CVE-2026-33257", nil},
		{"pihole", "5.17", "CVE-2024-34361", nil},
		{"adguardhome", "v0.107.52", "CVE-2026-32136", nil},
		{"windows-dns", "10.0.17763", "", nil},
		{"bind", "9", "", version.ErrVersion},
		{"bind", "", "", version.ErrVersion},
		{"apache", "2.4.1", "", version.ErrProduct},
		{"", "2.4.1", "", version.ErrProduct},
	}
	for _, tt := range tests {
		got, err := DefaultTable().Match(tt.product, tt.version)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s %s: got %v, want %v", tt.product, tt.version, err, tt.err)
		}
		has := slices.ContainsFunc(got.Matches, func(m Match) bool { return m.CVE == tt.want })
		if tt.want != "" && !has || tt.want == "" && len(got.Matches) > 0 {
			t.Errorf("%s %s: want %q, got %d matches", tt.product, tt.version, tt.want, len(got.Matches))
		}
	}
}

func TestAdvisories(t *testing.T) {
	tests := []struct {
		name       string
		s          exposure.Service
		want       string // a CVE; "": none at all
		confidence exposure.Confidence
		builder    string
	}{
		{"by the banner", exposure.Service{Product: exposure.BIND, Version: "9.16.50", Banner: "9.16.50", Confidence: exposure.High}, "CVE-2024-1737", exposure.High, ""},
		{"the banner knows the builder", exposure.Service{Product: exposure.Dnsmasq, Version: "2.90", Banner: "dnsmasq-pi-hole-v2.90", Confidence: exposure.High}, "CVE-2026-2291", exposure.Low, "Pi-hole"},
		{"by the version alone", exposure.Service{Product: exposure.PDNSRec, Version: "4.9.8"}, "CVE-2024-25590", exposure.Medium, ""},
		{"by the name", exposure.Service{Name: "PowerDNS dnsdist", Version: "1.9.3"}, "CVE-2024-25581", exposure.Medium, ""},
		{"perhaps the version of a server behind it", exposure.Service{Product: exposure.BIND, Version: "9.16.50", Confidence: exposure.Low}, "CVE-2024-1737", exposure.Low, ""},
		{"the banner is made up", exposure.Service{Product: exposure.Unbound, Banner: "9.16.50"}, "", "", ""},
		{"no version", exposure.Service{Product: exposure.BIND}, "", "", ""},
		{"no DNS server", exposure.Service{Name: "OpenBSD OpenSSH", Version: "9.2p1"}, "", "", ""},
		{"Windows", exposure.Service{Product: exposure.WindowsDNS, Version: "10.0.17763"}, "", "", ""},
	}
	for _, tt := range tests {
		got := DefaultTable().Advisories(tt.s)
		i := slices.IndexFunc(got, func(a Advisory) bool { return a.ID == tt.want })
		switch {
		case tt.want == "" && len(got) > 0, tt.want != "" && i < 0:
			t.Errorf("%s: got %d advisories", tt.name, len(got))
		case i >= 0 && (got[i].Confidence != tt.confidence || got[i].Builder != tt.builder):
			t.Errorf("%s: got %s confidence, built by %q", tt.name, got[i].Confidence, got[i].Builder)
		}
	}
}

func TestPagesOfVulnerabilities(t *testing.T) {
	table := DefaultTable()
	list := table.ForProduct(exposure.BIND)
	if len(list) < 150 || !slices.IsSortedFunc(list, func(a, b Vulnerability) int {
		switch {
		case a.KEV != b.KEV:
			return 0
		case a.CVSS < b.CVSS:
			return 1
		}
		return 0
	}) {
		t.Errorf("%d vulnerabilities of BIND, or not the worst first", len(list))
	}
	if got := table.Vulnerability("cve-2023-50387"); len(got) < 6 {
		t.Errorf("KeyTrap bears on %d products", len(got))
	}
	if got := table.Vulnerability("CVE-2020-8816"); len(got) != 1 || !got[0].KEV || got[0].Title == "" {
		t.Errorf("known from the catalogue alone: %+v", got)
	}
	if table.Vulnerability("CVE-1999-0000") != nil || table.ForProduct("apache") != nil {
		t.Error("something is known of nothing")
	}
}

func TestNewerDataReplaceOlder(t *testing.T) {
	old := NewTable(Data{Date: "2026-01-01", Rows: []Affected{
		{ID: "CVE-2000-0001", Product: exposure.BIND, Title: "by hand", Needs: "V", Confidence: exposure.High, Ranges: []Range{{Fixed: "9.16.9"}}},
		{ID: "CVE-2000-0002", Product: exposure.BIND, Title: "stays", Confidence: exposure.High, Ranges: []Range{{Fixed: "9.16.9"}}},
	}}, Catalogue{Version: "old"}, Probabilities{})
	d := Data{Date: "2026-02-01", Rows: []Affected{
		{ID: "CVE-2000-0001", Product: exposure.BIND, Title: "of the feed", Confidence: exposure.High, CVSS: &Score{Score: 9.8}, Ranges: []Range{{Fixed: "9.16.20"}}},
		{ID: "CVE-2000-0003", Product: exposure.Unbound, Title: "new", Confidence: exposure.High, Ranges: []Range{{Fixed: "1.20.0"}}},
	}}
	updated := old.With(&d, &Catalogue{Version: "new", Entries: []Exploited{{ID: "CVE-2000-0003", Added: "2026-01-15"}}}, nil)
	m, err := updated.Match("bind", "9.16.10")
	if err != nil || len(m.Matches) != 1 || m.Matches[0].Title != "by hand" || m.Matches[0].Severity != exposure.Critical || m.Matches[0].needs != "V" {
		t.Errorf("got %+v, %v", m.Matches, err)
	}
	if m, _ = old.Match("bind", "9.16.10"); len(m.Matches) != 0 {
		t.Errorf("the older table changed: %+v", m.Matches)
	}
	if rows, _, _ := updated.Counts(); rows != 3 || updated.Date() != "2026-02-01" || updated.CatalogueVersion() != "new" {
		t.Errorf("%d rows of %s, catalogue %s", rows, updated.Date(), updated.CatalogueVersion())
	}
	if m, _ = updated.Match("unbound", "1.19.0"); len(m.Matches) != 1 || !m.Matches[0].KEV {
		t.Errorf("got %+v", m.Matches)
	}
	if same := updated.With(nil, nil, nil); same.Edition() != updated.Edition() {
		t.Errorf("got %s, want %s", same.Edition(), updated.Edition())
	}
}

func BenchmarkMatchText(b *testing.B) {
	table := DefaultTable()
	for b.Loop() {
		if _, err := table.MatchText("9.16.50"); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzMatchText(f *testing.F) {
	for _, s := range []string{"BIND 9.16.50", "9.11.4-P2-RedHat-9.11.4-26.P2.el7_9.13", "dnsmasq-pi-hole-v2.90", "unbound 1.17.1", "9.6-ESV-R4-P3", "Knot DNS 2.5.0-dev", "PowerDNS Recursor 4.0.0-alpha2"} {
		f.Add(s)
	}
	table := DefaultTable()
	f.Fuzz(func(t *testing.T, text string) {
		m, err := table.MatchText(text)
		if err != nil {
			if len(m.Matches) > 0 || strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("%q: %d matches beside %q", text, len(m.Matches), err)
			}
			return
		}
		if len(m.Version) > len(text) || m.Version == "" {
			t.Errorf("%q: version %q", text, m.Version)
		}
		again, err := table.Match(string(m.Product), m.Version)
		if err != nil || again.Version != m.Version {
			t.Errorf("%q: read as %s %s, which is read as %q, %v", text, m.Product, m.Version, again.Version, err)
		}
	})
}
