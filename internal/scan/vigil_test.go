package scan_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/probe"
	"reconshield/internal/scan"
)

// refusing makes every port of four in five hosts closed, and the others
// silent; the hosts limit how often they say so.
func refusing(seed uint64) func(w *world) {
	return func(w *world) {
		r := rand.New(rand.NewPCG(seed, 5))
		silent := byte(r.IntN(6)) // one host in so many
		open := byte(r.IntN(40))  // one host in so many has a service
		refusal := []probe.Answer{probe.PortUnreachable, probe.PortUnreachable, probe.AdminProhibited}[r.IntN(3)]
		w.truth = func(p probe.Probe) probe.Answer {
			if silent > 0 && p.Addr.As4()[3]%(silent+1) == 1 {
				return probe.Nothing
			}
			if open > 20 && p.Addr.As4()[3]%open == 3 && p.Port == 53 {
				return probe.Datagram
			}
			return refusal
		}
		w.rtt = far([]time.Duration{200 * time.Microsecond, 15 * time.Millisecond, 120 * time.Millisecond}[r.IntN(3)])
		switch r.IntN(5) {
		case 0:
		case 1:
			w.limit = limitAnswer(refusal, 1, 6)
		case 2:
			w.limit = limitAnswer(refusal, 0.5+r.Float64()*20, 1+float64(r.IntN(10)))
		case 3: // one limit for all, of a gateway or of a host with many addresses
			w.limit = func(_ probe.Probe, a probe.Answer) (string, float64, float64) {
				if a != refusal {
					return "", 0, 0
				}
				return "all", 1, 6
			}
		case 4:
			w.limit, w.loss = limitAnswer(refusal, 1, 6), r.Float64()*0.3
		}
	}
}

// refusers draws a survey over them.
func refusers(t *testing.T, seed uint64) scan.Survey {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 6))
	prefix := []string{"192.0.2.1/32", "192.0.2.0/30", "192.0.2.0/28", "192.0.2.0/26", "192.0.2.0/24"}[r.IntN(5)]
	return scan.Survey{
		Addresses: block(prefix), Ports: ports(t, []string{"U:53", "U:50-60", "U:1-100", "U:1-400"}[r.IntN(4)]),
		Want: scan.Want(r.IntN(2)), Retries: []int{-1, -1, 0, 1, 3}[r.IntN(5)], Seed: seed, OnLink: r.IntN(2) == 0,
	}
}

// Where hosts only refuse, by errors that they limit, a path that dies is
// noticed: what was asked afterwards is not measured.
func TestSweepNoticesDeathAmongRefusals(t *testing.T) {
	const seeds = 60
	for seed := range uint64(seeds) {
		survey := refusers(t, seed)
		if survey.Addresses.Len()*uint64(len(survey.Ports)) < 20 {
			continue
		}
		whole := survey
		whole.Rate = 500
		_, alive, _ := sweep(t, refusing(seed), whole)
		share := []float64{0.3, 0.7}[seed%2]
		survey = whole
		got := map[exposure.State]int{}
		seen, summary, w := sweep(t, func(w *world) {
			refusing(seed)(w)
			asked, of := 0, share*float64(len(survey.Ports))*float64(survey.Addresses.Len())
			truth := w.truth
			w.truth = func(p probe.Probe) probe.Answer {
				if asked++; float64(asked) > of {
					return probe.Nothing
				}
				return truth(p)
			}
		}, survey)
		for _, o := range seen {
			got[o.State]++
		}
		if summary.Answered == 0 {
			continue
		}
		t.Logf("seed %d: %d x %d ports, retries %d: %s (alive: %s), %v, completeness %f (alive: %f), partial %t, unmeasured %d, undecided %d, sent %d",
			seed, survey.Addresses.Len(), len(survey.Ports), survey.Retries, summary.Duration, alive.Duration, got, summary.Completeness, alive.Completeness,
			summary.Partial, summary.Unmeasured, summary.Undecided, w.asked)
		if !summary.Partial || len(summary.Notes) == 0 || summary.Completeness > 0.99 {
			t.Errorf("seed %d: it is not noticed: %+v", seed, summary)
		}
		if summary.Duration > alive.Duration+2*time.Minute {
			t.Errorf("seed %d: took %s, %s when nothing dies", seed, summary.Duration, alive.Duration)
		}
	}
}

// Hosts that limit how often they refuse, and live, do not make a run
// incomplete nor much longer.
func TestSweepOfLivingRefusers(t *testing.T) {
	const seeds = 100
	for seed := range uint64(seeds) {
		survey := refusers(t, seed)
		survey.Want = scan.WantOpen
		_, summary, w := sweep(t, refusing(seed), survey)
		// Services that answer only to a repetition tell that others were missed.
		short := summary.Completeness < 0.99 && (w.loss == 0 || survey.Retries < 0)
		if summary.Partial || summary.Unmeasured > 0 || short {
			t.Errorf("seed %d: %d x %d ports, retries %d: %s, completeness %f, unmeasured %d, %v", seed, survey.Addresses.Len(), len(survey.Ports),
				survey.Retries, summary.Duration, summary.Completeness, summary.Unmeasured, summary.Notes)
		}
	}
}

// A path that dies in a later pass is noticed as well.
func TestSweepNoticesDeathAmongRepetitions(t *testing.T) {
	_, summary, _ := sweep(t, func(w *world) {
		w.rtt = far(15 * time.Millisecond)
		w.limit = limitAnswer(probe.PortUnreachable, 1, 6)
		asked := 0
		w.truth = func(probe.Probe) probe.Answer {
			if asked++; asked > 3000 {
				return probe.Nothing
			}
			return probe.PortUnreachable
		}
	}, scan.Survey{Addresses: block("192.0.2.0/28"), Ports: ports(t, "U:1-150"), Retries: -1, Seed: 3})
	if !summary.Partial || len(summary.Notes) == 0 {
		t.Errorf("it is not noticed: %+v", summary)
	}
}
