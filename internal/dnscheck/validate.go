package dnscheck

import (
	"context"
	"fmt"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func validateChecks() []Check {
	return []Check{{
		ID:    "SEC-1",
		Title: "Resolver does not validate DNSSEC",
		Finds: "A resolver that accepts a wrong signature. Proven with fresh names of the collector's signed zone: one signed well, one with a broken signature, and one of the latter with CD set as the control that shows the name to be reachable. Only held against the server when its validation could have noticed: the zone's DS chain leads to the root, or its key is a trust anchor.",
		Why:   "Forged answers for signed zones pass unnoticed, so that a poisoned cache or a hostile network leads users astray where DNSSEC would have stopped it.",

		Severity:   exposure.MediumSev,
		Rationale:  "Medium: it takes an attacker in the right place to use it, but then nothing stands in the way.",
		Safety:     Safe,
		Fixes:      validateFixes(),
		References: []exposure.Reference{rfc("4035", "5", "authenticating responses"), rfc("4035", "3.2.2", "the CD bit"), rfc("9364", "", "DNSSEC is best current practice (BCP 237)")},
		Run:        runValidate,
	}}
}

// trials are the answers from which validation is judged.
type trials struct {
	good, bogus, control dialogue.Answer
	dnskey               dialogue.Answer // the zone's key through the resolver
	chain                error           // why no chain of trust is known to lead to the zone; nil: one does
}

func runValidate(ctx context.Context, s *Session) []Outcome {
	via, o, ok := s.resolver(ctx)
	if !ok {
		return []Outcome{o}
	}
	z := *s.Opts.Collector
	secure := func(name string, rrtype uint16, cd bool) dnswire.Query {
		q := resolve(name, rrtype)
		q.CD, q.EDNS = cd, &dnswire.EDNS{UDPSize: maxEDNS, DO: true}
		return q
	}
	a := s.askAll(ctx, via,
		secure(z.Name(nonce.Plain), dnswire.TypeA, false), secure(z.Name(nonce.Bogus), dnswire.TypeA, false),
		secure(z.Name(nonce.Bogus), dnswire.TypeA, true), secure(z.Apex, dnswire.TypeDNSKEY, true))
	t := trials{good: a[0], bogus: a[1], control: a[2], dnskey: a[3]}
	if genuine(z, t.bogus) && !z.Anchored {
		t.chain = s.chain(ctx, via, z.Apex)
	}
	return []Outcome{judgeValidation(z, via, t)}
}

// chain follows the DS records from the zone up to the root, as the resolver
// gives them.
func (s *Session) chain(ctx context.Context, via exposure.Transport, zone string) error {
	const deepest = 10
	zone = dnswire.CanonicalName(zone)
	for range deepest {
		q := resolve(zone, dnswire.TypeDS)
		q.CD, q.EDNS = true, &dnswire.EDNS{UDPSize: maxEDNS, DO: true}
		a := s.Ask(ctx, via, q)
		parent := signerOfDS(a.Msg, zone)
		switch {
		case parent != "":
		case a.Is(dnswire.RcodeNoError) && dnswire.Has(a.Msg.Answer, dnswire.TypeDS):
			return fmt.Errorf("it passes on the DS record of %s without a signature, so the chain of trust cannot be followed through it", trimDot(zone))
		default:
			return fmt.Errorf("no validator could have noticed: there is no DS record of %s (%s); put it into the parent zone (reconshield collector --print-ds)", trimDot(zone), a.Outcome())
		}
		if parent == "." {
			return nil
		}
		zone = parent
	}
	return fmt.Errorf("no chain of %d DS records ends at the root", deepest)
}

// signerOfDS is the zone that signed the DS records of a zone, which must lie
// above it; empty when there are no such records.
func signerOfDS(m *dnswire.Message, zone string) string {
	if m == nil || m.Rcode != dnswire.RcodeNoError || !dnswire.Has(m.Answer, dnswire.TypeDS) {
		return ""
	}
	for _, rr := range m.Answer {
		sig, ok := rr.(*dnswire.RRSIG)
		if !ok || sig.TypeCovered != dnswire.TypeDS {
			continue
		}
		if signer := dnswire.CanonicalName(sig.SignerName); signer != zone && dnswire.IsSubdomain(signer, zone) {
			return signer
		}
	}
	return ""
}

func judgeValidation(z nonce.Zone, via exposure.Transport, t trials) Outcome {
	if !genuine(z, t.good) {
		return notTested(via, "the well-signed name was not resolved: "+t.good.Outcome())
	}
	if genuine(z, t.bogus) {
		return judgeAccepted(via, t)
	}
	reachable, trusted := genuine(z, t.control), t.good.Msg.AuthenticatedData
	switch {
	case !t.bogus.Is(dnswire.RcodeServFail):
		return notTested(via, "the badly signed name met neither SERVFAIL nor an address: "+t.bogus.Outcome())
	case reachable && trusted:
		return pass(via, "it refuses a wrong signature (SERVFAIL), and marks a right one as authentic (AD)")
	case reachable:
		return pass(via, "it, or the resolver behind it, refuses a wrong signature (SERVFAIL)")
	case trusted:
		return pass(via, "it marks a right signature as authentic (AD) and refuses a wrong one (SERVFAIL)")
	}
	return notTested(via, "the badly signed name met SERVFAIL, but with CD set it was not resolved either ("+t.control.Outcome()+"): that may be validation or a fault on the way")
}

// judgeAccepted judges a resolver that gave the badly signed address: a fault
// only if it could have known that the zone is signed.
func judgeAccepted(via exposure.Transport, t trials) Outcome {
	o := fail(via, "it accepts an answer whose signature is wrong",
		t.bogus.Evidence("the collector breaks the signature of this name"), t.good.Evidence("the signature of this name is right"))
	switch {
	case t.good.Msg.AuthenticatedData:
		o.Summary = "It marks answers as authentic (AD), yet accepts an answer whose signature is wrong."
	case t.dnskey.Msg == nil:
		return notTested(via, "it accepts a wrong signature, but the zone's key was not to be had through it: "+t.dnskey.Outcome())
	case !dnswire.Has(t.dnskey.Msg.Answer, dnswire.TypeDNSKEY):
		return notTested(via, "the collector's zone is not signed as seen through this resolver ("+t.dnskey.Outcome()+"): start the collector with --dnssec-key")
	case t.chain != nil:
		return notTested(via, "it accepts a wrong signature, but "+t.chain.Error())
	}
	return o
}

func validateFixes() Fixes {
	return Fixes{
		"":               advice("Switch DNSSEC validation on, with the root's trust anchor kept current, and check the clock."),
		exposure.BIND:    configure(exposure.BIND, "Validate with the built-in trust anchor.", "options {\n    dnssec-validation auto;\n};"),
		exposure.Unbound: configure(exposure.Unbound, "Load the validator and keep the root's key current.", "server:\n    module-config: \"validator iterator\"\n    auto-trust-anchor-file: \"/var/lib/unbound/root.key\""),
		exposure.PDNSRec: configure(exposure.PDNSRec, "Validate for everyone. From version 5 on it is dnssec.validation in YAML.", "dnssec=validate"),
		exposure.Dnsmasq: configure(exposure.Dnsmasq, "Validate in dnsmasq (Debian: trust-anchors.conf comes with dns-root-data), and refuse unsigned answers for signed zones.", "dnssec\nconf-file=/usr/share/dnsmasq-base/trust-anchors.conf\ndnssec-check-unsigned"),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "Add the root's trust anchor.",
			"Add-DnsServerTrustAnchor -Root"),
		exposure.CoreDNS: configure(exposure.CoreDNS, "CoreDNS does not validate by itself: forward to a resolver that does, over a path that cannot be altered.", ". {\n    forward . tls://192.0.2.53 {\n        tls_servername resolver.example.net\n    }\n}"),
	}
}
