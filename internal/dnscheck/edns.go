package dnscheck

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// What no server knows: codes that are reserved for private or local use or
// unassigned (IANA registries).
const (
	unknownOption = 65001  // local and experimental use
	unknownFlag   = 0x0040 // unassigned flag beside DO
	unknownType   = 65401  // private use
	unknownOpcode = 15     // unassigned
	smallPayload  = 512    // RFC 1035 section 4.2.1
)

func ednsChecks() []Check {
	return []Check{{
		ID:    "EDNS-1",
		Title: "EDNS or unknown types are handled wrongly",
		Finds: "Answers that break RFC 6891 and RFC 8906: EDNS version 1 without BADVERS, an unknown option or flag echoed or refused, more than 512 bytes to a client that takes 512, an unknown type or opcode that is not answered as it must be. Over UDP, where it matters.",
		Why:   "Resolvers treat such a server as broken: they retry, fall back and fail at times, and old or filtered servers are easier to attack.",

		Severity:  exposure.LowSev,
		Rationale: "Low: interoperability. Silence to an unknown opcode alone is noted, but not held against a server: PowerDNS and firewalls drop them.",
		Safety:    Standard,
		Fixes: Fixes{
			"":                  advice("Update the server; then look for a firewall or load balancer that drops or rewrites EDNS (old DNS inspection with 512 bytes) and switch that inspection off."),
			exposure.BIND:       configure(exposure.BIND, "BIND itself is right; remove what switches EDNS off and look at the firewall before it.", "options {\n    edns-udp-size 1232;\n    max-udp-size 1232;\n};\n# remove: server 0.0.0.0/0 { edns no; };"),
			exposure.Dnsmasq:    configure(exposure.Dnsmasq, "dnsmasq leaves much of EDNS to its upstream; update it, and point it to a server that is right.", "edns-packet-max=1232"),
			exposure.WindowsDNS: configure(exposure.WindowsDNS, "Switch EDNS on in both directions.", "Set-DnsServerEDns -EnableReception $true -EnableProbes $true"),
		},
		References: []exposure.Reference{
			rfc("6891", "6.1.3", "version and BADVERS"), rfc("6891", "6.1.2", "unknown options are ignored"),
			rfc("8906", "3", "common mistakes of servers"), rfc("3597", "", "unknown types"),
		},
		Run: runEDNS,
	}}
}

// ednsAnswers are the answers that EDNS-1 judges.
type ednsAnswers struct {
	plain, modern, version, option, flag, small, bare, kind, opcode dialogue.Answer
}

func runEDNS(ctx context.Context, s *Session) []Outcome {
	if !s.Speaks(exposure.UDP) {
		return []Outcome{s.noDatagrams(ctx)}
	}
	probe := s.probe(ctx)
	name, rd := probe.Name, probe.RD
	question := func(name string, t uint16) dnswire.Query { return dnswire.Query{Name: name, Type: t, RD: rd} }
	with := func(t uint16, e dnswire.EDNS) dnswire.Query {
		q := question(name, t)
		if e.UDPSize == 0 {
			e.UDPSize = 1232
		}
		q.EDNS = &e
		return q
	}
	var m ednsAnswers
	// Each has a type of its own: answers stay under a limit on identical
	// responses, and forwarders (dnsmasq) give one answer to questions of one
	// name and type that arrive together, whatever their EDNS.
	asked := map[*dialogue.Answer]dnswire.Query{
		&m.plain:   probe,
		&m.modern:  sized(question(name, dnswire.TypeTXT), 1232),
		&m.version: with(dnswire.TypeA, dnswire.EDNS{Version: 1}),
		&m.option:  with(dnswire.TypeMX, dnswire.EDNS{Options: []dnswire.Option{&dnswire.LocalOpt{Code: unknownOption, Data: []byte("rs")}}}),
		&m.flag:    with(dnswire.TypeAAAA, dnswire.EDNS{Flags: unknownFlag}),
		&m.bare:    question(name, dnswire.TypeANY),
		&m.kind:    question(name, unknownType),
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		// Silence is frequent here and decides nothing: little patience is enough.
		odd := dnswire.Query{Name: name, Type: dnswire.TypeSOA, Opcode: unknownOpcode}
		m.opcode = s.Fresh(ctx, exposure.UDP, s.Port(), odd, func(r *exchange.Request) { r.Timeouts = r.Timeouts[:2] })
	})
	for into, q := range asked {
		wg.Go(func() { *into = s.Ask(ctx, exposure.UDP, q) })
	}
	wg.Wait()
	if m.modern.Msg != nil { // after silence no further question
		m.small = s.Ask(ctx, exposure.UDP, with(dnswire.TypeTXT, dnswire.EDNS{UDPSize: smallPayload}))
	}
	return []Outcome{judgeEDNS(m)}
}

// flaw of one answer; unclear means that the answer proves neither.
type ednsFlaw struct {
	text    string
	answer  dialogue.Answer
	unclear bool
}

