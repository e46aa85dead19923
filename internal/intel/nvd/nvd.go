// Package nvd reads answers of the National Vulnerability Database's API 2.0
// (/rest/json/cves/2.0) into the affected releases of the DNS servers that
// ReconShield knows. It fetches nothing; Queries lists what to ask for.
package nvd

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/intel"
	"reconshield/internal/intel/feed"
)

// Limits of one answer, which holds up to 2,000 records of some 10 kB.
const (
	MaxBytes   = 96 << 20
	maxRecords = 2_000
	maxRecord  = 8 << 20
	maxTotal   = 1_000_000
	maxTitle   = 160
	maxCWEs    = 8
)

// Page is one answer.
type Page struct {
	Start, PerPage, Total int    // of the whole result, in records
	Date                  string // of the answer, YYYY-MM-DD
	Records               int    // on the page
	Rejected              int    // of them, which are dropped
	// Rows are the CVEs of DNS servers, one row a CVE and product, in the order of
	// the page. A row without ranges names a product only.
	Rows []intel.Affected
}

// Parse reads a page. On an error nothing that was read can be relied on.
func Parse(r io.Reader) (Page, error) {
	p := Page{Total: -1}
	reader := reader{page: &p, products: products(), cwe: regexp.MustCompile(`^CWE-\d{1,5}$`)}
	limits := feed.Limits{Bytes: MaxBytes, Members: maxRecords, Member: maxRecord}
	if err := feed.Document(r, "vulnerabilities", limits, reader.header, reader.member); err != nil {
		return Page{}, fmt.Errorf("NVD answer: %w", err)
	}
	switch {
	case reader.format != "NVD_CVE":
		return Page{}, errors.New(`NVD answer: its format is not "NVD_CVE"`)
	case p.Total < 0 || p.Total > maxTotal || p.Start < 0 || p.Start > p.Total || p.PerPage < 0:
		return Page{}, errors.New("NVD answer: totalResults, startIndex and resultsPerPage do not fit together")
	case p.Records > p.Total-p.Start:
		return Page{}, fmt.Errorf("NVD answer: it has %d records and says that there are %d", p.Records, p.Total)
	case p.Records == 0 && p.Start < p.Total:
		return Page{}, errors.New("NVD answer: it is empty although there are more records")
	}
	return p, nil
}

// reader is what was read of a page so far.
type reader struct {
	page     *Page
	format   string
	products map[string]exposure.Product
	cwe      *regexp.Regexp
}

func (r *reader) header(key string, value json.RawMessage) error {
	switch key {
	case "totalResults":
		return json.Unmarshal(value, &r.page.Total)
	case "startIndex":
		return json.Unmarshal(value, &r.page.Start)
	case "resultsPerPage":
		return json.Unmarshal(value, &r.page.PerPage)
	case "format":
		return json.Unmarshal(value, &r.format)
	case "timestamp":
		var stamp string
		if err := json.Unmarshal(value, &stamp); err != nil {
			return err
		}
		r.page.Date = feed.Date(stamp)
	}
	return nil
}

// record is what is read of a CVE.
type record struct {
	CVE struct {
		ID           string  `json:"id"`
		Published    string  `json:"published"`
		Status       string  `json:"vulnStatus"`
		Descriptions []text  `json:"descriptions"`
		Metrics      metrics `json:"metrics"`
		Tags         []struct {
			Tags []string `json:"tags"`
		} `json:"cveTags"`
		Weaknesses []struct {
			Description []text `json:"description"`
		} `json:"weaknesses"`
		Configurations []struct {
			Nodes []struct {
				Negate  bool       `json:"negate"`
				Matches []criteria `json:"cpeMatch"`
			} `json:"nodes"`
		} `json:"configurations"`
	} `json:"cve"`
}

type text struct {
	Lang  string `json:"lang"`
	Value string `json:"value"`
}

type metrics struct {
	V31 []metric `json:"cvssMetricV31"`
	V40 []metric `json:"cvssMetricV40"`
	V30 []metric `json:"cvssMetricV30"`
	V2  []metric `json:"cvssMetricV2"`
}

type metric struct {
	Source string `json:"source"`
	Type   string `json:"type"` // Primary: NVD's own or that of the CNA
	Data   struct {
		Version string  `json:"version"`
		Vector  string  `json:"vectorString"`
		Score   float64 `json:"baseScore"`
	} `json:"cvssData"`
}

func (r *reader) member(_ string, value json.RawMessage) error {
	r.page.Records++
	var rec record
	if err := json.Unmarshal(value, &rec); err != nil {
		return err
	}
	c := &rec.CVE
	if _, _, ok := feed.CVE(c.ID); !ok {
		return fmt.Errorf("%.30q is no CVE identifier", c.ID)
	}
	if strings.EqualFold(c.Status, "Rejected") {
		r.page.Rejected++
		return nil
	}
	score, err := c.Metrics.score()
	if err != nil {
		return fmt.Errorf("%s: %w", c.ID, err)
	}
	about := intel.Affected{
		ID: c.ID, Title: title(c.Descriptions), Confidence: exposure.High, CVSS: score,
		CWE: r.weaknesses(&rec), Published: feed.Date(c.Published),
	}
	for _, tags := range c.Tags {
		about.Disputed = about.Disputed || slices.Contains(tags.Tags, "disputed")
	}
	rows, err := r.rows(about, &rec)
	if err != nil {
		return fmt.Errorf("%s: %w", c.ID, err)
	}
	r.page.Rows = append(r.page.Rows, rows...)
	return nil
}

// score picks version 3.1 before 4.0, whose scale is another, and what NVD or
// the vendor calls primary before what others say; nil when there is none.
func (m *metrics) score() (*intel.Score, error) {
	const top = 10
	for _, list := range [][]metric{m.V31, m.V40, m.V30, m.V2} {
		if len(list) == 0 {
			continue
		}
		best := max(slices.IndexFunc(list, func(m metric) bool { return m.Type == "Primary" }), 0)
		d := list[best].Data
		if math.IsNaN(d.Score) || d.Score < 0 || d.Score > top {
			return nil, fmt.Errorf("the CVSS score %g is not from 0 to %d", d.Score, top)
		}
		const maxVersion, maxVector, maxSource = 8, 300, 80
		return &intel.Score{
			Version: feed.Line(d.Version, maxVersion), Vector: feed.Line(d.Vector, maxVector),
			Score: d.Score, Source: feed.Line(cmp.Or(list[best].Source, "NVD"), maxSource),
		}, nil
	}
	return nil, nil //nolint:nilnil // nobody has scored it
}

// title is the beginning of the English description, for NVD has no titles.
func title(descriptions []text) string {
	for _, d := range descriptions {
		if strings.HasPrefix(d.Lang, "en") {
			return feed.Line(d.Value, maxTitle)
		}
	}
	return ""
}

func (r *reader) weaknesses(rec *record) []string {
	var out []string
	for _, w := range rec.CVE.Weaknesses {
		for _, d := range w.Description {
			if r.cwe.MatchString(d.Value) && !slices.Contains(out, d.Value) && len(out) < maxCWEs {
				out = append(out, d.Value)
			}
		}
	}
	return out
}
