package dnscheck

import (
	"context"
	"fmt"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func snoopChecks() []Check {
	return []Check{{
		ID:    "SNP-1",
		Title: "Cache can be read by strangers (snooping)",
		Finds: "A resolver that answers questions without RD from its cache. Proven with fresh names of the collector only: one is resolved first and then asked for without RD; another, never asked before, is the control that tells a cache from a server that resolves or forwards such questions anyway. No real site's name is ever asked for.",
		Why:   "By asking without leaving a trace, a stranger learns which sites the resolver's users visit, which software they run and when, and when a cached record is ripe for a forged one.",

		Severity:   exposure.LowSev,
		Rationale:  "Low: it tells habits, not contents, and whoever may resolve here can learn the same from times to live.",
		Safety:     Safe,
		Fixes:      snoopFixes(),
		References: []exposure.Reference{rfc("1035", "4.1.1", "recursion desired"), rfc("9076", "", "what resolvers reveal of their users")},
		Run:        runSnoop,
	}}
}

func runSnoop(ctx context.Context, s *Session) []Outcome {
	via, o, ok := s.resolver(ctx)
	if !ok {
		return []Outcome{o}
	}
	z := *s.Opts.Collector
	name := z.Name(nonce.Plain)
	first := s.askAll(ctx, via, resolve(name, dnswire.TypeA), question(z.Name(nonce.Plain), dnswire.TypeA))
	if !genuine(z, first[0]) {
		return []Outcome{notTested(via, "the name to be cached was not resolved: "+first[0].Outcome())}
	}
	// Twice, in two forms: behind one address there may be several caches.
	again := question(name, dnswire.TypeA)
	again.EDNS = &dnswire.EDNS{UDPSize: maxEDNS}
	cached := s.askAll(ctx, via, question(name, dnswire.TypeA), again)
	return []Outcome{judgeSnoop(z, via, first[0], first[1], cached)}
}

// maxEDNS is the UDP size that passes every path (RFC 9715).
const maxEDNS = 1232

// judgeSnoop compares questions without RD for a cached name with one for a
// name that cannot be cached.
func judgeSnoop(z nonce.Zone, via exposure.Transport, fill, control dialogue.Answer, cached []dialogue.Answer) Outcome {
	if control.Msg == nil {
		return notTested(via, "a question without RD met no answer: "+control.Outcome())
	}
	if genuine(z, control) {
		return notTested(via, "it resolves or forwards questions without RD like any other, so that its cache does not show by them; limit who may ask at all (REC-1)")
	}
	for _, a := range cached {
		if genuine(z, a) {
			ttl := a.Msg.Answer[0].Header().Ttl
			return fail(via, fmt.Sprintf("a cached name is answered without RD (%d s to live left), a name not cached is not (%s)", ttl, control.Outcome()),
				fill.Evidence("fills the cache"), a.Evidence("the same name without RD: from the cache"), control.Evidence("control: a name nobody asked for, without RD"))
		}
	}
	for _, a := range cached {
		if a.Msg == nil {
			return notTested(via, "the question without RD for the cached name met no answer: "+a.Outcome())
		}
		if a.Rcode() != control.Rcode() {
			return notTested(via, "cached and uncached names are answered differently without RD ("+a.Outcome()+", "+control.Outcome()+"), but neither with an address: too little to judge")
		}
	}
	return pass(via, "without RD a cached name is answered like one that is not cached: "+control.Outcome())
}

func snoopFixes() Fixes {
	return Fixes{
		"":               advice("Answer strangers nothing from the cache: limit who may ask at all, and refuse questions without RD where the server can."),
		exposure.BIND:    configure(exposure.BIND, "Limit the cache to your networks; it is also what may be asked without RD.", "options {\n    allow-query-cache { localhost; 192.0.2.0/24; 2001:db8::/48; };\n    allow-recursion { localhost; 192.0.2.0/24; 2001:db8::/48; };\n};"),
		exposure.Unbound: configure(exposure.Unbound, "Use allow, which refuses questions without RD, in place of allow_snoop.", "server:\n    access-control: 192.0.2.0/24 allow\n    access-control: 2001:db8::/48 allow"),
		exposure.PDNSRec: configure(exposure.PDNSRec, "Serve your own networks only. From version 5 on questions without RD are refused unless recursor.allow_no_rd is set.", "allow-from=127.0.0.0/8, ::1/128, 192.0.2.0/24"),
		exposure.Dnsmasq: configure(exposure.Dnsmasq, "dnsmasq always answers from its cache: let only your own network ask.", "interface=br-lan\nbind-dynamic"),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "Let only inner clients reach port 53; on a server that is authoritative only, switch recursion (and with it the cache) off.",
			"# authoritative only: Set-DnsServerRecursion -Enable $false"),
		exposure.CoreDNS: recursionFixes()[exposure.CoreDNS],
	}
}
