package scan_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
	"reconshield/internal/scan"
)

// wayTo is a Prober for one target some hops away, with a middlebox that may
// answer DNS before it, and routers that may be silent.
type wayTo struct {
	target   netip.Addr
	hops     int  // distance of the target
	dns      int  // distance of whoever answers DNS
	silent   bool // the target says nothing on other ports
	mute     bool // routers send no time-exceeded
	changing bool // the path gets longer with every fifth packet
	tcp      exposure.Reason

	sent    int
	strayed []netip.Addr
}

func (w *wayTo) Connect(_ context.Context, t exposure.Target, _ time.Duration) exposure.Observation {
	o := exposure.Observation{Target: t, Reason: w.tcp, State: exposure.Filtered, Attempts: 1}
	switch w.tcp { //nolint:exhaustive // what the tests use
	case exposure.ReasonSynAck:
		o.State = exposure.Open
	case exposure.ReasonReset:
		o.State = exposure.Closed
	case exposure.ReasonLocalError:
		o.State = exposure.Unmeasured
	}
	return o
}

func (w *wayTo) Exchange(_ context.Context, r exchange.Request) exchange.Reply {
	w.sent++
	if r.Server.Addr() != w.target {
		w.strayed = append(w.strayed, r.Server.Addr())
		return exchange.Reply{Reason: exposure.ReasonTimeout}
	}
	hops := w.hops
	if r.Server.Port() == 53 && r.Transport == exposure.UDP {
		hops = w.dns
	}
	if w.changing && w.sent%5 == 0 {
		hops++
	}
	limit := r.HopLimit
	if limit == 0 {
		limit = 64
	}
	switch {
	case limit < hops && w.mute:
		return exchange.Reply{Reason: exposure.ReasonTimeout}
	case limit < hops:
		return exchange.Reply{Reason: exposure.ReasonTimeExceeded, Offender: netip.MustParseAddr("203.0.113.1")}
	case r.Transport == exposure.TCP:
		return exchange.Reply{Reason: exposure.ReasonSynAck}
	case r.Server.Port() == 53:
		return refuse(r, 1)
	case w.silent:
		return exchange.Reply{Reason: exposure.ReasonTimeout}
	}
	return exchange.Reply{Reason: exposure.ReasonPortUnreachable, Offender: w.target}
}

func TestInterceptByDistance(t *testing.T) {
	target := netip.MustParseAddr("192.0.2.1")
	ssh := exposure.Target{Addr: target, Transport: exposure.TCP, Port: 22}
	tests := []struct {
		name      string
		way       wayTo
		reference exposure.Target
		want      scan.Verdict
		text      string
	}{
		{"the next hop", wayTo{hops: 1, dns: 1}, exposure.Target{}, scan.None, "one hop away"},
		{"far, and itself", wayTo{hops: 9, dns: 9}, exposure.Target{}, scan.None, "own distance, 9 hops"},
		{"answered by the first router", wayTo{hops: 9, dns: 1}, exposure.Target{}, scan.Detected, "answered 1 hops away, while 192.0.2.1 itself is 9"},
		{"answered just before it", wayTo{hops: 9, dns: 8}, exposure.Target{}, scan.Detected, "answered 8 hops away"},
		{"forwarded behind it", wayTo{hops: 4, dns: 6}, exposure.Target{}, scan.NotTested, "beyond the target's own distance"},
		{"no other port answers", wayTo{hops: 9, dns: 3, silent: true}, exposure.Target{}, scan.NotTested, "distance is unknown"},
		{"an open TCP port tells the distance", wayTo{hops: 9, dns: 3, silent: true}, ssh, scan.Detected, "answered 3 hops away"},
		{"mute routers", wayTo{hops: 9, dns: 3, mute: true}, exposure.Target{}, scan.NotTested, "no router"},
		{"mute routers, nothing between", wayTo{hops: 9, dns: 9, mute: true}, exposure.Target{}, scan.None, "9 hops"},
		{"too far", wayTo{hops: 65, dns: 3}, exposure.Target{}, scan.NotTested, "distance is unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.way.target = target
			got := scan.Controls{Prober: &tt.way}.Intercept(t.Context(), scan.Suspect{Addr: target, Reference: tt.reference})
			if got.Verdict != tt.want || !strings.Contains(got.Text, tt.text) {
				t.Errorf("%s: %s", got.Verdict, got.Text)
			}
			if len(tt.way.strayed) > 0 || tt.way.sent > 40 {
				t.Errorf("%d packets, to others: %v", tt.way.sent, tt.way.strayed)
			}
			if tt.want == scan.Detected && len(got.Evidence) == 0 {
				t.Error("no evidence")
			}
		})
	}
}

// A path whose length changes must never look like an interception.
func TestChangingPathIsNoInterception(t *testing.T) {
	target := netip.MustParseAddr("192.0.2.1")
	for hops := 2; hops < 20; hops++ {
		for start := range 5 {
			w := &wayTo{target: target, hops: hops, dns: hops, changing: true, sent: start}
			if got := (scan.Controls{Prober: w}).Intercept(t.Context(), scan.Suspect{Addr: target}); got.Verdict == scan.Detected {
				t.Errorf("%d hops: %s", hops, got.Text)
			}
		}
	}
}

