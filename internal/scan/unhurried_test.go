package scan_test

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
	"reconshield/internal/netset"
	"reconshield/internal/scan"
)

// limited makes a network of one host that answers for closed UDP ports as
// Linux does: with the given allowance, at most six, and one a second more.
func limited(addr netip.Addr, allowance float64) *network {
	n := newNetwork()
	const burst = 6
	tokens, last := allowance, time.Time{}
	for p := range uint16(10000) {
		n.udp[netip.AddrPortFrom(addr, p)] = func(exchange.Request, int) exchange.Reply {
			n.mu.Lock()
			defer n.mu.Unlock()
			now := time.Now()
			if !last.IsZero() {
				tokens = min(burst, tokens+now.Sub(last).Seconds())
			}
			last = now
			if tokens < 1 {
				return exchange.Reply{Reason: exposure.ReasonTimeout}
			}
			tokens--
			return exchange.Reply{Reason: exposure.ReasonPortUnreachable, Offender: addr}
		}
	}
	return n
}

// refusing lets the host close its TCP ports.
func (n *network) refusing(addr netip.Addr) *network {
	for p := range uint16(10000) {
		n.tcp[netip.AddrPortFrom(addr, p)] = exposure.ReasonReset
	}
	return n
}

// silentAt makes one UDP port of the network silent.
func (n *network) silentAt(addr netip.Addr, port uint16) *network {
	delete(n.udp, netip.AddrPortFrom(addr, port))
	return n
}

// answering lets DNS answer on UDP.
func (n *network) answering(addr netip.Addr) *network {
	n.udp[netip.AddrPortFrom(addr, 53)] = refuse
	return n
}

func TestUnhurried(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	udpSilent := func(n *network) *network { clear(n.udp); return n }
	const closed, silent, open = exposure.Closed, exposure.OpenFiltered, exposure.Open
	tests := []struct {
		name    string
		network *network
		ports   string
		closed  string // UDP ports that must be closed
		dns     exposure.State
		tries   int    // of DNS
		detail  string // of DNS
		within  time.Duration
	}{
		{"full allowance", limited(a, 6).refusing(a), "dns", "52-54,853,5300,5353", closed, 1, "", 4 * time.Second},
		{"half an allowance", limited(a, 0.5).refusing(a), "dns", "53,853,5353", closed, 2, "", 4500 * time.Millisecond},
		{"no allowance", limited(a, 0).refusing(a), "dns", "53,853,5353", closed, 2, "", 4500 * time.Millisecond},
		{"no allowance, many ports", limited(a, 0).refusing(a), "T:53,U:1-400", "53", closed, 2, "", 20 * time.Second},
		{"no TCP asked", limited(a, 6), "U:40-89", "53", closed, 1, "", 7 * time.Second},
		{"few ports, no TCP asked", limited(a, 6), "U:50-57", "50-57", closed, 1, "", 5 * time.Second},
		{"DNS drops", limited(a, 6).refusing(a).silentAt(a, 53), "dns", "52,54,853,5300,5353,8053", silent, 2, "by itself", 3200 * time.Millisecond},
		{"DNS drops, no allowance", limited(a, 0).refusing(a).silentAt(a, 53), "dns", "853", silent, 2, "by itself", 5 * time.Second},
		{"DNS answers, no allowance", limited(a, 0).refusing(a).answering(a), "dns", "", open, 1, "", 3500 * time.Millisecond},
		{"no ICMP errors", udpSilent(newNetwork().refusing(a)), "dns", "", silent, 2, "", 5 * time.Second},
		{"nobody", newNetwork(), "dns", "", silent, 2, "", 3700 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, summary := measure(t, tt.network, scan.Job{Addresses: slices.Values([]netip.Addr{a}), Ports: ports(t, tt.ports)})
			t.Log(summary.Duration)
			if len(got) != len(ports(t, tt.ports)) || summary.Duration > tt.within {
				t.Errorf("%d verdicts in %s", len(got), summary.Duration)
			}
			dns := got["udp/192.0.2.1:53"]
			if dns.State != tt.dns || dns.Attempts != tt.tries || !strings.Contains(dns.Detail, tt.detail) || tt.detail == "" && dns.Detail != "" {
				t.Errorf("DNS is %s after %d attempts: %q", dns.State, dns.Attempts, dns.Detail)
			}
			sure := ports(t, "U:"+cmp.Or(tt.closed, "53"))
			for _, o := range got {
				asked := len(tt.network.times[o.Target])
				if o.Attempts != asked {
					t.Errorf("%s was asked %d times and tells of %d", o, asked, o.Attempts)
				}
				if o.Transport != exposure.UDP || o.Port == 53 {
					continue
				}
				certain := slices.ContainsFunc(sure, func(p netset.Port) bool { return p.Number == o.Port })
				if tt.closed != "" && certain && o.State != closed {
					t.Errorf("%s is %s after %d attempts", o, o.State, o.Attempts)
				}
			}
		})
	}
}

// What stayed silent for want of time says so.
func TestNotEnoughTime(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	got, _ := measure(t, limited(a, 0).refusing(a), scan.Job{Addresses: slices.Values([]netip.Addr{a}), Ports: ports(t, "dns")})
	silent := 0
	for target, o := range got {
		if o.State == exposure.OpenFiltered {
			if silent++; !strings.Contains(o.Detail, "not enough time") {
				t.Errorf("%s: %q", target, o.Detail)
			}
		}
	}
	if silent == 0 {
		t.Error("no port stayed silent: the limit was not met")
	}
}

// DNS is asked by itself: nothing before it for as long as an allowance takes.
func TestDNSIsAskedByItself(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	n := limited(a, 0).refusing(a)
	measure(t, n, scan.Job{Addresses: slices.Values([]netip.Addr{a}), Ports: ports(t, "T:53,U:1-400")})
	dns := n.times[exposure.Target{Addr: a, Transport: exposure.UDP, Port: 53}]
	if len(dns) != 2 {
		t.Fatalf("DNS was asked %d times", len(dns))
	}
	for target, times := range n.times {
		for _, at := range times {
			if gap := dns[1].Sub(at); target.Transport == exposure.UDP && target.Port != 53 && gap > 0 && gap < 1100*time.Millisecond {
				t.Errorf("%s was asked %s before DNS", target, gap)
			}
		}
	}
}

func TestCancelWhileUnhurried(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	for _, after := range []time.Duration{1050 * time.Millisecond, 1500 * time.Millisecond, 2500 * time.Millisecond, 3100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			n := limited(a, 0).refusing(a)
			seen := map[exposure.Target]int{}
			_, err := scan.NewConnect(n).Scan(ctx, scan.Job{
				Addresses: slices.Values([]netip.Addr{a}), Ports: ports(t, "dns"),
			}, func(o exposure.Observation) {
				seen[o.Target]++
				if o.Transport == exposure.UDP && o.State == exposure.Unmeasured {
					t.Errorf("after %s: %s forgot its first attempt", after, o)
				}
			})
			if err == nil || len(seen) != len(n.asked) {
				t.Errorf("after %s: %v, %d verdicts of %d asked", after, err, len(seen), len(n.asked))
			}
			for target, times := range seen {
				if times != 1 {
					t.Errorf("%s has %d verdicts", target, times)
				}
			}
		})
	}
}
