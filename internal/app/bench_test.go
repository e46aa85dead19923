//go:build linux

package app_test

import (
	"testing"

	"reconshield/internal/app"
	"reconshield/internal/exposure"
	"reconshield/internal/lab"
)

// BenchmarkAssessServer is one server under all checks of the default profile:
// at least two seconds, which the pace of CHAOS questions demands.
func BenchmarkAssessServer(b *testing.B) {
	l := newLab(b)
	for _, kind := range []string{"bind-auth-abused", "unbound-abused", "pdns-recursor-safe"} {
		h := l.Start(b, kind)
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				assess(b, app.Options{Targets: []string{h.V4.String()}, Collector: probeZone, Zones: []string{"example.test"}})
			}
		})
	}
}

// BenchmarkAssessNetwork is 256 addresses of which 16 have a server.
func BenchmarkAssessNetwork(b *testing.B) {
	l := newLab(b)
	servers := map[string]bool{}
	for _, k := range lab.Kinds() {
		const wanted = 13 // beside the router, the root, ns1 and the collector
		if len(servers) == wanted {
			break
		}
		servers[k.Name] = true
		l.Start(b, k.Name)
	}
	for b.Loop() {
		a := assess(b, app.Options{Targets: []string{lab.Servers4}, Collector: probeZone})
		answering := 0
		for _, asset := range a.Assets {
			for _, p := range asset.Ports {
				if p.State == exposure.Open {
					answering++
					break
				}
			}
		}
		b.ReportMetric(float64(answering), "answering")
	}
}