func judgeEDNS(m ednsAnswers) Outcome {
	switch {
	case m.plain.Msg == nil:
		return notTested(exposure.UDP, silence("an ordinary question", m.plain))
	case m.plain.Msg.Malformed != nil:
		return notTested(exposure.UDP, "the reply to an ordinary question does not parse: "+m.plain.Msg.Malformed.Error())
	case !m.plain.Is(dnswire.RcodeNoError) && !m.plain.Is(dnswire.RcodeNXDomain):
		return notTested(exposure.UDP, "the server answers nothing here ("+m.plain.Outcome()+"); name a zone of it with --zone")
	case m.modern.Msg == nil:
		return notTested(exposure.UDP, silence("a question with EDNS", m.modern)+"; a firewall may drop EDNS")
	case m.modern.Is(dnswire.RcodeFormErr), m.modern.Is(dnswire.RcodeNotImp), m.modern.Msg.OPT() == nil:
		return fail(exposure.UDP, "EDNS is not supported: "+m.modern.Msg.Summary(), m.plain.Evidence("without EDNS"), m.modern.Evidence("with EDNS"))
	}
	var wrong, unclear []string
	var evidence []exposure.Evidence
	for _, f := range ednsFlaws(m) {
		if f.unclear {
			unclear = append(unclear, f.text)
			continue
		}
		wrong = append(wrong, f.text)
		evidence = append(evidence, f.answer.Evidence(f.text))
	}
	note := ""
	if m.opcode.Msg == nil {
		note = " (an unknown opcode meets silence, where NOTIMP is due)"
	}
	switch {
	case len(wrong) > 0:
		o := fail(exposure.UDP, strings.Join(wrong, "; ")+note, evidence...)
		if len(unclear) > 0 {
			o.Confidence = exposure.Medium
		}
		return o
	case len(unclear) > 0:
		return notTested(exposure.UDP, strings.Join(unclear, "; ")+": lost, limited or filtered on the way; run again")
	}
	return pass(exposure.UDP, "version, option, flag, size and type are handled as RFC 6891 and RFC 8906 have it"+note)
}

func ednsFlaws(m ednsAnswers) []ednsFlaw {
	var out []ednsFlaw
	add := func(a dialogue.Answer, bad bool, format string, args ...any) {
		if bad {
			out = append(out, ednsFlaw{text: fmt.Sprintf(format, args...), answer: a})
		}
	}
	named := []struct {
		what string
		a    dialogue.Answer
	}{{"EDNS", m.modern}, {"EDNS version 1", m.version}, {"an unknown option", m.option}, {"an unknown flag", m.flag}, {"payload size 512", m.small}, {"an unknown type", m.kind}}
	for _, n := range named {
		if n.a.Msg == nil {
			out = append(out, ednsFlaw{text: "no answer to " + n.what, answer: n.a, unclear: true})
		}
	}
	if a := m.version; a.Msg != nil {
		add(a, !a.Is(dnswire.RcodeBadVers), "EDNS version 1 is answered %s, BADVERS is due", a.Outcome())
		add(a, a.Is(dnswire.RcodeBadVers) && version(a.Msg) != 0, "BADVERS names version %d, 0 is due", version(a.Msg))
	}
	if a := m.option; a.Msg != nil {
		add(a, refused(a), "an unknown option is answered %s, it is to be ignored", a.Outcome())
		add(a, echoes(a.Msg), "an unknown option is echoed")
	}
	if a := m.flag; a.Msg != nil {
		add(a, refused(a), "an unknown flag is answered %s, it is to be ignored", a.Outcome())
		add(a, a.Msg.OPT() != nil && a.Msg.OPT().Hdr.Ttl&unknownFlag != 0, "an unknown flag is echoed")
	}
	for _, a := range []dialogue.Answer{m.small, m.bare} {
		if a.Msg != nil {
			add(a, a.Msg.Size > smallPayload, "%s is answered with %d bytes to a client that takes 512", a.Query, a.Msg.Size)
		}
	}
	if a := m.kind; a.Msg != nil {
		add(a, refused(a), "an unknown type is answered %s, NOERROR is due", a.Outcome())
	}
	if a := m.opcode; a.Msg != nil {
		add(a, !a.Is(dnswire.RcodeNotImp), "an unknown opcode is answered %s, NOTIMP is due", a.Outcome())
	}
	return out
}

// refused: only NOERROR and NXDOMAIN answer an ordinary question, and any
// question for a name whose SOA was answered; silence does not.
func refused(a dialogue.Answer) bool {
	return !a.Is(dnswire.RcodeNoError) && !a.Is(dnswire.RcodeNXDomain)
}

func version(m *dnswire.Message) uint8 {
	if o := m.OPT(); o != nil {
		return o.Version()
	}
	return 0
}

func echoes(m *dnswire.Message) bool {
	if o := m.OPT(); o != nil {
		for _, e := range o.Option {
			if e.Option() == unknownOption {
				return true
			}
		}
	}
	return false
}
