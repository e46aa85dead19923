package intel

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"reconshield/internal/exposure"
)

//go:embed data/vulnerabilities.json.gz
var vulnerabilityBytes []byte

//go:embed data/kev.json.gz
var catalogueBytes []byte

// Table holds the known vulnerabilities of DNS servers by version, CISA's
// catalogue and EPSS. It is immutable and safe for concurrent use; it is an
// Advisor.
type Table struct {
	data      Data
	catalogue Catalogue
	epss      Probabilities
	byProduct map[exposure.Product][]*Affected // worst first
	byID      map[string][]*Affected
	exploited map[string]*Exploited
}

// NewTable indexes what it is given and keeps it; the caller must not change
// it afterwards.
func NewTable(d Data, c Catalogue, p Probabilities) *Table {
	t := &Table{
		data: d, catalogue: c, epss: p,
		byProduct: map[exposure.Product][]*Affected{}, byID: map[string][]*Affected{}, exploited: map[string]*Exploited{},
	}
	for i := range d.Rows {
		a := &d.Rows[i]
		t.byProduct[a.Product] = append(t.byProduct[a.Product], a)
		t.byID[a.ID] = append(t.byID[a.ID], a)
	}
	for i := range c.Entries {
		t.exploited[c.Entries[i].ID] = &c.Entries[i]
	}
	for _, rows := range t.byProduct {
		slices.SortStableFunc(rows, t.compare)
	}
	return t
}

//nolint:gochecknoglobals // decoded once, when first asked for
var defaultTable = sync.OnceValue(func() *Table {
	var d Data
	var c Catalogue
	if err := unpack(vulnerabilityBytes, &d); err != nil {
		panic("the embedded table of vulnerabilities is damaged: " + err.Error()) // a fault of the build
	}
	if err := unpack(catalogueBytes, &c); err != nil {
		panic("the embedded catalogue of exploited vulnerabilities is damaged: " + err.Error()) // a fault of the build
	}
	return NewTable(d, c, Probabilities{})
})

// DefaultTable is the embedded table.
func DefaultTable() *Table { return defaultTable() }

// With gives a table in which newer data replace the old: rows by CVE and
// product, so that what the newer data do not speak of stays; the catalogue
// and EPSS as a whole. A nil argument changes nothing.
func (t *Table) With(d *Data, c *Catalogue, p *Probabilities) *Table {
	data, catalogue, epss := t.data, t.catalogue, t.epss
	if d != nil {
		data = Data{Date: max(data.Date, d.Date), Rows: merge(data.Rows, d.Rows)}
	}
	if c != nil {
		catalogue = *c
	}
	if p != nil {
		epss = *p
	}
	return NewTable(data, catalogue, epss)
}

// merge puts newer rows in the place of older ones of the same CVE and product.
// What was written by hand about a CVE outlives a feed that has no word for it.
func merge(older, newer []Affected) []Affected {
	type place struct {
		id      string
		product exposure.Product
	}
	out := slices.Clone(older)
	at := make(map[place]int, len(out))
	for i, a := range out {
		at[place{a.ID, a.Product}] = i
	}
	for _, a := range newer {
		i, known := at[place{a.ID, a.Product}]
		if !known {
			at[place{a.ID, a.Product}] = len(out)
			out = append(out, a)
			continue
		}
		old := out[i]
		a.Title, a.Needs, a.Disputed = old.Title, old.Needs, a.Disputed || old.Disputed
		if len(a.FixedIn) == 0 {
			a.FixedIn = old.FixedIn
		}
		if a.CVSS == nil {
			a.CVSS = old.CVSS
		}
		if len(a.Ranges) == 0 {
			a.Ranges, a.Confidence = old.Ranges, old.Confidence
		}
		out[i] = a
	}
	return out
}

// Edition names the table by the dates of its parts.
func (t *Table) Edition() string {
	if len(t.data.Rows) == 0 {
		return ""
	}
	parts := []string{"DNS server vulnerabilities of " + t.data.Date}
	if t.catalogue.Version != "" {
		parts = append(parts, "known exploited vulnerabilities "+t.catalogue.Version)
	}
	if t.epss.Date != "" {
		parts = append(parts, "EPSS of "+t.epss.Date)
	}
	return strings.Join(parts, ", ")
}

// Date is the newest date of the table's sources, YYYY-MM-DD.
func (t *Table) Date() string { return t.data.Date }

// CatalogueVersion is CISA's name of the catalogue: 2026.07.23.
func (t *Table) CatalogueVersion() string { return t.catalogue.Version }

// EPSSDate is the day of the EPSS scores, empty when there are none.
func (t *Table) EPSSDate() string { return t.epss.Date }

// Counts gives the number of rows, of entries in the catalogue and of EPSS scores.
func (t *Table) Counts() (rows, exploited, scores int) {
	return len(t.data.Rows), len(t.catalogue.Entries), len(t.epss.Scores)
}

// KEV tells when CISA added the CVE to its catalogue, YYYY-MM-DD; ok is false
// when it is not there.
func (t *Table) KEV(id string) (added string, ok bool) {
	e, ok := t.Exploited(id)
	return e.Added, ok
}

// Exploited gives the catalogue's entry of a CVE.
func (t *Table) Exploited(id string) (e Exploited, ok bool) {
	found, ok := t.exploited[strings.ToUpper(id)]
	if !ok {
		return Exploited{}, false
	}
	return *found, true
}

// Products lists the products of the table, in order.
func (t *Table) Products() []exposure.Product { return slices.Sorted(maps.Keys(t.byProduct)) }

// ForProduct lists the product's vulnerabilities, worst first; nil for a
// product that the table does not know.
func (t *Table) ForProduct(p exposure.Product) []Vulnerability {
	var out []Vulnerability
	for _, a := range t.byProduct[p] {
		out = append(out, t.page(a))
	}
	return out
}

// Vulnerability gives a CVE as it bears on each product of the table, or what
// the catalogue knows of one that is not in it; nil when neither does.
func (t *Table) Vulnerability(id string) []Vulnerability {
	id = strings.ToUpper(id)
	var out []Vulnerability
	for _, a := range t.byID[id] {
		out = append(out, t.page(a))
	}
	if e, ok := t.exploited[id]; ok && out == nil {
		out = append(out, Vulnerability{
			ID: id, Product: strings.TrimSpace(e.Vendor + " " + e.Product), Title: e.Name,
			EPSS: t.epss.Scores[id], KEV: true, KEVAdded: e.Added,
		})
	}
	return out
}

func (t *Table) page(a *Affected) Vulnerability {
	added, known := t.KEV(a.ID)
	v := Vulnerability{
		ID: a.ID, Product: string(a.Product), Title: a.Title, EPSS: t.epss.Scores[a.ID],
		KEV: known, KEVAdded: added, FixedIn: fixes(a),
	}
	if a.CVSS != nil {
		v.CVSS = a.CVSS.Score
	}
	return v
}

// URL is where the CVE's record is.
func URL(id string) string { return fmt.Sprintf("https://www.cve.org/CVERecord?id=%s", id) }
