package dnscheck

import (
	"context"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

// mdnsPort is the port of multicast DNS (RFC 6762 section 3).
const mdnsPort = 5353

func mdnsChecks() []Check {
	return []Check{{
		ID:        "MDN-1",
		Elsewhere: true,
		Title:     "Multicast DNS answers questions from other networks",
		Finds:     "A responder on udp/5353 that answers a unicast question for its list of services although a router stands between it and the asker. Multicast DNS belongs to one link.",
		Why:       "It tells strangers the names, models and services of the host, and a forged source address turns it into a reflector that multiplies traffic.",

		Severity:  exposure.MediumSev,
		Rationale: "Medium: it discloses the host and can be abused against third parties, but controls nothing.",
		Safety:    Safe,
		Fixes: Fixes{
			"": advice("Let udp/5353 pass no router: drop it at the border and, on the host, accept it from the local link only; or switch the responder off (Avahi: disable-publishing=yes in avahi-daemon.conf, or stop the service; systemd-resolved: MulticastDNS=no)."),
		},
		References: []exposure.Reference{
			rfc("6762", "5.5", "direct unicast questions from off-link must not be answered"),
			rfc("6762", "11", "the source address check"),
			{Title: "CERT/CC VU#550620: multicast DNS implementations may respond to unicast queries from outside the link", URL: "https://www.kb.cert.org/vuls/id/550620"},
		},
		Run: runMulticast,
	}}
}

func runMulticast(ctx context.Context, s *Session) []Outcome {
	seen := s.observe(ctx, exposure.UDP, mdnsPort)
	if seen.State == exposure.Closed || seen.State == exposure.Unmeasured || seen.State == exposure.Filtered {
		return []Outcome{atMDNS(judgeMulticast(seen, dialogue.Answer{}, ""))}
	}
	a := s.AskPort(ctx, exposure.UDP, mdnsPort, question("_services._dns-sd._udp.local.", dnswire.TypePTR))
	return []Outcome{atMDNS(judgeMulticast(seen, a, s.nearness()))}
}

func atMDNS(o Outcome) Outcome {
	o.Port = mdnsPort
	return o
}

// nearness says why an answer proves nothing here; empty when a router stands
// between.
func (s *Session) nearness() string {
	switch {
	case s.Addr().IsLoopback():
		return "this vantage is the host itself"
	case s.Opts.OnLink == nil:
		return "this vantage cannot tell whether it is on the same link"
	case s.Opts.OnLink(s.Addr()):
		return "this vantage is on the same link, where answering is right"
	}
	return ""
}

func judgeMulticast(seen exposure.Observation, a dialogue.Answer, near string) Outcome {
	const via = exposure.UDP
	switch {
	case seen.State == exposure.Closed:
		return pass(via, "udp/5353 is closed: no responder")
	case seen.State == exposure.Unmeasured:
		return notTested(via, whyUnmeasured(seen))
	case seen.State == exposure.Filtered:
		return pass(via, "udp/5353 is filtered ("+string(seen.Reason)+"): no responder can be reached from here")
	case a.Reply.Reason == exposure.ReasonPortUnreachable:
		return pass(via, "udp/5353 is "+closedAfterAll+": no responder")
	case a.Reply.Reason == exposure.ReasonAdminProhibited:
		return pass(via, "udp/5353 is filtered ("+string(a.Reply.Reason)+"): no responder can be reached from here")
	case a.Msg == nil:
		return notTested(via, "no answer ("+a.Outcome()+"): a right responder is silent to strangers, and so is a firewall that drops")
	case near != "":
		return notTested(via, "it answers, but "+near+"; assess it from another network")
	}
	return fail(via, "a unicast question from another network was answered: "+a.Outcome(), a.Evidence("the list of services, asked through a router"))
}
