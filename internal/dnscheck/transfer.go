package dnscheck

import (
	"context"
	"fmt"
	"time"

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
	}, {
		ID:    "XFR-2",
		Title: "Zone transfer allowed to anyone (full transfer begun)",
		Finds: "A zone that this vantage may transfer, confirmed by an AXFR of which only the first message is read; then the connection is closed. For servers that do not know IXFR, where XFR-1 proves nothing.",
		Why:   "A transfer hands over every name of the zone at once: hosts, internal naming, forgotten systems. It is the first thing an attacker asks for.",

		Severity:  exposure.HighSev,
		Rationale: "High: the whole zone content is readable by anyone who asks. Opt-in, because the server begins to send the zone and logs it.",
		Safety:    Intrusive, OptIn: true,
		Fixes: transferFixes(),
		References: []exposure.Reference{
			rfc("5936", "2.2", "AXFR responses: the first message begins with the SOA"),
			rfc("5936", "5", "authorisation"),
		},
		Run: func(ctx context.Context, s *Session) []Outcome {
			return s.overStream(ctx, func(z Zone) Outcome {
				q := dnswire.Query{Name: z.Name, Type: dnswire.TypeAXFR}
				return judgeFullTransfer(s.Ask(ctx, exposure.TCP, q), z)
			})
		},
	}}
}

func runTransfer(ctx context.Context, s *Session) []Outcome {
	return s.overStream(ctx, func(z Zone) Outcome { return judgeTransfer(s.Ask(ctx, exposure.TCP, ixfr(z)), z) })
}

// overStream runs f for one zone after the other if TCP speaks DNS: servers
// have few places for transfers (BIND ten), and an occupied one reads as a
// failure. After silence the rest is not asked.
func (s *Session) overStream(ctx context.Context, f func(z Zone) Outcome) []Outcome {
	if s.Stream() == "" {
		return []Outcome{notTested(exposure.TCP, "no DNS was proven on tcp/53, and a transfer needs it")}
	}
	zones := s.Zones(ctx)
	if len(zones) == 0 {
		return []Outcome{notTested(exposure.TCP, s.noZone())}
	}
	s.transfers.Lock()
	defer s.transfers.Unlock()
	out := make([]Outcome, len(zones))
	silent := ""
	for i, z := range zones {
		if silent != "" {
			out[i] = notTested(exposure.TCP, "not asked, because "+silent+" met no answer: run again with --zone "+z.Name)
		} else {
			before := time.Now()
			out[i] = f(z)
			if out[i].Status == exposure.NotTested && time.Since(before) >= s.Timeout() {
				silent = z.Name
			}
		}
		out[i].Subject = z.Name
	}
	return out
}

// ixfr asks for the changes since the zone's current serial: there are none,
// so an allowed transfer reveals nothing but the SOA already seen.
func ixfr(z Zone) dnswire.Query {
	return dnswire.Query{Name: z.Name, Type: dnswire.TypeIXFR, Authority: []dnswire.RR{&dnswire.SOA{
		Hdr: dnswire.RRHeader{Name: z.Name, Rrtype: dnswire.TypeSOA, Class: dnswire.ClassIN},
		Ns:  ".", Mbox: ".", Serial: z.SOA.Serial,
	}}}
}

const tryFull = "; --check XFR-2 asks for an AXFR and reads its first message only"

func judgeTransfer(a dialogue.Answer, z Zone) Outcome {
	switch {
	case a.Msg == nil:
		return notTested(exposure.TCP, "the IXFR question met no answer: "+a.Outcome()+tryFull)
	case a.Is(dnswire.RcodeNoError) && startsWithSOA(a.Msg, z.Name):
		e := a.Evidence("an allowed transfer that is up to date is one SOA; nothing else of the zone was asked for")
		if len(a.Msg.Answer) > 1 { // the server began a full transfer: its content is not ours to keep
			e.Raw, e.Note = nil, "the server began to send the whole zone; only the first message was read, and only its SOA is kept"
		}
		return fail(exposure.TCP, fmt.Sprintf("an IXFR from serial %d was answered with the zone's SOA: transfers are allowed from here", z.SOA.Serial), e)
	case a.Is(dnswire.RcodeRefused), a.Is(dnswire.RcodeNotAuth):
		return pass(exposure.TCP, "transfer denied: "+a.Outcome())
	case a.Is(dnswire.RcodeNotImp), a.Is(dnswire.RcodeFormErr):
		return notTested(exposure.TCP, "the server does not know IXFR ("+a.Outcome()+")"+tryFull)
	case a.Is(dnswire.RcodeNoError) && len(a.Msg.Answer) == 0:
		// dnsmasq takes IXFR for an ordinary type that the name does not have.
		return notTested(exposure.TCP, "the server does not know IXFR (an empty answer)"+tryFull)
	}
	return notTested(exposure.TCP, "the answer to IXFR proves neither: "+a.Outcome()+tryFull)
}

