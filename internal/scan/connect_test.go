package scan_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
	"reconshield/internal/scan"
)

// measure scans in virtual time and gives the observations by target.
func measure(t *testing.T, n *network, job scan.Job) (map[string]exposure.Observation, scan.Summary) {
	t.Helper()
	seen := map[string]exposure.Observation{}
	var summary scan.Summary
	synctest.Test(t, func(t *testing.T) {
		var err error
		summary, err = scan.NewConnect(n).Scan(t.Context(), job, func(o exposure.Observation) {
			if _, twice := seen[o.String()]; twice {
				t.Errorf("%s has two verdicts", o.Target)
			}
			seen[o.String()] = o
		})
		if err != nil {
			t.Error(err)
		}
	})
	return seen, summary
}

func addresses(prefix string) func(func(netip.Addr) bool) {
	p := netip.MustParsePrefix(prefix)
	return func(yield func(netip.Addr) bool) {
		for a := p.Addr(); p.Contains(a); a = a.Next() {
			if !yield(a) {
				return
			}
		}
	}
}

func TestVerdicts(t *testing.T) {
	for _, host := range []string{"192.0.2.1", "[2001:db8::1]"} {
		a := at(host + ":0").Addr()
		n := newNetwork()
		n.tcp[at(host+":53")] = exposure.ReasonSynAck
		n.tcp[at(host+":54")] = exposure.ReasonReset
		n.tcp[at(host+":55")] = exposure.ReasonAdminProhibited
		n.tcp[at(host+":57")] = exposure.ReasonLocalError
		n.udp[at(host+":53")] = refuse
		n.udp[at(host+":54")] = unreachable(a.String())
		n.udp[at(host+":55")] = unreachable("192.0.2.254")
		n.udp[at(host+":57")] = func(r exchange.Request, _ int) exchange.Reply {
			return exchange.Reply{Payload: []byte("hello"), From: r.Server, Reason: exposure.ReasonUDPResponse}
		}
		n.udp[at(host+":58")] = func(r exchange.Request, attempt int) exchange.Reply {
			reply := refuse(r, attempt)
			reply.From = at("192.0.2.99:53")
			return reply
		}
		n.udp[at(host+":59")] = func(exchange.Request, int) exchange.Reply {
			return exchange.Reply{Payload: []byte("forged"), From: at("192.0.2.99:53"), Reason: exposure.ReasonUDPResponse}
		}
		n.udp[at(host+":60")] = func(exchange.Request, int) exchange.Reply {
			return exchange.Reply{Reason: exposure.ReasonNoRoute, Detail: "network is unreachable"}
		}
		n.udp[at(host+":61")] = func(r exchange.Request, attempt int) exchange.Reply {
			if attempt == 1 {
				return exchange.Reply{Reason: exposure.ReasonTimeout}
			}
			return refuse(r, attempt)
		}
		n.udp[at(host+":62")] = func(exchange.Request, int) exchange.Reply {
			return exchange.Reply{Reason: exposure.ReasonAdminProhibited, Offender: netip.MustParseAddr("192.0.2.254")}
		}
		got, summary := measure(t, n, scan.Job{
			Addresses: slices.Values([]netip.Addr{a}), Ports: ports(t, "T:53-57,U:53-62"), Vantage: "lan",
		})
		tests := []struct {
			target   string
			state    exposure.State
			reason   exposure.Reason
			attempts int
		}{
			{"tcp/" + host + ":53", exposure.Open, exposure.ReasonSynAck, 1},
			{"tcp/" + host + ":54", exposure.Closed, exposure.ReasonReset, 1},
			{"tcp/" + host + ":55", exposure.Filtered, exposure.ReasonAdminProhibited, 1},
			{"tcp/" + host + ":56", exposure.Filtered, exposure.ReasonTimeout, 2},
			{"tcp/" + host + ":57", exposure.Unmeasured, exposure.ReasonLocalError, 0},
			{"udp/" + host + ":53", exposure.Open, exposure.ReasonDNSResponse, 1},
			{"udp/" + host + ":54", exposure.Closed, exposure.ReasonPortUnreachable, 1},
			{"udp/" + host + ":55", exposure.Filtered, exposure.ReasonPortUnreachable, 1},
			{"udp/" + host + ":56", exposure.OpenFiltered, exposure.ReasonTimeout, 3},
			{"udp/" + host + ":57", exposure.Open, exposure.ReasonUDPResponse, 2},
			{"udp/" + host + ":58", exposure.Open, exposure.ReasonDNSResponse, 1},
			{"udp/" + host + ":59", exposure.OpenFiltered, exposure.ReasonTimeout, 4},
			{"udp/" + host + ":60", exposure.Unmeasured, exposure.ReasonNoRoute, 1},
			{"udp/" + host + ":61", exposure.Open, exposure.ReasonDNSResponse, 2},
			{"udp/" + host + ":62", exposure.Filtered, exposure.ReasonAdminProhibited, 1},
		}
		for _, tt := range tests {
			o := got[tt.target]
			if o.State != tt.state || o.Reason != tt.reason || o.Attempts != tt.attempts || o.Vantage != "lan" {
				t.Errorf("%s: %s %s after %d attempts, want %s %s after %d",
					tt.target, o.State, o.Reason, o.Attempts, tt.state, tt.reason, tt.attempts)
			}
		}
		if len(got) != len(tests) || summary.Targets != uint64(len(tests)) || summary.Open != 5 || summary.Unmeasured != 2 || summary.Partial {
			t.Errorf("%d verdicts, summary %+v", len(got), summary)
		}
	}
}

