// Package rehearsal shows what a policy expects of a firewall beside what was
// found: by packets that a real kernel judged on a stage, or by a scan. It
// renders a matrix of zones and ports with the differences for a terminal, JSON,
// a page of HTML, JUnit and SARIF. It measures and decides nothing. Texts of
// rules are made harmless before they are shown.
package rehearsal

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/policy"
	"reconshield/internal/report"
)

// Kind is how the document was made.
type Kind string

// Kinds.
const (
	Rehearsal    Kind = "rehearsal"    // packets on a stage
	Verification Kind = "verification" // a scan
)

// SchemaVersion names the JSON form of a Document.
const SchemaVersion = "reconshield.rehearsal/1"

// Document is everything that was compared.
type Document struct {
	Schema  string   `json:"schema"` // SchemaVersion
	Kind    Kind     `json:"kind"`
	Files   []string `json:"rulesets,omitempty"` // rehearsed, or audited beside the scan
	Policy  string   `json:"policy"`
	Host    string   `json:"host,omitempty"` // the asset whose rules were rehearsed
	Zone    string   `json:"zone,omitempty"` // from which was scanned
	Results []Result `json:"results"`        // by asset, address, transport, port, zone, source
	Notes   []string `json:"notes,omitempty"`
	Untried []string `json:"untried,omitempty"` // zones of the policy that nobody could send from
	Packets int      `json:"packets,omitempty"` // probes sent on the stage
	Seconds float64  `json:"seconds"`
}

// Result is one comparison: a source's first packet to a port, and what
// followed.
type Result struct {
	Asset     string             `json:"asset"`
	Address   netip.Addr         `json:"address"`
	Zone      string             `json:"zone"`
	Source    netip.Addr         `json:"source"`
	Transport exposure.Transport `json:"transport"`
	Port      uint16             `json:"port"`
	Policy    policy.Verdict     `json:"policy"`
	Rule      string             `json:"policy_rule"` // that decided
	State     State              `json:"state"`
	Found     string             `json:"found"` // one line: what became of the packet
	// Engine is what the scan found from the zone; empty when it did not ask.
	Engine   exposure.State    `json:"scan,omitempty"`
	Severity exposure.Severity `json:"severity,omitempty"` // of a difference
	Audited  analyze.Verdict   `json:"audited,omitempty"`  // what the ruleset says; empty: not asked
	Why      []analyze.Line    `json:"why,omitempty"`      // the rules that decided, as far as known
	Remark   string            `json:"remark,omitempty"`   // one line on the difference
}

// State is a result as compared with the policy.
type State string

// States, the worst last.
const (
	Closed     State = "closed"     // denied, and nothing gets through
	Silent     State = "silent"     // nothing answered, which over UDP says nothing
	Open       State = "open"       // allowed, and it works
	Unmeasured State = "unmeasured" // it is not known
	Refused    State = "refused"    // allowed, and refused: nobody listens, or a rule refuses
	Starved    State = "starved"    // allowed, and nothing gets through
	OneWay     State = "one-way"    // allowed, and the answers are lost
	Exposed    State = "exposed"    // denied, and it gets through
	Bypassed   State = "bypassed"   // the audited ruleset blocks it, and it answers, whatever the policy says
)

func states() []State {
	return []State{Closed, Silent, Open, Unmeasured, Refused, Starved, OneWay, Exposed, Bypassed}
}

func (s State) rank() int { return slices.Index(states(), s) }

// Different reports whether the state departs from the policy.
func (s State) Different() bool { return s.rank() >= Refused.rank() }

// Differences are the results that depart from the policy, in their order.
func (d *Document) Differences() []*Result {
	var out []*Result
	for i := range d.Results {
		if d.Results[i].State.Different() {
			out = append(out, &d.Results[i])
		}
	}
	return out
}

// Count is how many results have a state.
func (d *Document) Count(s State) int {
	n := 0
	for i := range d.Results {
		if d.Results[i].State == s {
			n++
		}
	}
	return n
}

// PortText is "tcp/22"; of a protocol without ports its name.
func (r *Result) PortText() string { return portText(r.Transport, r.Port) }

func portText(t exposure.Transport, port uint16) string {
	if t == policy.ESP {
		return string(t)
	}
	return fmt.Sprintf("%s/%d", t, port)
}

// Format names a form of the report.
type Format string

// Formats.
const (
	Text  Format = "text"
	JSON  Format = "json"
	HTML  Format = "html"
	JUnit Format = "junit"
	SARIF Format = "sarif"
)

// Formats lists every format, the default first.
func Formats() []Format { return []Format{Text, JSON, HTML, JUnit, SARIF} }

// ParseFormat reads a format's name, in any case. The error lists the names.
func ParseFormat(s string) (Format, error) {
	f := Format(strings.ToLower(strings.TrimSpace(s)))
	if slices.Contains(Formats(), f) {
		return f, nil
	}
	return "", fmt.Errorf("unknown format %q: use one of text, json, html, junit, sarif", s)
}

// Options say how a report is shown.
type Options struct {
	report.Options
	Tool string // "reconshield 1.2.3"; empty: not said
}

// Write writes the document in the format given; doc may not be nil. Errors are
// those of w, or an unknown format.
func Write(w io.Writer, format Format, doc *Document, opts Options) error {
	out := bufio.NewWriter(w)
	var err error
	switch format {
	case Text:
		err = writeText(out, doc, opts)
	case JSON:
		err = writeJSON(out, doc)
	case HTML:
		err = writeHTML(out, doc, opts)
	case JUnit:
		err = writeJUnit(out, doc)
	case SARIF:
		err = writeSARIF(out, doc, opts)
	default:
		_, err = ParseFormat(string(format))
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("write %s report: %w", format, err)
	}
	return nil
}
