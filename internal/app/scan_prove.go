package app

import (
	"context"
	"net/netip"
	"sync"

	"golang.org/x/time/rate"

	"reconshield/internal/dial"
	"reconshield/internal/dialogue"
	"reconshield/internal/dnscheck"
	"reconshield/internal/exposure"
	"reconshield/internal/identify"
	"reconshield/internal/intel/recog"
	"reconshield/internal/report/portlist"
	"reconshield/internal/scan"
)

const (
	provers = 64 // proofs at once
	perHost = 4  // of these with one host
)

// prover looks behind open ports, some at once, and gives every observation on
// when it is done with it. Its queue grows as it must, so that add does not
// hold up the sweep.
type prover struct {
	s          *Scan
	ctx        context.Context //nolint:containedctx // that of the run, which add is not given
	limiter    *rate.Limiter   // nil: nothing is proven
	identifier *identify.Identifier

	mu      sync.Mutex
	more    *sync.Cond // on mu
	queue   []exposure.Observation
	ended   bool
	under   int // proofs under way
	hosts   map[netip.Addr]*suspect
	workers sync.WaitGroup
	failed  error // of the checkpoint

	out  sync.Mutex // held while something is emitted or told
	open uint64     // known when the sweep has ended
	done uint64     // proofs since then
}

// suspect is a host that has open ports.
type suspect struct {
	slots   chan struct{}
	limiter *rate.Limiter

	mu      sync.Mutex
	open    int
	tested  bool
	accepts string // why nothing is proven by an open port; empty otherwise

	naming sync.Mutex
	server *exposure.Service // on port 53

	trying sync.Once
	trial  dial.Trial // of one of its ports, where all accept
}

// newProver makes one; when nothing has to be proven it only passes on.
func (s *Scan) newProver(ctx context.Context) *prover {
	p := &prover{s: s, ctx: ctx, hosts: map[netip.Addr]*suspect{}}
	p.more = sync.NewCond(&p.mu)
	if !s.opts.Prove && !s.opts.Service {
		return p
	}
	pace := float64(DefaultRate)
	if s.opts.Rate > 0 {
		pace = s.opts.Rate
	}
	p.limiter = rate.NewLimiter(rate.Limit(pace), max(1, int(pace)/20)) //nolint:mnd // what a timer lets through
	p.identifier = identify.New(s.dialer, s.dialer, recog.New(), identify.Options{Wait: p.limiter.Wait})
	for range provers {
		p.workers.Go(p.work)
	}
	return p
}