// Retries come after everything else was asked, and not to what answered.
func TestRetriesAreSpaced(t *testing.T) {
	n := newNetwork()
	a := netip.MustParseAddr("192.0.2.1")
	n.tcp[at("192.0.2.1:53")] = exposure.ReasonReset
	measure(t, n, scan.Job{Addresses: slices.Values([]netip.Addr{a}), Ports: ports(t, "T:53-60")})
	for target, times := range n.times {
		if target.Port == 53 && len(times) != 1 {
			t.Errorf("%s answered and was asked %d times", target, len(times))
		}
		if target.Port != 53 && (len(times) != 2 || times[1].Sub(times[0]) < 300*time.Millisecond) {
			t.Errorf("%s was asked at %v", target, times)
		}
	}
}

func TestDeadAddressesAreQuick(t *testing.T) {
	n := newNetwork()
	count := 0
	for a := range addresses("192.0.2.0/24") {
		if count++; count%16 != 0 {
			continue
		}
		for _, p := range ports(t, "T:1-30") {
			n.tcp[netip.AddrPortFrom(a, p.Number)] = exposure.ReasonReset
		}
		n.udp[netip.AddrPortFrom(a, 53)] = refuse
	}
	got, summary := measure(t, n, scan.Job{Addresses: addresses("192.0.2.0/24"), Ports: ports(t, "T:1-30,U:53-67")})
	if want := 256 * 45; len(got) != want || summary.Duration > 15*time.Second || summary.Open != 16 {
		t.Errorf("%d verdicts of %d in %s, %d open", len(got), want, summary.Duration, summary.Open)
	}
	t.Logf("virtual time %s, %d attempts, at most %d at once, %d to one host", summary.Duration, summary.Sent, n.most, n.busiest)
}

func TestLimits(t *testing.T) {
	n := newNetwork()
	n.limit = 20
	job := scan.Job{Addresses: addresses("192.0.2.0/28"), Ports: ports(t, "T:1-40"), PerHost: 3}
	for a := range job.Addresses {
		for p := range uint16(41) {
			n.tcp[netip.AddrPortFrom(a, p)] = exposure.ReasonReset
		}
	}
	_, summary := measure(t, n, job)
	if n.most > 20 || n.busiest > 3 {
		t.Errorf("%d probes at once, %d to one host", n.most, n.busiest)
	}
	if summary.Concurrency != 20 || len(summary.Notes) != 1 {
		t.Errorf("concurrency %d, notes %q", summary.Concurrency, summary.Notes)
	}
}

func TestOutOfScopeIsNeverAsked(t *testing.T) {
	n := newNetwork()
	inside := netip.MustParsePrefix("192.0.2.4/30")
	got, summary := measure(t, n, scan.Job{
		Addresses: addresses("192.0.2.0/28"), Ports: ports(t, "53"), InScope: inside.Contains,
	})
	for target := range n.asked {
		if !inside.Contains(target.Addr) {
			t.Errorf("%s was asked", target)
		}
	}
	if summary.OutOfScope != 12 || len(got) != 8 {
		t.Errorf("%d verdicts, %d out of scope", len(got), summary.OutOfScope)
	}
}

func TestCancelKeepsWhatIsKnown(t *testing.T) {
	n := newNetwork()
	n.tcp[at("192.0.2.1:53")] = exposure.ReasonSynAck
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		seen := map[exposure.Target]exposure.Observation{}
		start := time.Now()
		summary, err := scan.NewConnect(n).Scan(ctx, scan.Job{
			Addresses: addresses("192.0.2.0/24"), Ports: ports(t, "T:53,U:5,U:1000-1040"), PerHost: 1, Concurrency: 4,
		}, func(o exposure.Observation) { seen[o.Target] = o })
		if !errors.Is(err, context.DeadlineExceeded) || !summary.Partial || time.Since(start) > 1600*time.Millisecond {
			t.Errorf("%v after %s, %+v", err, time.Since(start), summary)
		}
		for target, o := range seen {
			if n.asked[target] == 0 {
				t.Errorf("%s was not asked, and yet is %s", target, o.State)
			}
			if o.State == exposure.Closed || o.Reason == exposure.ReasonCancelled && o.State != exposure.Unmeasured {
				t.Errorf("%s is %s by %s", target, o.State, o.Reason)
			}
		}
		if len(seen) != len(n.asked) {
			t.Errorf("%d asked, %d verdicts", len(n.asked), len(seen))
		}
	})
}

func TestProgress(t *testing.T) {
	n := newNetwork()
	var last scan.Progress
	calls := 0
	measure(t, n, scan.Job{
		Addresses: addresses("192.0.2.0/28"), Ports: ports(t, "53"), Count: 16,
		Progress: func(p scan.Progress) {
			if p.Done < last.Done || p.Sent < last.Sent {
				t.Errorf("progress went back from %+v to %+v", last, p)
			}
			last = p
			calls++
		},
	})
	// A count that is too small must not show as more than everything.
	measure(t, newNetwork(), scan.Job{
		Addresses: addresses("192.0.2.0/28"), Ports: ports(t, "53"), Count: 3,
		Progress: func(p scan.Progress) {
			if p.Done > p.Targets {
				t.Errorf("%d of %d targets are done", p.Done, p.Targets)
			}
		},
	})
	if last.Done != 32 || last.Targets != 32 || calls == 0 {
		t.Errorf("after %d calls: %+v", calls, last)
	}
}
