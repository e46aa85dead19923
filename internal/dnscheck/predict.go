package dnscheck

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

func predictChecks() []Check {
	return []Check{{
		ID:    "RND-1",
		Title: "Source ports or query IDs can be predicted",
		Finds: fmt.Sprintf("A resolver whose questions come from few or predictable ports, or carry predictable IDs. Judged on %d fresh names of the collector, which reports port and ID of each question in the order of arrival; every test used errs on a good resolver less than once in a million runs.", samples),
		Why:   "Whoever can guess port and ID can answer in place of the real server and poison the cache for all users.",

		Severity:   exposure.HighSev,
		Rationale:  "High when the port or the ID does not change or counts up: the guess is one in 65536 or less. Critical when both fail. Medium when values vary within a small set or window.",
		Safety:     Safe,
		Fixes:      predictFixes(),
		References: []exposure.Reference{rfc("5452", "9", "forgery countermeasures: source ports and IDs"), rfc("6056", "3", "port selection"), {Title: "CVE-2008-1447: insufficient socket entropy", URL: "https://nvd.nist.gov/vuln/detail/CVE-2008-1447"}},
		Run:        runPredict,
	}}
}

const (
	samples = 20 // and as many again when the first are spread over several sources
	// fewestToFail samples of one source can show a fault, see patternOf for
	// the error rates; fewestToPass can show that there is none.
	fewestToFail = 8
	fewestToPass = 16
)

func runPredict(ctx context.Context, s *Session) []Outcome {
	via, o, ok := s.resolver(ctx)
	if !ok {
		return []Outcome{o}
	}
	seen := s.sightings(ctx, via, samples)
	if len(largestSource(seen)) < fewestToPass && got(seen) >= fewestToPass {
		seen = append(seen, s.sightings(ctx, via, samples)...)
	}
	return []Outcome{judgePredictable(via, s.Addr(), seen)}
}

// sightings asks for n fresh reporting names and gives what the collector saw.
// A lost one is no loss: it gets one short try, and others go on one at a time
// for as long as a question may take.
func (s *Session) sightings(ctx context.Context, via exposure.Transport, n int) []sighting {
	z := *s.Opts.Collector
	start, step, patience, longest := time.Now(), resolving, s.Timeout()*2/5, s.Timeout()
	if s.quiet {
		step = 1
	}
	if s.slow(ctx, via) { // still four at once, so that all take this long
		step, patience, longest = resolving, s.Timeout(), samples/resolving*s.Timeout()/2
	}
	var out []sighting
	for len(out) < n && (len(out) == 0 || time.Since(start) < longest) {
		batch := make([]sighting, min(step, n-len(out)))
		var wg sync.WaitGroup
		for i := range batch {
			wg.Go(func() { batch[i] = sight(z, s.brief(ctx, via, patience, resolve(z.Name(nonce.Who), dnswire.TypeTXT))) })
		}
		wg.Wait()
		for _, v := range batch {
			if v.answer.Msg == nil {
				step = 1
			}
		}
		out = append(out, batch...)
	}
	return out
}

// slow reports whether the resolver took so long for the first fresh name that
// a short try would mostly fail.
func (s *Session) slow(ctx context.Context, via exposure.Transport) bool {
	for _, a := range s.Recursion(ctx, via).Answers {
		if a.Msg != nil && (a.Reply.RTT > s.Timeout()/4 || a.Reply.Attempts > 1) {
			return true
		}
	}
	return false
}

// brief asks once, with the patience given.
func (s *Session) brief(ctx context.Context, via exposure.Transport, patience time.Duration, q dnswire.Query) dialogue.Answer {
	defer s.admit()()
	a := s.Fresh(ctx, via, s.Port(), q, func(r *exchange.Request) {
		r.Timeouts = []time.Duration{patience}
	})
	noteTrouble(ctx, a)
	return a
}

// got counts the samples that brought a report.
func got(seen []sighting) int {
	n := 0
	for _, v := range seen {
		if v.err == nil {
			n++
		}
	}
	return n
}

