package app

import (
	"fmt"
	"math"
	"math/bits"

	"reconshield/internal/exposure"
	"reconshield/internal/report/portlist"
	"reconshield/internal/scan"
)

// summary puts the account into the form in which it is reported.
func (s *Scan) summary(sum scan.Summary) portlist.Summary {
	out := portlist.Summary{
		Tool: "reconshield", Version: s.opts.Version,
		Mode: s.Mode(), Started: sum.Started, DurationS: sum.Duration.Seconds(), Scope: s.given, Ports: s.ports.String(),
		Show: s.opts.Show, Vantage: s.opts.Vantage, Seed: s.seed,
		Addresses: s.scope.Len(), Targets: max(s.total, sum.Targets), Measured: sum.Targets - min(sum.Unmeasured, sum.Targets),
		States: map[exposure.State]uint64{
			exposure.Open: sum.Open, exposure.Closed: sum.Closed, exposure.Filtered: sum.Filtered, exposure.Unmeasured: sum.Unmeasured,
		},
		ProbesSent: sum.Sent, RatePPS: s.rate, Replies: sum.Replies, Retransmitted: sum.Retransmitted, Attempts: s.passes,
		Recovered: sum.Recovered, Lost: sum.SentinelsLost + sum.Recovered, RingDrops: sum.RingDrops, Forged: sum.Forged,
		MinCompleteness: s.opts.MinCompleteness, Partial: sum.Partial,
	}
	out.States[exposure.OpenFiltered] = sum.Targets - min(sum.Targets, sum.Open+sum.Closed+sum.Filtered+sum.Unmeasured)
	out.Undecided = out.Targets - sum.Targets
	if !s.shard.Whole() {
		out.Shard = s.shard.String()
	}
	if done := s.journal.finished(); done != nil {
		out.Interface, out.Answered = done.Interface, done.Heard
	} else {
		out.Interface, out.Answered = s.wire.name, s.wire.heard.n
	}
	if !math.IsNaN(sum.Completeness) && sum.Targets > 0 {
		out.Completeness = &sum.Completeness
	}
	out.Notes = append(append(out.Notes, s.notes...), sum.Notes...)
	if s.left > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%d of %d addresses answered nothing and were left out; scan them with --no-discover", s.left, s.scope.Len()))
	}
	return out
}

func progressState(phase string, p scan.Progress) portlist.ProgressState {
	state := portlist.ProgressState{
		Phase: phase, Done: min(p.Done, p.Targets), Targets: p.Targets, Sent: p.Sent, Rate: p.Rate, Found: p.Open, ETA: max(p.ETA, 0),
	}
	if p.Pass > 0 {
		state.Phase = fmt.Sprintf("%s, asked again (%d)", phase, p.Pass)
	}
	if p.Loss > 0 {
		state.Loss = &p.Loss
	}
	switch p.Limited {
	case 0:
	case 1:
		state.Limit = "the pace of one host that limits its answers"
	default:
		state.Limit = fmt.Sprintf("the pace of %d hosts that limit their answers", p.Limited)
	}
	return state
}

// totalOf is how many targets a survey has in its shard, at most one too many.
func totalOf(v scan.Survey) uint64 {
	all := product(v.Addresses.Len(), uint64(len(v.Ports)))
	of := uint64(max(v.Shard.Of, 1))             //nolint:gosec // at least 1
	if all%of >= uint64(max(v.Shard.Index, 1)) { //nolint:gosec // at least 1
		return all/of + 1
	}
	return all / of
}

// product is a times b, or the largest number there is.
func product(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	if high != 0 {
		return math.MaxUint64
	}
	return low
}

// unmeasured is the account of a scan that ended before its ports were asked.
func unmeasured(discovery scan.Summary) scan.Summary {
	return joined(discovery, scan.Summary{
		Mode: discovery.Mode, Seed: discovery.Seed, Started: discovery.Started, Duration: discovery.Duration,
		Completeness: math.NaN(), Partial: true, Notes: discovery.Notes,
	})
}
