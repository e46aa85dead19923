package dnscheck

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// Thresholds of the amplification factor.
const (
	factorLarge  = 10
	factorRaised = 5
	// lingerForMore is how long duplicates of the worst reply are waited for.
	lingerForMore = 300 * time.Millisecond
)

func amplifyChecks() []Check {
	return []Check{{
		ID:    "AMP-1",
		Title: "Answers multiply traffic",
		Finds: "The largest factor of bytes received to bytes sent (UDP payload) over ANY, DNSKEY and TXT of the zone's apex, the root's NS and authors.bind, each with EDNS 4096, 1232 and none; on an open resolver also the root's DNSKEY and ANY. Duplicate replies to the worst question are counted.",
		Why:   "Attackers send small questions with a victim's address and the server sends the large answers there. The owner pays the traffic and is blocked as an attacker.",

		Severity:  exposure.HighSev,
		Rationale: "High from a factor of 10 on when the server also resolves for this vantage: a stranger can then pick any large name. Medium from 10 on when it answers its own data only, authors.bind included; low from 5 to 10. Below 5 it is no better reflector than others and passes.",
		Safety:    Standard,
		Fixes:     amplifyFixes(),
		References: []exposure.Reference{
			rfc("5358", "", "reflector attacks"), rfc("8482", "", "minimal answers to ANY"), rfc("6891", "6.2.5", "payload size"),
			{Title: "CISA: UDP-based amplification attacks", URL: "https://www.cisa.gov/news-events/alerts/2014/01/17/udp-based-amplification-attacks"},
		},
		Run: runAmplification,
	}, {
		ID:    "AMP-2",
		Title: "ANY is answered in full over UDP",
		Finds: "A server that answers the type ANY over UDP with everything it has at the name, and not with one RRset or HINFO (RFC 8482).",
		Why:   "ANY is the favourite question of reflection attacks, and hardly anybody else's.",

		Severity:  exposure.LowSev,
		Rationale: "Low: the size is judged by AMP-1; this is the setting behind it.",
		Safety:    Safe,
		Fixes:     minimalAnyFixes(),
		References: []exposure.Reference{
			rfc("8482", "4", "ways to answer ANY with little"),
		},
		Run: func(ctx context.Context, s *Session) []Outcome {
			if !s.Speaks(exposure.UDP) {
				return []Outcome{s.noDatagrams(ctx)}
			}
			return s.eachZone(ctx, func(z Zone) Outcome {
				return judgeAny(s.Ask(ctx, exposure.UDP, sized(question(z.Name, dnswire.TypeANY), 4096)))
			})
		},
	}}
}

// sized adds EDNS with the payload size and DO; 0 leaves the question without EDNS.
func sized(q dnswire.Query, size uint16) dnswire.Query {
	if size > 0 {
		q.EDNS = &dnswire.EDNS{UDPSize: size, DO: true}
	}
	return q
}

func judgeAny(a dialogue.Answer) Outcome {
	switch {
	case a.Msg == nil:
		return notTested(a.Via, silence("the type ANY", a))
	case a.Is(dnswire.RcodeRefused), a.Is(dnswire.RcodeNotImp):
		return pass(a.Via, "ANY is refused: "+a.Outcome())
	case a.Msg.Truncated:
		return pass(a.Via, "ANY is cut short over UDP; the full answer needs TCP, where the sender cannot be forged")
	case a.Msg.Malformed != nil, !a.Is(dnswire.RcodeNoError):
		return notTested(a.Via, "the answer proves neither: "+a.Msg.Summary())
	}
	var types []string
	for _, rr := range a.Msg.Answer {
		t := rr.Header().Rrtype
		if name := dnswire.TypeName(t); t != dnswire.TypeRRSIG && !slices.Contains(types, name) {
			types = append(types, name)
		}
	}
	switch len(types) {
	case 0:
		return notTested(a.Via, "ANY was answered with nothing, which proves neither: "+a.Msg.Summary())
	case 1:
		return pass(a.Via, "ANY is answered with one RRset ("+types[0]+")")
	}
	return fail(a.Via, fmt.Sprintf("ANY is answered with %d RRsets (%s) in %d bytes", len(types), strings.Join(types, ", "), a.Msg.Size), a.Evidence(""))
}

