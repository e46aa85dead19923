package scan

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"reconshield/internal/exposure"
)

// connectEngine measures with connections and datagrams of the system's
// ordinary sockets.
type connectEngine struct{ prober Prober }

// NewConnect makes the engine that needs no privileges.
func NewConnect(p Prober) Engine { return connectEngine{p} }

// run is one scan under way.
type run struct {
	Job
	prober  Prober
	slots   chan struct{} // one for each probe in flight
	first   []int         // Ports to begin with, by index
	rest    []int
	rank    func(index int) int
	summary Summary

	mu       sync.Mutex // guards emit, summary and reported
	emit     func(exposure.Observation)
	reported time.Time
}

// progressEvery bounds how often Progress is called.
const progressEvery = 100 * time.Millisecond

func (e connectEngine) Scan(ctx context.Context, job Job, emit func(exposure.Observation)) (Summary, error) {
	r := &run{Job: job, prober: e.prober, emit: emit}
	r.prepare()
	hosts := make(chan struct{}, r.hostsAtOnce())
	var working sync.WaitGroup
	for addr := range job.Addresses {
		if ctx.Err() != nil {
			break
		}
		if job.InScope != nil && !job.InScope(addr) {
			r.mu.Lock()
			r.summary.OutOfScope++
			r.mu.Unlock()
			continue
		}
		select {
		case hosts <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		working.Go(func() {
			defer func() { <-hosts }()
			newHost(r, addr.Unmap()).scan(ctx)
		})
	}
	working.Wait()
	return r.finish(ctx.Err())
}

// prepare fills in defaults.
func (r *run) prepare() {
	if r.Timeouts == nil {
		r.Timeouts = DefaultTimeouts()
	}
	if r.Silent == nil {
		r.Silent = DefaultSilent()
	}
	if r.PerHost <= 0 {
		r.PerHost = DefaultPerHost
	}
	if r.Limiter == nil {
		const burst = DefaultRate / 20 // what a timer of some milliseconds lets through
		r.Limiter = rate.NewLimiter(DefaultRate, burst)
	}
	if r.Concurrency <= 0 {
		r.Concurrency = DefaultConcurrency
	}
	if c, ok := r.prober.(interface{ Capacity() int }); ok && c.Capacity() < r.Concurrency {
		r.Concurrency = max(1, c.Capacity())
		r.summary.Notes = append(r.summary.Notes,
			fmt.Sprintf("the descriptor limit allows %d probes at once; raise it (ulimit -n) to scan faster", r.Concurrency))
	}
	r.slots = make(chan struct{}, r.Concurrency)
	r.first, r.rest, r.rank = order(r.Ports)
	r.summary.Mode, r.summary.Concurrency = "connect", r.Concurrency
	r.summary.Started = time.Now()
	r.reported = r.summary.Started
}

// hostsAtOnce keeps enough hosts under way to fill the slots, most of which
// wait for silence.
func (r *run) hostsAtOnce() int {
	const fewest, most = 4, 512
	return min(max(r.Concurrency/r.PerHost, fewest), most)
}

func (r *run) finish(err error) (Summary, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.Duration = time.Since(r.summary.Started)
	r.summary.Partial = err != nil
	if r.Progress != nil {
		r.Progress(r.progress())
	}
	if err != nil {
		return r.summary, fmt.Errorf("scan ended early: %w", err)
	}
	return r.summary, nil
}

// verdict counts and emits an observation.
func (r *run) verdict(o exposure.Observation) {
	o.Vantage = r.Vantage
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.summary
	s.Targets++
	switch {
	case o.State == exposure.Unmeasured:
		s.Unmeasured++
	case o.Reason != exposure.ReasonTimeout:
		s.Answered++
	}
	if o.State == exposure.Open {
		s.Open++
	}
	r.emit(o)
	if now := time.Now(); r.Progress != nil && now.Sub(r.reported) >= progressEvery {
		r.reported = now
		r.Progress(r.progress())
	}
}

// sent counts attempts; again tells those that repeat an earlier one.
func (r *run) sent(attempts int, again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.summary.Sent += uint64(max(attempts, 0))
	switch {
	case again:
		r.summary.Retransmitted += uint64(max(attempts, 0))
	case attempts > 1:
		r.summary.Retransmitted += uint64(attempts - 1)
	}
}

func (r *run) progress() Progress {
	s := r.summary
	return Progress{
		Targets: targets(r.Count, len(r.Ports), s.Targets), Done: s.Targets, Sent: s.Sent, Answered: s.Answered, Open: s.Open,
	}
}

// targets is how many there are, by the count that was announced, but never
// fewer than have been measured; 0 when the count is unknown.
func targets(addresses uint64, ports int, measured uint64) uint64 {
	high, low := bits.Mul64(addresses, uint64(ports)) //nolint:gosec // a length
	switch {
	case addresses == 0:
		return 0
	case high != 0:
		return math.MaxUint64
	}
	return max(low, measured)
}
