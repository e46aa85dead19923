package dnscheck

import (
	"context"
	"fmt"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

func referralChecks() []Check {
	return []Check{{
		ID:    "REC-3",
		Title: "Upward referral to the root",
		Finds: "A server that answers a question for a name it does not hold (RD clear, a made-up name below .invalid) by pointing to the root servers. Servers that resolve for this vantage are left to REC-1.",
		Why:   "The referral helps nobody, is larger than the question and so multiplies traffic with a forged sender, and it shows that the server answers where it should refuse.",

		Severity:  exposure.LowSev,
		Rationale: "Low: a moderate reflector. Medium when the referral is at least five times the question.",
		Safety:    Safe,
		Fixes: Fixes{
			"":                  advice("Answer REFUSED to names outside the server's zones; do not load root hints on an authoritative server."),
			exposure.BIND:       configure(exposure.BIND, "Refuse what is not in a zone of this server: no recursion, no cache for strangers.", "options {\n    recursion no;\n    allow-query-cache { none; };\n};"),
			exposure.PDNSAuth:   configure(exposure.PDNSAuth, "Versions before 3.0 had send-root-referral; remove it. Later versions never refer upward.", "# send-root-referral=no   (only before 3.0; delete the line later)"),
			exposure.WindowsDNS: configure(exposure.WindowsDNS, "Without recursion Windows DNS refers to its root hints; remove them.", "Set-DnsServerRecursion -Enable $false\nGet-DnsServerRootHint | Remove-DnsServerRootHint -Force"),
			exposure.CoreDNS:    configure(exposure.CoreDNS, "Serve your own zones only; a server block for \".\" with a root zone file refers upward.", "example.net {\n    file /etc/coredns/example.net.zone\n}"),
		},
		References: []exposure.Reference{
			rfc("8499", "7", "referral, and why upward referrals are useless"),
			rfc("1034", "4.3.2", "the algorithm that once ended in the root servers"),
		},
		Run: runReferral,
	}}
}

func runReferral(ctx context.Context, s *Session) []Outcome {
	name := s.absentLabel() + ".invalid."
	return s.Each(func(via exposure.Transport) Outcome {
		// REC-1 has asked for a name that the server does not hold: a clear
		// answer to that saves a question and a place under a rate limit.
		for _, a := range s.Recursion(ctx, via).Answers {
			if a.Via == via && a.Msg != nil && !a.Msg.RecursionAvailable && (denied(a) || refersToRoot(a.Msg)) {
				return judgeReferral(via, a)
			}
		}
		a := s.Ask(ctx, via, question(name, dnswire.TypeA))
		if excuse(a) && s.Product() == exposure.Dnsmasq {
			return notTested(via, "REFUSED with RA set is how dnsmasq reports that its upstream failed: run again")
		}
		return judgeReferral(via, a)
	})
}

func judgeReferral(via exposure.Transport, a dialogue.Answer) Outcome {
	const clearlyLarger = 5
	switch {
	case a.Msg == nil:
		return notTested(via, silence("a question for a name it does not hold", a))
	case a.Msg.Malformed != nil:
		return notTested(via, "the reply does not parse: "+a.Msg.Malformed.Error())
	case a.Msg.Truncated:
		return notTested(via, "the answer was cut short: see the outcome over TCP")
	case a.Is(dnswire.RcodeRefused), a.Is(dnswire.RcodeNotAuth):
		return pass(via, "names it does not hold are refused")
	case a.Is(dnswire.RcodeNXDomain) && a.Msg.Authoritative && !a.Msg.RecursionAvailable:
		return pass(via, "no referral: the server holds the root or denies the name itself")
	case a.Msg.RecursionAvailable:
		return notTested(via, "does not apply: the server offers recursion (REC-1 judges that)")
	case !refersToRoot(a.Msg) && a.Is(dnswire.RcodeNoError) && len(a.Msg.Answer) == 0:
		return pass(via, "no referral to the root: "+a.Msg.Summary())
	case !refersToRoot(a.Msg):
		return notTested(via, "the answer proves neither: "+a.Msg.Summary())
	}
	o := fail(via, fmt.Sprintf("a name it does not hold is answered with a referral to the root, %d bytes for %d", a.Msg.Size, a.Reply.BytesOut), a.Evidence(""))
	if a.Reply.BytesOut > 0 && a.Msg.Size >= clearlyLarger*a.Reply.BytesOut && via == exposure.UDP {
		o.Severity = exposure.MediumSev
	}
	return o
}

func refersToRoot(m *dnswire.Message) bool {
	return m.Rcode == dnswire.RcodeNoError && len(m.Answer) == 0 && len(dnswire.RRset(m.Ns, ".", dnswire.TypeNS)) > 0
}
