package rehearsal_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/policy"
	"reconshield/internal/report"
	"reconshield/internal/report/rehearsal"
)

var update = flag.Bool("update", false, "write testdata; review every changed line")

// fixture has every state, a hostile text, and two addresses that fared alike.
func fixture() *rehearsal.Document {
	doc := &rehearsal.Document{
		Schema: rehearsal.SchemaVersion, Kind: rehearsal.Rehearsal, Files: []string{"rules.nft"}, Policy: "policy.yaml", Host: "ns1",
		Notes: []string{"the ruleset names eth9, where the policy has no zone: nothing was sent from there"}, Packets: 30, Seconds: 1.25,
	}
	add := func(zone, source string, t exposure.Transport, port uint16, s rehearsal.State, with func(*rehearsal.Result)) {
		for _, to := range []string{"192.0.2.53", "2001:db8::53"} {
			r := rehearsal.Result{
				Asset: "ns1", Address: netip.MustParseAddr(to), Zone: zone, Source: netip.MustParseAddr(source), Transport: t, Port: port,
				Policy: policy.Deny, Rule: "default: deny (policy.yaml:9)", State: s, Found: "the packet was dropped or refused",
			}
			if s != rehearsal.Closed && s != rehearsal.Exposed && s != rehearsal.Silent {
				r.Policy, r.Rule = policy.Allow, "expose: 22/tcp to vpn (policy.yaml:7)"
			}
			if with != nil {
				with(&r)
			}
			doc.Results = append(doc.Results, r)
		}
	}
	add("wan", "5.6.7.9", exposure.TCP, 22, rehearsal.Exposed, func(r *rehearsal.Result) {
		r.Found, r.Severity, r.Audited = "the packet reached the host itself", exposure.Critical, analyze.Reachable
		r.Why = []analyze.Line{{File: "rules.nft", Line: 7, Rule: "tcp dport 22 accept comment \"\x1b[2J\""}}
		r.Engine = exposure.Open
	})
	add("vpn", "10.8.0.9", exposure.TCP, 22, rehearsal.Open, nil)
	add("wan", "5.6.7.9", exposure.TCP, 23, rehearsal.Closed, nil)
	add("vpn", "10.8.0.9", exposure.TCP, 23, rehearsal.Closed, nil)
	add("wan", "5.6.7.9", exposure.TCP, 25, rehearsal.Closed, nil)
	add("vpn", "10.8.0.9", exposure.TCP, 25, rehearsal.Closed, nil)
	add("wan", "5.6.7.9", exposure.UDP, 53, rehearsal.OneWay, func(r *rehearsal.Result) {
		r.Found, r.Severity = "the packet reached the host itself, but no answer came back", exposure.MediumSev
	})
	add("vpn", "10.8.0.9", exposure.UDP, 53, rehearsal.Open, nil)
	add("vpn", "10.8.7.9", exposure.UDP, 53, rehearsal.Starved, func(r *rehearsal.Result) { r.Severity = exposure.MediumSev })
	add("wan", "5.6.7.9", exposure.UDP, 161, rehearsal.Silent, nil)
	add("vpn", "10.8.0.9", exposure.UDP, 161, rehearsal.Silent, nil)
	add("wan", "5.6.7.9", exposure.UDP, 443, rehearsal.Unmeasured, nil)
	add("vpn", "10.8.0.9", exposure.UDP, 443, rehearsal.Refused, func(r *rehearsal.Result) { r.Severity = exposure.LowSev })
	add("wan", "5.6.7.9", exposure.TCP, 8080, rehearsal.Bypassed, func(r *rehearsal.Result) {
		r.Found, r.Severity, r.Audited = "open (syn-ack)", exposure.Critical, analyze.Blocked
	})
	add("vpn", "10.8.0.9", exposure.TCP, 8080, rehearsal.Closed, nil)
	return doc
}

