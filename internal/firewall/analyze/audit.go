// Package analyze asks questions of rulesets: who can start a conversation with
// which port of which asset and why, where that departs from the policy, which
// rules have no effect, and how two rulesets differ. Its answers are exact where
// the ruleset decides and say so where it does not. It reads no files and
// renders nothing.
package analyze

import (
	"net/netip"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// Verdict is the answer for one port.
type Verdict string

// Verdicts. Reachable says that some source of the zone surely gets through,
// Blocked that none does, Undecided that it depends on what the ruleset does not
// tell.
const (
	Blocked   Verdict = "BLOCKED"
	Reachable Verdict = "REACHABLE"
	Undecided Verdict = "UNDECIDED"
)

// Options say what is asked.
type Options struct {
	Policy *policy.Policy
	At     time.Time // when: exceptions end
	Host   string    // the asset that the ruleset was saved on; empty: found out, see Audit.Assumed
	Query  Query     // the zero value asks everything
	Limit  int       // of work a question may cost; zero means firewall.Limit
}

// Audit is the answer to everything that was asked of a ruleset.
type Audit struct {
	Schema   string     `json:"schema"` // SchemaVersion
	Files    []string   `json:"files"`
	Policy   string     `json:"policy,omitempty"` // its file
	Asked    []string   `json:"-"`                // the assets that it is about
	Answers  []Answer   `json:"answers"`          // by asset, address, transport, port, zone
	Findings []Finding  `json:"findings"`         // the worst first
	Unparsed []Unparsed `json:"unparsed"`
	Assumed  []string   `json:"assumed"` // what was taken for granted, each with how to say otherwise
}

// SchemaVersion names the JSON form of an Audit; see docs/schema.
const SchemaVersion = "reconshield.audit/1"

// Answer is the verdict on a port, or a range of ports, of one address.
type Answer struct {
	Asset     string             `json:"asset"`
	Address   netip.Addr         `json:"address"`
	Zone      string             `json:"zone"`
	Port      uint16             `json:"port"`
	LastPort  uint16             `json:"last_port,omitempty"` // of a range; zero for a single port
	Transport exposure.Transport `json:"transport"`
	Verdict   Verdict            `json:"verdict"`
	Sources   []netip.Prefix     `json:"sources"`             // who surely gets through
	Undecided []netip.Prefix     `json:"undecided,omitempty"` // who may
	// SourcePorts restricts Sources: some of them get through only from these
	// ports, which a sender chooses. Empty: any port does.
	SourcePorts []string       `json:"source_ports,omitempty"`
	Why         []Line         `json:"why"` // the rules that decided, in the packet's order
	Witness     *Witness       `json:"witness,omitempty"`
	Policy      policy.Verdict `json:"policy"` // whether the policy lets any source of the zone
	PolicyRule  string         `json:"policy_rule,omitempty"`
}

// Line is a rule that decided.
type Line struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Rule string `json:"rule"`
	// Undecided says what cannot be known of the rule; empty when it surely
	// matches.
	Undecided string `json:"undecided,omitempty"`
	Depth     int    `json:"depth,omitempty"` // of jumps that led to it
}

// Witness is a packet that shows the answer: it gets through, is dropped, or
// meets what is undecided.
type Witness struct {
	Interface  string             `json:"interface,omitempty"`
	Source     netip.Addr         `json:"source"`
	SourcePort uint16             `json:"source_port"`
	Target     netip.Addr         `json:"target"`
	Port       uint16             `json:"port"`
	Transport  exposure.Transport `json:"transport"`
}

// Finding is something wrong with the ruleset.
type Finding struct {
	ID        FindingID          `json:"id"`
	Severity  exposure.Severity  `json:"severity"`
	Title     string             `json:"title"`
	Summary   string             `json:"summary"` // one line
	Asset     string             `json:"asset,omitempty"`
	Address   *netip.Addr        `json:"address,omitempty"`
	Zone      string             `json:"zone,omitempty"`
	Port      uint16             `json:"port,omitempty"`
	LastPort  uint16             `json:"last_port,omitempty"`
	Transport exposure.Transport `json:"transport,omitempty"`
	Rules     []Line             `json:"rules"`
	Fix       string             `json:"fix"`
}

// FindingID names a kind of finding. It is stable over releases.
type FindingID string

// Kinds of findings.
const (
	Exposed      FindingID = "FW-1" // reachable, and the policy denies it
	MaybeExposed FindingID = "FW-2" // undecided, and the policy denies it
	Starved      FindingID = "FW-3" // blocked, and the policy allows it
	BySourcePort FindingID = "FW-4" // accepted for its source port
	OnlyIPv6     FindingID = "FW-5" // closed over IPv4 and open over IPv6
	Contradicted FindingID = "FW-6" // a rule that earlier ones overrule
	Redundant    FindingID = "FW-7" // a rule that earlier ones make needless
	NotRead      FindingID = "FW-8" // a part of a file that was not understood
)

// Unparsed is a part of a file that was not understood.
type Unparsed struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
	Why  string `json:"why"`
}

// transports are those that an audit asks about, with their protocol numbers.
func transports() []transport {
	return []transport{{exposure.TCP, 6}, {exposure.UDP, 17}}
}

type transport struct {
	name   exposure.Transport
	number firewall.Number
}
