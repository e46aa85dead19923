package scan_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/probe"
	"reconshield/internal/scan"
)

// Hosts at different distances, of which the near one is no measure for the
// others, are asked at the speed of the far ones.
func TestSweepOfMixedDistances(t *testing.T) {
	got, summary, _ := sweep(t, func(w *world) {
		w.truth = openEvery(97)
		w.rtt = func(a netip.Addr) time.Duration {
			if a == netip.MustParseAddr("192.0.2.0") {
				return 200 * time.Microsecond
			}
			return 40 * time.Millisecond
		}
	}, scan.Survey{Addresses: block("192.0.2.0/28"), Ports: ports(t, "T:1-20000"), Want: scan.WantAll, Retries: -1})
	t.Logf("%s, %d sent, completeness %f", summary.Duration, summary.Sent, summary.Completeness)
	if len(got) != 320000 || summary.Duration > 20*time.Second {
		t.Errorf("%d verdicts in %s", len(got), summary.Duration)
	}
}

// A path that becomes longer for good is no congestion for ever.
func TestSweepOfLongerPath(t *testing.T) {
	var start time.Time
	got, summary, _ := sweep(t, func(w *world) {
		start = w.start
		w.truth = openEvery(97)
		w.rtt = func(netip.Addr) time.Duration {
			if time.Since(start) < time.Second {
				return 5 * time.Millisecond
			}
			return 60 * time.Millisecond
		}
	}, scan.Survey{Addresses: block("192.0.2.0/28"), Ports: ports(t, "T:1-2000"), Want: scan.WantAll, Retries: -1})
	t.Logf("%s, %d sent, completeness %f", summary.Duration, summary.Sent, summary.Completeness)
	if len(got) != 32000 || summary.Duration > 30*time.Second {
		t.Errorf("%d verdicts in %s", len(got), summary.Duration)
	}
}

// A host that limits its errors and then dies does not keep the sweep for days.
func TestSweepOfLimitedHostThatDies(t *testing.T) {
	dead := netip.MustParseAddr("192.0.2.3")
	var start time.Time
	got, summary, _ := sweep(t, func(w *world) {
		start = w.start
		w.truth = func(p probe.Probe) probe.Answer {
			if p.Addr == dead && time.Since(start) > 20*time.Second {
				return probe.Nothing
			}
			return openEvery(97)(p)
		}
		w.limit = func(p probe.Probe, a probe.Answer) (string, float64, float64) {
			if p.Addr == dead && a == probe.PortUnreachable {
				return "dead", 1, 6
			}
			return "", 0, 0
		}
	}, scan.Survey{Addresses: block("192.0.2.0/29"), Ports: ports(t, "U:1-500"), Want: scan.WantAll, Retries: -1})
	t.Logf("%s, %d sent, completeness %f, undecided %d, unmeasured %d", summary.Duration, summary.Sent, summary.Completeness, summary.Undecided, summary.Unmeasured)
	if len(got) != 4000 || summary.Duration > 5*time.Minute {
		t.Errorf("%d verdicts in %s", len(got), summary.Duration)
	}
}

// What lacked patience has a verdict all the same, wherever the sweep was cut.
func TestSweepOfNoPatience(t *testing.T) {
	for n := range 40 {
		got, summary, _ := sweep(t, func(w *world) {
			w.truth = openEvery(9)
			w.limit = limitAnswer(probe.PortUnreachable, 20, 6)
		}, scan.Survey{
			Addresses: block("192.0.2.0/31"), Ports: ports(t, "U:1-300"), Want: scan.WantAll, Retries: -1, Seed: uint64(n),
			PerHost: 300, Patience: time.Duration(500+n*77) * time.Millisecond,
		})
		if len(got) != 600 || summary.Targets != 600 {
			t.Errorf("patience %d: %d verdicts, %d targets in %s", n, len(got), summary.Targets, summary.Duration)
		}
		for target, o := range got {
			if o.State == exposure.Closed && target.Port%9 == 0 || o.State == exposure.Open && target.Port%9 != 0 {
				t.Errorf("%s is %s", target, o.State)
			}
		}
	}
}

// A sweep that is killed again and again, whether it makes one pass or more and
// whether hosts limit their answers or not, ends with the verdicts of one that
// was not.
func TestSweepResumesAnywhere(t *testing.T) {
	limited := netip.MustParseAddr("192.0.2.2")
	for n := range 60 {
		retries := []int{-1, 0, 1}[n%3]
		survey := scan.Survey{
			Addresses: block("192.0.2.0/29"), Ports: ports(t, "T:1-200,U:1-60"), Want: scan.WantAll, Seed: uint64(n), Retries: retries, Rate: 900,
		}
		if n%4 == 3 { // more than one slab
			survey = scan.InSlabs(survey, 500)
		}
		journal := &memory{}
		survey.Journal = journal
		seen := map[exposure.Target]exposure.Observation{}
		for kill := range 4 {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w := newWorld(uint64(n))
				w.truth, w.rtt = openEvery(7), far(30*time.Millisecond)
				w.limit = func(p probe.Probe, a probe.Answer) (string, float64, float64) {
					if retries < 0 && p.Addr == limited && a == probe.PortUnreachable {
						return "limited", 10, 6
					}
					return "", 0, 0
				}
				if stop := 300 + (n*577+kill*311)%2300; kill < 3 {
					w.stop = func(asked int) {
						if asked == stop {
							cancel()
						}
					}
				}
				before := len(*journal)
				clear(seen)
				_, err := scan.Sweep(ctx, w, survey, func(o exposure.Observation) { seen[o.Target] = o })
				if ctx.Err() == nil && err != nil {
					t.Error(err)
				}
				if kill < 3 && n%2 == 0 { // a kill writes no last record
					*journal = (*journal)[:max(before, len(*journal)-1-kill)]
				}
			})
		}
		wrong := 0
		for target, o := range seen {
			want := exposure.Closed
			if target.Port%7 == 0 {
				want = exposure.Open
			}
			if o.State != want {
				if wrong++; wrong < 3 {
					t.Errorf("run %d, retries %d: %s is %s by %s after %d attempts: %s", n, retries, target, o.State, o.Reason, o.Attempts, o.Detail)
				}
			}
		}
		if len(seen) != 8*260 || wrong > 0 {
			t.Errorf("run %d: %d verdicts, %d wrong", n, len(seen), wrong)
		}
	}
}
