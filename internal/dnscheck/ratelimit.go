package dnscheck

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// The burst of RRL-1 and the control that tells a limit from a lossy path.
const (
	burstSize       = 20 // a step; the control is one
	burstMost       = 100
	burstSpacing    = 20 * time.Millisecond
	controlSpacing  = 100 * time.Millisecond
	burstPatience   = 600 * time.Millisecond
	controlPatience = 800 * time.Millisecond
	// lossAllowed of the control still counts as a clean path.
	lossAllowed = 1
	// limitedAtLeast of the burst must be missing to speak of a limit.
	limitedAtLeast = 5
)

func rateLimitChecks() []Check {
	return []Check{{
		ID:    "RRL-1",
		Title: "No response rate limit",
		Finds: "A server that answers 20 identical questions, 20 ms apart, all in full, and goes on to do so up to 100 in all: limits let short bursts through. It ends as soon as answers are cut short or missing. Before the burst 20 different questions, 100 ms apart, show whether the path itself loses packets.",
		Why:   "A rate limit makes a server useless as a reflector without harm to real clients.",

		Severity:  exposure.LowSev,
		Rationale: "Low: a missing second line of defence. How large the answers are is judged by AMP-1. A limit above 50 answers a second, or one that lets bursts of 100 through, is not seen, hence medium confidence.",
		Safety:    Intrusive,
		Fixes: Fixes{
			"":                  advice("Limit identical responses to one client network to a few each second, with some truncated answers so that honest clients fall back to TCP."),
			exposure.BIND:       configure(exposure.BIND, "Response rate limiting; every second suppressed answer is sent truncated.", "options {\n    rate-limit {\n        responses-per-second 5;\n        slip 2;\n    };\n};"),
			exposure.Knot:       configure(exposure.Knot, "Load the rate limiting module; every second suppressed answer is sent truncated.", "mod-rrl:\n  - id: default\n    rate-limit: 10\n    slip: 2\ntemplate:\n  - id: default\n    global-module: mod-rrl/default"),
			exposure.NSD:        configure(exposure.NSD, "Default 200 a second; 0 switches the limit off.", "server:\n    rrl-ratelimit: 20\n    rrl-slip: 2"),
			exposure.Unbound:    configure(exposure.Unbound, "Limits each client address, whatever it asks; raise it where many clients share one address.", "server:\n    ip-ratelimit: 25"),
			exposure.PDNSAuth:   configure(exposure.PDNSAuth, "PowerDNS leaves limits to dnsdist in front of it.", "-- dnsdist.conf\naddAction(MaxQPSIPRule(20, 24, 56), TCAction())"),
			exposure.PDNSRec:    configure(exposure.PDNSRec, "PowerDNS leaves limits to dnsdist in front of it.", "-- dnsdist.conf\naddAction(MaxQPSIPRule(100, 24, 56), TCAction())"),
			exposure.Dnsmasq:    adviseFor(exposure.Dnsmasq, "dnsmasq has no limit of responses; keep it off public interfaces, or limit UDP port 53 in the firewall."),
			exposure.WindowsDNS: configure(exposure.WindowsDNS, "From Windows Server 2016 on.", "Set-DnsServerResponseRateLimiting -Mode Enable -ResponsesPerSec 5 -ErrorsPerSec 5 -Force"),
			exposure.CoreDNS:    adviseFor(exposure.CoreDNS, "CoreDNS has no limit in its standard build; use the external plugin rrl, or limit UDP port 53 in the firewall."),
		},
		References: []exposure.Reference{
			{Title: "ISC: a quick introduction to response rate limiting", URL: "https://kb.isc.org/docs/aa-01000"},
			rfc("5358", "", "reflector attacks"),
		},
		Run: runRateLimit,
	}}
}

// tally counts how a series of questions was answered.
type tally struct {
	answered, truncated, dropped int
	first                        dialogue.Answer
	took                         time.Duration // from the first question to the last
}

func (t tally) total() int { return t.answered + t.truncated + t.dropped }

func (t tally) missing() int { return t.truncated + t.dropped }

// rate is how many questions were sent each second.
func (t tally) rate() int {
	if t.took <= 0 {
		return int(time.Second / burstSpacing)
	}
	return int(time.Duration(t.total()) * time.Second / t.took)
}

