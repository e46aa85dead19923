package scan

import (
	"context"
	"iter"
	"net/netip"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
	"reconshield/internal/netset"
)

// Engine measures every target of a job. It calls emit once a target, from one
// goroutine at a time and in no particular order; emit must not block for long.
//
// A cancelled scan returns the context's error with a partial summary: what
// was asked has been emitted with what is known of it, what was not asked is
// not emitted. No goroutine outlives the call.
type Engine interface {
	Scan(ctx context.Context, job Job, emit func(exposure.Observation)) (Summary, error)
}

// Prober is what the connect engine and the controls need of the network. Both
// methods are called from many goroutines; neither fails: what went wrong is
// in the reason. When it also has a method Capacity() int, no more than that
// many calls are made at once.
type Prober interface {
	// Connect tries one TCP connection within the timeout.
	Connect(ctx context.Context, t exposure.Target, timeout time.Duration) exposure.Observation
	// Exchange sends a payload; for TCP without payload it connects only.
	Exchange(ctx context.Context, r exchange.Request) exchange.Reply
}

// Limiter paces packets over the whole run; *rate.Limiter is one.
type Limiter interface {
	// Wait blocks until one more packet may be sent.
	Wait(ctx context.Context) error
}

// Defaults of a Job.
const (
	// DefaultRate is in packets a second over all targets.
	DefaultRate = 4000
	// DefaultPerHost is in probes that a host is asked to answer at once.
	DefaultPerHost = 8
	// DefaultConcurrency is in probes over all hosts at once.
	DefaultConcurrency = 2048
)

// DefaultTimeouts is the patience for a target: two attempts, the second longer.
func DefaultTimeouts() []time.Duration { return []time.Duration{time.Second, 2 * time.Second} }

// DefaultSilent is the patience for the further targets of an address that has
// given no sign of life on the first ones: one attempt.
func DefaultSilent() []time.Duration { return []time.Duration{500 * time.Millisecond} }

// Job is what to measure and how hard. Only Addresses and Ports are needed.
type Job struct {
	// Addresses is walked once, from one goroutine, no faster than the scan
	// goes on; the cross product with Ports is never held in memory.
	Addresses iter.Seq[netip.Addr]
	// Ports are asked of every address, well-known ones first.
	Ports []netset.Port
	// InScope guards every address; nil trusts Addresses.
	InScope func(netip.Addr) bool
	// Count is the number of addresses, for progress only; 0 when unknown.
	Count uint64
	// Timeouts gives the patience for each attempt; nil means DefaultTimeouts.
	// A host that answers quickly is given less where that is safe.
	Timeouts []time.Duration
	// Silent is for the further targets of an address that was silent on the
	// first; nil means DefaultSilent. Attempts of an observation tells which it was.
	Silent []time.Duration
	// Limiter paces every attempt; nil means DefaultRate.
	Limiter Limiter
	// PerHost bounds the probes that one host has to work on at once; 0 means
	// DefaultPerHost. A probe that met silence for a while no longer counts.
	PerHost int
	// Concurrency bounds probes in all; 0 means DefaultConcurrency, and what
	// the Prober can hold open is never exceeded.
	Concurrency int
	// Vantage is written into every observation.
	Vantage string
	// Progress is called now and then and at the end, not concurrently.
	Progress func(Progress)
}
