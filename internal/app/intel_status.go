package app

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"reconshield/internal/atlas"
	"reconshield/internal/feeds"
	"reconshield/internal/intel"
)

// IntelStale is the age in days from which data are called stale.
const IntelStale = 30

// IntelSource tells of one source of data. Its JSON form is that of reconshield
// intel status.
type IntelSource struct {
	Source  string `json:"source"`
	Title   string `json:"title"`
	Date    string `json:"date"`     // of the data, YYYY-MM-DD; empty when unknown or none are there
	AgeDays *int   `json:"age_days"` // null when the date is unknown
	Stale   bool   `json:"stale"`    // older than IntelStale days
	// Origin says which data are used: embedded, updated (over the embedded), or none.
	Origin  string `json:"origin"`
	Records int    `json:"records"`
	Licence string `json:"licence"`
	// Updatable says that reconshield intel update can bring it up to date.
	Updatable bool   `json:"updatable"`
	From      string `json:"from,omitempty"`    // where the update came from
	Checked   string `json:"checked,omitempty"` // when it was last looked for, RFC 3339
	Note      string `json:"note,omitempty"`
}

// Origins of data.
const (
	originEmbedded = "embedded"
	originUpdated  = "updated"
	originNone     = "none"
)

// Status tells of every source. It reads all of them, so that Warnings is
// complete afterwards.
func (in *Intel) Status(now time.Time) []IntelSource {
	table, threats, ports := in.Table(), in.Threats(), in.Atlas()
	rows, exploited, _ := table.Counts()
	names := len(threats.Data().Techniques) + len(threats.Data().Names)
	base := intel.DefaultTable()
	embedded := map[string]IntelSource{
		feeds.KEV:    {Date: dashed(base.CatalogueVersion()), Records: exploited, Origin: originEmbedded},
		feeds.EPSS:   {Date: base.EPSSDate(), Origin: originNone, Note: "comes with an update only"},
		feeds.NVD:    {Date: base.Date(), Records: rows, Origin: originEmbedded, Licence: "CVE terms of use, public domain, BSD"},
		feeds.IANA:   {Date: atlas.Default().Edition(), Records: registrations(ports), Origin: originEmbedded},
		feeds.ATTACK: {Date: attackDate(intel.DefaultThreats()), Records: names, Origin: originEmbedded},
	}
	damaged := in.store.Damaged()
	stored := map[string]feeds.Stored{}
	for _, s := range in.store.Stored() {
		stored[s.Source] = s
	}
	var out []IntelSource
	for _, s := range feeds.Sources() {
		e := embedded[s.Name]
		e.Source, e.Title, e.Licence, e.Updatable = s.Name, s.Title, cmp.Or(e.Licence, s.Licence), true
		if update, ok := stored[s.Name]; ok {
			in.put(&e, update, damaged[s.Name] != nil)
		}
		out = append(out, e)
	}
	out = append(out, observed(threats)...)
	for i := range out {
		out[i].age(now)
	}
	return out
}

// put tells of an update over the embedded data.
func (in *Intel) put(e *IntelSource, update feeds.Stored, damaged bool) {
	e.From, e.Checked = update.Origin, update.Checked
	older := update.Date < e.Date
	switch {
	case damaged:
		e.Note = "the update is damaged and not used"
	case older && e.Source == feeds.IANA:
		e.Note = "the update is of " + cmp.Or(update.Date, "no known date") + ", older, and not used"
	case older && e.Source != feeds.ATTACK:
		e.Note = "the update is of " + cmp.Or(update.Date, "no known date") + ", older: only what it has beside the embedded data is used"
	default:
		e.Origin, e.Note = originUpdated, ""
		e.Date = max(e.Date, update.Date)
	}
	if e.Source == feeds.EPSS && !damaged {
		e.Origin, e.Note, e.Records = originUpdated, "", update.Records
	}
}

func (e *IntelSource) age(now time.Time) {
	const day = 24 * time.Hour
	at, err := time.Parse(time.DateOnly, e.Date)
	if err != nil {
		if at, err = time.Parse("2006", e.Date); err != nil {
			return
		}
		at = at.AddDate(1, 0, -1) // the last day of the year, when it is all that is known
	}
	days := max(int(now.UTC().Sub(at)/day), 0)
	e.AgeDays, e.Stale = &days, days > IntelStale
}

// dashed is a version of CISA's catalogue as a date.
func dashed(version string) string {
	at, err := time.Parse("2006.01.02", version)
	if err != nil {
		return ""
	}
	return at.Format(time.DateOnly)
}

// registrations counts the rows of a registry that have a port.
func registrations(a *atlas.Atlas) int {
	n := 0
	for port := range 1 << 16 {
		for _, r := range a.Registrations(uint16(port)) { //nolint:gosec // below 65536
			if int(r.First) == port {
				n++
			}
		}
	}
	return n
}

// observed tells of the lists of malicious software on ports, which come with
// the program only.
func observed(t *intel.Threats) []IntelSource {
	licences := map[string]string{
		"maltrail": "MIT", "Carbon Black active C2": "MIT", "Emerging Threats Open": "BSD 3-clause",
	}
	var out []IntelSource
	for _, p := range t.Data().Ports {
		for _, m := range p.Malware {
			at := slices.IndexFunc(out, func(s IntelSource) bool { return s.Title == m.Source })
			if at < 0 {
				at = len(out)
				out = append(out, IntelSource{
					Source: "malware", Title: m.Source, Origin: originEmbedded, Licence: cmp.Or(licences[m.Source], "ATT&CK terms of use"),
				})
			}
			out[at].Records++
			out[at].Date = max(out[at].Date, m.AsOf)
		}
	}
	slices.SortFunc(out, func(a, b IntelSource) int { return cmp.Compare(a.Title, b.Title) })
	return out
}

// attackDate is that of the embedded edition of ATT&CK.
func attackDate(t *intel.Threats) string {
	for _, s := range observed(t) {
		if strings.HasPrefix(s.Title, "MITRE ATT&CK") {
			return s.Date
		}
	}
	return ""
}
