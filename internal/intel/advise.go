package intel

import (
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/intel/version"
)

// Advisories matches what a service was identified as. A banner that names
// another product than the service behaves as counts for nothing; where the
// version may be that of a server behind a forwarder, so that the service is
// of low confidence, every match is, too.
func (t *Table) Advisories(s exposure.Service) []Advisory {
	v, ok := versionOf(s)
	if !ok {
		return nil
	}
	var out []Advisory
	for _, m := range t.matches(v).Matches {
		a := Advisory{
			ID: m.CVE, Title: m.Title, Exploited: m.KEV, Fixed: strings.Join(m.FixedIn, ", "), Confidence: m.Confidence,
			Builder: v.Builder.Name, Fork: v.Builder.Fork, Tracker: v.Builder.TrackerFor(m.CVE), Needs: m.needs, Note: m.Note, Disputed: m.disputed,
			References: []exposure.Reference{{Title: m.CVE, URL: m.URL}},
		}
		if m.CVSS != nil {
			a.CVSS, a.Severity = *m.CVSS, m.Severity
		}
		if m.EPSS != nil {
			a.EPSS = *m.EPSS
		}
		if s.Confidence == exposure.Low {
			a.Confidence = exposure.Low
		}
		if a.Tracker != "" {
			a.References = append(a.References, exposure.Reference{Title: v.Builder.Name + " on " + m.CVE, URL: a.Tracker})
		}
		out = append(out, a)
	}
	return out
}

// versionOf reads product and version of a service, best from the banner, which
// has the marks of the builder that the bare version may lack.
func versionOf(s exposure.Service) (version.Version, bool) {
	if s.Version == "" {
		return version.Version{}, false
	}
	product := s.Product
	if product == "" {
		named, err := version.Product(strings.TrimPrefix(s.Name, "PowerDNS "))
		if err != nil {
			return version.Version{}, false
		}
		product = named
	}
	if v, err := version.Banner(s.Banner); err == nil && v.Product == product {
		return v, true
	}
	v, err := version.Parse(product, s.Version)
	return v, err == nil
}
