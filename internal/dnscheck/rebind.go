package dnscheck

import (
	"context"
	"strings"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func rebindChecks() []Check {
	return []Check{{
		ID:    "RBD-1",
		Title: "Public names may point to private addresses (no rebinding filter)",
		Finds: "A resolver that passes on private and loopback addresses given by a public zone: fresh names of the collector that point into 10/8, 172.16/12, 192.168/16, 127/8 and fd00::/8.",
		Why:   "A web page can let its own name point to a device inside the network, and the reader's browser then lets the page talk to that device.",

		Severity:   exposure.Info,
		Rationale:  "Info: most resolvers do not filter by default, and browsers and devices have defences of their own. Low when some private networks are filtered and others are not: a filter was meant and has a gap.",
		Safety:     Safe,
		Fixes:      rebindFixes(),
		References: []exposure.Reference{rfc("1918", "", "private IPv4 addresses"), rfc("4193", "", "private IPv6 addresses")},
		Run:        runRebind,
	}}
}

func runRebind(ctx context.Context, s *Session) []Outcome {
	via, o, ok := s.resolver(ctx)
	if !ok {
		return []Outcome{o}
	}
	z := *s.Opts.Collector
	answers := s.askAll(ctx, via, privateNames(z, nonce.Private()...)...)
	// BIND's filter answers SERVFAIL, and so does a resolver that has a bad
	// moment: fresh names beside one that no filter touches tell which it was.
	var failed []int
	var kinds []nonce.Kind
	for i, a := range answers {
		if a.Is(dnswire.RcodeServFail) {
			failed, kinds = append(failed, i), append(kinds, nonce.Private()[i])
		}
	}
	if len(failed) > 0 {
		again := s.askAll(ctx, via, append(privateNames(z, kinds...), resolve(z.Name(nonce.Plain), dnswire.TypeA))...)
		control := again[len(failed)]
		if !genuine(z, control) {
			return []Outcome{notTested(via, "names with private addresses met SERVFAIL, but so did one without, or no answer ("+control.Outcome()+"): run again")}
		}
		for i, at := range failed {
			answers[at] = again[i]
		}
	}
	return []Outcome{judgeRebind(z, via, answers)}
}

// privateNames are questions for fresh names with addresses of the kinds.
func privateNames(z nonce.Zone, kinds ...nonce.Kind) []dnswire.Query {
	var questions []dnswire.Query
	for _, k := range kinds {
		q := resolve(z.Name(k), dnswire.TypeA)
		if k == nonce.PrivateFD {
			q.Type = dnswire.TypeAAAA
		}
		questions = append(questions, q)
	}
	return questions
}

// judgeRebind counts which private networks come through. An answer without
// the address, of whatever code, is a filter: the collector's other names are
// known to be resolved.
func judgeRebind(z nonce.Zone, via exposure.Transport, answers []dialogue.Answer) Outcome {
	var through, filtered, silent []string
	var evidence []exposure.Evidence
	for _, a := range answers {
		_, kind, _ := z.Parse(a.Query.Name)
		switch network := privateNetwork(kind); {
		case genuine(z, a):
			through = append(through, network)
			evidence = append(evidence, a.Evidence(""))
		case a.Msg == nil:
			silent = append(silent, network)
		default:
			filtered = append(filtered, network)
		}
	}
	switch {
	case len(through) > 0 && len(filtered) == 0:
		return fail(via, "addresses in "+strings.Join(through, ", ")+" come through", evidence...)
	case len(through) > 0:
		o := fail(via, "the filter has gaps: addresses in "+strings.Join(through, ", ")+" come through, "+strings.Join(filtered, ", ")+" do not", evidence...)
		o.Severity = exposure.LowSev
		return o
	case len(silent) > 0:
		return notTested(via, "no answer for a name in "+strings.Join(silent, ", "))
	}
	return pass(via, "private addresses are kept out of public names' answers")
}

func privateNetwork(k nonce.Kind) string {
	switch k {
	case nonce.Private10:
		return "10.0.0.0/8"
	case nonce.Private172:
		return "172.16.0.0/12"
	case nonce.Private192:
		return "192.168.0.0/16"
	case nonce.Loopback:
		return "127.0.0.0/8"
	case nonce.PrivateFD:
		return "fd00::/8"
	case nonce.Plain, nonce.Who, nonce.Who4, nonce.Who6, nonce.Missing, nonce.Bogus:
	}
	return string(k)
}

func rebindFixes() Fixes {
	return Fixes{
		"":               advice("Drop private addresses from answers for public names, with exceptions for your own inner zones."),
		exposure.BIND:    configure(exposure.BIND, "Refuse private addresses in answers, except for your own zones.", "options {\n    deny-answer-addresses { 10.0.0.0/8; 172.16.0.0/12; 192.168.0.0/16; 169.254.0.0/16; 127.0.0.0/8; fd00::/8; fe80::/10; ::1; } except-from { \"inner.example.net\"; };\n};"),
		exposure.Unbound: configure(exposure.Unbound, "Name the private networks, and the zones that may use them.", "server:\n    private-address: 10.0.0.0/8\n    private-address: 172.16.0.0/12\n    private-address: 192.168.0.0/16\n    private-address: 169.254.0.0/16\n    private-address: 127.0.0.0/8\n    private-address: fd00::/8\n    private-address: fe80::/10\n    private-address: ::1\n    private-domain: \"inner.example.net\""),
		exposure.Dnsmasq: configure(exposure.Dnsmasq, "Stop private answers from upstream, with exceptions for your own zones.", "stop-dns-rebind\nrebind-domain-ok=/inner.example.net/"),
		exposure.PDNSRec: configure(exposure.PDNSRec, "The recursor has no such setting; drop the answers in a Lua hook, here /etc/powerdns/rebind.lua, and load it with lua-dns-script=/etc/powerdns/rebind.lua (recursor.lua_dns_script in YAML).", "private = newNMG()\nprivate:addMasks({\"10.0.0.0/8\", \"172.16.0.0/12\", \"192.168.0.0/16\", \"127.0.0.0/8\", \"fd00::/8\"})\nfunction postresolve(dq)\n  for _, record in ipairs(dq:getRecords()) do\n    if (record.type == pdns.A or record.type == pdns.AAAA) and private:match(newCA(record:getContent())) then\n      dq.rcode = pdns.REFUSED\n      dq:setRecords({})\n      return true\n    end\n  end\n  return false\nend"),
	}
}
