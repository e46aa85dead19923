package exposure

import (
	"encoding/json"
	"net/netip"
	"time"
)

// Assessment is the whole of one run.
type Assessment struct {
	Schema      string    `json:"schema"` // SchemaVersion
	Tool        string    `json:"tool"`
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	Finished    time.Time `json:"finished"`
	Vantage     string    `json:"vantage,omitempty"`
	Scope       []string  `json:"scope"`   // the expressions given
	Profile     string    `json:"profile"` // safe, standard, intrusive
	Partial     bool      `json:"partial"` // cancelled before the end
	Assets      []Asset   `json:"assets"`
	Quiet       []Quiet   `json:"quiet,omitempty"` // addresses that gave no sign of life, as prefixes
	Unmeasured  []Gap     `json:"unmeasured"`
	Warnings    []string  `json:"warnings,omitempty"`
	Interceptor string    `json:"interception,omitempty"` // "none", "detected", "not-tested"
	Totals      Totals    `json:"totals"`
}

// SchemaVersion names the JSON form of an Assessment; see docs/.
const SchemaVersion = "reconshield.assessment/1"

// Totals counts what the assessment holds.
type Totals struct {
	Addresses int              `json:"addresses"`
	Assets    int              `json:"assets"`
	OpenPorts int              `json:"open_ports"`
	Findings  map[Severity]int `json:"findings"`
	Checks    map[Status]int   `json:"checks"`
}

// Asset is one address and everything learnt of it.
type Asset struct {
	Address  netip.Addr    `json:"address"`
	Names    []string      `json:"names,omitempty"`
	Labels   []Label       `json:"labels,omitempty"`
	Zones    []string      `json:"zones,omitempty"` // DNS zones that were tested on it
	Ports    []PortState   `json:"ports"`
	Checks   []CheckResult `json:"checks"`
	Findings []Finding     `json:"findings"`
}

// PortState is an Observation as the report shows it.
type PortState struct {
	Observation
	Meaning *Meaning // of an open port; nil for others
}

// Meaning is what is known of a port's number, whatever was measured of it.
type Meaning struct {
	Name       string   `json:"name"`                 // of the service that usually listens; empty for none
	Title      string   `json:"title"`                // in full, or that the port is unassigned
	Reach      string   `json:"reach,omitempty"`      // from where a well-kept network lets it be reached
	Abuse      string   `json:"abuse,omitempty"`      // what an exposed one is used for
	Threats    []string `json:"threats,omitempty"`    // malicious software on record for the port, the documented first
	Techniques []string `json:"techniques,omitempty"` // of ATT&CK
	More       string   `json:"more"`                 // the command that tells all
}

// Quiet is a prefix of addresses without an open port that get no entry of
// their own in a large scope.
type Quiet struct {
	Prefix netip.Prefix `json:"prefix"`
	State  State        `json:"state"`  // of most ports
	Reason Reason       `json:"reason"` // of most ports
	Ports  string       `json:"ports"`  // what each port showed, in one line
}

// Gap says what could not be measured, and how to make it measurable.
type Gap struct {
	What    string `json:"what"`
	Why     string `json:"why"`
	Remedy  string `json:"remedy,omitempty"`
	Address string `json:"address,omitempty"` // empty: the whole run
}

// MarshalJSON gives the stable names of a port in the report:
// {port, transport, state, reason, rtt_ms, attempts, labels, service, meaning, time}.
func (p PortState) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Port      uint16    `json:"port"`
		Transport Transport `json:"transport"`
		State     State     `json:"state"`
		Reason    Reason    `json:"reason"`
		RTTms     *float64  `json:"rtt_ms"`
		Attempts  int       `json:"attempts"`
		Labels    []Label   `json:"labels,omitempty"`
		Detail    string    `json:"detail,omitempty"`
		Service   *Service  `json:"service,omitempty"`
		Meaning   *Meaning  `json:"meaning,omitempty"`
		Time      time.Time `json:"time"`
	}{p.Port, p.Transport, p.State, p.Reason, milliseconds(p.RTT), p.Attempts, p.Labels, p.Detail, p.Service, p.Meaning, p.At})
}

func milliseconds(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	ms := float64(d.Microseconds()) / 1000
	return &ms
}
