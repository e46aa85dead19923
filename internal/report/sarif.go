package report

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"reconshield/internal/exposure"
)

// fingerprintKey names our fingerprint among those of other tools; the number
// changes when the fingerprint's recipe does.
const fingerprintKey = "reconshield/v1"

// sarifSchema is the published schema of SARIF 2.1.0 (OASIS, errata 01).
const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// writeSARIF writes a SARIF 2.1.0 log with one run: a rule for each check that
// found something, a result for each finding. All text is sanitised.
func writeSARIF(w io.Writer, a *exposure.Assessment) error {
	driver := sarif.NewToolComponent().WithName(cmp.Or(Sanitize(a.Tool), "reconshield"))
	if a.Version != "" {
		driver.WithVersion(Sanitize(a.Version))
	}
	run := sarif.NewRun().WithTool(sarif.NewTool().WithDriver(driver))
	rules := map[string]int{}
	for _, asset := range a.Assets {
		for _, f := range asset.Findings {
			i, known := rules[f.ID]
			if !known {
				i = len(rules)
				rules[f.ID] = i
				driver.AddRule(sarifRule(f))
			} else {
				raiseSeverity(driver.Rules[i], f.Severity)
			}
			run.AddResult(sarifResult(asset, f, i))
		}
	}
	run.AddInvocation(sarifInvocation(a))
	log := sarif.NewReport()
	log.Schema = sarifSchema
	log.AddRun(run)
	raw, err := EncodeJSON(log)
	if err != nil {
		return err
	}
	_, err = w.Write(append(raw, '\n'))
	return err
}

func sarifRule(f exposure.Finding) *sarif.ReportingDescriptor {
	text, markdown := sarifHelp(f)
	props := sarif.NewPropertyBag()
	props.Add("security-severity", securitySeverity(f.Severity))
	props.Add("precision", precision(f.Confidence))
	props.WithTags([]string{"security", "network", "exposure"})
	rule := sarif.NewReportingDescriptor().
		WithID(Sanitize(f.ID)).
		WithName(ruleName(f.Title)).
		WithShortDescription(sarif.NewMultiformatMessageString().WithText(Sanitize(f.Title))).
		WithFullDescription(sarif.NewMultiformatMessageString().WithText(cmp.Or(Sanitize(f.Why), Sanitize(f.Title)))).
		WithHelp(sarif.NewMultiformatMessageString().WithText(text).WithMarkdown(markdown)).
		WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(sarifLevel(f.Severity))).
		WithProperties(props)
	for _, r := range f.References {
		if strings.HasPrefix(r.URL, "https://") {
			rule.WithHelpURI(Sanitize(r.URL))
			break
		}
	}
	return rule
}

// raiseSeverity makes a rule as grave as its gravest finding.
func raiseSeverity(rule *sarif.ReportingDescriptor, s exposure.Severity) {
	have, ok := rule.Properties.Properties["security-severity"].(string)
	if next := securitySeverity(s); ok && score(next) > score(have) {
		rule.Properties.Add("security-severity", next)
		rule.DefaultConfiguration.WithLevel(sarifLevel(s))
	}
}

func score(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return v
}

func sarifResult(asset exposure.Asset, f exposure.Finding, rule int) *sarif.Result {
	message := fmt.Sprintf("%s: %s", asset.Address, cmp.Or(Sanitize(f.Summary), Sanitize(f.Title)))
	props := sarif.NewPropertyBag()
	props.Add("security-severity", securitySeverity(f.Severity))
	props.Add("severity", string(f.Severity))
	props.Add("confidence", string(f.Confidence))
	props.Add("address", asset.Address.String())
	props.Add("port", f.Port)
	props.Add("transports", f.Transports)
	if f.Subject != "" {
		props.Add("subject", Sanitize(f.Subject))
	}
	evidence := make([]string, 0, len(f.Evidence))
	for _, e := range f.Evidence {
		evidence = append(evidence, evidenceText(e, f.Address, "->"))
	}
	props.Add("evidence", evidence)
	result := sarif.NewRuleResult(Sanitize(f.ID)).
		WithRuleIndex(rule).
		WithLevel(sarifLevel(f.Severity)).
		WithMessage(sarif.NewTextMessage(message)).
		WithProperties(props).
		AddLocation(sarifLocation(asset, f))
	result.WithPartialFingerprints(map[string]string{fingerprintKey: f.Fingerprint})
	return result
}