// judgeFullTransfer keeps nothing of the zone but its SOA.
func judgeFullTransfer(a dialogue.Answer, z Zone) Outcome {
	switch {
	case a.Msg == nil:
		return notTested(exposure.TCP, "the AXFR question met no answer ("+a.Outcome()+"): some servers close the connection to deny it, but that is not proof")
	case a.Is(dnswire.RcodeNoError) && startsWithSOA(a.Msg, z.Name):
		e := a.Evidence("only the first message was read; the records after the SOA are not kept")
		e.Raw = nil
		return fail(exposure.TCP, fmt.Sprintf("an AXFR is answered: the first message begins with the SOA and has %d records", len(a.Msg.Answer)), e)
	case a.Is(dnswire.RcodeRefused), a.Is(dnswire.RcodeNotAuth), a.Is(dnswire.RcodeNotImp):
		return pass(exposure.TCP, "transfer denied: "+a.Outcome())
	}
	return notTested(exposure.TCP, "the answer to AXFR proves neither: "+a.Outcome())
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
		exposure.Knot:       configure(exposure.Knot, "Give the zone an acl with action transfer for the secondaries only; keymgr makes the key, and prints it as a key section to include.", "# first: keymgr -t secondary-key > /etc/knot/secondary-key.conf\n# and: chown knot: /etc/knot/secondary-key.conf; chmod 600 /etc/knot/secondary-key.conf\ninclude: /etc/knot/secondary-key.conf\nacl:\n  - id: secondaries\n    address: [192.0.2.54, 2001:db8::54]\n    key: secondary-key\n    action: transfer\nzone:\n  - domain: example.net\n    acl: secondaries"),
		exposure.NSD:        configure(exposure.NSD, "Replace wide provide-xfr lines with one for each secondary and its key.", "# first: printf 'key:\\n    name: secondary-key\\n    algorithm: hmac-sha256\\n    secret: %s\\n' \"$(openssl rand -base64 32)\" > /etc/nsd/secondary-key.conf\n# and: chown nsd: /etc/nsd/secondary-key.conf; chmod 600 /etc/nsd/secondary-key.conf\ninclude: \"/etc/nsd/secondary-key.conf\"\nzone:\n    name: example.net\n    provide-xfr: 192.0.2.54 secondary-key\n    provide-xfr: 2001:db8::54 secondary-key"),
		exposure.PDNSAuth:   configure(exposure.PDNSAuth, "List the secondaries; the default is loopback only.", "allow-axfr-ips=192.0.2.54,2001:db8::54\n# or none at all:\n#disable-axfr=yes"),
		exposure.Unbound:    configure(exposure.Unbound, "An auth-zone of Unbound does not serve transfers; remove whatever forwards them.", "auth-zone:\n    name: \"example.net\"\n    for-downstream: no"),
		exposure.Dnsmasq:    configure(exposure.Dnsmasq, "Name the peers that may transfer.", "auth-peer=192.0.2.54\nauth-sec-servers=ns2.example.net"),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "Allow transfers only to the servers listed.", "Set-DnsServerPrimaryZone -Name example.net -SecureSecondaries TransferToSecureServers -SecondaryServers 192.0.2.54"),
		exposure.CoreDNS:    configure(exposure.CoreDNS, "Name the secondaries in the transfer plugin, or remove the plugin.", "example.net {\n    transfer {\n        to 192.0.2.54\n    }\n}"),
	}
}
