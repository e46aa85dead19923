package exposure

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
)

// Severity ranks a finding.
type Severity string

// Severities, worst first.
const (
	Critical    Severity = "critical"
	HighSev     Severity = "high"
	MediumSev   Severity = "medium"
	LowSev      Severity = "low"
	Info        Severity = "info"
	NoSeverity  Severity = "none" // only as a threshold: nothing reaches it
	severityMax          = 5
)

// Rank is 5 for critical down to 1 for info, 0 for an unknown word; NoSeverity
// ranks above everything, so that no finding reaches it.
func (s Severity) Rank() int {
	for i, v := range []Severity{Critical, HighSev, MediumSev, LowSev, Info} {
		if s == v {
			return severityMax - i
		}
	}
	if s == NoSeverity {
		return severityMax + 1
	}
	return 0
}

// Compare orders worst first.
func (s Severity) Compare(o Severity) int { return cmp.Compare(o.Rank(), s.Rank()) }

// Status is the outcome of a check on a server over one transport.
type Status string

// Statuses. Pass is only said when the check was really carried out and the
// server did the right thing; whatever could not be carried out is NotTested,
// and a check that broke (on our side or by nonsense from the server) is Errored.
const (
	Pass      Status = "pass"
	Fail      Status = "fail"
	NotTested Status = "not-tested"
	Errored   Status = "error"
)

// Evidence is one thing seen, kept so that a reader can judge the verdict.
type Evidence struct {
	Transport Transport `json:"transport,omitempty"`
	Query     string    `json:"query,omitempty"`    // what was sent, in dig's manner: "example.net SOA IN rd=0"
	Response  string    `json:"response,omitempty"` // one line: rcode, flags, counts, the telling record
	Rcode     string    `json:"rcode,omitempty"`
	BytesOut  int       `json:"bytes_out,omitempty"` // UDP payload or message length without framing
	BytesIn   int       `json:"bytes_in,omitempty"`
	RTTms     float64   `json:"rtt_ms,omitempty"`
	From      string    `json:"from,omitempty"` // set when the reply came from another address than asked
	Note      string    `json:"note,omitempty"`
	Raw       []byte    `json:"raw,omitempty"` // the reply as it came, bounded to 4096 bytes
}

// CheckResult is the outcome of one check on one server over one transport,
// for one subject where the check has several (zones).
type CheckResult struct {
	ID        string    `json:"id"`
	Status    Status    `json:"status"`
	Transport Transport `json:"transport,omitempty"`
	Port      uint16    `json:"port,omitempty"`
	Subject   string    `json:"subject,omitempty"` // the zone or name tested
	Reason    string    `json:"reason"`            // one line why the status is what it is
}

// Finding is a failed check on an asset, ready to be shown and tracked.
type Finding struct {
	ID          string      `json:"id"`
	Fingerprint string      `json:"fingerprint"` // stable across runs, see Fingerprint
	Severity    Severity    `json:"severity"`
	Title       string      `json:"title"`
	Summary     string      `json:"summary"` // what was found here, one or two sentences
	Why         string      `json:"why"`     // why it matters
	Confidence  Confidence  `json:"confidence"`
	Address     netip.Addr  `json:"address"`
	Port        uint16      `json:"port"`
	Transports  []Transport `json:"transports"`
	Subject     string      `json:"subject,omitempty"`
	Evidence    []Evidence  `json:"evidence"`
	Fix         []Fix       `json:"fix"`
	References  []Reference `json:"references"`
}

// Fix is one way to close a finding.
type Fix struct {
	Kind  string `json:"kind"`            // "configuration", "firewall", "advice"
	For   string `json:"for"`             // product or firewall: "BIND 9", "nftables"
	Text  string `json:"text,omitempty"`  // what to do, one or two sentences
	Lines string `json:"lines,omitempty"` // configuration or commands, verbatim
}

// Reference points to the authority behind a check.
type Reference struct {
	Title string `json:"title"`
	URL   string `json:"url,omitempty"`
}

// Fingerprint names a finding by what it is and where: check, address, port
// and subject. Time, transport, version and wording do not enter, so that the
// same finding keeps its name over runs and releases.
func Fingerprint(id string, addr netip.Addr, port uint16, subject string) string {
	key := fmt.Sprintf("%s|%s|%d|%s", id, addr.Unmap(), port, strings.ToLower(strings.TrimSuffix(subject, ".")))
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:10])
}

// CompareFindings orders worst first, then by address, id, port and subject.
func CompareFindings(a, b Finding) int {
	return cmp.Or(a.Severity.Compare(b.Severity), a.Address.Compare(b.Address),
		cmp.Compare(a.ID, b.ID), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Subject, b.Subject))
}
