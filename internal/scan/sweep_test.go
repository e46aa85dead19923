package scan_test

import (
	"context"
	"errors"
	"iter"
	"math"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/netset"
	"reconshield/internal/probe"
	"reconshield/internal/scan"
)

// sweep runs a survey over a world in virtual time.
func sweep(t *testing.T, set func(w *world), survey scan.Survey) (map[exposure.Target]exposure.Observation, scan.Summary, *world) {
	t.Helper()
	seen := map[exposure.Target]exposure.Observation{}
	var (
		summary scan.Summary
		w       *world
	)
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(survey.Seed)
		set(w)
		var err error
		summary, err = scan.Sweep(t.Context(), w, survey, func(o exposure.Observation) {
			if _, twice := seen[o.Target]; twice {
				t.Errorf("%s has two verdicts", o.Target)
			}
			seen[o.Target] = o
		})
		if err != nil {
			t.Error(err)
		}
	})
	return seen, summary, w
}

// openEvery makes every nth port open and the others closed.
func openEvery(n uint16) func(probe.Probe) probe.Answer {
	return func(p probe.Probe) probe.Answer {
		switch {
		case p.Port%n == 0 && p.Kind == probe.TCP:
			return probe.SynAck
		case p.Kind == probe.TCP:
			return probe.Reset
		case p.Port%n == 0:
			return probe.Datagram
		}
		return probe.PortUnreachable
	}
}

func limitAnswer(what probe.Answer, perSecond, burst float64) func(probe.Probe, probe.Answer) (string, float64, float64) {
	return func(p probe.Probe, a probe.Answer) (string, float64, float64) {
		if a != what {
			return "", 0, 0
		}
		return p.Addr.String(), perSecond, burst
	}
}

func TestSweepIsRight(t *testing.T) {
	one, sixteen := block("192.0.2.1/32"), block("192.0.2.0/28")
	tests := []struct {
		name   string
		addrs  some
		ports  string
		world  func(w *world)
		within time.Duration
		most   float64 // packets a target
	}{
		{"near", one, "T:0-65535", func(w *world) { w.truth = openEvery(97) }, 300 * time.Millisecond, 1.1},
		{"far", one, "T:0-65535", func(w *world) { w.truth = openEvery(97); w.rtt = far(30 * time.Millisecond) }, 35 * time.Second, 1.1},
		{"lossy", one, "T:1-20000", func(w *world) { w.truth = openEvery(97); w.loss = 0.05 }, 2 * time.Second, 1.2},
		{"very lossy", one, "T:1-20000", func(w *world) { w.truth = openEvery(97); w.loss = 0.3 }, 8 * time.Second, 1.8},
		{"resets limited", one, "T:1-20000", func(w *world) { w.truth = openEvery(97); w.limit = limitAnswer(probe.Reset, 2000, 50) }, 14 * time.Second, 2.6},
		{"resets limited at a high rate", one, "T:0-65535", func(w *world) { w.truth = openEvery(97); w.limit = limitAnswer(probe.Reset, 10000, 5) }, 12 * time.Second, 2},
		{"narrow path", one, "T:0-65535", func(w *world) {
			w.truth = openEvery(97)
			w.path = &bucket{perSecond: 50000, burst: 100, at: time.Now()}
		}, 4 * time.Second, 1.8},
		{"sixteen", sixteen, "T:1-4000", func(w *world) { w.truth = openEvery(97) }, 400 * time.Millisecond, 1.1},
		{"one of sixteen limits resets", sixteen, "T:1-4000", func(w *world) {
			w.truth = openEvery(97)
			w.limit = func(p probe.Probe, a probe.Answer) (string, float64, float64) {
				if a != probe.Reset || p.Addr != sixteen[3] {
					return "", 0, 0
				}
				return "limited", 500, 20
			}
		}, 14 * time.Second, 1.6},
		{"UDP", one, "U:1-2000", func(w *world) { w.truth = openEvery(97) }, 2 * time.Second, 1.2},
		{"UDP errors limited", one, "U:1-300", func(w *world) {
			w.truth = openEvery(97)
			w.limit = limitAnswer(probe.PortUnreachable, 10, 6)
		}, 60 * time.Second, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			survey := scan.Survey{Addresses: tt.addrs, Ports: ports(t, tt.ports), Want: scan.WantAll, Retries: -1, Seed: 7, OnLink: true}
			got, summary, w := sweep(t, tt.world, survey)
			wrong := 0
			for _, a := range tt.addrs {
				for _, p := range survey.Ports {
					target := exposure.Target{Addr: a, Transport: p.Transport, Port: p.Number}
					kind := probe.TCP
					if p.Transport == exposure.UDP {
						kind = probe.UDP
					}
					want := exposure.Closed
					if a := w.truth(probe.Probe{Addr: a, Port: p.Number, Kind: kind}); a == probe.SynAck || a == probe.Datagram {
						want = exposure.Open
					}
					if got[target].State != want {
						if wrong++; wrong < 4 {
							t.Errorf("%s is %s by %s, want %s", target, got[target].State, got[target].Reason, want)
						}
					}
				}
			}
			perTarget := float64(summary.Sent) / float64(len(got))
			t.Logf("%s: %d wrong of %d, %.3f packets a target, %d refused, completeness %.6f, recovered %d, sentinels %d/%d, busiest ms %d",
				summary.Duration, wrong, len(got), perTarget, w.refused, summary.Completeness, summary.Recovered, summary.SentinelsLost, summary.Sentinels, w.most)
			if summary.Duration > tt.within || perTarget > tt.most || summary.Completeness < 0.9999 {
				t.Errorf("took %s of %s, %.2f packets a target of %.2f, completeness %f", summary.Duration, tt.within, perTarget, tt.most, summary.Completeness)
			}
		})
	}
}

