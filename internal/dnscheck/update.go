package dnscheck

import (
	"context"
	"slices"
	"sync"

	"reconshield/internal/dialogue"
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
		Rationale: "Critical: unauthenticated write access to the zone. Where the order in which a server looks at permission makes the answer ambiguous (BIND before 9.18.11, Windows DNS) it is called probable: high, with medium confidence. BIND with update-policy accepts an empty update over TCP from anyone, as each record is judged on its own: when UDP is denied, TCP alone proves nothing.",
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
	if s.Any() == "" {
		return []Outcome{notTested("", noDNS)}
	}
	zones := s.Zones(ctx)
	if len(zones) == 0 {
		return []Outcome{notTested(s.Any(), s.noZone())}
	}
	perZone := make([][]Outcome, len(zones))
	var wg sync.WaitGroup
	for i, z := range zones {
		wg.Go(func() { perZone[i] = updatesOf(ctx, s, z) })
	}
	wg.Wait()
	return slices.Concat(perZone...)
}

// updatesOf asks over each transport and weighs the answers together.
func updatesOf(ctx context.Context, s *Session, z Zone) []Outcome {
	asked := make([]updateAnswers, len(s.Server.Spoken))
	var wg sync.WaitGroup
	for i, via := range s.Server.Spoken {
		wg.Go(func() {
			asked[i].via, asked[i].prerequisite = via, s.Ask(ctx, via, prerequisiteOnly(z))
			if asked[i].prerequisite.Is(dnswire.RcodeYXDomain) {
				asked[i].empty = s.Ask(ctx, via, emptyUpdate(z))
			}
		})
	}
	wg.Wait()
	out := make([]Outcome, len(asked))
	deniedOverUDP, openOverUDP := false, false
	for i, u := range asked {
		out[i] = judgeUpdate(u, s.Product(), s.Version())
		out[i].Subject = z.Name
		deniedOverUDP = deniedOverUDP || u.via == exposure.UDP && out[i].Status == exposure.Pass
		openOverUDP = openOverUDP || u.via == exposure.UDP && out[i].Status == exposure.Fail
	}
	for i := range out {
		if deniedOverUDP && out[i].Transport == exposure.TCP && out[i].Status == exposure.Fail {
			out[i] = notTested(exposure.TCP, "an empty UPDATE is accepted over TCP but denied over UDP: each record is judged on its own (BIND: update-policy), and what it grants shows only in a change; read the update-policy for rules like tcp-self")
			out[i].Subject = z.Name
		}
		if alone := !deniedOverUDP && !openOverUDP; alone && out[i].Status == exposure.Fail && out[i].Confidence == "" && mayBePolicy(s.Product()) {
			out[i].Severity, out[i].Confidence = exposure.HighSev, exposure.Medium
			out[i].Reason = "probable: an empty UPDATE is accepted over TCP, and UDP told nothing; BIND with update-policy answers so, too, and judges each record on its own; read its settings for this zone"
		}
	}
	return out
}

// mayBePolicy reports whether the server may be BIND, whose update-policy
// accepts an empty UPDATE over TCP from anyone.
func mayBePolicy(p exposure.Product) bool { return p == exposure.BIND || p == "" }

// Version is the identified version, empty when unknown.
func (s *Session) Version() string {
	if s.Server.Identity == nil {
		return ""
	}
	return s.Server.Identity.Version
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

// updateAnswers are the answers to the two questions over one transport; the
// second is asked only after YXDOMAIN to the first.
type updateAnswers struct {
	via                 exposure.Transport
	prerequisite, empty dialogue.Answer
}

func judgeUpdate(u updateAnswers, product exposure.Product, version string) Outcome {
	first, second := u.prerequisite, u.empty
	switch {
	case first.Msg == nil:
		return notTested(u.via, "an UPDATE met no answer ("+first.Outcome()+"): the server drops the opcode or the client, which is not proof of a refusal; see the server's own settings for dynamic update")
	case denied(first):
		return pass(u.via, "update denied: "+first.Outcome())
	case first.Is(dnswire.RcodeNoError):
		// NOERROR to a prerequisite that cannot hold: it was not evaluated, so
		// the answer says nothing of permission.
		return notTested(u.via, "the server ignores prerequisites (NOERROR), so its answer proves nothing; see the server's own settings for dynamic update")
	case !first.Is(dnswire.RcodeYXDomain):
		return notTested(u.via, "the answer to UPDATE proves neither: "+first.Outcome())
	case second.Msg == nil:
		return notTested(u.via, "prerequisites are evaluated, but the empty UPDATE met no answer: "+second.Outcome()+"; run again")
	case denied(second):
		return pass(u.via, "prerequisites are evaluated, but an update is denied: "+second.Outcome())
	case !second.Is(dnswire.RcodeNoError):
		return notTested(u.via, "the answer to an empty UPDATE proves neither: "+second.Outcome())
	}
	o := fail(u.via, "an UPDATE from here is evaluated and an empty one is accepted",
		first.Evidence("the prerequisite was evaluated and failed as it must; no change was asked for"),
		second.Evidence("an update with no content: accepted"))
	if permissionLate(product, version) {
		o.Confidence, o.Severity = exposure.Medium, exposure.HighSev
		o.Reason = "probable: an empty UPDATE is accepted, but " + product.Name() + " " + version +
			" may look at permission only when there is a record to change; read its settings for this zone"
	}
	return o
}

func denied(a dialogue.Answer) bool {
	return a.Is(dnswire.RcodeRefused) || a.Is(dnswire.RcodeNotAuth) || a.Is(dnswire.RcodeNotImp)
}

// permissionLate reports whether the server may accept an update that changes
// nothing without a look at who asks: BIND before 9.16.37 and 9.18.11 checked
// permission after the prerequisites and record by record, and Windows with
// secure updates only lets clients test prerequisites.
func permissionLate(product exposure.Product, version string) bool {
	switch product { //nolint:exhaustive // all others look first
	case exposure.WindowsDNS:
		return true
	case exposure.BIND:
		return version != "" && (bindBelow(version, 16, 37) || bindBelow(version, 18, 11) && !bindBelow(version, 17, 0))
	}
	return false
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
		exposure.Knot:       configure(exposure.Knot, "Bind the update action to a key; keymgr makes it, and prints it as a key section to include.", "# first: keymgr -t ddns-key > /etc/knot/ddns-key.conf\n# and: chown knot: /etc/knot/ddns-key.conf; chmod 600 /etc/knot/ddns-key.conf\ninclude: /etc/knot/ddns-key.conf\nacl:\n  - id: ddns\n    key: ddns-key\n    action: update\nzone:\n  - domain: example.net\n    acl: ddns"),
		exposure.PDNSAuth:   configure(exposure.PDNSAuth, "Switch updates off, or require a TSIG key for the zone.", "dnsupdate=no\n# or, in its place, kept on for no address, only for the key:\n#dnsupdate=yes\n#allow-dnsupdate-from=\n# pdnsutil set-meta example.net TSIG-ALLOW-DNSUPDATE ddns-key"),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "Allow secure updates only.", "Set-DnsServerPrimaryZone -Name example.net -DynamicUpdate Secure"),
	}
}
