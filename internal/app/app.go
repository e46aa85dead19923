// Package app wires the engines, the adapters and the values into a run: it
// validates what was asked, measures the ports, identifies what listens, runs
// the checks and assembles the assessment. It parses no flags and prints
// nothing.
package app

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
	"reconshield/internal/identify"
	"reconshield/internal/intel"
	"reconshield/internal/intel/recog"
	"reconshield/internal/netset"
	"reconshield/internal/payload"
	"reconshield/internal/scan"
)

// keepAll is the scope size up to which every address gets an entry in the
// report; in larger scopes those without an open port are summed up.
const keepAll = 256

// App is one prepared run. It may be run once.
type App struct {
	*plan
	dialer     *dial.Dialer
	identifier *identify.Identifier
	limiter    *rate.Limiter
	reference  *Reference
	advisor    intel.Advisor
	payloads   *payload.Table
}

// New validates the options and resolves the target names. Nothing is sent to
// a target. Its errors are the user's to mend, in one line.
func New(ctx context.Context, o Options) (*App, error) {
	p, err := newPlan(ctx, o)
	if err != nil {
		return nil, err
	}
	a := &App{plan: p, advisor: p.opts.Advisor, reference: p.opts.Reference, payloads: payload.New()}
	if a.reference == nil {
		a.reference = NewReference()
	}
	if a.advisor == nil {
		a.advisor = a.reference.Knowledge.Vulnerabilities
	}
	a.limiter = rate.NewLimiter(rate.Limit(p.opts.Rate), max(1, p.opts.Rate/20))
	a.dialer = dial.New(dial.Options{SourceIP: p.source, Interface: p.opts.Interface})
	a.identifier = identify.New(a.dialer, a.dialer, recog.New(), identify.Options{Wait: a.limiter.Wait})
	return a, nil
}

// Run measures and checks. When ctx is cancelled it returns what is known,
// marked partial. An error means that nothing could be done at all.
func (a *App) Run(ctx context.Context) (*exposure.Assessment, error) {
	out := &exposure.Assessment{
		Schema: exposure.SchemaVersion, Tool: "reconshield", Version: a.opts.Version,
		Started: time.Now().UTC(), Vantage: a.opts.Vantage, Scope: a.given, Profile: string(a.profile),
		Warnings: a.warnings,
	}
	r := newRun(a)
	if err := r.measure(ctx); err != nil && ctx.Err() == nil {
		return nil, &FailureError{Err: err}
	}
	r.finish()
	out.Assets, out.Quiet = r.assets, r.quiet.list()
	out.Interceptor = r.interceptionVerdict()
	out.Warnings = append(out.Warnings, r.warned...)
	for i := range out.Assets {
		a.judge.asset(&out.Assets[i])
	}
	sortAssets(out.Assets)
	out.Partial = ctx.Err() != nil
	a.gaps(out, r)
	out.Totals = totals(out, int(a.scope.Len())) //nolint:gosec // the scope's limit is far below
	out.Finished = time.Now().UTC()
	return out, nil
}

// run is the state of a run under way.
type run struct {
	*App
	mu      sync.Mutex
	hosts   map[netip.Addr]*host
	assets  []exposure.Asset
	quiet   quiet
	working sync.WaitGroup
	slots   chan struct{} // hosts being assessed at once
	scanned chan struct{} // closed when no more observations will come

	witnesses    witnesses
	interception []scan.Verdict
	warned       []string
	notes        []exposure.Gap
}

func newRun(a *App) *run {
	const hostsAtOnce = 16
	return &run{App: a, hosts: map[netip.Addr]*host{}, slots: make(chan struct{}, hostsAtOnce), scanned: make(chan struct{})}
}

// keep reports whether the address gets an entry even when nothing is open.
func (r *run) keep(addr netip.Addr) bool {
	return r.scope.Len() <= keepAll || r.scope.Single(addr)
}

// observed takes one observation from the engine. It never blocks for long.
func (r *run) observed(ctx context.Context, o exposure.Observation) {
	o.Vantage = r.opts.Vantage
	r.mu.Lock()
	h, ok := r.hosts[o.Addr]
	if !ok {
		h = newHost(o.Addr, r.scope.Names(o.Addr), r.ports)
		r.hosts[o.Addr] = h
	}
	r.mu.Unlock()
	complete := h.add(o)
	switch {
	case complete && !h.has(exposure.Open) && !r.keep(o.Addr):
		r.quiet.add(h)
		r.drop(h)
	case complete || r.dnsReady(h):
		r.start(ctx, h)
	}
}

// dnsReady reports whether DNS was seen on both transports of port 53, so that
// the checks can begin while other ports are still being measured.
func (r *run) dnsReady(h *host) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	open := false
	for _, t := range []exposure.Transport{exposure.UDP, exposure.TCP} {
		o, seen := h.seen[netset.Port{Transport: t, Number: dnsPort}]
		if !seen && r.ports.Contains(t, dnsPort) {
			return false
		}
		open = open || o.State == exposure.Open
	}
	return open
}

// start begins the assessment of a host, once.
func (r *run) start(ctx context.Context, h *host) {
	h.mu.Lock()
	again := h.assessed
	h.assessed = true
	h.mu.Unlock()
	if again {
		return
	}
	if !h.alive() && !r.scope.Single(h.addr) {
		r.done(h, r.lifeless(h))
		return
	}
	r.working.Go(func() {
		r.slots <- struct{}{}
		defer func() { <-r.slots }()
		r.done(h, r.assess(ctx, h))
	})
}

// done files the host's entry. A host of which more may come, because the run
// was interrupted, is kept so that finish can complete the entry.
func (r *run) done(h *host, asset exposure.Asset) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h.entry = len(r.assets)
	r.assets = append(r.assets, asset)
	if h.complete() {
		delete(r.hosts, h.addr)
	}
}

// lifeless is the entry of an address from which nothing came back: there is
// nothing that a check could ask.
func (r *run) lifeless(h *host) exposure.Asset {
	asset := exposure.Asset{Address: h.addr, Names: h.names, Ports: h.ports()}
	for _, c := range r.checks {
		asset.Checks = append(asset.Checks, exposure.CheckResult{
			ID: c.ID, Status: exposure.NotTested, Port: dnsPort, Reason: "nothing came back from the address",
		})
	}
	return asset
}

func (r *run) drop(h *host) {
	r.mu.Lock()
	delete(r.hosts, h.addr)
	r.mu.Unlock()
}

// finish waits for the hosts under way and lists those that were cut off.
func (r *run) finish() {
	r.mu.Lock()
	left := make([]*host, 0, len(r.hosts))
	for _, h := range r.hosts {
		left = append(left, h)
	}
	r.mu.Unlock()
	for _, h := range left {
		h.close()
	}
	r.working.Wait()
	for _, h := range left {
		if h.assessed {
			r.assets[h.entry].Ports = h.ports()
			continue
		}
		if r.keep(h.addr) || h.has(exposure.Open) {
			r.assets = append(r.assets, exposure.Asset{Address: h.addr, Names: h.names, Ports: h.ports()})
		} else {
			r.quiet.add(h)
		}
	}
	for i := range r.assets {
		r.reference.explain(r.assets[i].Ports)
	}
}