// and adds a later tally.
func (t tally) and(u tally) tally {
	if t.total() == 0 {
		t.first = u.first
	}
	t.answered, t.truncated, t.dropped, t.took = t.answered+u.answered, t.truncated+u.truncated, t.dropped+u.dropped, t.took+u.took
	return t
}

func runRateLimit(ctx context.Context, s *Session) []Outcome {
	if !s.Speaks(exposure.UDP) {
		return []Outcome{s.noDatagrams(ctx)}
	}
	zones := s.Zones(ctx)
	if len(zones) == 0 {
		return []Outcome{notTested(exposure.UDP, s.noZone())}
	}
	control := s.series(ctx, controlQueries(s, zones[0]), controlSpacing, controlPatience)
	o := judgeRateLimit(control, s.burst(ctx, question(zones[0].Name, dnswire.TypeNS)))
	o.Subject = zones[0].Name
	return []Outcome{o}
}

// burst sends the question in steps, until answers are missing or cut short, or
// all have been sent. When too few are missing to tell a limit from a loss, one
// more step decides.
func (s *Session) burst(ctx context.Context, q dnswire.Query) tally {
	var all tally
	for all.total() < burstMost && ctx.Err() == nil {
		before := all.missing()
		all = all.and(s.series(ctx, slices.Repeat([]dnswire.Query{q}, burstSize), burstSpacing, burstPatience))
		if before > 0 || all.missing() >= limitedAtLeast {
			break
		}
	}
	return all
}

// controlQueries spread over names and answers of different kinds, so that a
// limit of five a second in each kind does not touch them.
func controlQueries(s *Session, z Zone) []dnswire.Query {
	types := []uint16{
		dnswire.TypeSOA, dnswire.TypeNS, dnswire.TypeA, dnswire.TypeAAAA, dnswire.TypeMX,
		dnswire.TypeTXT, dnswire.TypeSRV, dnswire.TypeDNSKEY, dnswire.TypePTR, dnswire.TypeHINFO,
	}
	var out []dnswire.Query
	for i, t := range types[:burstSize/2] {
		out = append(out, question(z.Name, t), question(fmt.Sprintf("c%d-%s", i, s.absentName(z)), dnswire.TypeA))
	}
	return out
}

// series sends the questions once each at the spacing and counts the answers.
func (s *Session) series(ctx context.Context, queries []dnswire.Query, spacing, patience time.Duration) tally {
	answers := make([]dialogue.Answer, len(queries))
	tick := time.NewTicker(spacing)
	defer tick.Stop()
	var wg sync.WaitGroup
	began := time.Now()
	for i, q := range queries {
		wg.Go(func() {
			answers[i] = s.Fresh(ctx, exposure.UDP, s.Port(), q, func(r *exchange.Request) { r.Timeouts = []time.Duration{patience} })
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	t := tally{took: time.Since(began)}
	wg.Wait()
	t.first = answers[0]
	for _, a := range answers {
		switch {
		case a.Msg == nil:
			t.dropped++
		case a.Msg.Truncated:
			t.truncated++
		default:
			t.answered++
		}
	}
	return t
}

func judgeRateLimit(control, burst tally) Outcome {
	said := fmt.Sprintf("%d identical questions, %d a second: %d answered, %d truncated, %d dropped",
		burst.total(), burst.rate(), burst.answered, burst.truncated, burst.dropped)
	missing := burst.missing()
	switch {
	case burst.total() == 0 || control.total() == 0:
		return notTested(exposure.UDP, "nothing was sent")
	case burst.answered == burst.total():
		o := fail(exposure.UDP, fmt.Sprintf("%s: no limit up to %d questions a second was met", said, burst.rate()), burst.first.Evidence(said))
		o.Confidence = exposure.Medium // a limiter may let bursts through, as Knot lets four seconds' worth
		return o
	case burst.answered == 0 && control.answered == 0:
		return notTested(exposure.UDP, said+"; and so is every different question at a slow pace: this is no limit on rates")
	case control.dropped > lossAllowed:
		return notTested(exposure.UDP, fmt.Sprintf("%s; but the path or server also lost %d of %d different questions at a slow pace: run again from nearer by", said, control.dropped, control.total()))
	case missing >= limitedAtLeast:
		return pass(exposure.UDP, said+"; a slow control lost "+fmt.Sprint(control.dropped))
	}
	return notTested(exposure.UDP, said+": too few are missing to speak of a limit, too many to exclude one; run again")
}
