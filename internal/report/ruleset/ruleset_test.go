package ruleset

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/net/html"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/policy"
)

func TestJudge(t *testing.T) {
	tests := []struct {
		verdict analyze.Verdict
		policy  policy.Verdict
		found   []analyze.FindingID
		want    state
	}{
		{analyze.Blocked, policy.Deny, nil, closed},
		{analyze.Blocked, policy.Allow, nil, nobody},
		{analyze.Blocked, policy.Allow, []analyze.FindingID{analyze.Starved}, starved},
		{analyze.Reachable, policy.Allow, nil, expected},
		{analyze.Reachable, policy.Deny, []analyze.FindingID{analyze.Exposed}, exposed},
		{analyze.Reachable, policy.Deny, []analyze.FindingID{analyze.MaybeExposed, analyze.Exposed}, exposed},
		{analyze.Reachable, policy.Allow, []analyze.FindingID{analyze.MaybeExposed}, undecided},
		{analyze.Reachable, policy.Allow, []analyze.FindingID{analyze.Starved}, starved},
		{analyze.Undecided, policy.Allow, nil, undecided},
		{analyze.Undecided, policy.Deny, []analyze.FindingID{analyze.MaybeExposed}, undecided},
	}
	for _, tt := range tests {
		var found departure
		for _, id := range tt.found {
			found = found.with(id)
		}
		if got := judge(&analyze.Answer{Verdict: tt.verdict, Policy: tt.policy}, found); got != tt.want {
			t.Errorf("%s, policy %s, %v: %s, want %s", tt.verdict, tt.policy, tt.found, got, tt.want)
		}
	}
}

func TestWho(t *testing.T) {
	tests := []struct {
		prefixes []string
		want     string
	}{
		{nil, ""},
		{[]string{"0.0.0.0/0"}, "anyone"},
		{[]string{"::/0"}, "anyone"},
		{[]string{"0.0.0.0/0", "::/0"}, "anyone"},
		{[]string{"10.0.0.0/16"}, "10.0.0.0/16"},
		{[]string{"10.0.0.0/16", "10.1.0.0/16"}, "10.0.0.0/15"},
		{[]string{"10.0.0.10/31", "10.0.0.12/30"}, "10.0.0.10-10.0.0.15"},
		{[]string{"192.0.2.1/32", "198.51.100.0/24"}, "192.0.2.1/32, 198.51.100.0/24"},
		{[]string{"192.0.2.1/32", "198.51.100.0/24", "203.0.113.0/24"}, "3 networks"},
		{[]string{"128.0.0.0/1"}, "anyone but 0.0.0.0/1"},
		{[]string{"128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/3"}, "anyone but 96.0.0.0/3"},
	}
	for _, tt := range tests {
		if got := who(prefixes(tt.prefixes...)); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.prefixes, got, tt.want)
		}
	}
}

