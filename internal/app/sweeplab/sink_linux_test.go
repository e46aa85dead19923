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
	w := rawWire(b, p, s, net.HardwareAddr{2, 0, 0, 0, 0, 9})
	sent := uint64(0)
	for b.Loop() {
		summary, err := scan.Sweep(b.Context(), w, scan.Survey{
			Addresses: s, Ports: []netset.Port{{Transport: exposure.TCP, Number: 80}}, Rate: 1e7,
		}, func(exposure.Observation) {})
		if err != nil {
			b.Fatal(err)
		}
		sent += summary.Sent
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "packets/s")
}
