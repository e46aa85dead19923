package app

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/scan"
)

// measure runs the scan engine over the scope. Hosts are assessed as soon as
// enough of them is known, while the scan goes on.
func (r *run) measure(ctx context.Context) error {
	defer close(r.scanned)
	total := int(r.scope.Len()) * r.ports.Len() //nolint:gosec // the scope's limit is far below
	r.opts.Progress.Stage("measuring", total)
	var before uint64
	_, err := scan.NewConnect(r.dialer).Scan(ctx, scan.Job{
		Addresses: r.scope.All(), Count: r.scope.Len(), Ports: slices.Collect(r.ports.All()), InScope: r.scope.Contains,
		Timeouts: attempts(r.opts.Timeout), Limiter: r.limiter, Vantage: r.opts.Vantage,
		Progress: func(p scan.Progress) {
			r.opts.Progress.Add(int(p.Done - before)) //nolint:gosec // a small difference
			before = p.Done
		},
	}, func(o exposure.Observation) {
		r.witnessed(o)
		r.observed(ctx, o)
	})
	if err != nil {
		return fmt.Errorf("measure ports: %w", err)
	}
	return nil
}

// attempts spreads the patience for a port over two tries.
func attempts(total time.Duration) []time.Duration {
	return []time.Duration{total * 2 / 5, total * 3 / 5}
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
