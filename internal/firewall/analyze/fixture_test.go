package analyze_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/dialect"
	"reconshield/internal/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fixture is a folder of testdata: the policy, the files of one host or network
// as its tools print them, and the audit that an expert expects of them.
type fixture struct {
	name    string
	policy  *policy.Policy
	sources []dialect.Source
	rules   *firewall.Ruleset
}

// Names of the files of a fixture that are no rulesets.
const (
	policyFile = "policy.yaml"
	wantFile   = "want.txt"
	pickFile   = "pick.txt" // names of groups and lists, one on each line
)

func fixtures(t *testing.T) []fixture {
	t.Helper()
	folders, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	var out []fixture
	for _, d := range folders {
		if d.IsDir() && d.Name() != "fuzz" {
			out = append(out, readFixture(t, d.Name()))
		}
	}
	return out
}

func readFixture(t *testing.T, name string) fixture {
	t.Helper()
	f := fixture{name: name}
	var pick []string
	files, err := os.ReadDir(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range files {
		text, err := os.ReadFile(filepath.Join("testdata", name, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		switch e.Name() {
		case policyFile:
			f.policy, err = policy.Parse(name+"/"+policyFile, text)
		case pickFile:
			pick = strings.Fields(string(text))
		case wantFile:
		default:
			f.sources = append(f.sources, dialect.Source{Name: e.Name(), Text: text})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if f.rules, err = dialect.Load(f.sources, dialect.Options{Pick: pick}); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

func (f *fixture) audit(t *testing.T) *analyze.Audit {
	t.Helper()
	a, err := analyze.Run(f.rules, analyze.Options{Policy: f.policy, At: at()})
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	return a
}

// TestFixtures audits rulesets as real systems have them.
func TestFixtures(t *testing.T) {
	for _, f := range fixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			got := summary(f.audit(t))
			path := filepath.Join("testdata", f.name, wantFile)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the audit changed (-want +got); run with -update if that is meant:\n%s", diff)
			}
		})
	}
}

// summary is an audit with one line for each answer and each finding.
func summary(a *analyze.Audit) string {
	var b strings.Builder
	last := ""
	for i := range a.Answers {
		x := &a.Answers[i]
		if head := fmt.Sprintf("%s %s %s", x.Asset, x.Address, x.Transport); head != last {
			fmt.Fprintf(&b, "%s\n", head)
			last = head
		}
		fmt.Fprintf(&b, "  %s\n", answerLine(x))
	}
	for _, f := range a.Findings {
		where := make([]string, 0, len(f.Rules))
		for _, l := range f.Rules {
			where = append(where, lineRef(l))
		}
		fmt.Fprintf(&b, "%s %s %s [%s]\n", f.ID, f.Severity, f.Title, strings.Join(where, " "))
	}
	for _, u := range a.Unparsed {
		fmt.Fprintf(&b, "unparsed %s:%d %s: %s\n", u.File, u.Line, u.Text, u.Why)
	}
	for _, s := range a.Assumed {
		fmt.Fprintf(&b, "assumed %s\n", s)
	}
	return b.String()
}

func answerLine(x *analyze.Answer) string {
	ports := fmt.Sprint(x.Port)
	if x.LastPort > 0 {
		ports = fmt.Sprintf("%d-%d", x.Port, x.LastPort)
	}
	why := make([]string, 0, len(x.Why))
	for _, l := range x.Why {
		why = append(why, lineRef(l))
	}
	text := fmt.Sprintf("%-5s %-11s %-9s %-5s %s", x.Zone, ports, x.Verdict, x.Policy, prefixText(x.Sources))
	if len(x.Undecided) > 0 {
		text += " undecided " + prefixText(x.Undecided)
	}
	if len(x.SourcePorts) > 0 {
		text += " from ports " + strings.Join(x.SourcePorts, ",")
	}
	text = strings.TrimRight(text, " ") + "  by " + strings.Join(why, " ")
	for _, l := range x.Why {
		if l.Undecided != "" {
			text += fmt.Sprintf("\n        ? %s: %s", lineRef(l), l.Undecided)
		}
	}
	return text
}

// lineRef names a rule by file and line; the default of a chain by its text.
func lineRef(l analyze.Line) string {
	ref := fmt.Sprintf("%s:%d", l.File, l.Line)
	if l.Undecided != "" {
		ref += "?"
	}
	return ref
}

// prefixText shortens long lists.
func prefixText(all []netip.Prefix) string {
	const most = 6
	texts := make([]string, 0, len(all))
	for _, p := range all {
		texts = append(texts, p.String())
	}
	if len(texts) > most {
		texts = slices.Concat(texts[:most-1], []string{fmt.Sprintf("… (%d)", len(all))})
	}
	return strings.Join(texts, ",")
}