// measure is one amplification measurement.
type measure struct {
	answer   dialogue.Answer
	out, in  int
	messages int
}

func (m measure) factor() float64 {
	if m.out == 0 {
		return 0
	}
	return float64(m.in) / float64(m.out)
}

func measureOf(a dialogue.Answer) measure {
	m := measure{answer: a, out: a.Reply.BytesOut, in: len(a.Reply.Payload)}
	if m.in > 0 {
		m.messages = 1
	}
	for _, d := range a.Reply.More {
		m.in += len(d.Payload)
		m.messages++
	}
	return m
}

func runAmplification(ctx context.Context, s *Session) []Outcome {
	if !s.Speaks(exposure.UDP) {
		return []Outcome{s.noDatagrams(ctx)}
	}
	authors := make(chan dialogue.Answer, 1)
	go func() { // paced, hence beside the rest
		a, asked := s.Chaos(ctx, "authors.bind")
		if !asked || a.Via != exposure.UDP {
			a = dialogue.Answer{}
		}
		authors <- a
	}()
	all := s.amplification(ctx)
	if i := worst(all); i >= 0 && all[i].answer.Msg != nil { // a small reply sent often multiplies, too
		again := s.Fresh(ctx, exposure.UDP, s.Port(), all[i].answer.Query, func(r *exchange.Request) { r.Linger = lingerForMore })
		if m := measureOf(again); m.factor() > all[i].factor() {
			all[i] = m
		}
	}
	if a := <-authors; a.Msg != nil {
		all = append(all, measureOf(a))
	}
	o := judgeAmplification(all, s.Recursion(ctx, exposure.UDP).Open())
	if missing := s.unmeasured(ctx); o.Status == exposure.Pass && missing != "" {
		o = notTested(exposure.UDP, o.Reason+"; but "+missing)
	}
	return []Outcome{o}
}

// unmeasured says why the largest answers of the server may not have been
// asked for; empty when they were.
func (s *Session) unmeasured(ctx context.Context) string {
	recursion := s.Recursion(ctx, exposure.UDP)
	silent := slices.ContainsFunc(recursion.Answers, func(a dialogue.Answer) bool { return a.Msg == nil })
	zones := s.Zones(ctx)
	switch {
	case recursion.Status == exposure.NotTested && silent:
		return "whether it resolves for this vantage is not known (REC-1), so what it would resolve was not asked for: run again"
	case s.unheard.Load():
		return s.noZone()
	case recursion.Open() || len(zones) > 0 || len(s.Opts.Zones) > 0:
		return ""
	}
	switch s.Product() { //nolint:exhaustive // the others may hold zones
	case exposure.Unbound, exposure.PDNSRec, exposure.KnotRes, exposure.Dnsmasq:
		return ""
	}
	return s.noZone()
}

// amplification asks everything that costs no CHAOS question.
func (s *Session) amplification(ctx context.Context) []measure {
	queries := []dnswire.Query{question(".", dnswire.TypeNS)}
	const zonesAsked = 2
	zones := s.Zones(ctx)
	for _, z := range zones[:min(len(zones), zonesAsked)] {
		for _, t := range []uint16{dnswire.TypeANY, dnswire.TypeDNSKEY, dnswire.TypeTXT} {
			queries = append(queries, question(z.Name, t))
		}
	}
	if s.Recursion(ctx, exposure.UDP).Open() {
		for _, t := range []uint16{dnswire.TypeNS, dnswire.TypeDNSKEY, dnswire.TypeANY} {
			queries = append(queries, dnswire.Query{Name: ".", Type: t, RD: true})
		}
	}
	perQuery := make([][]measure, len(queries))
	var wg sync.WaitGroup
	for i, q := range queries {
		wg.Go(func() { perQuery[i] = s.measureSizes(ctx, q) })
	}
	wg.Wait()
	return slices.Concat(perQuery...)
}

