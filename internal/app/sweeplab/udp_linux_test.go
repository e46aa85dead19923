package sweeplab_test

import (
	"testing"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/lab/pair"
	"reconshield/internal/netset"
	"reconshield/internal/payload"
	"reconshield/internal/scan"
)

// The ports of the payloads of 256 hosts, half of them silent: whoever wants to
// know what is open need not wait for anybody's limits.
func TestPayloadPortsOfManyHosts(t *testing.T) {
	p := pair.New(t, pair.Options{})
	p.Addresses("192.0.2.0/25") // of 192.0.2.0/24
	var ports []netset.Port
	seen := map[uint16]bool{}
	for _, q := range payload.New().All() {
		for _, number := range q.Ports[:min(1, len(q.Ports))] {
			if !seen[number] && len(ports) < 40 {
				seen[number] = true
				ports = append(ports, netset.Port{Transport: exposure.UDP, Number: number})
			}
		}
	}
	survey := scan.Survey{Addresses: scope(t, "192.0.2.0/24"), Ports: ports, Want: scan.WantOpen, Retries: -1}
	_, summary := run(t, p, "raw", survey)
	t.Logf("%s: sent %d, closed %d, silent %d, undecided %d", summary.Duration, summary.Sent, summary.Closed, summary.Silent, summary.Undecided)
	if summary.Closed != 128*uint64(len(ports)) || summary.Open != 0 || summary.Duration > 10*time.Second {
		t.Errorf("%d closed, %d open in %s", summary.Closed, summary.Open, summary.Duration)
	}
}