func TestSweepOfSilence(t *testing.T) {
	got, summary, _ := sweep(t, func(w *world) { w.truth = func(probe.Probe) probe.Answer { return probe.Nothing } },
		scan.Survey{Addresses: block("192.0.2.0/26"), Ports: ports(t, "T:1-100,U:53"), Want: scan.WantAll, Retries: -1})
	for target, o := range got {
		want := exposure.Filtered
		if target.Transport == exposure.UDP {
			want = exposure.OpenFiltered
		}
		if o.State != want || o.Attempts != 2 {
			t.Fatalf("%s is %s after %d attempts", target, o.State, o.Attempts)
		}
	}
	if len(got) != 64*101 || !math.IsNaN(summary.Completeness) || summary.Sent != 2*64*101 {
		t.Errorf("%d verdicts, summary %+v", len(got), summary)
	}
}

func far(d time.Duration) func(netip.Addr) time.Duration {
	return func(netip.Addr) time.Duration { return d }
}

func TestSweepKeepsCeilings(t *testing.T) {
	closed := func(probe.Probe) probe.Answer { return probe.Reset }
	tests := []struct {
		name          string
		addrs         some
		survey        scan.Survey
		least, longer time.Duration
	}{
		{"rate", block("192.0.2.1/32"), scan.Survey{Rate: 1000}, 4 * time.Second, 5 * time.Second},
		{"per host", block("192.0.2.0/30"), scan.Survey{PerHost: 500}, 8 * time.Second, 10 * time.Second},
		{"a high rate for a host", block("192.0.2.1/32"), scan.Survey{PerHost: 50000}, 80 * time.Millisecond, 130 * time.Millisecond},
		{"per network", block("192.0.2.0/30"), scan.Survey{PerNet: 4000}, 4 * time.Second, 5 * time.Second},
	}
	for _, tt := range tests {
		tt.survey.Addresses, tt.survey.Ports, tt.survey.Retries = tt.addrs, ports(t, "T:1-4000"), -1
		_, summary, w := sweep(t, func(w *world) { w.truth = closed }, tt.survey)
		if summary.Duration < tt.least*98/100 || summary.Duration > tt.longer || summary.Closed != uint64(len(tt.addrs))*4000 {
			t.Errorf("%s: %d closed ports took %s, want %s to %s; busiest ms %d", tt.name, summary.Closed, summary.Duration, tt.least, tt.longer, w.most)
		}
	}
}

func TestShardsPartition(t *testing.T) {
	const shards = 5
	all := map[exposure.Target]int{}
	for n := range shards {
		got, _, _ := sweep(t, func(w *world) { w.truth = openEvery(7) }, scan.Survey{
			Addresses: block("192.0.2.0/29"), Ports: ports(t, "T:1-501,U:1-40"), Want: scan.WantAll, Seed: 3, Retries: -1,
			Shard: netset.Shard{Index: n + 1, Of: shards},
		})
		for target, o := range got {
			all[target]++
			if o.State != exposure.Open && o.State != exposure.Closed {
				t.Errorf("%s is %s", target, o.State)
			}
		}
	}
	for target, n := range all {
		if n != 1 {
			t.Errorf("%s is in %d shards", target, n)
		}
	}
	if len(all) != 8*541 {
		t.Errorf("the shards hold %d targets", len(all))
	}
}