// measureSizes asks with EDNS 4096 first; the smaller sizes only where they can
// matter: the answer was not a refusal and not so small that no size makes it
// large.
func (s *Session) measureSizes(ctx context.Context, q dnswire.Query) []measure {
	const small = 100
	a := s.Ask(ctx, exposure.UDP, sized(q, 4096))
	out := []measure{measureOf(a)}
	if denied(a) || a.Is(dnswire.RcodeNoError) && a.Msg.Size <= small {
		return out
	}
	sizes := []uint16{0}
	if a.Is(dnswire.RcodeNoError) {
		sizes = []uint16{1232, 0}
	}
	more := make([]measure, len(sizes))
	var wg sync.WaitGroup
	for i, size := range sizes {
		wg.Go(func() { more[i] = measureOf(s.Ask(ctx, exposure.UDP, sized(q, size))) })
	}
	wg.Wait()
	return append(out, more...)
}

func worst(all []measure) int {
	best := -1
	for i, m := range all {
		if best < 0 || m.factor() > all[best].factor() {
			best = i
		}
	}
	return best
}

// judgeAmplification rates the worst factor; resolves says that strangers may
// have any name resolved, and so pick a larger answer than those measured.
func judgeAmplification(all []measure, resolves bool) Outcome {
	asked := map[string]bool{} // name and type → answered in some size
	lost := map[string]bool{}  // name and type → not answered in some size, perhaps the largest
	for _, m := range all {
		key := m.answer.Query.Name + " " + dnswire.TypeName(m.answer.Query.Type)
		lost[key] = lost[key] || m.answer.Msg == nil
		asked[key] = asked[key] || m.answer.Msg != nil && !m.answer.Is(dnswire.RcodeServFail) && !m.answer.Is(dnswire.RcodeFormErr)
	}
	var unanswered []string
	nothing := true
	for key, ok := range asked {
		nothing = nothing && !ok
		if !ok || lost[key] {
			unanswered = append(unanswered, key)
		}
	}
	slices.Sort(unanswered)
	i := worst(all)
	if i < 0 || nothing {
		return notTested(exposure.UDP, "no question was answered over UDP with more than an error: run again, or name a zone of the server with --zone")
	}
	top := all[i]
	text := fmt.Sprintf("worst factor %.1f: %s, %d bytes in %s for %d", top.factor(), top.answer.Query, top.in, messages(top.messages), top.out)
	switch {
	case top.factor() >= factorRaised:
		o := fail(exposure.UDP, text, amplificationEvidence(all)...)
		switch {
		case top.factor() < factorLarge:
			o.Severity = exposure.LowSev
		case !resolves:
			o.Severity = exposure.MediumSev
			o.Reason += "; it answers its own data only"
		}
		return o
	case len(unanswered) > 0:
		return notTested(exposure.UDP, text+"; but no answer, in some size at least, to "+strings.Join(unanswered, ", ")+": run again, or with a longer --timeout")
	}
	return pass(exposure.UDP, text)
}

func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}

// amplificationEvidence is every measurement, worst first; only the worst
// keeps its bytes.
func amplificationEvidence(all []measure) []exposure.Evidence {
	sorted := slices.SortedStableFunc(slices.Values(all), func(a, b measure) int { return cmp.Compare(b.factor(), a.factor()) })
	var out []exposure.Evidence
	for _, m := range sorted {
		if m.answer.Msg == nil {
			continue
		}
		e := m.answer.Evidence(fmt.Sprintf("factor %.1f, %s", m.factor(), messages(m.messages)))
		e.BytesIn = m.in
		if len(out) > 0 {
			e.Raw = nil
		}
		out = append(out, e)
	}
	return out
}
