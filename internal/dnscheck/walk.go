package dnscheck

import (
	"context"
	"fmt"
	"strings"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

func walkChecks() []Check {
	return []Check{{
		ID:    "SEC-2",
		Title: "Signed zone can be walked name by name (NSEC)",
		Finds: "A signed zone whose denial of existence names two real neighbours. One question for a made-up name; the zone is not walked. NSEC3 and NSEC made up for the question pass.",
		Why:   "Following NSEC from name to name lists the whole zone without a transfer.",

		Severity:  exposure.LowSev,
		Rationale: "Low: names in DNS are public, one by one; walking makes the list free. Raise it yourself where names tell something.",
		Safety:    Safe,
		Fixes: Fixes{
			"":                  advice("Sign with NSEC3 without salt and with no extra iterations (RFC 9276), or let the server make denials up for each question."),
			exposure.BIND:       configure(exposure.BIND, "Set NSEC3 in the zone's signing policy.", "dnssec-policy \"nsec3\" {\n    keys { csk lifetime unlimited algorithm ecdsap256sha256; };\n    nsec3param iterations 0 optout no salt-length 0;\n};\nzone \"example.net\" {\n    dnssec-policy \"nsec3\";\n    inline-signing yes;\n};"),
			exposure.Knot:       configure(exposure.Knot, "Switch NSEC3 on in the policy.", "policy:\n  - id: nsec3\n    nsec3: on\n    nsec3-iterations: 0\n    nsec3-salt-length: 0\nzone:\n  - domain: example.net\n    dnssec-signing: on\n    dnssec-policy: nsec3"),
			exposure.NSD:        configure(exposure.NSD, "NSD serves what the signer made; sign with NSEC3.", "ldns-signzone -n -t 0 -s - example.net.zone Kexample.net.+013+12345"),
			exposure.PDNSAuth:   configure(exposure.PDNSAuth, "NSEC3, or narrow NSEC3 that is made up for each question.", "pdnsutil set-nsec3 example.net '1 0 0 -' narrow\npdnsutil rectify-zone example.net"),
			exposure.WindowsDNS: configure(exposure.WindowsDNS, "Sign the zone with NSEC3.", "Set-DnsServerDnsSecZoneSetting -ZoneName example.net -DenialOfExistence NSec3 -NSec3Iterations 0 -NSec3RandomSaltLength 0 -NSec3OptOut $false\nInvoke-DnsServerZoneSign -ZoneName example.net -DoResign"),
			exposure.CoreDNS:    adviseFor(exposure.CoreDNS, "The dnssec plugin of CoreDNS makes denials up for each question; prefer it to a zone signed beforehand with NSEC."),
		},
		References: []exposure.Reference{
			rfc("5155", "1.1", "why NSEC3 exists"), rfc("4470", "", "minimally covering NSEC"),
			rfc("9824", "", "compact denial of existence"), rfc("9276", "3.1", "NSEC3 parameters"),
		},
		Run: func(ctx context.Context, s *Session) []Outcome {
			return s.eachZone(ctx, func(z Zone) Outcome { return judgeWalk(s.askAbsent(ctx, z), z, s.absentLabel()) })
		},
	}}
}

// judgeWalk reads the denial of a made-up name that begins with the label.
func judgeWalk(a dialogue.Answer, z Zone, label string) Outcome {
	switch {
	case a.Msg == nil:
		return notTested(a.Via, silence("a made-up name", a))
	case a.Msg.Malformed != nil, !a.Is(dnswire.RcodeNoError) && !a.Is(dnswire.RcodeNXDomain):
		return notTested(a.Via, "the answer proves neither: "+a.Msg.Summary())
	case !a.Msg.Authoritative:
		return notTested(a.Via, "the answer is not the zone's own: "+a.Msg.Summary())
	case a.Msg.Truncated:
		return notTested(a.Via, "the denial was cut short and TCP is not spoken")
	}
	var hashed *dnswire.NSEC3
	lies := false
	for _, rr := range a.Msg.Ns {
		switch r := rr.(type) {
		case *dnswire.NSEC:
			if madeUpDenial(r, label) {
				lies = true
				continue
			}
			return fail(a.Via, fmt.Sprintf("NSEC names two neighbours in the zone: %s and %s", r.Hdr.Name, r.NextDomain), a.Evidence("one question; the zone was not walked"))
		case *dnswire.NSEC3:
			hashed = r
		}
	}
	switch {
	case hashed != nil && hashed.Flags&1 != 0:
		return pass(a.Via, "denials are hashed (NSEC3, opt-out: unsigned delegations are not covered)")
	case hashed != nil:
		return pass(a.Via, "denials are hashed (NSEC3)")
	case lies:
		return pass(a.Via, "NSEC is made up for each question and names nothing real")
	case dnswire.Has(a.Msg.Ns, dnswire.TypeRRSIG), dnswire.Has(a.Msg.Answer, dnswire.TypeRRSIG):
		return notTested(a.Via, "the zone is signed, but the answer holds neither NSEC nor NSEC3: "+a.Msg.Summary())
	}
	return notTested(a.Via, "does not apply: "+z.Name+" is not signed")
}

// madeUpDenial recognises NSEC records that were computed for the question
// (RFC 4470, RFC 9824): they carry the label that nobody has made, or bytes
// that no host name has.
func madeUpDenial(r *dnswire.NSEC, label string) bool {
	stem := label[:len(label)-2] // the predecessor differs in the last letters
	for _, name := range []string{r.Hdr.Name, r.NextDomain} {
		name = strings.ToLower(name)
		if strings.Contains(name, stem) || strings.Contains(name, `\000`) || strings.Contains(name, `\255`) {
			return true
		}
	}
	return false
}
