package scan_test

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/probe"
	"reconshield/internal/scan"
)

// troubled makes a world with troubles drawn from the seed, and what it does
// to probes on their way.
func troubled(seed uint64) func(w *world) {
	return func(w *world) {
		r := rand.New(rand.NewPCG(seed, 77))
		silent := r.IntN(4)
		open := uint16(2 + r.IntN(90))
		w.truth = func(p probe.Probe) probe.Answer {
			if silent > 0 && (int(p.Port)+int(p.Addr.As4()[3]))%(1+silent) == 0 {
				return probe.Nothing
			}
			return openEvery(open)(p)
		}
		base := time.Duration(50+r.IntN(1000)) * time.Microsecond
		if r.IntN(2) == 0 {
			base = time.Duration(2+r.IntN(100)) * time.Millisecond
		}
		spread := r.IntN(3)
		w.rtt = func(a netip.Addr) time.Duration {
			return base + base*time.Duration(spread*int(a.As4()[3]%8)) + time.Duration(r.Int64N(int64(base)))
		}
		switch r.IntN(6) {
		case 0:
			w.loss = r.Float64() * 0.4
		case 1:
			w.path = &bucket{perSecond: 300 + r.Float64()*20000, burst: 5 + r.Float64()*100, at: time.Now()}
		case 2:
			w.limit = limitAnswer(probe.Reset, 50+r.Float64()*2000, 5)
		case 3:
			bad := r.IntN(8)
			share := r.Float64() * 0.6
			w.limit = func(p probe.Probe, _ probe.Answer) (string, float64, float64) {
				if int(p.Addr.As4()[3])%8 == bad && r.Float64() < share {
					return "never", 0, 0
				}
				return "", 0, 0
			}
		case 4:
			w.limit = limitAnswer(probe.Reset, 50+r.Float64()*2000, 5)
			w.loss = r.Float64() * 0.1
		}
		w.busy, w.partial = r.Float64()*0.1, r.Float64()*0.2
	}
}

// A sweep never says that it heard more than it did, whatever happens to its
// packets, and gives no wrong verdict that rests on an answer.
func TestSweepIsHonest(t *testing.T) {
	const seeds, few = 60, 2
	worst, short := 0.0, 0
	for seed := range uint64(seeds) {
		r := rand.New(rand.NewPCG(seed, 78))
		addrs := block([]string{"192.0.2.1/32", "192.0.2.0/30", "192.0.2.0/28"}[r.IntN(3)])
		survey := scan.Survey{
			Addresses: addrs, Ports: ports(t, []string{"T:1-300", "T:1-1500", "T:22,80,443"}[r.IntN(3)]), Want: scan.WantAll,
			Retries: []int{-1, -1, -1, 0, 1, 2}[r.IntN(6)], Seed: seed, OnLink: r.IntN(2) == 0,
		}
		got, summary, w := sweep(t, troubled(seed), survey)
		answerable, heard := 0, 0
		for target, o := range got {
			truth := w.truth(probe.Probe{Addr: target.Addr, Port: target.Port})
			if truth != probe.Nothing {
				answerable++
				if o.State == exposure.Open || o.State == exposure.Closed {
					heard++
				}
			}
			if o.State == exposure.Open && truth != probe.SynAck || o.State == exposure.Closed && truth != probe.Reset {
				t.Errorf("seed %d: %s is %s", seed, target, o.State)
			}
		}
		if survey.Retries < 0 && summary.Duration > time.Hour {
			t.Errorf("seed %d: took %s", seed, summary.Duration)
		}
		if len(got) != len(addrs)*len(survey.Ports) {
			t.Errorf("seed %d: %d verdicts", seed, len(got))
		}
		truth := float64(heard) / float64(answerable)
		claim := summary.Completeness
		if math.IsNaN(claim) {
			continue
		}
		high := claim - truth
		worst = max(worst, high)
		if float64(answerable-heard)-summary.Missing <= few || high <= 0.002 {
			continue
		}
		t.Logf("seed %d: claims %.5f (missing %.2f), is %.5f (%d of %d), retries %d, %s, sentinels %d/%d", seed, claim, summary.Missing,
			truth, answerable-heard, answerable, survey.Retries, summary.Duration, summary.SentinelsLost, summary.Sentinels)
		// Whoever forbids repetitions forbids to measure what they would find.
		if survey.Retries < 0 {
			t.Errorf("seed %d: the claim is %.5f too high", seed, high)
		}
		short++
	}
	t.Logf("%d dishonest of %d, worst claim is %.5f too high", short, seeds, worst)
}
