package portlist

import (
	"math"
	"time"

	"reconshield/internal/exposure"
)

// SchemaVersion names the form of the rows and of the summary; see docs/.
const SchemaVersion = "reconshield.scan/1"

// Summary is what a run says of itself at its end. Its JSON names are stable.
type Summary struct {
	Schema  string `json:"schema"` // SchemaVersion when empty
	Tool    string `json:"tool,omitempty"`
	Version string `json:"version,omitempty"`

	Mode      string    `json:"mode"` // raw or connect
	Started   time.Time `json:"started"`
	DurationS float64   `json:"duration_s"`
	Scope     []string  `json:"scope,omitempty"` // the expressions given
	Ports     string    `json:"ports,omitempty"` // the expression given
	Show      string    `json:"show,omitempty"`  // which verdicts were written: open, maybe, all
	Vantage   string    `json:"vantage,omitempty"`
	Interface string    `json:"interface,omitempty"`
	Shard     string    `json:"shard,omitempty"` // "3/16"
	Seed      uint64    `json:"seed,string"`     // a string: JavaScript's numbers end at 2^53

	Addresses uint64                    `json:"addresses"` // in scope
	Answered  uint64                    `json:"addresses_answered"`
	Targets   uint64                    `json:"targets"` // address × transport × port
	Measured  uint64                    `json:"measured"`
	Undecided uint64                    `json:"undecided"` // targets without a verdict: the run ended before
	States    map[exposure.State]uint64 `json:"states"`    // verdicts, written or not

	ProbesSent    uint64  `json:"probes_sent"`
	RatePPS       float64 `json:"rate_pps"` // mean probes a second; worked out when 0
	Replies       uint64  `json:"replies"`
	Retransmitted uint64  `json:"retransmitted"` // probes that repeated one
	Attempts      int     `json:"attempts"`      // the most that a target got
	Recovered     uint64  `json:"recovered"`     // targets whose answer came to a repeated probe only
	Lost          uint64  `json:"lost"`          // probes to answering targets that were not answered
	RingDrops     uint64  `json:"ring_drops"`    // answers that found no room on this side
	Forged        uint64  `json:"forged"`        // packets that pretended to be answers

	// Completeness is the estimated share of the answerable targets that were
	// answered, 0 to 1; nil when nothing answered, for nothing is known then.
	Completeness    *float64 `json:"completeness"`
	MinCompleteness float64  `json:"min_completeness"` // below it the run is incomplete
	Partial         bool     `json:"partial"`          // stopped before the end
	Notes           []string `json:"notes,omitempty"`  // sentences for people
}

// Incomplete reports that the results must not be taken for all there is: the
// run was stopped, or too much was lost.
func (s Summary) Incomplete() bool {
	return s.Partial || s.Completeness != nil && *s.Completeness < s.MinCompleteness
}

// MarshalLine is the summary as the last line of JSON Lines, without a newline.
func (s Summary) MarshalLine() []byte { return appendSummary(nil, s.normal()) }

// normal fills in what can be worked out, and makes every array and object one.
func (s Summary) normal() Summary {
	if s.Schema == "" {
		s.Schema = SchemaVersion
	}
	if s.RatePPS == 0 && s.DurationS > 0 {
		s.RatePPS = float64(s.ProbesSent) / s.DurationS
	}
	s.RatePPS = math.Round(s.RatePPS*10) / 10
	if s.States == nil {
		s.States = map[exposure.State]uint64{}
	}
	if s.Completeness != nil && !finite(*s.Completeness) {
		s.Completeness = nil // JSON has no such number
	}
	for _, f := range []*float64{&s.DurationS, &s.RatePPS, &s.MinCompleteness} {
		if !finite(*f) {
			*f = 0
		}
	}
	s.Started = s.Started.UTC()
	return s
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
