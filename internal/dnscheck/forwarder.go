package dnscheck

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func forwarderChecks() []Check {
	return []Check{{
		ID:    "FWD-1",
		Title: "Transparent forwarder",
		Finds: "A host that passes UDP questions on with the asker's own source address, so that the answer comes from another address than was asked. Seen on a socket that accepts answers from anyone; the host that answers is named and gets no packets.",
		Why:   "The host sends packets with forged source addresses. Attackers use such hosts to reach resolvers that would refuse them, and to hide where an attack comes from; lists of open resolvers do not show them.",

		Severity:  exposure.HighSev,
		Rationale: "High: it serves strangers, and it proves that the network lets forged source addresses out. Confidence is medium when the answer comes from the same small network, where a server with several addresses may have answered from the wrong one.",
		Safety:    Safe,
		Fixes: Fixes{
			"": advice("Remove the rule that redirects port 53 without translating the source (DNAT without SNAT), or close the port to the outside; filter forged source addresses at the network's edge."),
			exposure.Dnsmasq: {
				Kind: "firewall", For: "nftables",
				Text:  "On a router the fault is in the packet filter, not in dnsmasq: translate the source of redirected questions, or redirect those from inside only.",
				Lines: "nft add rule ip nat postrouting ip daddr 192.0.2.53 udp dport 53 masquerade\n# or, in its place:\n# nft insert rule ip nat prerouting iifname \"wan\" udp dport 53 return",
			},
		},
		References: []exposure.Reference{
			rfc("2827", "", "ingress filtering against forged source addresses (BCP 38)"),
			rfc("5358", "4", "recursion only for intended clients (BCP 140)"),
		},
		Run: func(ctx context.Context, s *Session) []Outcome {
			if !s.Speaks(exposure.UDP) {
				return []Outcome{s.noDatagrams(ctx)}
			}
			return []Outcome{judgeTransparent(s.Recursion(ctx, exposure.UDP), s.Addr())}
		},
	}, {
		ID:    "FWD-2",
		Title: "Recursive forwarder: another resolver does the asking",
		Finds: "A server that passes strangers' questions to another resolver. The collector reports the address from which a fresh name was asked for, and it is not the server's: another resolver, or another address of the same one, asks in its stead.",
		Why:   "An open forwarder opens the resolver behind it, too: often a provider's or a company's inner one, which would not answer strangers itself.",

		Severity:   exposure.LowSev,
		Rationale:  "Low: forwarding itself is ordinary, REC-1 rates its openness; this tells where the answers come from. A resolver with several addresses looks the same, hence medium confidence, and low when the asking address lies in the same small network.",
		Safety:     Safe,
		Fixes:      forwarderFixes(),
		References: []exposure.Reference{rfc("5625", "", "how DNS proxies should behave"), rfc("9499", "6", "forwarder")},
		Run:        runForwarder,
	}}
}

func judgeTransparent(r Recursion, target netip.Addr) Outcome {
	answered := false
	for _, a := range r.Answers {
		answered = answered || a.Msg != nil
		if a.Msg == nil || !a.Foreign(target) {
			continue
		}
		from := a.Reply.From.Addr().Unmap()
		o := fail(exposure.UDP, fmt.Sprintf("the question to %s was answered from %s", target, from), a.Evidence("the answer's sender is not the address that was asked"))
		o.Summary = o.Reason + ": the host passed it on under the asker's address. The host that answered is not part of this assessment."
		if neighbours(from, target) {
			o.Confidence = exposure.Medium
		}
		return o
	}
	if !answered {
		return notTested(exposure.UDP, r.Reason)
	}
	return pass(exposure.UDP, "answers come from the address that was asked")
}

// neighbours reports whether two addresses lie in one small network.
func neighbours(a, b netip.Addr) bool {
	bits := 24
	if a.Is6() {
		bits = 64
	}
	p, err := a.Unmap().WithZone("").Prefix(bits)
	return err == nil && p.Contains(b.Unmap().WithZone(""))
}

func runForwarder(ctx context.Context, s *Session) []Outcome {
	return s.forwarder.get(func() []Outcome { return findForwarder(ctx, s) })
}

