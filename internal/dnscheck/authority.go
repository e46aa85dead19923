package dnscheck

import (
	"cmp"
	"context"
	"crypto/rand"
	"strings"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

// Questions about a zone's content that several checks share. They go over TCP
// where it is spoken: nothing is cut short and rate limits do not bite.

// content is the transport for questions whose answer does not depend on it.
func (s *Session) content() exposure.Transport {
	return cmp.Or(s.Stream(), s.Any())
}

// signedQuery asks with DNSSEC records wanted, in a size that is not fragmented.
func signedQuery(name string, rrtype uint16) dnswire.Query {
	return dnswire.Query{Name: name, Type: rrtype, EDNS: &dnswire.EDNS{UDPSize: 1232, DO: true}}
}

// absentName is a name below the zone that nobody has made, the same for the
// whole session.
func (s *Session) absentName(z Zone) string {
	return s.absentLabel() + "." + strings.TrimPrefix(z.Name, ".")
}

func (s *Session) absentLabel() string {
	return s.madeUp.get(func() string { return "rs-" + strings.ToLower(rand.Text())[:16] })
}

// askAbsent asks for the address of a name that does not exist.
func (s *Session) askAbsent(ctx context.Context, z Zone) dialogue.Answer {
	return s.Ask(ctx, s.content(), signedQuery(s.absentName(z), dnswire.TypeA))
}

// eachZone runs f for every zone of the server, or says why there is none.
func (s *Session) eachZone(ctx context.Context, f func(z Zone) Outcome) []Outcome {
	via := s.content()
	if via == "" {
		return []Outcome{notTested("", noDNS)}
	}
	zones := s.Zones(ctx)
	if len(zones) == 0 {
		return []Outcome{notTested(via, s.noZone())}
	}
	return forZones(zones, f)
}

// noDNS is the reason when there is nobody to ask.
const noDNS = "no DNS was proven on port 53"

// silence words a question that met no answer; what is what was asked.
func silence(what string, a dialogue.Answer) string {
	return what + " met no answer (" + a.Outcome() + "): run again, or with a longer --timeout"
}
