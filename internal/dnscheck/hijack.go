package dnscheck

import (
	"context"
	"strings"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func hijackChecks() []Check {
	return []Check{{
		ID:    "NXD-1",
		Title: "Names that do not exist are given an address",
		Finds: "A resolver that turns NXDOMAIN into an address. Proven with fresh names, with and without www in front, for which the collector answers NXDOMAIN.",
		Why:   "Mistyped names lead to someone's server, which sees what browsers and mail programs meant for others; software that relies on NXDOMAIN (search lists, blocklists, DANE) breaks.",

		Severity:   exposure.MediumSev,
		Rationale:  "Medium: users' traffic is led elsewhere, though only for names that do not exist.",
		Safety:     Safe,
		Fixes:      hijackFixes(),
		References: []exposure.Reference{rfc("2308", "2.1", "name error"), rfc("8020", "", "NXDOMAIN means that there is nothing")},
		Run: func(ctx context.Context, s *Session) []Outcome {
			return s.Each(func(via exposure.Transport) Outcome { return hijackOver(ctx, s, via) })
		},
	}}
}

func hijackOver(ctx context.Context, s *Session, via exposure.Transport) Outcome {
	z := s.Opts.Collector
	if z == nil {
		return notTested(via, noCollector)
	}
	// A server that lies about every name is asked all the same.
	if r := s.Recursion(ctx, via); unfit(r) != "" && (!r.Lie.IsValid() || r.Via.IsValid()) {
		return notTested(via, unfit(r))
	}
	return judgeHijack(via, s.askAll(ctx, via,
		resolve(z.Name(nonce.Missing), dnswire.TypeA), resolve("www."+z.Name(nonce.Missing), dnswire.TypeA)))
}

func judgeHijack(via exposure.Transport, answers []dialogue.Answer) Outcome {
	right, odd := 0, ""
	for _, a := range answers {
		switch got := addresses(a.Msg); {
		case len(got) > 0:
			return fail(via, "a name that does not exist is given the address "+list(got), a.Evidence("the collector answers NXDOMAIN to this name"))
		case a.Is(dnswire.RcodeNXDomain):
			right++
		default:
			odd = a.Outcome()
		}
	}
	switch {
	case right == len(answers):
		return pass(via, "names that do not exist are answered NXDOMAIN")
	case strings.HasPrefix(odd, "NOERROR"):
		return notTested(via, "NXDOMAIN is turned into an empty answer; no address is put in, but the code is changed on the way")
	}
	return notTested(via, "a name that does not exist met "+odd)
}

func hijackFixes() Fixes {
	return Fixes{
		"":                  advice("Switch the rewriting of NXDOMAIN off, or use another upstream; validation notices it for signed zones."),
		exposure.BIND:       configure(exposure.BIND, "Remove redirect zones and nxdomain-redirect.", "options {\n    // remove: nxdomain-redirect \"...\";\n    dnssec-validation auto;\n};\n// remove: zone \".\" { type redirect; ... };"),
		exposure.Dnsmasq:    configure(exposure.Dnsmasq, "Remove address lines for every name; turn an upstream's bogus address back into NXDOMAIN.", "# remove: address=/#/198.51.100.99\nbogus-nxdomain=198.51.100.99"),
		exposure.Unbound:    configure(exposure.Unbound, "Remove redirect zones for the root, and forward to an upstream that does not rewrite, or to none.", "# remove: local-zone: \".\" redirect\nserver:\n    module-config: \"validator iterator\""),
		exposure.PDNSRec:    configure(exposure.PDNSRec, "Remove the nxdomain hook from the Lua script.", "lua-dns-script="),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "Replace forwarders that rewrite.", "Set-DnsServerForwarder -IPAddress 192.0.2.53"),
		exposure.CoreDNS:    configure(exposure.CoreDNS, "Remove the template or rewrite that answers for every name.", ". {\n    forward . 192.0.2.53\n}"),
	}
}
