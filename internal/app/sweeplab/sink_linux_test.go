package sweeplab_test

import (
	"net"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/lab/pair"
	"reconshield/internal/netset"
	"reconshield/internal/scan"
)

// BenchmarkSink sweeps four million addresses of which none answers.
func BenchmarkSink(b *testing.B) {
	p := pair.New(b, pair.Options{})
	s := scope(b, "10.0.0.0/10")
	flood(b, p, s, net.HardwareAddr{2, 0, 0, 0, 0, 9}, 1e7)
}

// BenchmarkAnswers sweeps a quarter of a million addresses all of which answer.
func BenchmarkAnswers(b *testing.B) {
	p := pair.New(b, pair.Options{})
	p.Addresses("10.64.0.0/14")
	flood(b, p, scope(b, "10.64.0.0/14"), nil, 0)
}

func flood(b *testing.B, p *pair.Pair, s netset.Scope, hop net.HardwareAddr, rate float64) {
	b.Helper()
	w := rawWire(b, p, s, hop)
	var sent, targets, replies uint64
	for b.Loop() {
		summary, err := scan.Sweep(b.Context(), w, scan.Survey{
			Addresses: s, Ports: []netset.Port{{Transport: exposure.TCP, Number: 80}}, Rate: rate, Retries: -1,
		}, func(exposure.Observation) {})
		if err != nil {
			b.Fatal(err)
		}
		if rate == 0 && summary.Closed != s.Len() {
			b.Errorf("%d of %d closed", summary.Closed, s.Len())
		}
		sent, targets, replies = sent+summary.Sent, targets+s.Len(), replies+summary.Replies
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "packets/s")
	b.ReportMetric(float64(replies)/b.Elapsed().Seconds(), "answers/s")
	b.ReportMetric(float64(sent)/float64(targets), "packets/target")
}
