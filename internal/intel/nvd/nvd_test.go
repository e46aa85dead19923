package nvd

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/intel"
	"reconshield/internal/intel/version"
)

func sample(tb testing.TB) []byte {
	tb.Helper()
	data, err := os.ReadFile("testdata/page.json")
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestParse(t *testing.T) {
	got, err := Parse(bytes.NewReader(sample(t)))
	if err != nil {
		t.Fatal(err)
	}
	keytrap := intel.Affected{
		ID: "CVE-2023-50387", Title: "Certain DNSSEC aspects allow remote attackers to cause CPU consumption (KeyTrap).",
		Confidence: exposure.High, CWE: []string{"CWE-770"}, Published: "2024-02-14",
		CVSS: &intel.Score{Version: "3.1", Vector: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", Score: 7.5, Source: "nvd@nist.gov"},
	}
	of := func(a intel.Affected, p exposure.Product, fixed []string, ranges ...intel.Range) intel.Affected {
		a.Product, a.FixedIn, a.Ranges = p, fixed, ranges
		return a
	}
	one := func(v string) intel.Range { return intel.Range{Introduced: v, LastAffected: v} }
	want := Page{Start: 0, PerPage: 5, Total: 5, Date: "2026-11-20", Records: 5, Rejected: 1, Rows: []intel.Affected{
		of(keytrap, exposure.BIND, nil,
			intel.Range{Introduced: "9.0.0", LastAffected: "9.16.46"}, intel.Range{Introduced: "9.9.3-S1", LastAffected: "9.16.46-S1"}, one("9.18.11-S1")),
		of(keytrap, exposure.Unbound, []string{"1.19.1"}, intel.Range{Fixed: "1.19.1"}),
		of(keytrap, exposure.PDNSRec, []string{"5.0.2"}, intel.Range{Introduced: "5.0.0", Fixed: "5.0.2"}),
		of(keytrap, exposure.Dnsmasq, nil),
		of(intel.Affected{
			ID: "CVE-2015-5477", Title: "TKEY", Confidence: exposure.High, Published: "2015-07-29",
			CVSS: &intel.Score{Version: "2.0", Vector: "AV:N/AC:L/Au:N/C:N/I:N/A:C", Score: 7.8, Source: "nvd@nist.gov"},
		}, exposure.BIND, nil, one("9.9.7-P1"), one("9.10.0rc1"), one("9.10.0b2"), one("9.6-ESV-R5")),
		of(intel.Affected{
			ID: "CVE-2026-10001", Title: "A recursor flaw.", Confidence: exposure.High, Published: "2026-05-01", Disputed: true,
			CVSS: &intel.Score{Version: "4.0", Vector: "CVSS:4.0/AV:N", Score: 8.7, Source: "security@example.org"},
		}, exposure.PDNSRec, nil, one("5.2.0-rc1")),
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestProductsCanBeMatched(t *testing.T) {
	for _, n := range names() {
		if _, err := version.Product(string(n.product)); err != nil {
			t.Errorf("%s: %v", n.cpe, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	page := func(total, start, records string) string {
		return `{"format":"NVD_CVE","totalResults":` + total + `,"startIndex":` + start + `,"resultsPerPage":2,"vulnerabilities":[` + records + `]}`
	}
	scored := func(score string) string {
		return `{"cve":{"id":"CVE-2023-5038","metrics":{"cvssMetricV31":[{"cvssData":{"baseScore":` + score + `}}]}}}`
	}
	const one = `{"cve":{"id":"CVE-2023-50387"}}`
	for _, c := range []struct{ name, text, says string }{
		{"empty", "", "cut off"},
		{"cut", string(sample(t)[:900]), "cut off"},
		{"another format", `{"format":"x","totalResults":0,"vulnerabilities":[]}`, "its format"},
		{"no total", `{"format":"NVD_CVE","vulnerabilities":[]}`, "do not fit together"},
		{"below nought", page("5", "-1", ""), "do not fit together"},
		{"a huge total", page("99999999", "0", one), "do not fit together"},
		{"an endless total", page("1e400", "0", one), "cannot unmarshal"},
		{"more than said", page("1", "0", one+","+one), "says that there are 1"},
		{"empty in the middle", page("9", "2", ""), "empty although"},
		{"a bad id", page("1", "0", `{"cve":{"id":"\u001b[31m"}}`), "no CVE identifier"},
		{"a score of 99", page("1", "0", scored("99")), "not from 0 to 10"},
		{"a score of text", page("1", "0", scored(`"high"`)), "cannot unmarshal"},
		{"a message", `{"message":"Request forbidden by administrative rules."}`, "no array"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %q", err, c.says)
			}
		})
	}
}

func TestTooManyRanges(t *testing.T) {
	one := `{"vulnerable":true,"criteria":"cpe:2.3:a:isc:bind:9.9.7:p1:*:*:*:*:*:*"},`
	text := `{"format":"NVD_CVE","totalResults":1,"vulnerabilities":[{"cve":{"id":"CVE-2023-50387","configurations":[{"nodes":[{"cpeMatch":[` +
		strings.TrimSuffix(strings.Repeat(one, maxRanges+1), ",") + `]}]}]}}]}`
	if _, err := Parse(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "ranges") {
		t.Errorf("error %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, row := range p.Rows {
			for _, g := range row.Ranges {
				if g.Fixed == "" && g.LastAffected == "" {
					t.Errorf("%s: a range without an end", row.ID)
				}
			}
		}
	})
}

func FuzzCPE(f *testing.F) {
	f.Add(`cpe:2.3:a:isc:bind:9.18.11:s1:*:*:supported_preview:*:*:*`)
	f.Add(`cpe:2.3:a:a\:b:c\\:1\.0:*:*:*:*:*:*:*`)
	f.Fuzz(func(t *testing.T, text string) {
		c, ok := parseCPE(text)
		if !ok {
			return
		}
		for _, p := range []exposure.Product{exposure.BIND, exposure.Dnsmasq} {
			if v, ok := c.release(p); ok && !strings.HasPrefix(v, c.version) {
				t.Errorf("%q: release %q of version %q", text, v, c.version)
			}
		}
	})
}
