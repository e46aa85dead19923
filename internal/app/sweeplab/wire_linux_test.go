package sweeplab_test

import (
	"fmt"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/lab/pair"
	"reconshield/internal/netset"
	"reconshield/internal/scan"
)

// What the summary says left, left: the peer counts it. Nothing goes to an
// address that is excluded, not even ARP.
func TestSummaryTellsWhatLeft(t *testing.T) {
	tests := []struct{ name, target, excluded, ports, mode, family string }{
		{"raw", "192.0.2.0/28", "192.0.2.7", "T:1-500,U:1-50", "raw", "ip"},
		{"raw on link", "203.0.113.64/28", "203.0.113.70", "T:1-500,U:1-50", "raw", "ip"},
		{"raw over IPv6", "2001:db8:9::/124", "2001:db8:9::7", "T:1-500,U:1-50", "raw", "ip6"},
		{"connect", "192.0.2.0/28", "192.0.2.7", "T:1-500,U:1-50", "connect", "ip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pair.New(t, pair.Options{})
			p.Addresses(tt.target)
			spec, err := netset.ParseTargets([]string{tt.target})
			if err != nil {
				t.Fatal(err)
			}
			without, err := netset.ParseTargets([]string{tt.excluded})
			if err != nil {
				t.Fatal(err)
			}
			addresses, err := spec.Without(without).Resolve(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			syns := p.Count(fmt.Sprintf("%s daddr %s tcp flags & (syn | ack | rst) == syn", tt.family, tt.target))
			datagrams := p.Count(fmt.Sprintf("%s daddr %s meta l4proto udp", tt.family, tt.target))
			strays := p.Count(tt.family + " daddr " + tt.excluded)
			solicited := func() uint64 { return 0 }
			if tt.family == "ip" {
				solicited = p.CountARP(tt.excluded).Packets
			}
			survey := scan.Survey{Addresses: addresses, Ports: portsOf(t, tt.ports), Want: scan.WantAll, Retries: -1}
			_, summary := run(t, p, tt.mode, survey)
			if left := syns.Packets() + datagrams.Packets(); left != summary.Sent {
				t.Errorf("%d SYNs and %d datagrams arrived, %d were sent", syns.Packets(), datagrams.Packets(), summary.Sent)
			}
			if summary.Targets != 15*550 || strays.Packets()+solicited() > 0 {
				t.Errorf("%d targets; %d packets and %d ARP requests to %s", summary.Targets, strays.Packets(), solicited(), tt.excluded)
			}
		})
	}
}

// Shards ask each target once between them.
func TestShardsOnTheWire(t *testing.T) {
	const shards = 3
	p := pair.New(t, pair.Options{})
	p.Addresses("192.0.2.0/28")
	asked := map[exposure.Target]int{}
	sent := uint64(0)
	syns := p.Count("ip daddr 192.0.2.0/28 tcp flags & (syn | ack | rst) == syn")
	for n := range shards {
		seen, summary := run(t, p, "raw", scan.Survey{
			Addresses: scope(t, "192.0.2.0/28"), Ports: portsOf(t, "T:1-200"), Want: scan.WantAll, Retries: 0, Seed: 9,
			Shard: netset.Shard{Index: n + 1, Of: shards},
		})
		for target := range seen {
			asked[target]++
		}
		sent += summary.Sent - summary.Sentinels
		if summary.Sent-summary.Sentinels != uint64(len(seen)) {
			t.Errorf("shard %d: %d verdicts for %d probes", n, len(seen), summary.Sent-summary.Sentinels)
		}
	}
	for target, n := range asked {
		if n != 1 {
			t.Errorf("%s is in %d shards", target, n)
		}
	}
	if len(asked) != 16*200 || sent != 16*200 || syns.Packets() < sent {
		t.Errorf("%d targets, %d probes, %d SYNs arrived", len(asked), sent, syns.Packets())
	}
}

// Of 256 addresses on the link most are nobody's: they are asked for by ARP
// only, and said to be that.
func TestDeadNeighbours(t *testing.T) {
	p := pair.New(t, pair.Options{})
	p.Addresses("203.0.113.64/29")
	dead := p.Count("ip daddr 203.0.113.128/25")
	asked := p.CountARP("203.0.113.128/25")
	survey := scan.Survey{Addresses: scope(t, "203.0.113.4-203.0.113.254"), Ports: portsOf(t, "T:1-20,U:53"), Want: scan.WantAll, Retries: -1, OnLink: true}
	seen, summary := run(t, p, "raw", survey)
	for target, o := range seen {
		nobody := p.State(exposure.Target{Addr: target.Addr, Transport: exposure.TCP, Port: 1}) == exposure.Filtered
		if nobody != (o.Reason == exposure.ReasonNoNeighbour) || !nobody && o.State != p.State(target) {
			t.Errorf("%s is %s by %s", target, o.State, o.Reason)
		}
	}
	t.Logf("%s: %d sent, completeness %f", summary.Duration, summary.Sent, summary.Completeness)
	if n := dead.Packets(); n > 0 {
		t.Errorf("%d packets for addresses that are nobody's", n)
	}
	if n := asked.Packets(); n != 3*127 {
		t.Errorf("%d ARP requests for 127 addresses", n)
	}
}

// Both families in one sweep.
func TestDualStack(t *testing.T) {
	p := pair.New(t, pair.Options{})
	p.Addresses("192.0.2.0/29", "2001:db8:9::/125")
	p.ListenTCP(80, 443)
	survey := scan.Survey{Addresses: scope(t, "192.0.2.0/29", "2001:db8:9::/125"), Ports: portsOf(t, "T:1-1000"), Want: scan.WantAll, Retries: -1}
	for _, mode := range []string{"raw", "connect"} {
		seen, summary := run(t, p, mode, survey)
		if wrong := compare(t, p, survey, seen); wrong > 0 || len(seen) != 16000 || summary.Open != 32 {
			t.Errorf("%s: %d wrong of %d, %d open", mode, wrong, len(seen), summary.Open)
		}
	}
}