// add takes an observation. It does not block but for the output.
func (p *prover) add(o exposure.Observation) {
	proven := p.limiter == nil || o.State != exposure.Open || o.Transport == exposure.UDP && !p.s.opts.Service
	if known, ok := p.s.journal.proof(o.Target); ok {
		o.Labels, o.Service = known.Labels, known.Service
		if known.Detail != "" {
			o.Detail = known.Detail
		}
		proven = true
	}
	if proven {
		p.pass(o)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queue = append(p.queue, o)
	p.more.Signal()
}

func (p *prover) pass(o exposure.Observation) {
	p.out.Lock()
	defer p.out.Unlock()
	p.s.emit(o)
}

// wait ends the work when all is proven. Nothing may be added afterwards. The
// error is one of the checkpoint.
func (p *prover) wait(open uint64) error {
	p.out.Lock()
	p.open = open
	p.out.Unlock()
	p.mu.Lock()
	p.ended = true
	p.more.Broadcast()
	p.mu.Unlock()
	p.workers.Wait()
	return p.failed
}

func (p *prover) work() {
	for {
		p.mu.Lock()
		for len(p.queue) == 0 && !p.ended {
			p.more.Wait()
		}
		if len(p.queue) == 0 {
			p.mu.Unlock()
			return
		}
		o := p.queue[0]
		p.queue = p.queue[1:]
		p.under++
		h := p.hosts[o.Addr]
		if h == nil {
			h = &suspect{slots: make(chan struct{}, perHost)}
			if p.s.opts.PerHost > 0 {
				h.limiter = rate.NewLimiter(rate.Limit(p.s.opts.PerHost), 1)
			}
			p.hosts[o.Addr] = h
		}
		p.mu.Unlock()
		p.prove(h, o)
	}
}

// prove looks behind one port and passes on what it is, as far as it is known
// when the run is cancelled.
func (p *prover) prove(h *suspect, o exposure.Observation) {
	h.slots <- struct{}{}
	o = p.examined(h, o)
	<-h.slots
	var err error
	if p.ctx.Err() == nil {
		err = p.s.journal.keepProof(o)
	}
	p.pass(o)
	p.mu.Lock()
	p.under--
	left, ended := uint64(len(p.queue)+p.under), p.ended //nolint:gosec // not negative
	if err != nil {
		p.failed = err
	}
	p.mu.Unlock()
	if !ended {
		return
	}
	p.out.Lock()
	p.done++
	state := portlist.ProgressState{Phase: "proof", Done: p.done, Targets: p.done + left, Found: p.open}
	p.out.Unlock()
	p.tell(state)
}

// tell shows how far the scan is.
func (p *prover) tell(state portlist.ProgressState) {
	p.out.Lock()
	defer p.out.Unlock()
	p.s.progress(state)
}

// examined is the observation with what the proof adds to it.
func (p *prover) examined(h *suspect, o exposure.Observation) exposure.Observation {
	if o.Transport == exposure.UDP {
		return p.identified(h, o)
	}
	// So many open ports are worth a test before each is proven.
	const many = 6
	h.mu.Lock()
	h.open++
	crowded := h.open == many
	h.mu.Unlock()
	if crowded {
		p.test(h, o.Addr)
	}
	if why := h.verdict(); why != "" {
		return p.accepting(h, o, why)
	}
	bare := o
	o = p.identified(h, o)
	switch {
	case o.Service == nil:
		return bare
	case !doubtful(o.Service):
		return o
	case p.ctx.Err() != nil: // which is no proof that nothing listens
		return bare
	case proven(o.Service):
		return p.tried(h, o)
	}
	p.test(h, o.Addr)
	if why := h.verdict(); why != "" {
		return p.accepting(h, o, why)
	}
	return p.tried(h, o)
}

// identified adds the service.
func (p *prover) identified(h *suspect, o exposure.Observation) exposure.Observation {
	var service exposure.Service
	if p.pace(h) != nil {
		return o
	}
	if o.Transport == exposure.UDP {
		service = p.identifier.UDP(p.ctx, o.Target)
	} else {
		service = p.identifier.TCP(p.ctx, o.Target)
	}
	if p.s.opts.Service && service.Protocol == identify.DNS && o.Port == dnsPort {
		service = p.server(h, o.Target)
	}
	o.Service = &service
	return o
}

// server names the DNS server of a host, once for both transports.
func (p *prover) server(h *suspect, t exposure.Target) exposure.Service {
	h.naming.Lock()
	defer h.naming.Unlock()
	if h.server == nil {
		d := dialogue.New(p.s.dialer, t.Addr, dialogue.Options{
			Wait: p.limiter.Wait, ChaosBudget: chaosBudget(dnscheck.Standard), ServerName: firstName(p.s.scope.Names(t.Addr)),
		})
		service := p.identifier.DNS(p.ctx, d, []exposure.Transport{t.Transport})
		h.server = &service
	}
	return *h.server
}

// test finds out, once, whether the host accepts connections on ports that
// nobody uses.
func (p *prover) test(h *suspect, addr netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tested {
		return
	}
	h.tested = true
	c := scan.Controls{
		Prober: p.s.dialer, Limiter: both{p, h}, OnLink: p.s.dialer.OnLink,
	}.AcceptsEverything(p.ctx, addr)
	if c.Verdict == scan.Detected {
		h.accepts = c.Text
	}
}

func (h *suspect) verdict() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.accepts
}

func (p *prover) pace(h *suspect) error { return both{p, h}.Wait(p.ctx) }

// both paces by the limits of the run and of the host.
type both struct {
	p *prover
	h *suspect
}

// Wait is a scan.Limiter's.
func (b both) Wait(ctx context.Context) error {
	if b.h.limiter != nil {
		if err := b.h.limiter.Wait(ctx); err != nil {
			return err
		}
	}
	return b.p.limiter.Wait(ctx)
}
