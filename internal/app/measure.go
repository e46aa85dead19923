package app

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

func (r *run) lookupPTR(ctx context.Context, addr netip.Addr) []string {
	if addr.IsLoopback() {
		return nil
	}
	return r.opts.LookupPTR(ctx, addr)
}

// interim
func (r *run) measure(ctx context.Context) error {
	var wg sync.WaitGroup
	for addr := range r.scope.All() {
		for p := range r.ports.All() {
			t := exposure.Target{Addr: addr, Transport: p.Transport, Port: p.Number}
			wg.Go(func() {
				if p.Transport == exposure.TCP {
					r.observed(ctx, r.dialer.Connect(ctx, t, r.opts.Timeout))
					return
				}
				wire, _ := dnswire.Query{Name: ".", Type: dnswire.TypeSOA}.Pack(4711)
				rep := r.dialer.Exchange(ctx, exchange.Request{Server: t.AddrPort(), Transport: exposure.UDP, Payload: wire, Timeouts: dialogue.Schedule(r.opts.Timeout)})
				o := exposure.Observation{Target: t, State: exposure.OpenFiltered, Reason: rep.Reason, RTT: rep.RTT, Attempts: rep.Attempts, At: time.Now()}
				switch {
				case rep.Answered():
					o.State = exposure.Open
				case rep.Reason == exposure.ReasonPortUnreachable:
					o.State = exposure.Closed
				case rep.Reason != exposure.ReasonTimeout:
					o.State = exposure.Filtered
				}
				r.observed(ctx, o)
			})
		}
	}
	wg.Wait()
	return nil
}
