// Package intel is what is known of threats and vulnerabilities beside what a
// scan sees. Today it holds only the seam through which version matches enter
// an assessment; the table of affected version ranges comes later. It does no I/O.
package intel

import "reconshield/internal/exposure"

// Advisory is one known vulnerability that a service's version falls under.
type Advisory struct {
	ID         string // "CVE-2023-50387"
	Title      string
	Severity   exposure.Severity   // empty: unscored
	Exploited  bool                // known to be exploited in the wild
	Fixed      string              // first release with the fix, empty when unknown
	Confidence exposure.Confidence // of the version range, lowered for distribution packages that carry fixes back
	References []exposure.Reference
}

// Advisor matches an identified service to known vulnerabilities. An
// implementation must be safe for concurrent use, must not guess (an unknown
// product or an unreadable version has no advisories) and must treat a version
// with a distribution's suffix as possibly patched.
type Advisor interface {
	// Edition names the table and its date, empty when there is none.
	Edition() string
	// Advisories gives the matches, worst first; nil when there are none.
	Advisories(s exposure.Service) []Advisory
}

// None is the Advisor with an empty table: it stands in until the table of
// version ranges comes. A report that uses it must say that versions were not
// matched, not that none is vulnerable.
type None struct{}

// Edition is empty: there is no table.
func (None) Edition() string { return "" }

// Advisories is always nil.
func (None) Advisories(exposure.Service) []Advisory { return nil }
