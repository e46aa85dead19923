// Package intel is what is known of threats and vulnerabilities beside what a
// scan sees: which versions of DNS servers have which known vulnerabilities,
// which of these are exploited, and which malicious software meets which port.
// The tables are embedded and decoded when they are first asked for; newer ones
// can take their place. It does no I/O and sends nothing: a version that a
// server shows proves no vulnerability, and the package says how far to trust
// each match.
package intel

import "reconshield/internal/exposure"

// Advisory is one known vulnerability that a service's version falls under.
type Advisory struct {
	ID         string // "CVE-2023-50387"
	Title      string
	Severity   exposure.Severity   // by CVSS; empty: nobody has scored it
	CVSS       float64             // 0: nobody has scored it
	EPSS       float64             // probability of exploitation within 30 days; 0: unknown
	Exploited  bool                // known to be exploited in the wild
	Fixed      string              // releases with the fix, empty when unknown
	Confidence exposure.Confidence // of the version range, lowered for distribution packages that carry fixes back
	Builder    string              // the distribution or project that built it from sources of its own; empty: none shows
	Fork       bool                // the builder is a project of its own rather than a distribution
	Tracker    string              // where that builder says which package has the fix; may be empty
	Needs      string              // what an attacker needs beside the version, letters of Need
	Note       string              // one line that limits the match
	Disputed   bool                // by the vendor
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

// None is the Advisor with an empty table. A report that uses it must say that
// versions were not matched, not that none is vulnerable.
type None struct{}

// Edition is empty: there is no table.
func (None) Edition() string { return "" }

// Advisories is always nil.
func (None) Advisories(exposure.Service) []Advisory { return nil }
