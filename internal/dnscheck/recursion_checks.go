package dnscheck

import (
	"context"
	"net/netip"

	"reconshield/internal/exposure"
)

func recursionChecks() []Check {
	return []Check{{
		ID:    "REC-1",
		Title: "Open recursive resolver",
		Finds: "A server that resolves names it does not hold for this vantage. Proven by a fresh name of the collector, whose answer is computed from the name and cannot be guessed; without a collector by a well-known name, with lower confidence. The RA bit alone proves nothing.",
		Why:   "Strangers use an open resolver to hide and multiply attacks on third parties, to poison its cache and to read it.",

		Severity:  exposure.HighSev,
		Rationale: "High: open resolvers are found and abused within hours. A private address keeps the severity, because nothing yet declares this vantage to be one of the clients; the summary says so. Medium where the server offers recursion and takes the question on, but no right answer comes of it. Low on a loopback address, which only the host itself can reach and where resolving is a local resolver's task.",
		Safety:    Safe,
		Fixes:     recursionFixes(),
		References: []exposure.Reference{
			rfc("5358", "4", "recursion only for intended clients (BCP 140)"),
			rfc("9499", "6", "open resolver"),
		},
		Run: runOpenRecursion,
	}, {
		ID:    "REC-2",
		Title: "Resolver gives false answers",
		Finds: "A server that answers with addresses that are not the right ones. Proven by a fresh name of the collector, whose only right address is computed from the name; without a collector a wrong address for a well-known root server name is reported with low confidence.",
		Why:   "Whoever uses this resolver is led to machines that its operator, or someone who took it over, has chosen.",

		Severity:  exposure.MediumSev,
		Rationale: "Medium: walled gardens and sinkholes do this on purpose, and so do hijacked routers; the answer alone does not tell which.",
		Safety:    Safe,
		Fixes:     lyingFixes(),
		References: []exposure.Reference{
			rfc("1034", "4.3.2", "what a server may answer"),
			rfc("4924", "", "the harm of altering what passes through"),
		},
		Run: func(ctx context.Context, s *Session) []Outcome {
			return s.Each(func(via exposure.Transport) Outcome {
				return judgeLie(s.Recursion(ctx, via), via, s.Opts.Collector != nil)
			})
		},
	}}
}

func runOpenRecursion(ctx context.Context, s *Session) []Outcome {
	return s.Each(func(via exposure.Transport) Outcome {
		return judgeOpen(s.Recursion(ctx, via), via, s.Addr())
	})
}

// judgeOpen weighs recursion by where the server can be reached.
func judgeOpen(r Recursion, via exposure.Transport, target netip.Addr) Outcome {
	o := Outcome{Status: r.Status, Transport: via, Reason: r.Reason, Confidence: r.Confidence}
	for _, a := range r.Answers {
		o.Evidence = append(o.Evidence, a.Evidence(""))
	}
	if r.Offered {
		o.Status, o.Severity, o.Confidence = exposure.Fail, exposure.MediumSev, exposure.Low
		o.Reason = "recursion is offered to this vantage and the question was taken on, though no right answer came of it: " + r.Reason
	}
	if o.Status != exposure.Fail {
		return o
	}
	if r.Via.IsValid() {
		o.Reason += "; the answer came from " + r.Via.Addr().String() + " (see FWD-1)"
	}
	switch {
	case target.IsLoopback():
		o.Severity, o.Confidence = exposure.LowSev, exposure.Low
		o.Summary = "On a loopback address " + o.Reason + ". That is a local resolver's task; whether strangers are served too shows only from outside: assess the host's other addresses from another network."
	case inside(target):
		o.Summary = "Its address is private and " + o.Reason + ". That is its task if this vantage is one of its clients; see that no other network reaches it."
	}
	return o
}

// inside reports whether only neighbours can reach the address: private, link
// local, or behind a carrier's translation (RFC 1918, RFC 4193, RFC 6598).
func inside(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLinkLocalUnicast() || netip.MustParsePrefix("100.64.0.0/10").Contains(a)
}

func judgeLie(r Recursion, via exposure.Transport, collector bool) Outcome {
	var evidence []exposure.Evidence
	for _, a := range r.Answers {
		evidence = append(evidence, a.Evidence(""))
	}
	switch {
	case r.Lie.IsValid():
		o := fail(via, "it answers with "+r.Lie.String()+", which is not the right address", evidence...)
		if !collector {
			o.Confidence = exposure.Low
		}
		if r.Via.IsValid() {
			o.Reason += "; the answer came from " + r.Via.Addr().String() + " (see FWD-1)"
		}
		return o
	case r.Genuine && !r.Via.IsValid():
		return pass(via, "the address of a fresh name is the one the collector computes")
	case r.Open() && !collector:
		return notTested(via, "the well-known name was right, but a false answer to others would not show: "+noCollector)
	}
	return notTested(via, unfit(r))
}
