package scan

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"reconshield/internal/exposure"
)

const (
	// quietAfter is how long a probe counts as work for the host: one that has
	// met silence for longer was dropped or lies in some queue.
	quietAfter = 100 * time.Millisecond
	// The patience for a host that answers is rttFactor times its slowest
	// answer and some, but never less than leastPatience.
	rttFactor     = 4
	leastPatience = 300 * time.Millisecond
)

// host is the scan of one address.
type host struct {
	*run
	addr  netip.Addr
	slots chan struct{}

	mu      sync.Mutex
	slowest time.Duration // of its answers
	alive   chan struct{} // closed by its first sign of life
	limits  limits
}

// asked is a target and what is known of it after some attempts.
type asked struct {
	index int // into Ports
	last  *exposure.Observation
}

func newHost(r *run, addr netip.Addr) *host {
	h := &host{run: r, addr: addr, slots: make(chan struct{}, r.PerHost), alive: make(chan struct{})}
	h.limits.dnsKnown = make(chan struct{})
	if !slices.ContainsFunc(r.Ports, isDNS) {
		h.releaseUDP()
	}
	return h
}

// scan gives every target its verdict. The rest of the ports waits until the
// address shows a sign of life, or has been silent on all of the first.
func (h *host) scan(ctx context.Context) {
	var first, rest []asked
	done := make(chan struct{})
	go func() {
		defer close(done)
		first = h.passes(ctx, h.first, h.Timeouts)
		if h.lives() {
			h.unhurried(ctx, first)
			first = nil
		}
	}()
	select {
	case <-h.alive:
		rest = h.passes(ctx, h.rest, h.Timeouts)
	case <-done:
		rest = h.passes(ctx, h.rest, h.patience())
	}
	<-done
	h.unhurried(ctx, slices.Concat(first, rest))
}

// patience is what further targets deserve after the first ones.
func (h *host) patience() []time.Duration {
	if h.lives() {
		return h.Timeouts
	}
	return h.Silent
}

func (h *host) lives() bool {
	select {
	case <-h.alive:
		return true
	default:
		return false
	}
}

// passes asks the ports, then again those that did not answer, and so on; a
// repetition thereby comes after everything else was asked. It returns without
// a verdict the UDP ports whose silence may mean less than it seems.
func (h *host) passes(ctx context.Context, ports []int, timeouts []time.Duration) (doubtful []asked) {
	pending := make([]asked, 0, len(ports))
	for _, i := range ports {
		pending = append(pending, asked{index: i})
	}
	var alone sync.WaitGroup
	defer alone.Wait()
	for n, timeout := range timeouts {
		if len(pending) == 0 || ctx.Err() != nil {
			break
		}
		pending = h.pass(ctx, pending, timeout)
		if n == 0 {
			pending = h.separate(ctx, &alone, pending, timeouts)
		}
	}
	for _, a := range pending {
		if h.doubts(a) {
			doubtful = append(doubtful, a)
		} else {
			h.settle(a)
		}
	}
	return doubtful
}

// pass asks each of the pending targets once, settles those that have an
// answer and returns the others.
func (h *host) pass(ctx context.Context, pending []asked, timeout time.Duration) []asked {
	var (
		mu       sync.Mutex
		again    []asked
		inFlight sync.WaitGroup
	)
	for i, a := range pending {
		h.giveWay(ctx, a)
		release, err := h.acquire(ctx)
		if err != nil {
			mu.Lock()
			again = append(again, pending[i:]...)
			mu.Unlock()
			break
		}
		inFlight.Go(func() {
			defer release()
			o := h.probe(ctx, a, timeout)
			a.last = &o
			if !worthRepeating(o) {
				h.settle(a)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			again = append(again, a)
		})
	}
	inFlight.Wait()
	return again
}

// settle emits what is known of a target; nothing when it was never asked.
func (h *host) settle(a asked) {
	if a.last == nil {
		return
	}
	o := *a.last
	if o.State == exposure.OpenFiltered && o.Detail == "" && h.mayLimit() {
		o.Detail = limitedDetail
	}
	h.conclude(a, o)
}

// conclude gives a verdict, and lets those go on that wait for that of DNS.
func (h *host) conclude(a asked, o exposure.Observation) {
	if isDNS(h.Ports[a.index]) {
		h.mu.Lock()
		h.limits.dnsOpen = o.State == exposure.Open
		h.mu.Unlock()
		h.releaseUDP()
	}
	h.verdict(o)
}

// worthRepeating reports silence, and failures of this side that may pass.
func worthRepeating(o exposure.Observation) bool {
	return o.Reason == exposure.ReasonTimeout || o.Reason == exposure.ReasonLocalError
}

// acquire waits for the host, for the whole scan and for the rate, in this
// order, so that a busy host does not hold what others could use.
func (h *host) acquire(ctx context.Context) (release func(), err error) {
	if err := take(ctx, h.slots); err != nil {
		return nil, err
	}
	if err := take(ctx, h.run.slots); err != nil {
		<-h.slots
		return nil, err
	}
	if err := h.Limiter.Wait(ctx); err != nil {
		<-h.run.slots
		<-h.slots
		return nil, err
	}
	let := sync.OnceFunc(func() { <-h.slots })
	timer := time.AfterFunc(quietAfter, let)
	return func() {
		timer.Stop()
		let()
		<-h.run.slots
	}, nil
}

func take(ctx context.Context, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// learn takes note of the host's own answers.
func (h *host) learn(o exposure.Observation) {
	own := o.State == exposure.Open || o.State == exposure.Closed
	if !own {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.slowest == 0 {
		close(h.alive)
	}
	h.slowest = max(h.slowest, o.RTT, 1)
	if o.Reason == exposure.ReasonReset {
		h.limits.resets++
	}
}

// shorten gives the patience that this host deserves by its answers so far.
func (h *host) shorten(timeout time.Duration) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.slowest == 0 {
		return timeout
	}
	return min(timeout, max(leastPatience, rttFactor*h.slowest+leastPatience/2))
}