// A link that is down for a while costs time and no verdict.
func TestSweepOutlivesAnOutage(t *testing.T) {
	got, summary, _ := sweep(t, func(w *world) {
		w.truth = openEvery(97)
		w.rtt = far(20 * time.Millisecond)
		w.down = func(d time.Duration) bool { return d > time.Second && d < 12*time.Second }
	}, scan.Survey{Addresses: block("192.0.2.1/32"), Ports: ports(t, "T:1-20000"), Want: scan.WantAll, Retries: -1})
	for target, o := range got {
		if o.State != exposure.Closed && o.State != exposure.Open {
			t.Fatalf("%s is %s by %s", target, o.State, o.Reason)
		}
	}
	t.Logf("%s, %d sent, %d sentinels lost of %d", summary.Duration, summary.Sent, summary.SentinelsLost, summary.Sentinels)
	if len(got) != 20000 || summary.Duration > 40*time.Second {
		t.Errorf("%d verdicts in %s: %+v", len(got), summary.Duration, summary)
	}
}

// A target that never answers again leaves what was not measured unmeasured.
func TestSweepGivesUp(t *testing.T) {
	got, summary, _ := sweep(t, func(w *world) {
		w.truth = openEvery(97)
		w.rtt = far(20 * time.Millisecond)
		w.down = func(d time.Duration) bool { return d > time.Second }
	}, scan.Survey{Addresses: block("192.0.2.1/32"), Ports: ports(t, "T:1-20000"), Want: scan.WantAll, Retries: -1, Outage: 5 * time.Second})
	states := map[exposure.State]int{}
	for _, o := range got {
		states[o.State]++
	}
	t.Logf("%s: %v, completeness %f, %q", summary.Duration, states, summary.Completeness, summary.Notes)
	if len(got) != 20000 || states[exposure.Unmeasured] < 5000 || states[exposure.Filtered] > 100 || !summary.Partial || summary.Completeness > 0.9 || len(summary.Notes) == 0 {
		t.Errorf("%d verdicts: %v, %+v", len(got), states, summary)
	}
}

// memory is a journal that lives as long as the test.
type memory [][]byte

func (m *memory) Append(b []byte) error     { *m = append(*m, slices.Clone(b)); return nil }
func (m *memory) Records() iter.Seq[[]byte] { return slices.Values(slices.Clone(*m)) }

// A sweep that is killed and resumed asks nothing twice but what it sent since
// the last record, and ends with every verdict.
func TestSweepResumes(t *testing.T) {
	survey := scan.Survey{
		Addresses: block("192.0.2.0/28"), Ports: ports(t, "T:1-2000"), Want: scan.WantAll, Seed: 11, Retries: -1, Rate: 4000,
	}
	journal := &memory{}
	survey.Journal = journal
	asked := map[probe.Probe]int{}
	truth := func(p probe.Probe) probe.Answer {
		if p.Port%10 == 0 {
			return probe.Nothing
		}
		return openEvery(97)(p)
	}
	seen := map[exposure.Target]exposure.Observation{}
	for _, stop := range []int{7000, 9000, 5000, 20000, 8000, math.MaxInt} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			w := newWorld(5)
			w.truth, w.sent = truth, asked
			w.stop = func(n int) {
				if n == stop {
					cancel()
				}
			}
			before := len(*journal)
			clear(seen)
			_, err := scan.Sweep(ctx, w, survey, func(o exposure.Observation) { seen[o.Target] = o })
			if stop == math.MaxInt && err != nil {
				t.Error(err)
			}
			if stop != math.MaxInt { // a kill writes no last record
				*journal = (*journal)[:max(before, len(*journal)-2)]
			}
		})
	}
	if len(seen) != 32000 {
		t.Errorf("%d verdicts", len(seen))
	}
	for target, o := range seen {
		if want := truth(probe.Probe{Addr: target.Addr, Port: target.Port}); (want == probe.Nothing) != (o.State == exposure.Filtered) {
			t.Fatalf("%s is %s", target, o.State)
		}
	}
	twice := 0
	for p, n := range asked {
		if truth(p) != probe.Nothing && n > 1 {
			twice++
		}
	}
	if twice > 5*4100 {
		t.Errorf("%d answered targets were asked again", twice)
	}
	t.Logf("%d answered targets asked again after five kills at 4000 packets a second", twice)
	survey.Seed++
	if _, err := scan.Sweep(t.Context(), newWorld(1), survey, nil); !errors.Is(err, scan.ErrOtherScan) {
		t.Errorf("a journal of another scan: %v", err)
	}
}
