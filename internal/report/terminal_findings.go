package report

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"reconshield/internal/exposure"
)

// How much of the evidence the concise report shows.
const (
	fewEvidence   = 2
	evidenceLimit = 480 // bytes of one side
	rawShown      = 48  // bytes of a raw reply, verbose only
)

const (
	findingIndent = 1 // the badge begins with a blank
	bodyIndent    = 4
	codeIndent    = 8
)

// finding writes one finding: badge, title and place; what was found; why it
// matters; the evidence; the fix; the references.
func (p *page) finding(f exposure.Finding) {
	p.blank()
	p.findingTitle(f)
	if f.Summary != "" {
		p.para(bodyIndent, plain, Sanitize(f.Summary))
	}
	if before := p.saidBefore(f); before != "" {
		p.evidence(f)
		p.field("Fix", plain, "as for "+Sanitize(f.ID)+" on "+before+" above")
		return
	}
	if f.Why != "" {
		p.field("Why", plain, Sanitize(f.Why))
	}
	p.evidence(f)
	p.fixes(f.Fix)
	p.references(f.References)
	if p.verbose && f.Fingerprint != "" {
		p.field("Id", p.Faint, Sanitize(f.Fingerprint))
	}
}

// saidBefore names the asset at which the reason and the fix of a finding were
// printed word for word; it remembers those that were not.
func (p *page) saidBefore(f exposure.Finding) string {
	if p.verbose {
		return ""
	}
	parts := []string{f.ID, f.Why}
	for _, x := range f.Fix {
		if x.Kind != "firewall" {
			parts = append(parts, x.For, x.Text, x.Lines)
		}
	}
	if len(parts) == 2 {
		return ""
	}
	key := strings.Join(parts, "\x00")
	before := p.fixed[key]
	if before == "" {
		p.fixed[key] = f.Address.String()
	}
	return before
}

func (p *page) findingTitle(f exposure.Finding) {
	icon, color := p.severity(f.Severity)
	badge := " " + icon + " " + strings.ToUpper(Sanitize(string(f.Severity))) + " "
	id := Sanitize(f.ID)
	title := Sanitize(f.Title)
	place := where(f, p.Dot)
	if f.Confidence != "" {
		place = strings.TrimPrefix(place+" "+p.Dot+" "+string(f.Confidence)+" confidence", " "+p.Dot+" ")
	}
	used := findingIndent + ansi.StringWidth(badge) + 1 + ansi.StringWidth(id) + 2
	head := color(badge) + " " + p.Strong(id) + "  "
	if used+ansi.StringWidth(title)+2+ansi.StringWidth(place) <= min(p.width, maxProse) {
		p.line(strings.Repeat(" ", findingIndent), head, p.Strong(title), "  ", p.Faint(place))
		return
	}
	p.hanging(findingIndent, head, used-findingIndent, p.Strong, title)
	p.para(bodyIndent, p.Faint, place)
}

// evidence writes query and response of each piece: on one line where they
// fit, on two otherwise.
func (p *page) evidence(f exposure.Finding) {
	list := f.Evidence
	shown := list
	if !p.verbose && len(list) > fewEvidence+1 {
		shown = list[:fewEvidence]
	}
	label := "Evidence"
	for _, e := range shown {
		p.proofLines(label, e, f.Address)
		label = ""
	}
	if n := len(list) - len(shown); n > 0 {
		p.field("", p.Faint, fmt.Sprintf("%s and %d more with --verbose", p.More, n))
	}
}

