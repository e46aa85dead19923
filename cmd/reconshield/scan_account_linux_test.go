//go:build linux

package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"reconshield/internal/lab/pair"
)

// The summary counts the packets that really left and those that really came,
// also those of discovery, and the rate is theirs over the time of the run.
func TestScanAccount(t *testing.T) {
	program := built(t)
	p := pair.New(t, pair.Options{})
	// On the link, most addresses are of nobody; beyond the router, they are silent.
	scope := []string{"203.0.113.64/28", "192.0.2.0/29"}
	p.Addresses("203.0.113.66/32", "203.0.113.71/32", "192.0.2.1/32", "192.0.2.6/32")
	p.ListenTCP(20)
	for _, c := range []struct {
		name string
		args []string
	}{
		{"all", nil},
		{"one try", []string{"--retries", "0", "--show", "all"}},
		{"discovered", []string{"--discover"}},
		{"paced", []string{"--rate", "500", "--discover"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sent, came := []*pair.Counter{}, []*pair.Counter{}
			for _, kind := range []string{"tcp flags & (syn | ack | rst) == syn", "udp dport { 53, 123 }", "icmp type echo-request"} {
				sent = append(sent, p.Count("ip daddr { 203.0.113.64/28, 192.0.2.0/29 } "+kind))
			}
			for _, kind := range []string{"tcp flags & (rst | ack) != 0", "icmp type { destination-unreachable, echo-reply }"} {
				came = append(came, p.CountAtScanner("ip saddr { 203.0.113.64/28, 192.0.2.0/29 } "+kind))
			}
			start := time.Now()
			args := append([]string{"scan", "--ports", "T:1-40,U:53,123", "--mode", "raw", "--format", "jsonl", "--progress", "none"}, c.args...)
			got := scanWith(t, p.Command(program, append(args, scope...)...))
			took := time.Since(start).Seconds()
			if n := total(sent); got.code != 0 || got.end.Sent != n || n == 0 {
				t.Errorf("exit code %d, %d probes sent, %d seen at the peer\n%s", got.code, got.end.Sent, n, got.stderr)
			}
			if n := total(came); got.end.Replies != n || n == 0 {
				t.Errorf("%d replies, %d seen at the scanner", got.end.Replies, n)
			}
			if got.end.Duration > took || got.end.Duration < took/2 {
				t.Errorf("%.2f s, measured %.2f", got.end.Duration, took)
			}
			if rate := float64(got.end.Sent) / got.end.Duration; math.Abs(got.end.Rate-rate) > rate/10 {
				t.Errorf("%.0f packets a second, %d in %.2f s", got.end.Rate, got.end.Sent, got.end.Duration)
			}
			if strings.Contains(strings.Join(c.args, " "), "--rate 500") && got.end.Rate > 550 {
				t.Errorf("%.0f packets a second", got.end.Rate)
			}
		})
	}
}

func total(counters []*pair.Counter) (n uint64) {
	for _, c := range counters {
		n += c.Packets()
	}
	return n
}