// largestSource gives the samples of the address that asked most over UDP, in
// the order of their arrival at the collector. Over TCP the port is no secret.
func largestSource(seen []sighting) []sighting {
	by := map[netip.Addr][]sighting{}
	var most []sighting
	for _, v := range seen {
		if v.err != nil || v.Stream {
			continue
		}
		from := v.Source.Addr()
		by[from] = append(by[from], v)
		if len(by[from]) > len(most) {
			most = by[from]
		}
	}
	slices.SortFunc(most, func(a, b sighting) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return most
}

func judgePredictable(via exposure.Transport, target netip.Addr, seen []sighting) Outcome {
	mine := largestSource(seen)
	if len(mine) < fewestToFail {
		return notTested(via, tooFew(seen, len(mine)))
	}
	ports, ids := make([]uint16, len(mine)), make([]uint16, len(mine))
	for i, v := range mine {
		ports[i], ids[i] = v.Source.Port(), v.ID
	}
	// The narrowest range that is usual for ports is 49152 to 65535 (RFC 6335).
	const portRange, idRange = 16384, 65536
	port, id := patternOf(ports, portRange), patternOf(ids, idRange)
	from := whose(mine[0].Source.Addr(), target)
	if port.kind == random && id.kind == random {
		if len(mine) < fewestToPass {
			return notTested(via, tooFew(seen, len(mine)))
		}
		return pass(via, fmt.Sprintf("%d questions from %s: ports %s; IDs %s", len(mine), from, port, id))
	}
	o := fail(via, fmt.Sprintf("%d questions from %s: ports %s; IDs %s", len(mine), from, port, id))
	const handful = 4 // values that take no more guesses than one
	switch {
	case port.kind != random && id.kind != random:
		o.Severity = exposure.Critical
	case port.kind != random && port.distinct <= handful:
	case port.kind == few || port.kind == narrow || id.kind == few || id.kind == narrow:
		o.Severity = exposure.MediumSev
	}
	o.Evidence = []exposure.Evidence{mine[0].answer.Evidence("as the collector saw them, in order, port/ID: " + pairs(ports, ids))}
	return o
}

// whose names the asking address, and says when it is another resolver's: then
// that one has to be mended.
func whose(source, target netip.Addr) string {
	target = target.Unmap().WithZone("")
	if source.Is4() == target.Is4() && source != target {
		return source.String() + " (not the server's address, see FWD-2)"
	}
	return source.String()
}

func tooFew(seen []sighting, most int) string {
	stream := 0
	for _, v := range seen {
		switch {
		case v.err != nil && got(seen) < fewestToPass:
			return fmt.Sprintf("only %d of %d questions brought a report: %v", got(seen), len(seen), v.err)
		case v.Stream:
			stream++
		}
	}
	if stream > 0 && got(seen)-stream < fewestToPass {
		return fmt.Sprintf("it asked the collector over TCP %d times, where ports are no secret", stream)
	}
	return fmt.Sprintf("its questions come from many addresses, at most %d of %d from one: too few to judge", most, got(seen))
}

func pairs(ports, ids []uint16) string {
	var b strings.Builder
	for i := range ports {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%d/%d", ports[i], ids[i])
	}
	return b.String()
}

func predictFixes() Fixes {
	return Fixes{
		"":                  advice("Let the resolver choose a random port for each question, and see that no address translation in front of it puts ports back in order; update it."),
		exposure.BIND:       configure(exposure.BIND, "Remove the port from query-source, and use the whole range.", "options {\n    query-source address *;\n    query-source-v6 address *;\n    // remove: query-source port 53;\n};"),
		exposure.Unbound:    configure(exposure.Unbound, "Use many ports.", "server:\n    outgoing-port-permit: 1024-65535\n    outgoing-range: 4096"),
		exposure.PDNSRec:    configure(exposure.PDNSRec, "Use the whole range.", "udp-source-port-min=1024\nudp-source-port-max=65535"),
		exposure.Dnsmasq:    configure(exposure.Dnsmasq, "Remove the fixed port.", "# remove: query-port=...\nmin-port=1024"),
		exposure.WindowsDNS: configure(exposure.WindowsDNS, "Use a socket pool (2500 is the default), then restart the service.", "dnscmd /Config /SocketPoolSize 10000"),
		exposure.CoreDNS:    advice("forward uses the system's ports: widen net.ipv4.ip_local_port_range, and look at the address translation in front of it."),
	}
}