func (p *page) proofLines(label string, e exposure.Evidence, asked netip.Addr) {
	query, response := evidenceParts(e, asked)
	if !p.verbose {
		query, response = sanitize(query, evidenceLimit), sanitize(response, evidenceLimit)
	}
	arrow := p.Arrow + " "
	both := strings.TrimSpace(query + " " + arrow + response)
	switch {
	case query == "" || response == "":
		p.field(label, plain, query+response)
	case ansi.StringWidth(both) <= p.width-bodyIndent-labelWidth:
		p.line(strings.Repeat(" ", bodyIndent), p.Faint(pad(label, labelWidth)), both)
	default:
		p.field(label, plain, query)
		p.hanging(bodyIndent+labelWidth, p.Faint(arrow), ansi.StringWidth(arrow), plain, response)
	}
	if p.verbose && len(e.Raw) > 0 {
		text := hex.EncodeToString(e.Raw[:min(len(e.Raw), rawShown)])
		if len(e.Raw) > rawShown {
			text += p.More
		}
		p.hanging(bodyIndent+labelWidth, p.Faint("raw "), len("raw "), p.Faint, fmt.Sprintf("%s (%d bytes)", text, len(e.Raw)))
	}
}

// fixes writes what to do in the server's configuration. Firewall rules follow
// once for the whole asset.
func (p *page) fixes(list []exposure.Fix) {
	label, indent := "Fix", bodyIndent+labelWidth
	if p.width < defaultWidth {
		indent = codeIndent
	}
	for _, x := range list {
		if x.Kind == "firewall" {
			continue
		}
		text := Sanitize(x.For)
		if x.Text != "" {
			text = strings.TrimPrefix(text+": "+Sanitize(x.Text), ": ")
		}
		p.field(label, plain, text)
		p.code(indent, configLines(x.Lines))
		label = ""
	}
}

func (p *page) references(list []exposure.Reference) {
	if len(list) == 0 {
		return
	}
	var parts []string
	for _, r := range list {
		text := Sanitize(cmp.Or(r.Title, r.URL))
		if p.verbose && r.URL != "" && r.Title != "" {
			text += " " + Sanitize(r.URL)
		}
		parts = append(parts, text)
	}
	p.field("See", p.Faint, strings.Join(parts, " "+p.Dot+" "))
}

// closeIt writes each firewall rule set of the asset once.
func (p *page) closeIt(a exposure.Asset) {
	list := closers(a)
	if len(list) == 0 {
		return
	}
	p.blank()
	p.hanging(2, p.Accent("Close it")+"  ", len("Close it  "), p.Faint, "at the firewall in front of "+a.Address.String())
	for _, c := range list {
		text := "for " + strings.Join(c.Closes, " ")
		if c.Text != "" {
			text += ": " + c.Text
		}
		p.hanging(bodyIndent, p.Strong(c.For)+"  ", ansi.StringWidth(c.For)+2, p.Faint, text)
		p.code(codeIndent, c.Lines)
	}
}

// verdicts ends an asset: what passed, and how much was not tested.
func (p *page) verdicts(a exposure.Asset) {
	ok, open := passed(a), notTested(a)
	switch {
	case p.verbose && len(a.Checks) > 0:
		p.blank()
		p.checkTable(a)
		return
	case len(ok) == 0 && open == 0:
		return
	}
	p.blank()
	if len(ok) > 0 {
		head := fmt.Sprintf("%s %d passed  ", p.Tick, len(ok))
		p.hanging(2, p.Good(head), ansi.StringWidth(head), p.Faint, strings.Join(ok, " "+p.Dot+" "))
	}
	if open > 0 {
		head := fmt.Sprintf("%s %d not tested  ", p.Ask, open)
		p.hanging(2, p.Warn(head), ansi.StringWidth(head), p.Faint, `see "Not measured" below`)
	}
}

func (p *page) checkTable(a exposure.Asset) {
	for _, c := range a.Checks {
		icon, color := p.Ask, p.Warn
		switch c.Status {
		case exposure.Pass:
			icon, color = p.Tick, p.Good
		case exposure.Fail:
			icon, color = p.Cross, p.Bad
		case exposure.NotTested, exposure.Errored:
		}
		subject := strings.TrimSpace(string(c.Transport) + " " + Sanitize(c.Subject))
		head := fmt.Sprintf("%s %-10s  %-6s  ", icon, c.Status, Sanitize(c.ID))
		text := Sanitize(c.Reason)
		if subject != "" {
			text = subject + ": " + text
		}
		p.hanging(2, color(head), ansi.StringWidth(head), plain, text)
	}
}
