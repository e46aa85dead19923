package dnscheck

import (
	"context"
	"sync"

	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

func updateChecks() []Check {
	return []Check{{
		ID:    "UPD-1",
		Title: "Anyone may change the zone by dynamic update",
		Finds: "A zone that accepts dynamic updates without a key. Proven with no change: an UPDATE whose only content is a prerequisite that must fail (the apex name is not in use) and, when the server evaluated it, an UPDATE with no content at all (RFC 2136 sections 2.4.5 and 3).",
		Why:   "Whoever may update the zone may point any name of it, mail included, at a machine of their own.",

		Severity:  exposure.Critical,
		Rationale: "Critical: unauthenticated write access to the zone. Where the server's order of checks makes the answer ambiguous it is reported with medium confidence and as high.",
		Safety:    Standard,
		Fixes:     updateFixes(),
		References: []exposure.Reference{
			rfc("2136", "3", "prerequisites are checked, then permission, then the update section"),
			rfc("3007", "", "secure dynamic update"),
		},
		Run: runUpdate,
	}}
}

func runUpdate(ctx context.Context, s *Session) []Outcome {
	zones := s.Zones(ctx)
	if len(zones) == 0 {
		return []Outcome{notTested(s.Any(), s.noZone())}
	}
	var out []Outcome
	for _, via := range s.Server.Spoken {
		out = append(out, forZones(zones, func(z Zone) Outcome { return updateOf(ctx, s, via, z) })...)
	}
	if len(out) == 0 {
		return []Outcome{notTested("", "no DNS was proven on port 53")}
	}
	return out
}

// prerequisiteOnly demands that the zone's apex not exist, which can never
// hold, and asks for no change (RFC 2136 section 2.4.5).
func prerequisiteOnly(z Zone) dnswire.Query {
	return dnswire.Query{Opcode: dnswire.OpUpdate, Name: z.Name, Type: dnswire.TypeSOA, Answer: []dnswire.RR{
		&dnswire.ANY{Hdr: dnswire.RRHeader{Name: z.Name, Rrtype: dnswire.TypeANY, Class: dnswire.ClassNONE}},
	}}
}

func emptyUpdate(z Zone) dnswire.Query {
	return dnswire.Query{Opcode: dnswire.OpUpdate, Name: z.Name, Type: dnswire.TypeSOA}
}

func updateOf(ctx context.Context, s *Session, via exposure.Transport, z Zone) Outcome {
	first := s.Ask(ctx, via, prerequisiteOnly(z))
	switch {
	case first.Msg == nil:
		return notTested(via, "an UPDATE met no answer ("+first.Outcome()+"): the server drops the opcode or the client, which is not proof of a refusal")
	case first.Is(dnswire.RcodeRefused), first.Is(dnswire.RcodeNotAuth), first.Is(dnswire.RcodeNotImp):
		return pass(via, "update denied: "+first.Outcome())
	case first.Is(dnswire.RcodeNoError):
		// NOERROR to a prerequisite that cannot hold: it was not evaluated, so
		// the answer says nothing of permission.
		return notTested(via, "the server ignores prerequisites (NOERROR), so its answer proves nothing")
	case !first.Is(dnswire.RcodeYXDomain):
		return notTested(via, "the answer to UPDATE proves neither: "+first.Outcome())
	}
	second := s.Ask(ctx, via, emptyUpdate(z))
	evidence := []exposure.Evidence{
		first.Evidence("the prerequisite was evaluated and failed as it must; no change was asked for"),
		second.Evidence("an update with no content"),
	}
	switch {
	case second.Is(dnswire.RcodeNoError):
		o := fail(via, "an UPDATE from here is evaluated and an empty one is accepted", evidence...)
		if s.Product() == exposure.BIND && checksPermissionLate(s.Server.Identity.Version) {
			o.Confidence, o.Severity = exposure.Medium, exposure.HighSev
			o.Reason = "probable: an empty UPDATE is accepted, but this BIND checks permission only when there is a record to change"
		}
		return o
	case second.Msg == nil:
		return notTested(via, "prerequisites are evaluated, but the empty UPDATE met no answer: "+second.Outcome())
	}
	return pass(via, "prerequisites are evaluated, but the update itself is denied: "+second.Outcome())
}

// checksPermissionLate reports whether this BIND version grants an update that
// has nothing to change before it looks at the access list.
func checksPermissionLate(version string) bool {
	return versionBelow(version, 9, 11)
}

// forZones runs f for each zone concurrently and puts the zone into the outcome.
func forZones(zones []Zone, f func(Zone) Outcome) []Outcome {
	out := make([]Outcome, len(zones))
	var wg sync.WaitGroup
	for i, z := range zones {
		wg.Go(func() {
			out[i] = f(z)
			out[i].Subject = z.Name
		})
	}
	wg.Wait()
	return out
}

func updateFixes() Fixes {
	return Fixes{
		"":                  advice("Accept updates only when signed with a TSIG key (or GSS-TSIG), never by address: UDP source addresses can be forged."),
		exposure.BIND:       configure(exposure.BIND, "Use update-policy with a key in place of allow-update with addresses.", "zone \"example.net\" {\n    type primary;\n    update-policy { grant ddns-key zonesub ANY; };\n};"),
		exposure.Knot:       configure(exposure.Knot, "Bind the update action to a key.", "acl:\n  - id: ddns\n    key: ddns-key\n    action: update\nzone:\n  - domain: example.net\n    acl: ddns"),
		exposure.PDNSAuth:   configure(exposure.PDNSAuth, "Switch updates off, or require a TSIG key for the zone.", "dnsupdate=no\n# or, kept on:\nallow-dnsupdate-from=\n# pdnsutil set-meta example.net TSIG-ALLOW-DNSUPDATE ddns-key"),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "Allow secure updates only.", "Set-DnsServerPrimaryZone -Name example.net -DynamicUpdate Secure"),
	}
}
