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
)

// privateReverse are the reverse zones of private networks that are asked for
// (RFC 6303 section 4.1 and 4.4, the usual ones).
func privateReverse() []string {
	return []string{
		"10.in-addr.arpa.", "16.172.in-addr.arpa.", "168.192.in-addr.arpa.",
		"0.168.192.in-addr.arpa.", "1.168.192.in-addr.arpa.", "d.f.ip6.arpa.",
	}
}

func runPrivateReverse(ctx context.Context, s *Session) []Outcome {
	var queries []dnswire.Query
	for _, zone := range privateReverse() {
		queries = append(queries, question(zone, dnswire.TypeSOA))
	}
	return judgePrivateReverse(s.askAll(ctx, s.content(), queries...), s.Addr())
}

// judgePrivateReverse gives one outcome for each populated zone, else a single
// one for all.
func judgePrivateReverse(answers []dialogue.Answer, server netip.Addr) []Outcome {
	var out []Outcome
	silent := 0
	for _, a := range answers {
		if unreadable(a) {
			silent++
			continue
		}
		soa := populated(a)
		if soa == nil {
			continue
		}
		o := fail(a.Via, fmt.Sprintf("the private reverse zone has real content: its primary is %s, contact %s", soa.Ns, soa.Mbox), a.Evidence(""))
		o.Subject, o.Severity = a.Query.Name, exposure.MediumSev
		if privateAddr(server) {
			o.Severity, o.Confidence = exposure.Info, exposure.Medium
			o.Reason += "; the server itself has a private address, where that belongs as long as nobody outside reaches it"
		}
		out = append(out, o)
	}
	if len(out) > 0 {
		return out
	}
	via := exposure.Transport("")
	if len(answers) > 0 {
		via = answers[0].Via
	}
	o := pass(via, "no private reverse zone with real content")
	if silent > 0 {
		o = notTested(via, fmt.Sprintf("%d of %d questions for private reverse zones met no answer that could be read: run again, or with a longer --timeout", silent, len(answers)))
	}
	o.Subject = "private reverse zones"
	return []Outcome{o}
}

// populated is the SOA of a zone that is really kept: not one of the empty
// zones that servers make up (RFC 6303 section 3) or of AS112 (RFC 7534).
func populated(a dialogue.Answer) *dnswire.SOA {
	if !a.Msg.Authoritative || !a.Is(dnswire.RcodeNoError) {
		return nil
	}
	for _, rr := range dnswire.RRset(a.Msg.Answer, a.Query.Name, dnswire.TypeSOA) {
		soa, ok := rr.(*dnswire.SOA)
		if !ok {
			continue
		}
		primary := strings.ToLower(soa.Ns)
		empty := []string{strings.ToLower(soa.Hdr.Name), ".", "localhost.", "prisoner.iana.org.", "blackhole.as112.arpa."}
		if !slices.Contains(empty, primary) && !strings.HasPrefix(strings.ToLower(soa.Mbox), "nobody.invalid") {
			return soa
		}
	}
	return nil
}
