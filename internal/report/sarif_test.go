package report_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

func readSARIF(t *testing.T, a *exposure.Assessment) *sarif.Report {
	t.Helper()
	log, err := sarif.FromString(render(t, report.SARIF, a, report.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func TestSARIFFollowsItsSchema(t *testing.T) {
	for name, a := range map[string]*exposure.Assessment{"rich": rich(), "clean": clean(), "empty": empty()} {
		log := readSARIF(t, a)
		if err := log.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if log.Version != "2.1.0" || len(log.Runs) != 1 || log.Runs[0].Results == nil {
			t.Errorf("%s: version %s, %d runs", name, log.Version, len(log.Runs))
		}
	}
}

func TestSARIFResults(t *testing.T) {
	type result struct{ Rule, Level, Severity, Fingerprint, URI string }
	run := readSARIF(t, rich()).Runs[0]
	var got []result
	for _, r := range run.Results {
		rule := run.Tool.Driver.Rules[r.RuleIndex]
		if *rule.ID != *r.RuleID {
			t.Errorf("%s points to the rule %s", *r.RuleID, *rule.ID)
		}
		if rule.Help == nil || *rule.Help.Text == "" || *rule.Help.Markdown == "" {
			t.Errorf("%s has no help", *rule.ID)
		}
		severity, _ := r.Properties.Properties["security-severity"].(string)
		got = append(got, result{
			*r.RuleID, r.Level, severity, r.PartialFingerprints["reconshield/v1"],
			*r.Locations[0].PhysicalLocation.ArtifactLocation.URI,
		})
	}
	name := func(id, subject string) string { return exposure.Fingerprint(id, bindAddr, 53, subject) }
	want := []result{
		{"UPD-1", "error", "9.5", name("UPD-1", "example.net"), "hosts/192.0.2.53/53"},
		{"REC-1", "error", "8.0", name("REC-1", ""), "hosts/192.0.2.53/53"},
		{"XFR-1", "error", "8.0", name("XFR-1", "example.net"), "hosts/192.0.2.53/53"},
		{"AMP-1", "warning", "5.5", name("AMP-1", ""), "hosts/192.0.2.53/53"},
		{"ID-2", "note", "3.0", name("ID-2", ""), "hosts/192.0.2.53/53"},
		{"ID-1", "error", "8.0", exposure.Fingerprint("ID-1", sshAddr, 53, ""), "hosts/192.0.2.80/53"},
		{"ID-3", "note", "0.0", exposure.Fingerprint("ID-3", unboundAddr, 53, ""), "hosts/2001:db8::53/53"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestSARIFRuleIsAsGraveAsItsGravestFinding: one rule stands for all hosts.
func TestSARIFRuleIsAsGraveAsItsGravestFinding(t *testing.T) {
	a := rich()
	mild, grave := recursion(), recursion()
	mild.Severity, grave.Severity = exposure.LowSev, exposure.Critical
	a.Assets = []exposure.Asset{
		{Address: bindAddr, Findings: []exposure.Finding{mild}}, {Address: unboundAddr, Findings: []exposure.Finding{grave}},
	}
	rules := readSARIF(t, a).Runs[0].Tool.Driver.Rules
	if len(rules) != 1 {
		t.Fatalf("%d rules, want 1", len(rules))
	}
	if got := rules[0].Properties.Properties["security-severity"]; got != "9.5" {
		t.Errorf("security-severity %v, want 9.5", got)
	}
	if got := rules[0].DefaultConfiguration.Level; got != "error" {
		t.Errorf("level %s, want error", got)
	}
}

func TestSARIFSaysWhatIsMissing(t *testing.T) {
	inv := readSARIF(t, rich()).Runs[0].Invocations[0]
	if *inv.ExecutionSuccessful {
		t.Error("a partial run is called successful")
	}
	var notes strings.Builder
	for _, n := range inv.ToolExecutionNotifications {
		notes.WriteString(*n.Message.Text + "\n")
	}
	for _, want := range []string{"partial: ", "ns2.example.net has no address", "no collector was given"} {
		if !strings.Contains(notes.String(), want) {
			t.Errorf("%q is not among the notifications", want)
		}
	}
}
