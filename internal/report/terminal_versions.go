package report

import (
	"fmt"
	"strings"

	"reconshield/internal/exposure"
)

const (
	versionCheck = "VER-1" // findings that rest on a version alone, one a vulnerability
	fewVersions  = 3       // of them that the concise report shows in full
)

// versionsFirst keeps the worst findings that rest on a version and gives the
// rest apart, so that an old release does not drown what was proven. The
// verbose report keeps all; so does every other format.
func (p *page) versionsFirst(all []exposure.Finding) (shown, rest []exposure.Finding) {
	if p.verbose {
		return all, nil
	}
	n := 0
	for _, f := range all {
		if f.ID == versionCheck {
			n++
		}
		if f.ID == versionCheck && n > fewVersions {
			rest = append(rest, f)
		} else {
			shown = append(shown, f)
		}
	}
	if len(rest) == 1 { // a line about one is no shorter
		return all, nil
	}
	return shown, rest
}

// moreVersions counts the vulnerabilities that were not shown and names them.
func (p *page) moreVersions(rest []exposure.Finding) {
	if len(rest) == 0 {
		return
	}
	ids := make([]string, 0, len(rest))
	for _, f := range rest {
		ids = append(ids, Sanitize(f.Subject))
	}
	p.blank()
	p.line("  ", p.Strong(fmt.Sprintf("%s %d more of %s", p.More, len(rest), versionCheck)))
	p.flow(bodyIndent, "", p.tally(countSeverities(rest)))
	p.para(bodyIndent, p.Faint, strings.Join(few(ids, 2*fewVersions, false), " "+p.Dot+" "))
	p.para(bodyIndent, p.Faint, "in full with --verbose, or in the other formats")
}
