//go:build linux

package wirelab_test

import (
	"net/netip"
	"testing"
	"time"

	"reconshield/internal/lab"
	"reconshield/internal/probe"
)

// BenchmarkAllPorts asks all TCP ports of one host, behind a router.
func BenchmarkAllPorts(b *testing.B) {
	h := lab.New(b, lab.Options{}).StartAll(b, "closed")["closed"]
	for _, addr := range []netip.Addr{h.V4, h.V6} {
		b.Run(addr.String(), func(b *testing.B) {
			const ports = 1 << 16
			probes := make([]probe.Probe, ports)
			for i := range probes {
				probes[i] = probe.Probe{Addr: addr, Port: uint16(i), Patience: patience}
			}
			into := make([]probe.Reply, 256)
			for b.Loop() {
				w := openWire(b)
				got, left := 0, probes
				for end := time.Now().Add(patience); got < ports && time.Now().Before(end); {
					n, err := w.Send(left[:min(64, len(left))])
					if err != nil {
						b.Fatal(err)
					}
					if left = left[n:]; n > 0 {
						end = time.Now().Add(patience)
					}
					wait := time.Duration(0)
					if n == 0 {
						wait = time.Until(end)
					}
					if n, err = w.Receive(into, wait); err != nil {
						b.Fatal(err)
					}
					got += n
				}
				if got != ports {
					b.Fatalf("%d replies", got)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/host")
		})
	}
}
