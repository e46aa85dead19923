package dnscheck

import (
	"context"
	"strings"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

func wildcardChecks() []Check {
	return []Check{{
		ID:    "WLD-1",
		Title: "Wildcard answers for names that nobody made",
		Finds: "A zone in which a random name has an address: a wildcard record. One question for a made-up name, and one more for its IPv6 address where the name exists without an IPv4 one.",
		Why:   "With a wildcard every name of the domain works: phishing hosts under your own name, cookies and certificates for names you never gave, a takeover when the target of the wildcard is given up.",

		Severity:  exposure.LowSev,
		Rationale: "Low: often intended; it widens other weaknesses and opens none by itself.",
		Safety:    Safe,
		Fixes: Fixes{
			"":                  advice("Delete the record whose name begins with \"*\" and list the names that are meant; keep a wildcard only on a name made for it, away from login and mail."),
			exposure.PDNSAuth:   configure(exposure.PDNSAuth, "Find and delete the wildcard.", "pdnsutil list-zone example.net | grep '^\\*'\npdnsutil delete-rrset example.net '*' A"),
			exposure.WindowsDNS: configure(exposure.WindowsDNS, "Find and delete the wildcard.", "Get-DnsServerResourceRecord -ZoneName example.net -Name '*'\nRemove-DnsServerResourceRecord -ZoneName example.net -Name '*' -RRType A"),
			exposure.Dnsmasq:    configure(exposure.Dnsmasq, "An address= line answers for every name below the domain; name hosts instead.", "# address=/example.net/192.0.2.1   delete\nhost-record=www.example.net,192.0.2.1"),
		},
		References: []exposure.Reference{rfc("4592", "", "the role of wildcards"), rfc("1034", "4.3.3", "wildcards")},
		Run: func(ctx context.Context, s *Session) []Outcome {
			return s.eachZone(ctx, func(z Zone) Outcome {
				a, name := s.askAbsent(ctx, z), s.absentName(z)
				o := judgeWildcard(a, name)
				if o.Status == exposure.Pass && a.Is(dnswire.RcodeNoError) { // it may have an IPv6 address only
					o = judgeWildcard(s.Ask(ctx, s.content(), signedQuery(name, dnswire.TypeAAAA)), name)
				}
				return o
			})
		},
	}}
}

func judgeWildcard(a dialogue.Answer, name string) Outcome {
	switch {
	case a.Msg == nil:
		return notTested(a.Via, silence("a made-up name", a))
	case a.Msg.Malformed != nil:
		return notTested(a.Via, "the reply does not parse: "+a.Msg.Malformed.Error())
	case a.Msg.Truncated && len(a.Msg.Answer) == 0:
		return notTested(a.Via, "the answer was cut short and TCP is not spoken")
	case a.Is(dnswire.RcodeNXDomain):
		return pass(a.Via, "a made-up name does not exist")
	case !a.Is(dnswire.RcodeNoError):
		return notTested(a.Via, "the answer proves neither: "+a.Outcome())
	case !a.Msg.Authoritative:
		return notTested(a.Via, "the answer for a made-up name is not the zone's own: "+a.Msg.Summary())
	}
	for _, t := range []uint16{dnswire.TypeA, dnswire.TypeAAAA, dnswire.TypeCNAME} {
		if set := dnswire.RRset(a.Msg.Answer, name, t); len(set) > 0 {
			return fail(a.Via, "a made-up name is answered: "+strings.Join(strings.Fields(set[0].String()), " "), a.Evidence("nobody can have made this name"))
		}
	}
	return pass(a.Via, "a made-up name has no address (NOERROR without one: the server never says NXDOMAIN, or a wildcard of another type exists)")
}
