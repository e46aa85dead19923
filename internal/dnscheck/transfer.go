package dnscheck

import (
	"context"
	"fmt"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
)

func transferChecks() []Check {
	return []Check{{
		ID:    "XFR-1",
		Title: "Zone transfer allowed to anyone",
		Finds: "A zone that this vantage may transfer. Proven without a leak: an IXFR over TCP that carries the current serial is answered with one SOA where transfers are allowed, and with REFUSED or NOTAUTH where they are not (RFC 1995 section 2).",
		Why:   "A transfer hands over every name of the zone at once: hosts, internal naming, forgotten systems. It is the first thing an attacker asks for.",

		Severity:  exposure.HighSev,
		Rationale: "High: the whole zone content is readable by anyone who asks, and it costs the asker one message.",
		Safety:    Standard,
		Fixes:     transferFixes(),
		References: []exposure.Reference{
			rfc("1995", "2", "incremental transfer, a client that is up to date gets one SOA"),
			rfc("5936", "", "AXFR and its access control"),
			rfc("9103", "", "zone transfer over TLS"),
		},
		Run: runTransfer,
	}}
}

func runTransfer(ctx context.Context, s *Session) []Outcome {
	via := s.Stream()
	if via == "" {
		return []Outcome{notTested(exposure.TCP, "no DNS was proven on tcp/53, and a transfer needs it")}
	}
	zones := s.Zones(ctx)
	if len(zones) == 0 {
		return []Outcome{notTested(via, s.noZone())}
	}
	return forZones(zones, func(z Zone) Outcome { return transferOf(ctx, s, z) })
}

// ixfr asks for the changes since the zone's current serial: there are none,
// so an allowed transfer reveals nothing but the SOA already seen.
func ixfr(z Zone) dnswire.Query {
	return dnswire.Query{Name: z.Name, Type: dnswire.TypeIXFR, Authority: []dnswire.RR{&dnswire.SOA{
		Hdr: dnswire.RRHeader{Name: z.Name, Rrtype: dnswire.TypeSOA, Class: dnswire.ClassIN},
		Ns:  ".", Mbox: ".", Serial: z.SOA.Serial,
	}}}
}

func transferOf(ctx context.Context, s *Session, z Zone) Outcome {
	a := s.Ask(ctx, exposure.TCP, ixfr(z))
	return judgeTransfer(a, z)
}

func judgeTransfer(a dialogue.Answer, z Zone) Outcome {
	switch {
	case a.Msg == nil:
		return notTested(exposure.TCP, "the IXFR question met no answer: "+a.Outcome())
	case a.Is(dnswire.RcodeNoError) && startsWithSOA(a.Msg, z.Name):
		return fail(exposure.TCP, fmt.Sprintf("an IXFR from serial %d was answered with the zone's SOA: transfers are allowed from here", z.SOA.Serial),
			a.Evidence("an allowed transfer that is up to date is one SOA; nothing else of the zone was asked for"))
	case a.Is(dnswire.RcodeRefused), a.Is(dnswire.RcodeNotAuth):
		return pass(exposure.TCP, "transfer denied: "+a.Outcome())
	case a.Is(dnswire.RcodeNotImp), a.Is(dnswire.RcodeFormErr):
		return notTested(exposure.TCP, "the server does not know IXFR ("+a.Outcome()+"); --check XFR-2 asks for an AXFR and reads its first message only")
	}
	return notTested(exposure.TCP, "the answer to IXFR proves neither: "+a.Outcome())
}

func startsWithSOA(m *dnswire.Message, zone string) bool {
	if len(m.Answer) == 0 {
		return false
	}
	soa, ok := m.Answer[0].(*dnswire.SOA)
	return ok && dnswire.CanonicalName(soa.Hdr.Name) == zone
}

func transferFixes() Fixes {
	return Fixes{
		"":                  advice("Allow transfers only to the named secondaries, best by TSIG key, else by address."),
		exposure.BIND:       configure(exposure.BIND, "Name the secondaries (or none); BIND up to 9.18 allows everyone when nothing is said.", "options {\n    allow-transfer { none; };\n};\nzone \"example.net\" {\n    allow-transfer { key \"secondary-key\"; };\n};"),
		exposure.Knot:       configure(exposure.Knot, "Give the zone an acl with action transfer for the secondaries only.", "acl:\n  - id: secondaries\n    address: [192.0.2.54, 2001:db8::54]\n    key: secondary-key\n    action: transfer\nzone:\n  - domain: example.net\n    acl: secondaries"),
		exposure.NSD:        configure(exposure.NSD, "Replace wide provide-xfr lines with one for each secondary and its key.", "zone:\n    name: example.net\n    provide-xfr: 192.0.2.54 secondary-key\n    provide-xfr: 2001:db8::54 secondary-key"),
		exposure.PDNSAuth:   configure(exposure.PDNSAuth, "List the secondaries; the default is loopback only.", "allow-axfr-ips=192.0.2.54,2001:db8::54\n# or none at all:\ndisable-axfr=yes"),
		exposure.Unbound:    configure(exposure.Unbound, "An auth-zone of Unbound does not serve transfers; remove whatever forwards them.", "auth-zone:\n    name: \"example.net\"\n    for-downstream: no"),
		exposure.Dnsmasq:    configure(exposure.Dnsmasq, "Name the peers that may transfer.", "auth-peer=192.0.2.54\nauth-sec-servers=ns2.example.net"),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "Allow transfers only to the servers listed.", "Set-DnsServerPrimaryZone -Name example.net -SecureSecondaries TransferToSecureServers -SecondaryServers 192.0.2.54"),
		exposure.CoreDNS:    configure(exposure.CoreDNS, "Name the secondaries in the transfer plugin, or remove the plugin.", "example.net {\n    transfer {\n        to 192.0.2.54\n    }\n}"),
	}
}
