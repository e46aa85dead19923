package dnscheck

import (
	"context"
	"fmt"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

func notifyChecks() []Check {
	return []Check{{
		ID:    "NTF-1",
		Title: "NOTIFY accepted from anyone",
		Finds: "A secondary that answers NOERROR to a NOTIFY from this vantage. The NOTIFY carries the SOA with the serial that the server already has, so that nothing is fetched. Whether the server is a secondary shows in the EDNS EXPIRE option; BIND as primary answers NOERROR too, and that is not held against it.",
		Why:   "Strangers who can send NOTIFY make a secondary ask its primary as often as they like, and delay real updates.",

		Severity:  exposure.LowSev,
		Rationale: "Low: extra load and delay between the owner's own servers; no content changes hands.",
		Safety:    Intrusive, OptIn: true,
		Fixes: Fixes{
			"":                  advice("Accept NOTIFY only from the zone's primaries, best signed with TSIG."),
			exposure.BIND:       configure(exposure.BIND, "The primaries are always accepted; remove wide allow-notify lists.", "zone \"example.net\" {\n    type secondary;\n    primaries { 192.0.2.53 key \"transfer-key\"; };\n    allow-notify { none; };\n};"),
			exposure.Knot:       configure(exposure.Knot, "Bind the notify action to the primary's address and key.", "acl:\n  - id: primary\n    address: 192.0.2.53\n    key: transfer-key\n    action: notify\nzone:\n  - domain: example.net\n    master: primary-server\n    acl: primary"),
			exposure.NSD:        configure(exposure.NSD, "One allow-notify line for each primary, with its key.", "zone:\n    name: example.net\n    request-xfr: 192.0.2.53 transfer-key\n    allow-notify: 192.0.2.53 transfer-key"),
			exposure.PDNSAuth:   configure(exposure.PDNSAuth, "Take NOTIFY from the zone's primaries and from nobody else.", "allow-notify-from=192.0.2.53\nallow-unsigned-notify=no"),
			exposure.WindowsDNS: configure(exposure.WindowsDNS, "Windows takes NOTIFY only from the configured masters; keep the list short.", "Set-DnsServerSecondaryZone -Name example.net -MasterServers 192.0.2.53"),
			exposure.CoreDNS:    configure(exposure.CoreDNS, "Name the primary in the secondary plugin.", "example.net {\n    secondary {\n        transfer from 192.0.2.53\n    }\n}"),
		},
		References: []exposure.Reference{
			rfc("1996", "3.10", "a NOTIFY from an unknown server is to be ignored"),
			rfc("7314", "", "EXPIRE option, by which a secondary is told from a primary"),
		},
		Run: runNotify,
	}}
}

func runNotify(ctx context.Context, s *Session) []Outcome {
	return s.eachZone(ctx, func(z Zone) Outcome {
		via := s.Any()
		is := roleOf(s.Ask(ctx, via, expireQuery(z)), z)
		soa := *z.SOA
		soa.Hdr = dnswire.RRHeader{Name: z.Name, Rrtype: dnswire.TypeSOA, Class: dnswire.ClassIN}
		a := s.Ask(ctx, via, dnswire.Query{Opcode: dnswire.OpNotify, Name: z.Name, Type: dnswire.TypeSOA, Answer: []dnswire.RR{&soa}})
		if is == rolePrimary && a.Is(dnswire.RcodeNoError) {
			// A secondary that has just refreshed looks like a primary for a second.
			select {
			case <-time.After(expireTick):
				is = roleOf(s.Fresh(ctx, via, s.Port(), expireQuery(z), nil), z)
			case <-ctx.Done():
			}
		}
		return judgeNotify(a, is, s.Product())
	})
}

// expireTick is how long the EXPIRE option takes to count down by one.
const expireTick = 1100 * time.Millisecond

func expireQuery(z Zone) dnswire.Query {
	q := question(z.Name, dnswire.TypeSOA)
	q.EDNS = &dnswire.EDNS{UDPSize: 1232, Options: []dnswire.Option{&dnswire.Expire{Code: dnswire.OptionExpire, Empty: true}}}
	return q
}

// role is what a server is for a zone.
type role int

const (
	roleUnknown role = iota
	rolePrimary
	roleSecondary
)

// roleOf reads the role from the EXPIRE option: a primary gives the SOA's
// value, a secondary what is left of it (RFC 7314 section 2).
func roleOf(a dialogue.Answer, z Zone) role {
	if a.Msg == nil || a.Msg.OPT() == nil {
		return roleUnknown
	}
	for _, o := range a.Msg.OPT().Option {
		if e, ok := o.(*dnswire.Expire); ok && !e.Empty {
			if e.Expire < z.SOA.Expire {
				return roleSecondary
			}
			return rolePrimary
		}
	}
	return roleUnknown
}

func judgeNotify(a dialogue.Answer, is role, product exposure.Product) Outcome {
	switch {
	case a.Msg == nil:
		return notTested(a.Via, silence("a NOTIFY", a)+"; dropping it is what RFC 1996 section 3.10 asks of a secondary, but silence does not prove it")
	case a.Is(dnswire.RcodeRefused), a.Is(dnswire.RcodeNotAuth), a.Is(dnswire.RcodeNotImp):
		return pass(a.Via, "NOTIFY denied: "+a.Outcome())
	case !a.Is(dnswire.RcodeNoError):
		return notTested(a.Via, "the answer to NOTIFY proves neither: "+a.Outcome())
	case is == rolePrimary:
		return notTested(a.Via, "does not apply: the server is the primary of this zone and ignores NOTIFY")
	case is == roleSecondary:
		return fail(a.Via, "a NOTIFY from here is accepted by a secondary", a.Evidence("with the serial that the server already has"))
	case product == exposure.BIND || product == "" || product == exposure.WindowsDNS:
		return notTested(a.Via, "NOERROR, but whether the server is a secondary is unknown, and a primary may answer so too")
	}
	o := fail(a.Via, fmt.Sprintf("a NOTIFY from here is accepted; %s does that only as a secondary", product.Name()), a.Evidence("with the serial that the server already has"))
	o.Confidence = exposure.Medium
	return o
}
