package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"reconshield/internal/exposure"
	"reconshield/internal/netset"
	"reconshield/internal/probe"
	"reconshield/internal/scan"
)

// windowSize is how many addresses are swept at once: enough that the silent
// ones cost little time, few enough that what is known of them costs little
// memory.
const windowSize = 1024

// measure sweeps the scope, window by window. Hosts are assessed as soon as
// enough of them is known, while the sweep goes on.
func (r *run) measure(ctx context.Context) (err error) {
	defer close(r.scanned)
	wire, err := r.dialer.OpenWire(r.payloads)
	if err != nil {
		return fmt.Errorf("measure ports: %w", err)
	}
	defer func() { err = errors.Join(err, wire.Close()) }()
	r.opts.Progress.Stage("measuring", int(r.scope.Len())*r.ports.Len()) //nolint:gosec // the scope's limit is far below
	ports := slices.Collect(r.ports.All())
	for first := uint64(0); first < r.scope.Len(); first += windowSize {
		w := window{r.scope, first, min(windowSize, r.scope.Len()-first)}
		if err := r.sweep(ctx, wire, w, ports); err != nil {
			return fmt.Errorf("measure ports: %w", err)
		}
	}
	return nil
}

// sweep measures the ports of one window.
func (r *run) sweep(ctx context.Context, wire scan.Wire, w window, ports []netset.Port) error {
	var before uint64
	_, err := scan.Sweep(ctx, paced{wire, r.limiter}, scan.Survey{
		Addresses: w, Ports: ports, Want: scan.WantAll, Rate: float64(r.opts.Rate), Retries: -1,
		Seed: rand.Uint64(), OnLink: r.allOnLink(w), Patience: patienceForLimits, Vantage: r.opts.Vantage,
		Progress: func(p scan.Progress) {
			if p.Done > before {
				r.opts.Progress.Add(int(p.Done - before)) //nolint:gosec // a small difference
				before = p.Done
			}
		},
	}, func(o exposure.Observation) {
		r.witnessed(o)
		r.observed(ctx, o)
	})
	return err
}

// patienceForLimits is how long hosts that limit their ICMP errors are asked
// at their own pace. An assessment is about DNS, whose ports come first.
const patienceForLimits = 4 * time.Second

// allOnLink reports that no router stands before any address of the window.
func (r *run) allOnLink(w window) bool {
	for i := range w.Len() {
		if a := w.At(i); !a.IsLoopback() && !r.dialer.OnLink(a) {
			return false
		}
	}
	return true
}

// window is a run of addresses of a scope.
type window struct {
	scope    netset.Scope
	first, n uint64
}

func (w window) Len() uint64            { return w.n }
func (w window) At(i uint64) netip.Addr { return w.scope.At(w.first + i) }

func (w window) Index(a netip.Addr) (uint64, bool) {
	i, ok := w.scope.Index(a)
	return i - w.first, ok && i >= w.first && i-w.first < w.n
}

// paced is a wire that shares the run's rate with the checks.
type paced struct {
	scan.Wire
	limiter *rate.Limiter
}

func (p paced) Send(probes []probe.Probe) (int, error) {
	n := 0
	for n < len(probes) && p.limiter.Allow() {
		n++
	}
	if n == 0 {
		return 0, nil
	}
	sent, err := p.Wire.Send(probes[:n])
	if err != nil {
		return sent, fmt.Errorf("send: %w", err)
	}
	return sent, nil
}

// witnesses are the quiet addresses found so far.
type witnesses struct {
	mu sync.Mutex
	scan.Witnesses
}

func (r *run) witnessed(o exposure.Observation) {
	r.witnesses.mu.Lock()
	defer r.witnesses.mu.Unlock()
	r.witnesses.Add(o)
}

func (r *run) controls() scan.Controls {
	const patience = time.Second
	return scan.Controls{
		Prober: r.dialer, InScope: r.scope.Contains, OnLink: r.dialer.OnLink,
		Limiter: r.limiter, Timeout: min(patience, r.opts.Timeout),
	}
}

// intercepted tests whether something on the path answers port 53 in the
// host's stead. In a small scope it waits until every neighbour is known.
// compared is false when there was no other address to compare with, so that
// a redirect to a server just as far away would not have shown.
func (r *run) intercepted(ctx context.Context, h *host) (c scan.Control, compared bool) {
	if r.scope.Len() <= keepAll {
		select {
		case <-r.scanned:
		case <-ctx.Done():
		}
	}
	const neighbours = 5
	r.witnesses.mu.Lock()
	quiet := r.witnesses.Quiet(h.addr, neighbours, func(a netip.Addr) bool { return !r.scope.Single(a) })
	r.witnesses.mu.Unlock()
	control := r.controlFor(h.addr)
	c = r.controls().Intercept(ctx, scan.Suspect{Addr: h.addr, Quiet: quiet, Control: control, Reference: h.reference()})
	return c, len(quiet) > 0 || control.IsValid() || h.addr.IsLoopback() || r.dialer.OnLink(h.addr)
}

// controlFor is the user's control address where it is of the same family.
func (r *run) controlFor(addr netip.Addr) netip.Addr {
	if r.control.IsValid() && r.control.Is4() == addr.Is4() {
		return r.control
	}
	return netip.Addr{}
}

// reference is a port of the host that answered and is not DNS. A reset is
// better than an ICMP error, which hosts send at a limited rate.
func (h *host) reference() exposure.Target {
	var udp exposure.Target
	for _, p := range h.ports() {
		switch {
		case p.State != exposure.Closed || p.Port == dnsPort:
		case p.Transport == exposure.TCP:
			return p.Target
		default:
			udp = p.Target
		}
	}
	return udp
}

func (r *run) lookupPTR(ctx context.Context, addr netip.Addr) []string {
	if addr.IsLoopback() {
		return nil
	}
	return r.opts.LookupPTR(ctx, addr)
}
