package dnscheck

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// fakeServer answers questions in tests; nil is silence. It must be safe for
// concurrent use.
type fakeServer func(q *dnswire.Message, r exchange.Request) *dnswire.Msg

// Exchange makes a fakeServer an Exchanger that never waits.
func (f fakeServer) Exchange(_ context.Context, r exchange.Request) exchange.Reply {
	q, err := dnswire.Parse(r.Payload)
	if err != nil {
		return exchange.Reply{Reason: exposure.ReasonLocalError, Detail: err.Error()}
	}
	m := f(q, r)
	if m == nil {
		return exchange.Reply{Reason: exposure.ReasonTimeout, Attempts: len(r.Timeouts), BytesOut: len(r.Payload)}
	}
	m.Id, m.Response = q.Id, true
	wire, err := m.Pack()
	if err != nil {
		return exchange.Reply{Reason: exposure.ReasonLocalError, Detail: err.Error()}
	}
	return exchange.Reply{Payload: wire, From: r.Server, Reason: exposure.ReasonDNSResponse, RTT: time.Millisecond, Attempts: 1, BytesOut: len(r.Payload)}
}

// fakeSession is a session with a fakeServer that speaks UDP and TCP.
func fakeSession(f fakeServer, opts Options) *Session {
	d := dialogue.New(f, netip.MustParseAddr("192.0.2.53"), dialogue.Options{Timeout: time.Second})
	return NewSession(d, Server{Addr: d.Addr(), Spoken: []exposure.Transport{exposure.UDP, exposure.TCP}}, opts)
}

// reply makes the answer to a question: words are a response code and flags
// ("NXDOMAIN aa ra ad tc"), records are in presentation form, those of the
// authority section with "ns:" in front.
func reply(tb testing.TB, question dnswire.Question, words string, records ...string) *dnswire.Msg {
	tb.Helper()
	m := &dnswire.Msg{Question: []dnswire.Question{question}}
	m.Response = true
	for w := range strings.FieldsSeq(words) {
		switch w {
		case "aa":
			m.Authoritative = true
		case "ra":
			m.RecursionAvailable = true
		case "ad":
			m.AuthenticatedData = true
		case "tc":
			m.Truncated = true
		default:
			m.Rcode = rcodeOf(tb, w)
		}
	}
	for _, text := range records {
		text, authority := strings.CutPrefix(text, "ns:")
		rr, err := dnswire.ParseRR(text)
		if err != nil {
			tb.Fatalf("%q: %v", text, err)
		}
		if authority {
			m.Ns = append(m.Ns, rr)
		} else {
			m.Answer = append(m.Answer, rr)
		}
	}
	return m
}

func rcodeOf(tb testing.TB, name string) int {
	tb.Helper()
	for rcode := range 24 {
		if dnswire.RcodeName(rcode) == name {
			return rcode
		}
	}
	tb.Fatalf("no response code %q", name)
	return 0
}

// answerTo is a question with its answer, as a check's judge gets it; words
// "-" is silence.
func answerTo(tb testing.TB, q dnswire.Query, words string, records ...string) dialogue.Answer {
	tb.Helper()
	a := dialogue.Answer{Query: q, Via: exposure.UDP, Port: dialogue.DNSPort, Reply: exchange.Reply{Reason: exposure.ReasonTimeout}}
	if words == "-" {
		return a
	}
	m := reply(tb, dnswire.Question{Name: dnswire.FQDN(q.Name), Qtype: q.Type, Qclass: dnswire.ClassIN}, words, records...)
	wire, err := m.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	a.Reply = exchange.Reply{Payload: wire, Reason: exposure.ReasonDNSResponse, From: netip.MustParseAddrPort("192.0.2.53:53")}
	if a.Msg, err = dnswire.Parse(wire); err != nil || a.Msg.Malformed != nil {
		tb.Fatal(err, a.Msg)
	}
	return a
}