func TestOnLinkNeedsNoPacket(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "::1", "192.0.2.1"} {
		w := &wayTo{}
		c := scan.Controls{Prober: w, OnLink: func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.1") }}
		got := c.Intercept(t.Context(), scan.Suspect{Addr: netip.MustParseAddr(addr)})
		if got.Verdict != scan.None || w.sent != 0 {
			t.Errorf("%s: %s after %d packets: %s", addr, got.Verdict, w.sent, got.Text)
		}
	}
}

func TestInterceptByNeighbours(t *testing.T) {
	target := at("192.0.2.1:53")
	neighbours := func(hosts ...string) []netip.Addr {
		var out []netip.Addr
		for _, h := range hosts {
			out = append(out, netip.MustParseAddr("192.0.2."+h))
		}
		return out
	}
	all := func(r exchange.Request, n int) exchange.Reply { return refuse(r, n) }
	other := func(r exchange.Request, n int) exchange.Reply {
		reply := refuse(r, n)
		reply.Payload[3] = 0x80
		return reply
	}
	tests := []struct {
		name    string
		quiet   []netip.Addr
		control string
		answer  map[string]func(exchange.Request, int) exchange.Reply
		want    scan.Verdict
	}{
		{"the base address answers too", neighbours("0"), "", map[string]func(exchange.Request, int) exchange.Reply{"0": all}, scan.Detected},
		{"all of many answer", neighbours("9", "10", "11", "12"), "", map[string]func(exchange.Request, int) exchange.Reply{"9": all, "10": all, "11": all, "12": all}, scan.Detected},
		{"one of many is silent", neighbours("9", "10", "11", "12"), "", map[string]func(exchange.Request, int) exchange.Reply{"9": all, "10": all, "12": all}, scan.None},
		{"two servers are not enough", neighbours("9", "10"), "", map[string]func(exchange.Request, int) exchange.Reply{"9": all, "10": all}, scan.NotTested},
		{"others answer otherwise", neighbours("0", "9", "10", "11"), "", map[string]func(exchange.Request, int) exchange.Reply{"0": other, "9": other, "10": other, "11": other}, scan.NotTested},
		{"out of scope is left alone", neighbours("200", "201"), "", nil, scan.NotTested},
		{"the user's control answers", nil, "192.0.2.250", map[string]func(exchange.Request, int) exchange.Reply{"250": other}, scan.Detected},
		{"the user's control is silent", nil, "192.0.2.250", nil, scan.None},
		{"the user's control is of the other family", nil, "2001:db8::1", nil, scan.NotTested},
		{"nothing to compare with", nil, "", nil, scan.NotTested},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork()
			n.udp[target] = refuse
			for h, answer := range tt.answer {
				n.udp[at("192.0.2."+h+":53")] = answer
			}
			s := scan.Suspect{Addr: target.Addr(), Quiet: tt.quiet}
			if tt.control != "" {
				s.Control = netip.MustParseAddr(tt.control)
			}
			inScope := netip.MustParsePrefix("192.0.2.0/25").Contains
			got := scan.Controls{Prober: n, InScope: inScope, Timeout: 20 * time.Millisecond}.Intercept(t.Context(), s)
			if got.Verdict != tt.want || got.Text == "" {
				t.Errorf("%s: %s", got.Verdict, got.Text)
			}
			for asked := range n.asked {
				if !inScope(asked.Addr) && asked.Addr != s.Control {
					t.Errorf("%s was asked", asked)
				}
			}
		})
	}
}

func TestAcceptsEverything(t *testing.T) {
	tests := []struct {
		reason exposure.Reason
		want   scan.Verdict
	}{
		{exposure.ReasonSynAck, scan.Detected},
		{exposure.ReasonReset, scan.None},
		{exposure.ReasonTimeout, scan.None},
		{exposure.ReasonLocalError, scan.NotTested},
	}
	for _, tt := range tests {
		got := scan.Controls{Prober: &wayTo{tcp: tt.reason}}.AcceptsEverything(t.Context(), netip.MustParseAddr("192.0.2.1"))
		if got.Verdict != tt.want || got.Text == "" {
			t.Errorf("%s: %s: %s", tt.reason, got.Verdict, got.Text)
		}
	}
}

func TestWitnesses(t *testing.T) {
	var w scan.Witnesses
	add := func(addr string, port uint16, state exposure.State) {
		w.Add(exposure.Observation{Target: exposure.Target{Addr: netip.MustParseAddr(addr), Transport: exposure.UDP, Port: port}, State: state})
	}
	for _, a := range []string{"192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.7", "2001:db8::"} {
		add(a, 53, exposure.Open)
		add(a, 54, exposure.OpenFiltered)
	}
	add("192.0.2.2", 55, exposure.Closed) // lives, hence no witness
	add("192.0.2.9", 55, exposure.OpenFiltered)
	add("192.0.2.10", 53, exposure.Unmeasured)
	tests := []struct {
		addr string
		n    int
		want string
	}{
		{"192.0.2.1", 5, "[192.0.2.0 192.0.2.3]"},
		{"192.0.2.200", 1, "[192.0.2.0]"},
		{"198.51.100.7", 5, "[]"},
		{"2001:db8::99", 5, "[2001:db8::]"},
	}
	for _, tt := range tests {
		got := w.Quiet(netip.MustParseAddr(tt.addr), tt.n, nil)
		text := make([]string, len(got))
		for i, a := range got {
			text[i] = a.String()
		}
		if s := "[" + strings.Join(text, " ") + "]"; s != tt.want {
			t.Errorf("%s: %s, want %s", tt.addr, s, tt.want)
		}
	}
}