// sarifLocation names the port both as a logical location and, because many
// readers show nothing without a file, as a relative URI.
func sarifLocation(asset exposure.Asset, f exposure.Finding) *sarif.Location {
	port := strconv.Itoa(int(f.Port))
	uri := "hosts/" + strings.ReplaceAll(asset.Address.String(), "%", "%25") + "/" + port
	logical := sarif.NewLogicalLocation().
		WithName(port).
		WithKind("resource").
		WithFullyQualifiedName(asset.Address.String() + "/" + port)
	return sarif.NewLocation().
		WithPhysicalLocation(sarif.NewPhysicalLocation().
			WithArtifactLocation(sarif.NewArtifactLocation().WithURI(uri)).
			WithRegion(sarif.NewRegion().WithStartLine(1))).
		WithLogicalLocations([]*sarif.LogicalLocation{logical})
}

func sarifInvocation(a *exposure.Assessment) *sarif.Invocation {
	const layout = "2006-01-02T15:04:05.000Z"
	inv := sarif.NewInvocation().WithExecutionSuccessful(!a.Partial)
	if !a.Started.IsZero() {
		inv.WithStartTimeUtc(a.Started.UTC().Format(layout))
	}
	if !a.Finished.IsZero() {
		inv.WithEndTimeUtc(a.Finished.UTC().Format(layout))
	}
	note := func(text string) {
		inv.AddToolExecutionNotification(sarif.NewNotification().WithLevel("warning").
			WithMessage(sarif.NewTextMessage(text)))
	}
	if a.Partial {
		note("partial: the run was stopped before its end")
	}
	for _, w := range a.Warnings {
		note(Sanitize(w))
	}
	for _, g := range gaps(a) {
		text := "not measured: " + strings.Join(g.What, ", ") + ": " + g.Why
		if g.Remedy != "" {
			text += " (" + g.Remedy + ")"
		}
		note(text)
	}
	return inv
}

// sarifHelp is why the finding matters and how it is fixed, as plain text and
// as Markdown.
func sarifHelp(f exposure.Finding) (text, markdown string) {
	var t, m strings.Builder
	fmt.Fprintf(&t, "%s\n", Sanitize(f.Why))
	fmt.Fprintf(&m, "%s\n", markdownText(f.Why))
	for _, x := range f.Fix {
		fmt.Fprintf(&t, "\n%s: %s\n", Sanitize(x.For), Sanitize(x.Text))
		fmt.Fprintf(&m, "\n**%s** %s\n", markdownText(x.For), markdownText(x.Text))
		if lines := configLines(x.Lines); len(lines) > 0 {
			fmt.Fprintf(&t, "%s\n", strings.Join(lines, "\n"))
			fmt.Fprintf(&m, "\n    %s\n", strings.Join(lines, "\n    "))
		}
	}
	for _, r := range f.References {
		fmt.Fprintf(&t, "\n%s %s\n", Sanitize(r.Title), Sanitize(r.URL))
		fmt.Fprintf(&m, "\n- %s %s\n", markdownText(r.Title), Sanitize(r.URL))
	}
	return t.String(), m.String()
}

// markdownText keeps text from being read as Markdown or HTML.
func markdownText(s string) string {
	return strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`,
		"<", "&lt;", ">", "&gt;", "&", "&amp;", "#", `\#`, "|", `\|`, "!", `\!`).Replace(Sanitize(s))
}

// ruleName is the title in PascalCase, as SARIF 2.1.0 §3.49.7 asks.
func ruleName(title string) string {
	var b strings.Builder
	for _, w := range strings.FieldsFunc(title, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return cmp.Or(b.String(), "Finding")
}

func sarifLevel(s exposure.Severity) string {
	switch s {
	case exposure.Critical, exposure.HighSev:
		return sarif.LevelError
	case exposure.MediumSev:
		return sarif.LevelWarning
	case exposure.LowSev, exposure.Info, exposure.NoSeverity:
	}
	return sarif.LevelNote
}

// securitySeverity is the number code scanners rank by: over 9 is shown as
// critical, from 7 high, from 4 medium, above 0 low.
func securitySeverity(s exposure.Severity) string {
	switch s {
	case exposure.Critical:
		return "9.5"
	case exposure.HighSev:
		return "8.0"
	case exposure.MediumSev:
		return "5.5"
	case exposure.LowSev:
		return "3.0"
	case exposure.Info, exposure.NoSeverity:
	}
	return "0.0"
}

func precision(c exposure.Confidence) string {
	switch c {
	case exposure.High:
		return "very-high"
	case exposure.Medium:
		return "medium"
	case exposure.Low:
	}
	return "low"
}
