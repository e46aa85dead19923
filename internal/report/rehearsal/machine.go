package rehearsal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

// writeJSON writes one object, indented; characters that a terminal could act
// on are \u escapes.
func writeJSON(w io.Writer, doc *Document) error {
	raw, err := report.EncodeJSON(doc)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Skipped *junitSkipped `xml:"skipped,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// writeJUnit writes a case for each question: a difference fails, and what is
// not known is skipped.
func writeJUnit(w io.Writer, doc *Document) error {
	all := junitSuites{Name: "reconshield firewall " + string(doc.Kind)}
	index := map[string]int{}
	for i := range doc.Results {
		r := &doc.Results[i]
		at, known := index[r.Asset]
		if !known {
			at = len(all.Suites)
			index[r.Asset] = at
			all.Suites = append(all.Suites, junitSuite{Name: report.Sanitize(r.Asset)})
		}
		suite := &all.Suites[at]
		c := junitCase{
			Class: report.Sanitize(r.Asset + "." + r.Zone),
			Name:  fmt.Sprintf("%s to %s %s: %s", r.Source, r.Address, r.PortText(), r.Policy),
		}
		switch {
		case r.State.Different():
			c.Failure = &junitFailure{Message: report.Sanitize(r.title() + ": " + r.Found), Type: r.State.id(), Text: details(r)}
			suite.Failures++
			all.Failures++
		case r.State == Unmeasured || r.State == Silent:
			c.Skipped = &junitSkipped{Message: report.Sanitize(r.Found)}
			suite.Skipped++
			all.Skipped++
		}
		suite.Tests++
		all.Tests++
		suite.Cases = append(suite.Cases, c)
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

// details tells everything of a difference, a line each.
func details(r *Result) string {
	lines := []string{"expected " + string(r.Policy) + ": " + report.Sanitize(r.Rule), "found " + report.Sanitize(r.Found)}
	for _, l := range r.Why {
		lines = append(lines, report.Sanitize(fmt.Sprintf("%s:%d %s", l.File, l.Line, l.Rule)))
	}
	if r.Remark != "" {
		lines = append(lines, report.Sanitize(r.Remark))
	}
	return strings.Join(lines, "\n")
}

// writeSARIF writes a SARIF 2.1.0 log: a result for each difference, at the line
// of the rule that decided it, else at the policy.
func writeSARIF(w io.Writer, doc *Document, opts Options) error {
	driver := sarif.NewToolComponent().WithName("reconshield")
	if _, version, ok := strings.Cut(report.Sanitize(opts.Tool), " "); ok {
		driver.WithVersion(version)
	}
	run := sarif.NewRun().WithTool(sarif.NewTool().WithDriver(driver))
	rules := map[string]int{}
	differences := doc.Differences()
	slices.SortStableFunc(differences, func(a, b *Result) int { return b.State.rank() - a.State.rank() })
	for _, r := range differences {
		id := r.State.id()
		i, known := rules[id]
		if !known {
			i = len(rules)
			rules[id] = i
			driver.AddRule(sarif.NewReportingDescriptor().WithID(id).
				WithShortDescription(sarif.NewMultiformatMessageString().WithText(r.title())).
				WithFullDescription(sarif.NewMultiformatMessageString().WithText(r.State.meaning(doc.Kind))))
		}
		run.AddResult(sarifResult(doc, r, i))
	}
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

func sarifResult(doc *Document, r *Result, rule int) *sarif.Result {
	props := sarif.NewPropertyBag()
	props.Add("security-severity", report.SecuritySeverity(r.Severity))
	props.Add("severity", string(r.Severity))
	props.Add("zone", report.Sanitize(r.Zone))
	props.Add("address", r.Address.String())
	props.Add("port", r.Port)
	props.Add("transport", string(r.Transport))
	file, line := cmp.Or(doc.Policy, "policy"), 1
	if n := len(r.Why); n > 0 && r.Why[n-1].Line > 0 {
		file, line = r.Why[n-1].File, r.Why[n-1].Line
	}
	message := fmt.Sprintf("%s: %s of %s (%s) from %s (%s): %s", r.title(), r.PortText(), r.Asset, r.Address, r.Zone, r.Source, r.Found)
	if r.Remark != "" {
		message += "; " + r.Remark
	}
	logical := sarif.NewLogicalLocation().WithName(r.PortText()).WithKind("resource").
		WithFullyQualifiedName(r.Address.String() + "/" + r.PortText())
	result := sarif.NewRuleResult(r.State.id()).WithRuleIndex(rule).WithLevel(report.SARIFLevel(r.Severity)).
		WithMessage(sarif.NewTextMessage(report.Sanitize(message))).WithProperties(props).
		AddLocation(sarif.NewLocation().
			WithPhysicalLocation(sarif.NewPhysicalLocation().
				WithArtifactLocation(sarif.NewArtifactLocation().WithURI(report.Sanitize(file))).
				WithRegion(sarif.NewRegion().WithStartLine(line))).
			WithLogicalLocations([]*sarif.LogicalLocation{logical}))
	subject := r.Zone + " " + r.Source.String() + " " + string(r.Transport)
	result.WithPartialFingerprints(map[string]string{"reconshield/v1": exposure.Fingerprint(r.State.id(), r.Address, r.Port, subject)})
	return result
}
