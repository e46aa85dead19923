package scan

import (
	"context"
	"net/netip"
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
	// unreachableBurst is the number of port-unreachable messages after which
	// the silence of further ports may come from a limit on such messages;
	// Linux allows six at once, then one a second.
	unreachableBurst = 4
	unreachableEvery = 1100 * time.Millisecond
	// unhurriedAtMost bounds the time that this costs.
	unhurriedAtMost = 4
)

// host is the scan of one address.
type host struct {
	*run
	addr  netip.Addr
	slots chan struct{}

	mu          sync.Mutex
	slowest     time.Duration // of its answers
	unreachable int           // port-unreachable messages it sent
	alive       chan struct{} // closed by its first sign of life
}

// asked is a target and what is known of it after some attempts.
type asked struct {
	index int // into Ports
	last  *exposure.Observation
}

func newHost(r *run, addr netip.Addr) *host {
	return &host{run: r, addr: addr, slots: make(chan struct{}, r.PerHost), alive: make(chan struct{})}
}

// scan gives every target its verdict. The rest of the ports waits until the
// address shows a sign of life, or has been silent on all of the first.
func (h *host) scan(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.passes(ctx, h.first, h.Timeouts)
	}()
	select {
	case <-h.alive:
		h.passes(ctx, h.rest, h.Timeouts)
	case <-done:
		h.passes(ctx, h.rest, h.patience())
	}
	<-done
}

// patience is what further targets deserve after the first ones.
func (h *host) patience() []time.Duration {
	select {
	case <-h.alive:
		return h.Timeouts
	default:
		return h.Silent
	}
}

// passes asks the ports, then again those that did not answer, and so on; a
// repetition thereby comes after everything else was asked.
func (h *host) passes(ctx context.Context, ports []int, timeouts []time.Duration) {
	pending := make([]asked, 0, len(ports))
	for _, i := range ports {
		pending = append(pending, asked{index: i})
	}
	for _, timeout := range timeouts {
		if len(pending) == 0 || ctx.Err() != nil {
			break
		}
		pending = h.pass(ctx, pending, timeout)
	}
	for _, a := range h.unhurried(ctx, pending) {
		h.settle(a)
	}
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

// unhurried asks the last few silent UDP ports of a host that has told of other
// closed ones, so slowly that a limit on its ICMP errors lets each be answered.
// It returns those that stayed silent, and those it did not ask.
func (h *host) unhurried(ctx context.Context, pending []asked) (silent []asked) {
	spent := 0
	for _, a := range pending {
		udp := h.Ports[a.index].Transport.Base() == exposure.UDP
		if !udp || a.last == nil || !h.limitsUnreachable() || spent == unhurriedAtMost || !pause(ctx, unreachableEvery) {
			silent = append(silent, a)
			continue
		}
		spent++
		silent = append(silent, h.pass(ctx, []asked{a}, h.shorten(h.Timeouts[0]))...)
	}
	return silent
}

// pause waits, and reports whether the scan goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// settle emits what is known of a target; nothing when it was never asked.
func (h *host) settle(a asked) {
	if a.last == nil {
		return
	}
	o := *a.last
	if o.State == exposure.OpenFiltered && o.Detail == "" && h.limitsUnreachable() {
		o.Detail = "the host answers for other closed ports and may limit how often it does; this one may be closed as well"
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
	if o.Reason == exposure.ReasonPortUnreachable {
		h.unreachable++
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

func (h *host) limitsUnreachable() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unreachable >= unreachableBurst
}
