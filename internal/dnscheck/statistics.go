package dnscheck

import (
	"context"
	"strings"

	"reconshield/internal/dialogue"
	"reconshield/internal/exposure"
)

func statisticsCheck() Check {
	return Check{
		ID:    "ID-4",
		Title: "dnsmasq tells its statistics and upstream servers",
		Finds: "A dnsmasq that answers servers.bind, cachesize.bind and their like in class CHAOS: the addresses of its upstream servers, and how much it is used.",
		Why:   "Whoever wants to poison the cache must forge answers of the upstream servers and know when a name leaves the cache; this tells both.",

		Severity:  exposure.LowSev,
		Rationale: "Low: it helps an attack on the cache and opens nothing by itself.",
		Safety:    Safe,
		Fixes: Fixes{
			"":               advice("Answer names of class CHAOS to nobody, or to the local host only."),
			exposure.Dnsmasq: configure(exposure.Dnsmasq, "Do not answer names of class CHAOS at all, and answer only the local network.", "no-ident\nlocal-service"),
		},
		References: []exposure.Reference{
			{Title: "dnsmasq manual: cache statistics are also available in the DNS as answers to queries of class CHAOS", URL: "https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html"},
		},
		Run: runStatistics,
	}
}

func statisticsNames() []string {
	return []string{
		"servers.bind", "cachesize.bind", "hits.bind", "misses.bind", "insertions.bind", "evictions.bind", "auth.bind",
	}
}

func runStatistics(ctx context.Context, s *Session) []Outcome {
	via := s.Any()
	switch {
	case via == "":
		return []Outcome{notTested("", noDNS)}
	case s.Product() != "" && s.Product() != exposure.Dnsmasq:
		return []Outcome{notTested(via, "does not apply: "+s.Product().Name()+" has no such names")}
	}
	answers := map[string]dialogue.Answer{}
	for _, name := range statisticsNames() {
		if a, asked := s.Chaos(ctx, name); asked {
			answers[name] = a
		}
	}
	return []Outcome{judgeStatistics(via, s.Product(), answers)}
}

func judgeStatistics(via exposure.Transport, product exposure.Product, answers map[string]dialogue.Answer) Outcome {
	var told, refused []string
	var evidence []exposure.Evidence
	for _, name := range statisticsNames() {
		a, asked := answers[name]
		switch {
		case !asked || a.Msg == nil || a.Msg.Truncated:
		case len(a.Msg.TXT()) > 0:
			told = append(told, name+" says "+quoted(strings.Join(a.Msg.TXT(), ", ")))
			evidence = append(evidence, a.Evidence(""))
		default:
			refused = append(refused, name+" "+a.Outcome())
		}
	}
	switch {
	case len(told) > 0:
		return fail(via, strings.Join(told, "; "), evidence...)
	case len(refused) > 0:
		return pass(via, "nothing is told: "+strings.Join(refused, ", "))
	case len(answers) == 0 && product == "":
		return notTested(via, "the software is unknown and the three CHAOS questions went to names that tell more of it")
	}
	return notTested(via, "the CHAOS questions met no answer; a rate limit may have dropped them: ask again later")
}
