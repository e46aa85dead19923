package ruleset

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"reconshield/internal/firewall/analyze"
	"reconshield/internal/report"
)

// JUnit as its readers have it: suites, suites' cases, and what became of each.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    int           `xml:"line,attr,omitempty"`
		Failure *junitMessage `xml:"failure,omitempty"`
		Skipped *junitMessage `xml:"skipped,omitempty"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// writeJUnit writes a case for each answer, in a suite for each asset, and one
// for each finding of the rules themselves. A case fails when a finding of it is
// at or above the threshold; one that is undecided and does not fail is skipped,
// for it was not proven.
func writeJUnit(w io.Writer, doc *Document, opts Options) error {
	all := junitSuites{Name: "firewall audit"}
	byPlace := map[place][]*analyze.Finding{}
	own := junitSuite{Name: "ruleset"}
	for i := range doc.Findings {
		f := &doc.Findings[i]
		if f.Address != nil {
			byPlace[placeOfFinding(f)] = append(byPlace[placeOfFinding(f)], f)
			continue
		}
		own.add(ruleCase(f, opts))
	}
	for _, group := range chunks(judgeAll(doc)) {
		suite := junitSuite{Name: report.Sanitize(group[0].Asset) + " " + addressText(group[0].Address)}
		for _, a := range group {
			suite.add(answerCase(a, byPlace[placeOf(a.Answer)], opts))
		}
		all.Suites = append(all.Suites, suite)
	}
	for _, name := range doc.silent() {
		c := junitCase{Name: "every port: denied", Class: report.Sanitize(name)}
		if len(doc.Unparsed) > 0 {
			c.Skipped = &junitMessage{Message: "undecided: a part of the ruleset was not understood"}
		}
		suite := junitSuite{Name: report.Sanitize(name)}
		suite.add(c)
		all.Suites = append(all.Suites, suite)
	}
	if len(own.Cases) == 0 {
		own.add(junitCase{Name: "rules", Class: "ruleset", File: doc.Files[0]})
	}
	all.Suites = append(all.Suites, own)
	for _, s := range all.Suites {
		all.Tests, all.Failures, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Skipped+s.Skipped
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Skipped != nil:
		s.Skipped++
	}
}

func ruleCase(f *analyze.Finding, opts Options) junitCase {
	c := junitCase{Name: report.Sanitize(fmt.Sprintf("%s %s", f.ID, f.Title)), Class: "ruleset"}
	c.at(f.Rules)
	c.judge([]*analyze.Finding{f}, opts)
	if c.Failure == nil && f.ID == analyze.NotRead {
		c.Skipped = &junitMessage{Message: report.Sanitize(f.Summary)}
	}
	return c
}

func answerCase(a judged, findings []*analyze.Finding, opts Options) junitCase {
	c := junitCase{
		Name:  report.Sanitize(fmt.Sprintf("%s from %s: %s", placeOf(a.Answer).ports(), a.Zone, wanted(a.Answer))),
		Class: report.Sanitize(a.Asset + "." + a.Zone),
	}
	c.at(a.Why)
	c.judge(findings, opts)
	if c.Failure == nil && a.State == undecided {
		c.Skipped = &junitMessage{Message: "undecided: " + report.Sanitize(doubt(a.Answer))}
	}
	return c
}

// wanted is what the policy says should be.
func wanted(a *analyze.Answer) string {
	if a.PolicyRule != "" {
		return "allowed"
	}
	return "denied"
}

func doubt(a *analyze.Answer) string {
	for _, r := range a.Why {
		if r.Undecided != "" {
			return position(r) + ": " + r.Undecided
		}
	}
	return "the ruleset does not decide it"
}

// at points to the rule that had the last word.
func (c *junitCase) at(rules []analyze.Line) {
	if n := len(rules); n > 0 {
		c.File, c.Line = report.Sanitize(rules[n-1].File), rules[n-1].Line
	}
}

// findingText is a finding in a few lines.
func findingText(f *analyze.Finding) string {
	lines := []string{report.Sanitize(fmt.Sprintf("%s %s: %s", f.Severity, f.ID, f.Summary))}
	for _, r := range f.Rules {
		text := "  " + position(r) + "  " + report.Sanitize(r.Rule)
		if r.Undecided != "" {
			text += "  ? " + report.Sanitize(r.Undecided)
		}
		lines = append(lines, text)
	}
	if f.Fix != "" {
		lines = append(lines, "  fix: "+report.Sanitize(f.Fix))
	}
	return strings.Join(lines, "\n")
}

// judge lets the case fail by its findings, and tells of the lesser ones.
func (c *junitCase) judge(findings []*analyze.Finding, opts Options) {
	var said []string
	for _, f := range findings {
		text := findingText(f)
		if c.Failure == nil && fails(f, opts.FailOn) {
			c.Failure = &junitMessage{Message: report.Sanitize(f.Title), Type: string(f.ID), Text: text}
			continue
		}
		said = append(said, text)
	}
	c.Output = strings.Join(said, "\n")
}
