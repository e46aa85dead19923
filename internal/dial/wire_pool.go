package dial

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

// maxPool bounds the goroutines of a pool: each costs a stack, too.
const maxPool = 4096

// pool is the carrier of systems other than Linux: a goroutine for each probe
// in flight, which uses the Dialer. It works on Linux, too, where it is tested.
type pool struct {
	d        *Dialer
	payloads *payload.Table
	key      probe.Key
	here     surroundings
	limit    int
	ctx      context.Context //nolint:containedctx // the life of the carrier, ended by close
	cancel   context.CancelFunc
	running  sync.WaitGroup
	flying   atomic.Int64
	forged   atomic.Uint64
	ready    chan probe.Reply
}

func (d *Dialer) newPool(payloads *payload.Table) *pool {
	limit := min(d.Capacity(), maxPool, max(readLimits().ports/2, 1))
	p := &pool{
		d: d, payloads: payloads, key: probe.RandomKey(), here: readSurroundings(), limit: limit,
		ready: make(chan probe.Reply, limit),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

func (w *pool) capacity() int     { return w.limit }
func (w *pool) forgeries() uint64 { return w.forged.Load() }

func (w *pool) send(probes []probe.Probe) (int, error) {
	for i := range probes {
		// A reply that waits for Receive counts as in flight, so that ready
		// always has room for it.
		if w.flying.Load() >= int64(w.limit) {
			return i, nil
		}
		w.flying.Add(1)
		asked := probes[i]
		w.running.Go(func() { w.fly(&asked) })
	}
	return len(probes), nil
}

// fly asks and waits.
func (w *pool) fly(p *probe.Probe) {
	r, ok := w.ask(p)
	if !ok || w.ctx.Err() != nil {
		w.flying.Add(-1)
		return
	}
	w.ready <- r
}

func (w *pool) ask(p *probe.Probe) (probe.Reply, bool) {
	if err := w.d.check(p.Addr); err != nil {
		return w.refuse(p, err.Error()), true
	}
	server, start := netip.AddrPortFrom(p.Addr, p.Port), time.Now()
	switch p.Kind {
	case probe.TCP:
		h := w.d.connect(w.ctx, server, patience(p), 0)
		return w.word(p, h.reason, h.offender, start.Add(h.rtt), h.detail)
	case probe.UDP:
		return w.askUDP(p, server, start)
	case probe.Echo:
		return w.refuse(p, "echo requests need the right to send raw packets on this system"), true
	}
	return w.refuse(p, "unknown kind of probe"), true
}

// askUDP asks once and judges the first datagram.
func (w *pool) askUDP(p *probe.Probe, server netip.AddrPort, start time.Time) (probe.Reply, bool) {
	question, cookie := w.payloads.For(p.Port), uint64(w.key.Cookie(p))
	got := w.d.Exchange(w.ctx, exchange.Request{
		Server: server, Transport: exposure.UDP, Timeouts: []time.Duration{patience(p)},
		Payload: question.Append(nil, cookie),
	})
	if got.Reason != exposure.ReasonDNSResponse && got.Reason != exposure.ReasonUDPResponse {
		return w.word(p, got.Reason, got.Offender, start.Add(got.RTT), got.Detail)
	}
	r := answered(p, probe.Datagram, got.From.Addr(), start.Add(got.RTT))
	switch {
	case question.Answers(got.Payload, cookie):
		r.Protocol = question.Protocol
	case !samePort(got.From, server):
		w.forged.Add(1)
		return r, false
	}
	return r, true
}

func (w *pool) refuse(p *probe.Probe, detail string) probe.Reply {
	r := answered(p, probe.LocalError, netip.Addr{}, time.Now())
	r.Detail = w.here.detail(p.Addr, errors.New(detail))
	return r
}

// word makes a Reply of how an attempt ended; false for silence.
func (w *pool) word(p *probe.Probe, reason exposure.Reason, offender netip.Addr, at time.Time, detail string) (probe.Reply, bool) {
	a := answerOf(reason)
	r := answered(p, a, offender, at)
	switch a { //nolint:exhaustive // the rest was said by the offender
	case probe.Nothing:
		return r, false
	case probe.NoRoute, probe.LocalError:
		r.At, r.From, r.Detail = time.Now(), netip.Addr{}, detail
	case probe.SynAck, probe.Reset:
		r.From = p.Addr
	case probe.HostUnreachable:
		if !offender.IsValid() || w.here.hasOwn(offender) {
			r.Answer, r.From = probe.NoNeighbour, netip.Addr{}
		}
	}
	return r, true
}

func (w *pool) receive(into []probe.Reply, wait time.Duration) (int, error) {
	n := 0
	for n < len(into) {
		select {
		case into[n] = <-w.ready:
			n++
			w.flying.Add(-1)
			continue
		default:
		}
		break
	}
	if n > 0 || wait <= 0 {
		return n, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case into[0] = <-w.ready:
		w.flying.Add(-1)
		return 1, nil
	case <-timer.C:
		return 0, nil
	}
}

func (w *pool) close() error {
	w.cancel()
	w.running.Wait()
	return nil
}
