package intel

import (
	"cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/intel/version"
)

// Matches is what the table says of one version. Its JSON form is a contract.
type Matches struct {
	Product      exposure.Product `json:"product"`
	Version      string           `json:"version"`
	Distribution bool             `json:"distribution"`      // built by a distribution, which may have carried fixes back
	Builder      string           `json:"builder,omitempty"` // "Debian", "Pi-hole"
	Note         string           `json:"note,omitempty"`    // what limits the answer as a whole
	Table        string           `json:"table"`             // edition of the table
	Matches      []Match          `json:"matches"`           // worst first; never null in JSON
}

// Match is one vulnerability whose affected releases hold the version.
type Match struct {
	CVE        string              `json:"cve"`
	Title      string              `json:"title"`
	Severity   exposure.Severity   `json:"severity"`       // by CVSS; Unscored when nobody has scored it
	CVSS       *float64            `json:"cvss"`           // null: nobody has scored it
	EPSS       *float64            `json:"epss,omitempty"` // probability of exploitation within 30 days
	KEV        bool                `json:"kev"`
	KEVAdded   string              `json:"kev_added,omitempty"`
	FixedIn    []string            `json:"fixed_in"` // first releases with the fix, that of the same branch first; empty: none is known
	Confidence exposure.Confidence `json:"confidence"`
	Note       string              `json:"note,omitempty"`
	URL        string              `json:"url"`

	needs    string
	disputed bool
}

// Unscored is the severity of a Match without a CVSS score. It is no severity
// of a finding.
const Unscored exposure.Severity = "unscored"

// Match gives the vulnerabilities of a product's version, which may carry a
// builder's suffix. The product may be named as people write it. The errors
// wrap version.ErrProduct and version.ErrVersion. No match does not mean that
// there is no vulnerability; it means that the table knows none.
func (t *Table) Match(product, text string) (Matches, error) {
	p, err := version.Product(product)
	if err != nil {
		return Matches{}, err
	}
	v, err := version.Parse(p, text)
	if err != nil {
		return Matches{}, err
	}
	return t.matches(v), nil
}

// MatchText is Match for a text that names both: "BIND 9.16.50",
// "dnsmasq-2.90", or what a server answers to version.bind.
func (t *Table) MatchText(text string) (Matches, error) {
	v, err := version.Banner(text)
	if err != nil {
		return Matches{}, err
	}
	return t.matches(v), nil
}

func (t *Table) matches(v version.Version) Matches {
	m := Matches{
		Product: v.Product, Version: v.Text, Distribution: v.Builder.Distribution(), Builder: v.Builder.Name,
		Table: t.Edition(), Matches: []Match{}, Note: limits(v),
	}
	if v.Product == exposure.WindowsDNS {
		return m
	}
	for _, a := range t.byProduct[v.Product] {
		if covers(a, v) {
			m.Matches = append(m.Matches, t.match(a, v))
		}
	}
	return m
}

// limits says what a reader must know before the matches.
func limits(v version.Version) string {
	switch {
	case v.Product == exposure.WindowsDNS:
		return "the DNS server is updated with Windows, and what it shows does not tell which updates are in: look at the machine's update history"
	case v.Builder.Fork:
		return v.Builder.Name + " builds its own " + v.Product.Name() + " and may have taken the fix: see its releases at " + v.Builder.Tracker
	case v.Builder.Distribution():
		return backported(v, "")
	case v.Snapshot:
		return "built between releases: fixes of the next release may be in it"
	}
	return ""
}

// backported is the note of every match of a distribution's build.
func backported(v version.Version, cve string) string {
	const note = "the distribution may have backported the fix: check its tracker"
	if cve == "" || v.Builder.Tracker == "" {
		return note
	}
	return note + ", " + v.Builder.TrackerFor(cve)
}

func (t *Table) match(a *Affected, v version.Version) Match {
	m := Match{
		CVE: a.ID, Title: a.Title, Severity: cmp.Or(SeverityOf(a.CVSS), Unscored), FixedIn: fixesFor(a, v),
		Confidence: a.Confidence, URL: URL(a.ID), needs: a.Needs, disputed: a.Disputed,
	}
	if a.CVSS != nil {
		m.CVSS = &a.CVSS.Score
	}
	if p, ok := t.epss.Scores[a.ID]; ok {
		m.EPSS = &p
	}
	m.KEVAdded, m.KEV = t.KEV(a.ID)
	m.Confidence, m.Note = trust(a, v)
	return m
}

// trust lowers the confidence in the range by what is known of the build.
func trust(a *Affected, v version.Version) (exposure.Confidence, string) {
	switch {
	case v.Builder.Distribution():
		return exposure.Low, backported(v, a.ID)
	case v.Builder.Fork:
		return exposure.Low, v.Builder.Name + " may have taken the fix into its own build: see " + v.Builder.Tracker
	case a.Disputed:
		return exposure.Low, "the vendor disputes that this is a vulnerability"
	case v.Snapshot:
		return exposure.Low, "built between releases: the fix may be in it"
	case a.Confidence == exposure.Low:
		return exposure.Low, "only the first release with the fix is known, not the first that was affected"
	case a.Confidence == exposure.High && silent(v.Product):
		// Debian and others ship these without a mark of their own in the text.
		return exposure.Medium, "a distribution's package shows the same text: if it is one, check the distribution's tracker"
	case silent(v.Product):
		return a.Confidence, "a distribution's package shows the same text: if it is one, check the distribution's tracker"
	}
	return a.Confidence, ""
}

// silent reports whether distributions' packages of the product show the plain
// release number, so that a fix carried back cannot be seen.
func silent(p exposure.Product) bool {
	switch p { //nolint:exhaustive // the others show their builder, or have none
	case exposure.Unbound, exposure.NSD, exposure.Knot, exposure.KnotRes, exposure.PDNSAuth, exposure.PDNSRec, exposure.Dnsmasq, version.Dnsdist:
		return true
	}
	return false
}

// compare puts known exploited ones first, then by score, then the newest.
func (t *Table) compare(a, b *Affected) int {
	return cmp.Or(
		cmp.Compare(t.weight(b), t.weight(a)), cmp.Compare(year(b.ID), year(a.ID)), cmp.Compare(b.Published, a.Published), cmp.Compare(a.ID, b.ID))
}

func (t *Table) weight(a *Affected) float64 {
	const beyondAnyScore = 100
	w := 0.0
	if a.CVSS != nil {
		w = a.CVSS.Score
	}
	if _, ok := t.exploited[a.ID]; ok {
		w += beyondAnyScore
	}
	if a.Disputed {
		w -= beyondAnyScore
	}
	return w
}

func year(id string) string {
	const from, to = len("CVE-"), len("CVE-2026")
	if len(id) < to {
		return ""
	}
	return id[from:to]
}
