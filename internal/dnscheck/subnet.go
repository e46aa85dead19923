package dnscheck

import (
	"context"
	"fmt"
	"net/netip"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func subnetChecks() []Check {
	return []Check{{
		ID:    "ECS-1",
		Title: "Client subnet of strangers is trusted",
		Finds: "A resolver that passes a client subnet option (ECS) on as the client wrote it. Proven with a network reserved for documentation, which the collector reports back when it arrives.",
		Why:   "Anyone can ask in the name of any network: read answers meant for others, map what a content network serves where, and fill the cache for one network with answers of another.",

		Severity:   exposure.LowSev,
		Rationale:  "Low: it misleads and wastes cache, but forges nothing by itself.",
		Safety:     Safe,
		Fixes:      subnetFixes(),
		References: []exposure.Reference{rfc("7871", "7.1.1", "what a recursive resolver does with a client's option"), rfc("7871", "11", "security considerations")},
		Run:        runSubnet,
	}}
}

// foreignSubnet is nobody's network (RFC 5737).
func foreignSubnet() netip.Prefix { return netip.MustParsePrefix("198.51.100.0/24") }

func runSubnet(ctx context.Context, s *Session) []Outcome {
	via, o, ok := s.resolver(ctx)
	if !ok {
		return []Outcome{o}
	}
	z := *s.Opts.Collector
	const familyIPv4 = 1 // RFC 7871 section 6
	p := foreignSubnet()
	q := resolve(z.Name(nonce.Who), dnswire.TypeTXT)
	q.EDNS = &dnswire.EDNS{UDPSize: maxEDNS, Options: []dnswire.Option{&dnswire.Subnet{
		Code: dnswire.OptionSubnet, Family: familyIPv4, SourceNetmask: uint8(p.Bits()), Address: p.Addr().AsSlice(), //nolint:gosec // 24
	}}}
	a := s.askAll(ctx, via, q)[0]
	if a.Is(dnswire.RcodeRefused) || a.Is(dnswire.RcodeFormErr) {
		// Denied for its option, or for a reason that has nothing to do with it?
		q.Name = z.Name(nonce.Who)
		again := s.askAll(ctx, via, q, resolve(z.Name(nonce.Who), dnswire.TypeTXT))
		if control := sight(z, again[1]); control.err != nil {
			return []Outcome{notTested(via, "a question with a client subnet met "+a.Outcome()+", and so it is without one: "+control.err.Error())}
		}
		a = again[0]
	}
	return []Outcome{judgeSubnet(z, via, a)}
}

func judgeSubnet(z nonce.Zone, via exposure.Transport, a dialogue.Answer) Outcome {
	if a.Is(dnswire.RcodeFormErr) || a.Is(dnswire.RcodeRefused) {
		return pass(via, "a question with a client subnet is not resolved: "+a.Outcome())
	}
	seen := sight(z, a)
	switch {
	case seen.err != nil:
		return notTested(via, seen.err.Error())
	case !seen.Subnet.IsValid():
		return pass(via, "the client subnet given was not passed on")
	case foreignSubnet().Overlaps(seen.Subnet) && seen.Subnet.Bits() > 0:
		return fail(via, fmt.Sprintf("the collector was told %s, the network that the question claimed", seen.Subnet), a.Evidence("carried the client subnet "+foreignSubnet().String()))
	}
	return pass(via, fmt.Sprintf("the network given was replaced by %s before it was passed on", seen.Subnet))
}

func subnetFixes() Fixes {
	return Fixes{
		"":               advice("Send no client subnet, or only one made from the client's own address."),
		exposure.Unbound: configure(exposure.Unbound, "Do not pass options of clients on; load subnetcache only where a content network needs it.", "server:\n    module-config: \"validator iterator\"\n    # or, with subnetcache:\n    # client-subnet-always-forward: no\n    # and no send-client-subnet lines for servers that do not need it"),
		exposure.PDNSRec: configure(exposure.PDNSRec, "Accept the option from trusted front ends only, and send it to nobody.", "use-incoming-edns-subnet=no\nedns-subnet-allow-list="),
		exposure.Dnsmasq: configure(exposure.Dnsmasq, "Remove the option that clients send (version 2.86 and later), or replace it with one that says nothing.", "strip-subnet\n# or, in its place:\n#add-subnet=0,0"),
		exposure.BIND:    configure(exposure.BIND, "Open-source BIND sends no client subnet; look at the forwarders behind it.", "options {\n    // forwarders that pass the option on see only BIND's own questions\n    forwarders { 192.0.2.53; };\n};"),
		exposure.CoreDNS: configure(exposure.CoreDNS, "forward passes options on unchanged; replace the client's by its own network.", ". {\n    rewrite edns0 subnet replace 24 56\n    forward . 192.0.2.53\n}"),
	}
}