// Zones whose ranges differ are cut so that each row holds for all of them.
func TestMatrixCutsRanges(t *testing.T) {
	span := func(zone string, first, last uint16, v analyze.Verdict) analyze.Answer {
		a := answerOf(v4, zone, exposure.TCP, first, v)
		a.LastPort = last
		if last == first {
			a.LastPort = 0
		}
		return a
	}
	allow := allowed(span("lan", 53, 53, analyze.Blocked), "role")
	tests := []struct {
		name    string
		answers []analyze.Answer
		want    string
	}{
		{"cut", []analyze.Answer{span("wan", 1, 100, analyze.Undecided), span("lan", 1, 49, analyze.Blocked), span("lan", 50, 100, analyze.Undecided)}, "tcp/1-49 undecided closed; tcp/50-100 undecided undecided"},
		{"joined", []analyze.Answer{span("wan", 1, 100, analyze.Blocked), span("wan", 101, 200, analyze.Blocked)}, "tcp/1-200 closed"},
		{"the policy's port stands alone", []analyze.Answer{span("lan", 1, 52, analyze.Undecided), allow, span("lan", 54, 99, analyze.Undecided)}, "tcp/1-52 undecided; tcp/53 nobody; tcp/54-99 undecided"},
		{"gap", []analyze.Answer{span("wan", 1, 9, analyze.Undecided), span("wan", 20, 29, analyze.Undecided)}, "tcp/1-9 undecided; tcp/20-29 undecided"},
	}
	for _, tt := range tests {
		blocks := matrices(judgeAll(&Document{Audit: &analyze.Audit{Answers: tt.answers}}))
		var rows []string
		for _, r := range blocks[0].Rows {
			text := r.ports()
			for _, c := range r.Cells {
				text += " " + string(c.State)
			}
			rows = append(rows, text)
		}
		if got := strings.Join(rows, "; "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// No line of the matrix is wider than the terminal, and no word is lost.
func TestTextFits(t *testing.T) {
	for width := 40; width <= 200; width += 5 {
		opts := usual()
		opts.Width = width
		text := string(written(t, Text, compared(), opts))
		for line := range strings.Lines(text) {
			if n := ansi.StringWidth(strings.TrimRight(line, "\n")); n > width {
				t.Errorf("at %d: %d columns: %q", width, n, line)
			}
		}
		for _, word := range []string{"EXPOSED", "undecided", "starved", "open", "closed", "no source"} {
			if !strings.Contains(text, word) {
				t.Errorf("at %d: no %q", width, word)
			}
		}
	}
}

func hostile() *Document {
	const evil = "\x1b[2J\u202e</script><img src=x>]]>\x00"
	doc := unread()
	doc.Files = []string{evil}
	doc.Answers[0].Asset, doc.Answers[0].Zone = "ns1"+evil, "wan"+evil
	doc.Answers[0].Why = []analyze.Line{{File: evil, Line: 1, Rule: evil, Undecided: evil, Depth: 1 << 20}}
	doc.Unparsed = []analyze.Unparsed{{File: evil, Line: 1, Text: evil, Why: evil}}
	doc.Assumed = []string{evil}
	f := findingOf(doc.Answers[0], analyze.Exposed, exposure.HighSev, evil, evil)
	f.Fix = evil
	doc.Findings = append(doc.Findings, f)
	return doc
}

func TestHostileText(t *testing.T) {
	opts := usual()
	opts.Verbose = true
	for _, f := range Formats() {
		got := written(t, f, hostile(), opts)
		if bytes.ContainsAny(got, "\x1b\x00") || bytes.Contains(got, []byte("\u202e")) || f == HTML && bytes.Contains(got, []byte("<img")) {
			t.Errorf("%s: something acts on the reader", f)
		}
		checkForm(t, f, got)
	}
}

// checkForm parses what is written for machines.
func checkForm(t *testing.T, f Format, text []byte) {
	t.Helper()
	switch f {
	case SARIF:
		log, err := sarif.FromString(string(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Validate(); err != nil {
			t.Error(err)
		}
	case JUnit:
		if err := xml.Unmarshal(text, &junitSuites{}); err != nil {
			t.Error(err)
		}
	case HTML:
		checkPage(t, text)
	case JSON:
		if !json.Valid(text) {
			t.Error("no JSON")
		}
	case Text:
	}
}

func checkPage(t *testing.T, text []byte) {
	t.Helper()
	var stack []string
	z := html.NewTokenizer(bytes.NewReader(text))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			if !errors.Is(z.Err(), io.EOF) || len(stack) > 0 {
				t.Errorf("%v, left open: %v", z.Err(), stack)
			}
			return
		}
		tok := z.Token()
		if slices.Contains([]string{"script", "link", "img", "iframe", "object", "embed", "form", "base"}, tok.Data) && kind != html.TextToken {
			t.Errorf("<%s> is on the page", tok.Data)
		}
		if slices.Contains([]string{"meta", "br"}, tok.Data) {
			continue
		}
		if kind == html.StartTagToken {
			stack = append(stack, tok.Data)
		}
		if kind == html.EndTagToken {
			if len(stack) == 0 || stack[len(stack)-1] != tok.Data {
				t.Fatalf("</%s> closes %v", tok.Data, stack)
			}
			stack = stack[:len(stack)-1]
		}
	}
}

func TestFormsAreValid(t *testing.T) {
	for _, f := range Formats() {
		for _, doc := range []*Document{sample(), clean(), compared(), unread()} {
			checkForm(t, f, written(t, f, doc, usual()))
		}
	}
}

// The JSON is what the published schema says.
func TestJSONFollowsItsSchema(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "schema", "audit.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("audit.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("audit.json")
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range []*Document{sample(), clean(), compared(), unread()} {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(written(t, JSON, d, usual())))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if err := schema.Validate(map[string]any{"schema": analyze.SchemaVersion}); err == nil {
		t.Error("the schema takes anything")
	}
}

// SARIF shows the rule to mend first: the last of a path, the first of rules
// that others overrule.
func TestSARIFLocations(t *testing.T) {
	log, err := sarif.FromString(string(written(t, SARIF, sample(), usual())))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range log.Runs[0].Results {
		at := r.Locations[0].PhysicalLocation
		got = append(got, fmt.Sprintf("%s %s:%d", *r.RuleID, *at.ArtifactLocation.URI, *at.Region.StartLine))
	}
	want := []string{"FW-1 rules.v4:12", "FW-1 rules.v4:12", "FW-2 rules.v4:31", "FW-3 rules.v4:2", "FW-6 rules.v4:40"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What is not proven is neither passed nor failed.
func TestJUnitCounts(t *testing.T) {
	tests := []struct {
		name                     string
		doc                      *Document
		failOn                   exposure.Severity
		tests, failures, skipped int
	}{
		{"high", sample(), exposure.HighSev, 11, 2, 1},
		{"medium", sample(), exposure.MediumSev, 11, 4, 0},
		{"none", sample(), exposure.NoSeverity, 11, 0, 1},
		{"clean", clean(), exposure.HighSev, 2, 0, 0},
		{"unread", unread(), exposure.HighSev, 2, 0, 1},
	}
	for _, tt := range tests {
		opts := usual()
		opts.FailOn = tt.failOn
		var got junitSuites
		if err := xml.Unmarshal(written(t, JUnit, tt.doc, opts), &got); err != nil {
			t.Fatal(err)
		}
		if got.Tests != tt.tests || got.Failures != tt.failures || got.Skipped != tt.skipped {
			t.Errorf("%s: %d tests, %d failures, %d skipped; want %d, %d, %d", tt.name, got.Tests, got.Failures, got.Skipped, tt.tests, tt.failures, tt.skipped)
		}
	}
}

// Of very many things a reader sees the worst, and how much is left out.
func TestMany(t *testing.T) {
	doc := clean()
	const n = 3000
	for i := range n {
		a := answerOf(v4, "wan", exposure.TCP, uint16(2*i+1), analyze.Undecided)
		a.Asset, a.Undecided = fmt.Sprintf("host%d", i%50), prefixes("0.0.0.0/0")
		if a.Asset != doc.Answers[len(doc.Answers)-1].Asset {
			a.Address = netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 50)})
		}
		doc.Answers = append(doc.Answers, a)
		doc.Findings = append(doc.Findings, analyze.Finding{ID: analyze.Redundant, Severity: exposure.Info, Title: fmt.Sprint(i), Rules: []analyze.Line{{File: "rules.v4", Line: i}}})
	}
	text := string(written(t, Text, doc, usual()))
	if want := "and with --verbose: 2975 FW-7 (a rule without effect)"; !strings.Contains(text, want) {
		t.Errorf("no %q in %s", want, text[len(text)-1000:])
	}
	page := string(written(t, HTML, doc, usual()))
	for _, want := range []string{"and 1001 more answers", "and 1000 more findings"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestParseFormat(t *testing.T) {
	for _, f := range Formats() {
		if got, err := ParseFormat(strings.ToUpper(string(f))); err != nil || got != f {
			t.Errorf("%s: %s, %v", f, got, err)
		}
	}
	if _, err := ParseFormat("yaml"); err == nil || !strings.Contains(err.Error(), "text, json, html, sarif, junit") {
		t.Errorf("yaml: %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestWriteErrors(t *testing.T) {
	for _, f := range Formats() {
		if err := Write(broken{}, f, sample(), usual()); err == nil || !strings.Contains(err.Error(), "full") {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// The JSON has the members of the document and no others, in its own form.
func TestJSONIsTheDocument(t *testing.T) {
	for i, d := range []*Document{sample(), clean(), compared(), unread()} {
		want, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := json.Compact(&got, written(t, JSON, d, usual())); err != nil {
			t.Fatal(err)
		}
		var a, b any
		if json.Unmarshal(want, &a) != nil || json.Unmarshal(got.Bytes(), &b) != nil {
			t.Fatal("no JSON")
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%d: %s", i, diff)
		}
	}
}

// Of many assets the worst are shown, and all at a glance.
func TestManyAssets(t *testing.T) {
	doc := clean()
	doc.Answers = nil
	for i := range 20 {
		for port := range uint16(i + 1) {
			a := answerOf(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), "wan", exposure.TCP, 2*port+1, analyze.Undecided)
			a.Asset = fmt.Sprintf("host%02d", i)
			if i == 3 {
				a.Verdict = analyze.Blocked
			}
			doc.Answers = append(doc.Answers, a)
		}
	}
	text := string(written(t, Text, doc, usual()))
	for _, want := range []string{"  host00  ?  1 undecided\n", "  host19  ? 20 undecided\n", "✓ as the policy wants it  host03\n", "── host19  192.0.2.19", "── host12  192.0.2.12", "and the matrices of 11 more assets with --verbose"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(text, "── host11 ") {
		t.Error("an asset that is not among the worst is shown")
	}
}

// Whoever gets through from one source port only is told with it.
func TestMatrixTellsSourcePorts(t *testing.T) {
	a := answerOf(v4, "wan", exposure.UDP, 5000, analyze.Reachable, "0.0.0.0/0")
	a.SourcePorts = []string{"53", "67-68"}
	doc := &Document{Audit: &analyze.Audit{Answers: []analyze.Answer{a}, Findings: []analyze.Finding{
		findingOf(a, analyze.Exposed, exposure.HighSev, "open", "open"),
	}}}
	text := string(written(t, Text, doc, usual()))
	if want := "  udp/5000          ▲ EXPOSED anyone from port 53, 67-68\n"; !strings.Contains(text, want) {
		t.Errorf("no %q in %s", want, text)
	}
}

// An asset of which there is nothing to tell is told of, and is closed only when
// everything was understood.
func TestSilentAssets(t *testing.T) {
	quiet, doubtful := clean(), unread()
	quiet.Assets, doubtful.Assets = []string{"ns1", "db", "log"}, []string{"ns1", "db"}
	nothing := &Document{Audit: &analyze.Audit{Files: []string{"rules.v4"}}, Assets: []string{"db"}}
	tests := []struct {
		format Format
		doc    *Document
		want   string
	}{
		{Text, quiet, "✓ no port can be reached from any zone  db log\n"},
		{Text, quiet, "  3 assets · 1 answer"},
		{Text, doubtful, "? undecided on every port  db\n"},
		{Text, nothing, "✓ no port can be reached from any zone  db\n"},
		{HTML, quiet, "no port can be reached from any zone</span> db log"},
		{HTML, doubtful, "undecided on every port</span> db"},
		{JUnit, quiet, `<testcase name="every port: denied" classname="log"></testcase>`},
		{JUnit, doubtful, `<skipped message="undecided: a part of the ruleset was not understood">`},
	}
	for _, tt := range tests {
		if got := string(written(t, tt.format, tt.doc, usual())); !strings.Contains(got, tt.want) {
			t.Errorf("%s: no %q in %s", tt.format, tt.want, got)
		}
	}
}

// TestTitleOfGroup: a title names ports and zones, however many there are.
func TestTitleOfGroup(t *testing.T) {
	at := func(zone string, port, last uint16) place {
		return place{asset: "ns1", zone: zone, transport: exposure.TCP, port: port, last: last}
	}
	for _, c := range []struct {
		places []place
		want   string
	}{
		{[]place{at("wan", 22, 0)}, "its own"},
		{[]place{at("wan", 22, 0), at("lan", 22, 0)}, "tcp/22 reachable against the policy from wan, lan"},
		{[]place{at("wan", 22, 0), at("wan", 80, 0)}, "tcp/22 tcp/80 reachable against the policy from wan"},
		{[]place{at("wan", 1, 9), at("wan", 80, 0), at("vpn", 443, 0)}, "tcp/1-9 and 2 more reachable against the policy from wan, vpn"},
	} {
		g := group{Finding: &analyze.Finding{ID: analyze.Exposed, Title: "its own"}, places: c.places}
		if got := g.title(); got != c.want {
			t.Errorf("%v: %q, expected %q", c.places, got, c.want)
		}
	}
}

// TestWithoutPolicy: where there is no policy, no word speaks of what it wants.
func TestWithoutPolicy(t *testing.T) {
	for _, x := range []state{closed, exposed} {
		if got := x.meaning(false); strings.Contains(got, "policy wants") || strings.Contains(got, "against") {
			t.Errorf("%s means %q without a policy", x, got)
		}
	}
}

// TestSourcePortStays: the narrowest matrix still says that something is open
// from one source port only.
func TestSourcePortStays(t *testing.T) {
	a := &analyze.Answer{Verdict: analyze.Reachable, Sources: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, SourcePorts: []string{"53"}, Policy: policy.Allow}
	c := cellOf(judged{a, judge(a, departure{})})
	if got, want := []string{c.about(true), c.about(false)}, []string{"anyone from port 53", "from port 53"}; !slices.Equal(got, want) {
		t.Errorf("%q, expected %q", got, want)
	}
}