// forwards reports whether another server is known to do this one's work, so
// that options in its answers (NSID, cookies) may be that one's.
func (s *Session) forwards(ctx context.Context) bool {
	if s.Product() == exposure.Dnsmasq {
		return true
	}
	o := runForwarder(ctx, s)
	return o[0].Status == exposure.Fail
}

func findForwarder(ctx context.Context, s *Session) []Outcome {
	via, o, ok := s.resolver(ctx)
	if !ok {
		return []Outcome{o}
	}
	z := *s.Opts.Collector
	same := nonce.Who4
	if s.Addr().Unmap().Is6() {
		same = nonce.Who6
	}
	// A resolver with both families asks over the one that can be compared,
	// since the collector refuses it over the other.
	for _, k := range []nonce.Kind{same, nonce.Who} {
		a := s.askAll(ctx, via, resolve(z.Name(k), dnswire.TypeTXT))
		if o = judgeForwarder([]sighting{sight(z, a[0])}, via, s.Addr()); o.Status != exposure.NotTested {
			break
		}
	}
	return []Outcome{o}
}

// sighting is a report of the collector with the answer that brought it.
type sighting struct {
	nonce.Report

	answer dialogue.Answer
	err    error // why there is no report
}

// sight reads the report out of an answer.
func sight(z nonce.Zone, a dialogue.Answer) sighting {
	v := sighting{answer: a}
	if a.Msg == nil || len(a.Msg.TXT()) != 1 {
		v.err = fmt.Errorf("no report came back: %s", a.Outcome())
		return v
	}
	v.Report, v.err = nonce.ParseReport(z, a.Query.Name, a.Msg.TXT()[0])
	return v
}

func judgeForwarder(seen []sighting, via exposure.Transport, target netip.Addr) Outcome {
	target = target.Unmap().WithZone("")
	var others []netip.Addr
	reason, family := "", false
	var telling []exposure.Evidence
	for _, v := range seen {
		switch from := v.Source.Addr(); {
		case v.err != nil:
			reason = v.err.Error()
		case from == target:
			return pass(via, "the collector was asked by the server's own address")
		case from.Is4() != target.Is4():
			family = true
		case !slices.Contains(others, from):
			others = append(others, from)
			telling = append(telling, v.answer.Evidence("the collector was asked by "+from.String()))
		}
	}
	switch {
	case len(others) == 0 && family:
		return notTested(via, "it asks over the other address family, which cannot be compared with "+target.String()+"; assess its other address")
	case len(others) == 0:
		return notTested(via, reason)
	case inside(target) && !inside(others[0]) || target.IsLoopback():
		return notTested(via, "the collector saw "+others[0].String()+", but address translation or a second address of the host may lie between; assess it under its outside address")
	}
	o := fail(via, "the collector was asked by "+list(others)+", not by "+target.String(), telling...)
	o.Summary = o.Reason + ": another resolver, or another address of the same one, asks in its stead. It is not part of this assessment and gets no packets."
	o.Confidence = exposure.Medium
	if neighbours(others[0], target) {
		o.Confidence = exposure.Low
	}
	return o
}

func list(addrs []netip.Addr) string {
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}

func forwarderFixes() Fixes {
	own := recursionFixes()
	return Fixes{
		"":               advice("Let only your own network reach the forwarder; ask the operator of the resolver behind it to accept your forwarder only."),
		exposure.Dnsmasq: own[exposure.Dnsmasq],
		exposure.CoreDNS: own[exposure.CoreDNS],
		exposure.BIND:    configure(exposure.BIND, "Serve your own networks only, or resolve without forwarders.", "options {\n    allow-recursion { localhost; 192.0.2.0/24; 2001:db8::/48; };\n    // remove: forwarders { ... };\n};"),
		exposure.Unbound: configure(exposure.Unbound, "Serve your own networks only, or remove the forward-zone for the root.", "server:\n    access-control: 0.0.0.0/0 refuse\n    access-control: ::0/0 refuse\n    access-control: 192.0.2.0/24 allow"),
		exposure.PDNSRec: configure(exposure.PDNSRec, "Serve your own networks only, or resolve without forwarding.", "allow-from=127.0.0.0/8, ::1/128, 192.0.2.0/24\nforward-zones-recurse="),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "Remove the forwarders, or let only inner clients reach port 53.",
			"Get-DnsServerForwarder\nRemove-DnsServerForwarder -IPAddress 198.51.100.53 -Force"),
	}
}
