package scan_test

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
	"reconshield/internal/netset"
)

// network is a Prober whose targets behave as told, in no time but that of
// their round trip. A target that is not told of is silent.
type network struct {
	tcp map[netip.AddrPort]exposure.Reason
	udp map[netip.AddrPort]func(r exchange.Request, attempt int) exchange.Reply

	mu      sync.Mutex
	asked   map[exposure.Target]int
	times   map[exposure.Target][]time.Time
	open    int // probes in flight
	most    int
	perHost map[netip.Addr]int
	busiest int
	limit   int // Capacity
}

func newNetwork() *network {
	return &network{
		tcp: map[netip.AddrPort]exposure.Reason{}, udp: map[netip.AddrPort]func(exchange.Request, int) exchange.Reply{},
		asked: map[exposure.Target]int{}, times: map[exposure.Target][]time.Time{}, perHost: map[netip.Addr]int{}, limit: 1 << 20,
	}
}

func (n *network) Capacity() int { return n.limit }

const roundTrip = 5 * time.Millisecond

func (n *network) begin(t exposure.Target) (attempt int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open++
	n.most = max(n.most, n.open)
	n.perHost[t.Addr]++
	n.busiest = max(n.busiest, n.perHost[t.Addr])
	n.asked[t]++
	n.times[t] = append(n.times[t], time.Now())
	return n.asked[t]
}

func (n *network) end(t exposure.Target) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.open--
	n.perHost[t.Addr]--
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (n *network) Connect(ctx context.Context, t exposure.Target, timeout time.Duration) exposure.Observation {
	n.begin(t)
	defer n.end(t)
	o := exposure.Observation{Target: t, Attempts: 1, At: time.Now(), RTT: roundTrip, Reason: n.tcp[t.AddrPort()]}
	switch o.Reason {
	case exposure.ReasonSynAck:
		o.State = exposure.Open
	case exposure.ReasonReset:
		o.State = exposure.Closed
	case exposure.ReasonAdminProhibited:
		o.State = exposure.Filtered
	case exposure.ReasonLocalError:
		o.State, o.Attempts = exposure.Unmeasured, 0
	default:
		o.State, o.Reason, o.RTT = exposure.Filtered, exposure.ReasonTimeout, 0
		if !wait(ctx, timeout) {
			o.State, o.Reason = exposure.Unmeasured, exposure.ReasonCancelled
		}
		return o
	}
	wait(ctx, roundTrip)
	return o
}

func (n *network) Exchange(ctx context.Context, r exchange.Request) exchange.Reply {
	t := exposure.Target{Addr: r.Server.Addr(), Transport: exposure.UDP, Port: r.Server.Port()}
	attempt := n.begin(t)
	defer n.end(t)
	reply := exchange.Reply{Reason: exposure.ReasonTimeout, Attempts: 1}
	if answer := n.udp[r.Server]; answer != nil {
		reply = answer(r, attempt)
		reply.Attempts, reply.RTT = 1, roundTrip
	}
	if reply.Answered() && r.Accept != nil && !r.Accept(reply.Payload) {
		reply = exchange.Reply{Reason: exposure.ReasonTimeout, Attempts: 1}
	}
	if reply.Reason != exposure.ReasonTimeout {
		wait(ctx, roundTrip)
		return reply
	}
	reply.RTT = 0
	if !wait(ctx, r.Timeouts[0]) {
		reply.Reason = exposure.ReasonCancelled
	}
	return reply
}

// refuse answers a DNS query with the shortest refusal.
func refuse(r exchange.Request, _ int) exchange.Reply {
	return exchange.Reply{
		Payload: []byte{r.Payload[0], r.Payload[1], 0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0},
		From:    r.Server, Reason: exposure.ReasonDNSResponse,
	}
}

func ports(tb testing.TB, expr string) []netset.Port {
	tb.Helper()
	set, err := netset.ParsePorts(expr)
	if err != nil {
		tb.Fatal(err)
	}
	return slices.Collect(set.All())
}

func at(hostport string) netip.AddrPort { return netip.MustParseAddrPort(hostport) }
