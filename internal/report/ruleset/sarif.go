package ruleset

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/report"
)

// fingerprintKey is that of the other SARIF report.
const fingerprintKey = "reconshield/v1"

// writeSARIF writes a SARIF 2.1.0 log with one run: a rule for each kind of
// finding, a result for each finding at the lines of the rules that decided.
func writeSARIF(w io.Writer, doc *Document, opts Options) error {
	name, version, _ := strings.Cut(cmp.Or(opts.Tool, "reconshield"), " ")
	driver := sarif.NewToolComponent().WithName(report.Sanitize(name))
	if version != "" {
		driver.WithVersion(report.Sanitize(version))
	}
	run := sarif.NewRun().WithTool(sarif.NewTool().WithDriver(driver))
	rules := map[analyze.FindingID]int{}
	for i := range doc.Findings { // the worst first, so that a rule has the severity of its worst
		f := &doc.Findings[i]
		at, known := rules[f.ID]
		if !known {
			at = len(rules)
			rules[f.ID] = at
			driver.AddRule(sarifRule(f))
		}
		run.AddResult(sarifResult(doc, f, at))
	}
	run.AddInvocation(sarifInvocation(doc))
	log := sarif.NewReport()
	log.Schema = report.SARIFSchema
	log.AddRun(run)
	raw, err := report.EncodeJSON(log)
	if err != nil {
		return err
	}
	_, err = w.Write(append(raw, '\n'))
	return err
}

func sarifRule(f *analyze.Finding) *sarif.ReportingDescriptor {
	text := kind(f.ID)
	props := sarif.NewPropertyBag()
	props.Add("security-severity", report.SecuritySeverity(f.Severity))
	props.Add("precision", precision(f.ID))
	props.WithTags([]string{"security", "network", "firewall"})
	return sarif.NewReportingDescriptor().
		WithID(string(f.ID)).
		WithName(ruleName(text)).
		WithShortDescription(sarif.NewMultiformatMessageString().WithText(text)).
		WithFullDescription(sarif.NewMultiformatMessageString().WithText(text)).
		WithHelp(sarif.NewMultiformatMessageString().WithText(report.Sanitize(f.Fix))).
		WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(report.SARIFLevel(f.Severity))).
		WithProperties(props)
}

// precision of what is undecided is low.
func precision(id analyze.FindingID) string {
	if id == analyze.MaybeExposed || id == analyze.NotRead {
		return "low"
	}
	return "very-high"
}

// ruleName is the text in PascalCase, as SARIF 2.1.0 section 3.49.7 asks.
func ruleName(text string) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(text) {
		word = strings.Trim(word, ",")
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func sarifResult(doc *Document, f *analyze.Finding, rule int) *sarif.Result {
	props := sarif.NewPropertyBag()
	props.Add("security-severity", report.SecuritySeverity(f.Severity))
	props.Add("severity", string(f.Severity))
	if f.Address != nil {
		props.Add("asset", report.Sanitize(f.Asset))
		props.Add("address", f.Address.String())
		props.Add("zone", report.Sanitize(f.Zone))
		props.Add("ports", placeOfFinding(f).ports())
	}
	props.Add("fix", report.Sanitize(f.Fix))
	result := sarif.NewRuleResult(string(f.ID)).
		WithRuleIndex(rule).
		WithLevel(report.SARIFLevel(f.Severity)).
		WithMessage(sarif.NewTextMessage(report.Sanitize(f.Summary))).
		WithProperties(props)
	if len(f.Rules) == 0 {
		result.AddLocation(sarifLocation(analyze.Line{File: doc.Files[0]}))
	}
	// The rule that had the last word is the place to mend; readers show the
	// first location.
	last := len(f.Rules) - 1
	if f.ID == analyze.Contradicted || f.ID == analyze.Redundant {
		last = 0
	}
	for i, r := range f.Rules {
		location := sarifLocation(r)
		if i == last {
			result.Locations = append([]*sarif.Location{location}, result.Locations...)
			continue
		}
		result.RelatedLocations = append(result.RelatedLocations, location.WithMessage(sarif.NewTextMessage(report.Sanitize(r.Rule))))
	}
	return result.WithPartialFingerprints(map[string]string{fingerprintKey: fingerprint(f)})
}

// fingerprint names a finding by what it is and where, not by the line, which
// moves with every edit.
func fingerprint(f *analyze.Finding) string {
	p := placeOfFinding(f)
	parts := []string{string(f.ID), p.asset, p.zone, p.address.String(), p.ports()}
	if f.Address == nil {
		for _, r := range f.Rules {
			parts = append(parts, r.File, r.Rule)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "|")))
	const length = 10
	return hex.EncodeToString(sum[:length])
}

func sarifLocation(r analyze.Line) *sarif.Location {
	region := sarif.NewRegion().WithStartLine(max(r.Line, 1))
	if r.Rule != "" && r.Line > 0 {
		region.WithSnippet(sarif.NewArtifactContent().WithText(report.Sanitize(r.Rule)))
	}
	// A path is no URI until what means something in one is escaped.
	uri := (&url.URL{Path: r.File}).EscapedPath()
	return sarif.NewLocation().WithPhysicalLocation(sarif.NewPhysicalLocation().
		WithArtifactLocation(sarif.NewArtifactLocation().WithURI(uri)).
		WithRegion(region))
}

// sarifInvocation tells what was not understood or taken for granted.
func sarifInvocation(doc *Document) *sarif.Invocation {
	inv := sarif.NewInvocation().WithExecutionSuccessful(len(doc.Unparsed) == 0)
	note := func(text string) {
		inv.AddToolExecutionNotification(sarif.NewNotification().WithLevel("warning").WithMessage(sarif.NewTextMessage(text)))
	}
	for _, u := range doc.Unparsed {
		note(report.Sanitize("not understood: " + position(analyze.Line{File: u.File, Line: u.Line}) + ": " + u.Text + ": " + u.Why))
	}
	for _, text := range doc.Assumed {
		note(report.Sanitize("taken for granted: " + text))
	}
	undecidedAnswers := 0
	for i := range doc.Answers {
		if doc.Answers[i].Verdict == analyze.Undecided {
			undecidedAnswers++
		}
	}
	if undecidedAnswers > 0 {
		note(fmt.Sprintf("%d of %d answers are undecided", undecidedAnswers, len(doc.Answers)))
	}
	return inv
}

// fails reports whether a finding is at or above a threshold.
func fails(f *analyze.Finding, failOn exposure.Severity) bool {
	return f.Severity.Rank() >= cmp.Or(failOn, exposure.HighSev).Rank()
}
