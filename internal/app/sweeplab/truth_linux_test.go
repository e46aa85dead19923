package sweeplab_test

import (
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/lab/pair"
	"reconshield/internal/scan"
)

func TestTruth(t *testing.T) {
	every := make([]uint16, 1<<16)
	for i := range every {
		every[i] = uint16(i)
	}
	tests := []struct {
		name, target, ports, mode string
		rig                       pair.Options
		set                       func(p *pair.Pair)
	}{
		{"all TCP ports", "192.0.2.1", "T:0-65535", "raw", pair.Options{}, nil},
		{"all TCP ports over IPv6", "2001:db8:9::1", "T:0-65535", "raw", pair.Options{}, nil},
		{"behind a router", "192.0.2.1", "T:0-65535", "raw", pair.Options{Routed: true}, nil},
		{"5 % loss", "192.0.2.1", "T:0-65535", "raw", pair.Options{}, func(p *pair.Pair) { p.Lose(5, 5) }},
		{"resets limited", "192.0.2.1", "T:0-2999", "raw", pair.Options{}, func(p *pair.Pair) { p.LimitResets(1000) }},
		{"UDP", "192.0.2.1", "U:1-5000", "raw", pair.Options{}, nil},
		{"UDP errors limited", "192.0.2.1", "U:1-300", "raw", pair.Options{}, func(p *pair.Pair) { p.LimitICMP(100) }},
		{"connect", "192.0.2.1", "T:0-65535", "connect", pair.Options{}, nil},
		{"connect over IPv6", "2001:db8:9::1", "T:1-20000", "connect", pair.Options{}, nil},
		{"connect UDP", "192.0.2.1", "U:1-5000", "connect", pair.Options{}, nil},
		{"256 hosts", "192.0.2.0/24", "T:1-200,U:1-20", "raw", pair.Options{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pair.New(t, tt.rig)
			p.Addresses("192.0.2.0/24", "2001:db8:9::/64")
			s := scope(t, tt.target)
			prefix := s.Prefixes()[0].String()
			p.Open(pair.Random(1, prefix, exposure.TCP, every[:200], 40)...)
			p.Silence(pair.Random(2, prefix, exposure.TCP, every[100:150], 10)...)
			if tt.set != nil {
				tt.set(p)
			}
			survey := scan.Survey{Addresses: s, Ports: portsOf(t, tt.ports), Want: scan.WantAll, Retries: -1, Seed: 1}
			seen, summary := run(t, p, tt.mode, survey)
			wrong := compare(t, p, survey, seen)
			t.Logf("%s: %d wrong of %d; sent %d, replies %d, recovered %d, sentinels %d/%d, drops %d, forged %d, completeness %.6f, missing %.2f %v",
				summary.Duration, wrong, len(seen), summary.Sent, summary.Replies, summary.Recovered, summary.SentinelsLost,
				summary.Sentinels, summary.RingDrops, summary.Forged, summary.Completeness, summary.Missing, summary.Notes)
			if wrong > 0 || summary.Completeness < 0.999 {
				t.Errorf("%d wrong, completeness %f", wrong, summary.Completeness)
			}
		})
	}
}