func written(t *testing.T, f rehearsal.Format, doc *rehearsal.Document, opts report.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := rehearsal.Write(&b, f, doc, rehearsal.Options{Options: opts, Tool: "reconshield 1.0"}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	good := fixture()
	good.Results, good.Notes, good.Kind, good.Zone = good.Results[4:12], nil, rehearsal.Verification, "wan"
	good.Results = good.Results[2:]
	for name, c := range map[string]struct {
		format rehearsal.Format
		doc    *rehearsal.Document
		opts   report.Options
	}{
		"all.txt":    {rehearsal.Text, fixture(), report.Options{ExitCode: 1}},
		"narrow.txt": {rehearsal.Text, fixture(), report.Options{Width: 40, ASCII: true, Verbose: true, ExitCode: 1}},
		"color.txt":  {rehearsal.Text, fixture(), report.Options{Color: true, ExitCode: 1}},
		"good.txt":   {rehearsal.Text, good, report.Options{}},
		"all.xml":    {rehearsal.JUnit, fixture(), report.Options{}},
		"all.html":   {rehearsal.HTML, fixture(), report.Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := written(t, c.format, c.doc, c.opts)
			if c.format == rehearsal.HTML { // its style is the other reports', and tested there
				_, got, _ = strings.Cut(got, "</style>")
			}
			file := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestHarmless sees that no format lets a text act on a terminal or a page.
func TestHarmless(t *testing.T) {
	doc := fixture()
	for i := range doc.Results {
		r := &doc.Results[i]
		r.Asset, r.Zone, r.Rule, r.Found, r.Remark = "\x1b]0;x\a<script>", "\u202ezone\x00", "\x9b31m", "<b>\r\n", "]]>\x1b[2J"
	}
	doc.Notes, doc.Files, doc.Policy, doc.Host = []string{"\x1b[1m"}, []string{"\x07f"}, "\x1bp", "\x1bh"
	for _, f := range rehearsal.Formats() {
		got := written(t, f, doc, report.Options{})
		if strings.ContainsAny(got, "\x1b\x00\x07\u009b\u202e\r") {
			t.Errorf("%s: a control character came through", f)
		}
		if f == rehearsal.HTML && (strings.Contains(got, "<script>") || strings.Contains(got, "<b>")) {
			t.Error("markup came through")
		}
	}
}

func TestMachineFormats(t *testing.T) {
	doc := fixture()
	var back rehearsal.Document
	if err := json.Unmarshal([]byte(written(t, rehearsal.JSON, doc, report.Options{})), &back); err != nil {
		t.Fatal(err)
	}
	comparers := cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}
	if diff := cmp.Diff(doc, &back, comparers); diff != "" {
		t.Error(diff)
	}
	var suites struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	if err := xml.Unmarshal([]byte(written(t, rehearsal.JUnit, doc, report.Options{})), &suites); err != nil {
		t.Fatal(err)
	}
	if unknown := doc.Count(rehearsal.Silent) + doc.Count(rehearsal.Unmeasured); suites.Tests != len(doc.Results) || suites.Failures != len(doc.Differences()) || suites.Skipped != unknown {
		t.Errorf("%+v, want %d tests, %d failures, %d skipped", suites, len(doc.Results), len(doc.Differences()), unknown)
	}
	var log struct {
		Runs []struct{ Results []struct{ RuleID string } }
	}
	if err := json.Unmarshal([]byte(written(t, rehearsal.SARIF, doc, report.Options{})), &log); err != nil {
		t.Fatal(err)
	}
	if len(log.Runs) != 1 || len(log.Runs[0].Results) != len(doc.Differences()) {
		t.Errorf("%+v, want %d results", log, len(doc.Differences()))
	}
}

func TestFormats(t *testing.T) {
	for _, f := range rehearsal.Formats() {
		if got, err := rehearsal.ParseFormat(" " + strings.ToUpper(string(f))); got != f || err != nil {
			t.Errorf("%s: %s, %v", f, got, err)
		}
	}
	if _, err := rehearsal.ParseFormat("pdf"); err == nil {
		t.Error("an unknown format was taken")
	}
	if err := rehearsal.Write(&bytes.Buffer{}, "pdf", fixture(), rehearsal.Options{}); err == nil {
		t.Error("an unknown format was written")
	}
	for _, f := range rehearsal.Formats() {
		if err := rehearsal.Write(broken{}, f, fixture(), rehearsal.Options{}); !errors.Is(err, errBroken) {
			t.Errorf("%s: got %v from a writer that fails", f, err)
		}
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
