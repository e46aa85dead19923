package dnscheck

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
	"reconshield/internal/nonce"
)

// probeZone is the collector's zone in tests, and fixed the name that is asked
// for with its right address.
func probeZone(tb testing.TB) nonce.Zone {
	tb.Helper()
	z, err := nonce.New("probe.test", nil)
	if err != nil {
		tb.Fatal(err)
	}
	return z
}

func TestJudgeRecursion(t *testing.T) {
	z := probeZone(t)
	name := z.Name(nonce.Plain)
	right := name + " 60 A " + z.Addr4(name).String()
	const stable = "a.root-servers.net."
	const stableRight, stableWrong = stable + " 60 A 198.41.0.4", stable + " 60 A 198.51.100.99"
	for _, c := range []struct {
		what          string
		fresh, stable []string // words, records; nil: not asked
		status        exposure.Status
		confidence    exposure.Confidence
		genuine, lie  bool
	}{
		{"resolved", []string{"NOERROR ra", right}, nil, exposure.Fail, exposure.High, true, false},
		{"resolved without RA", []string{"NOERROR", right}, nil, exposure.Fail, exposure.High, true, false},
		{"the collector itself", []string{"NOERROR aa", right}, []string{"REFUSED"}, exposure.Pass, exposure.High, false, false},
		{"a forwarder that keeps flags", []string{"NOERROR aa", right}, []string{"NOERROR", stableRight}, exposure.Fail, exposure.High, true, false},
		{"an answer with AA and RA", []string{"NOERROR aa ra", right}, nil, exposure.Fail, exposure.High, true, false},
		{"the collector, stable name silent", []string{"NOERROR aa", right}, []string{"-"}, exposure.NotTested, "", false, false},
		{"refused", []string{"REFUSED"}, nil, exposure.Pass, exposure.High, false, false},
		{"refused though RA", []string{"REFUSED ra"}, nil, exposure.Pass, exposure.High, false, false},
		{"not authoritative", []string{"NOTAUTH"}, nil, exposure.Pass, exposure.High, false, false},
		{"referral to the root", []string{"NOERROR", "ns:. 60 NS a.root-servers.net."}, nil, exposure.Pass, exposure.High, false, false},
		{"referral with RA proves nothing", []string{"NOERROR ra", "ns:. 60 NS a.root-servers.net."}, []string{"-"}, exposure.NotTested, "", false, false},
		{"own NXDOMAIN", []string{"NXDOMAIN aa", "ns:test. 60 SOA a. b. 1 2 3 4 5"}, nil, exposure.Pass, exposure.High, false, false},
		{"own NODATA", []string{"NOERROR aa", "ns:test. 60 SOA a. b. 1 2 3 4 5"}, nil, exposure.Pass, exposure.High, false, false},
		{"own NXDOMAIN of a resolver", []string{"NXDOMAIN aa ra"}, []string{"NOERROR ra", stableRight}, exposure.Fail, exposure.Medium, false, false},
		{"bare NOERROR", []string{"NOERROR"}, []string{"NOERROR"}, exposure.NotTested, "", false, false},
		{"silence twice", []string{"-"}, []string{"-"}, exposure.NotTested, "", false, false},
		{"silence, then refused", []string{"-"}, []string{"REFUSED"}, exposure.Pass, exposure.High, false, false},
		{"collector out of reach", []string{"SERVFAIL ra"}, []string{"NOERROR ra", stableRight}, exposure.Fail, exposure.Medium, false, false},
		{"zone not delegated", []string{"NXDOMAIN ra"}, []string{"NOERROR ra", stableRight}, exposure.Fail, exposure.Medium, false, false},
		{"SERVFAIL twice", []string{"SERVFAIL ra"}, []string{"SERVFAIL ra"}, exposure.NotTested, "", false, false},
		{"rate limited", []string{"NOERROR tc"}, []string{"NOERROR tc"}, exposure.NotTested, "", false, false},
		{"wrong address twice", []string{"NOERROR ra", name + " 60 A 198.51.100.99"}, []string{"NOERROR ra", stableWrong}, exposure.NotTested, "", false, true},
		{"wrong address for the fresh name only", []string{"NOERROR ra", name + " 60 A 198.51.100.99"}, []string{"NOERROR ra", stableRight}, exposure.Fail, exposure.Medium, false, true},
		{"right and wrong address", []string{"NOERROR ra", right, name + " 60 A 198.51.100.99"}, []string{"-"}, exposure.NotTested, "", false, true},
		{"no collector, resolved", nil, []string{"NOERROR ra", stableRight}, exposure.Fail, exposure.Medium, false, false},
		{"no collector, no RA", nil, []string{"NOERROR", stableRight}, exposure.Fail, exposure.Low, false, false},
		{"no collector, its own name", nil, []string{"NOERROR aa", stableRight}, exposure.Pass, exposure.High, false, false},
		{"no collector, lie", nil, []string{"NOERROR ra", stableWrong}, exposure.NotTested, "", false, true},
		{"no collector, refused", nil, []string{"REFUSED"}, exposure.Pass, exposure.High, false, false},
		{"no collector, silence", nil, []string{"-"}, exposure.NotTested, "", false, false},
	} {
		p := probes{name: name}
		if c.fresh != nil {
			a := answerTo(t, resolve(name, dnswire.TypeA), c.fresh[0], c.fresh[1:]...)
			p.fresh = &a
		}
		if c.stable != nil {
			a := answerTo(t, resolve(stable, dnswire.TypeA), c.stable[0], c.stable[1:]...)
			p.stable = &a
		}
		r := p.judge(&z, stable)
		if r.Status != c.status || r.Confidence != c.confidence || r.Genuine != c.genuine || r.Lie.IsValid() != c.lie || r.Reason == "" {
			t.Errorf("%s: %+v", c.what, r)
		}
	}
}

func TestBrokenRepliesProveNothing(t *testing.T) {
	z := probeZone(t)
	name := z.Name(nonce.Plain)
	for _, c := range []struct {
		words  string
		status exposure.Status
	}{
		{"NOERROR aa", exposure.NotTested},
		{"NXDOMAIN aa", exposure.NotTested},
		{"REFUSED", exposure.Pass}, // the header says it all
	} {
		a := answerTo(t, resolve(name, dnswire.TypeA), c.words)
		a.Msg.Malformed = errors.New("broken")
		if r := judgeFresh(z, name, a); r.Status != c.status {
			t.Errorf("%s: %+v", c.words, r)
		}
	}
}

func TestJudgeOpenWeighsTheAddress(t *testing.T) {
	open := Recursion{Status: exposure.Fail, Confidence: exposure.High, Reason: "it resolved"}
	for _, c := range []struct {
		target   string
		status   exposure.Status
		severity exposure.Severity
	}{
		{"192.0.2.53", exposure.Fail, ""},
		{"2001:db8::53", exposure.Fail, ""},
		{"10.0.0.53", exposure.Fail, ""},
		{"100.64.0.1", exposure.Fail, ""},
		{"fd00::53", exposure.Fail, ""},
		{"127.0.0.1", exposure.Fail, exposure.LowSev},
		{"::1", exposure.Fail, exposure.LowSev},
	} {
		o := judgeOpen(open, exposure.UDP, netip.MustParseAddr(c.target))
		if o.Status != c.status || o.Severity != c.severity {
			t.Errorf("%s: %+v", c.target, o)
		}
	}
	offered := Recursion{Status: exposure.NotTested, Offered: true, Reason: "SERVFAIL"}
	if o := judgeOpen(offered, exposure.UDP, netip.MustParseAddr("192.0.2.53")); o.Status != exposure.Fail || o.Severity != exposure.MediumSev || o.Confidence != exposure.Low {
		t.Errorf("recursion that was offered and failed: %+v", o)
	}
	closed := Recursion{Status: exposure.Pass, Reason: "recursion refused"}
	if o := judgeOpen(closed, exposure.UDP, netip.MustParseAddr("127.0.0.1")); o.Status != exposure.Pass {
		t.Errorf("a refusal on loopback: %+v", o)
	}
}

func TestJudgeLie(t *testing.T) {
	lie := netip.MustParseAddr("198.51.100.99")
	for _, c := range []struct {
		what       string
		r          Recursion
		collector  bool
		status     exposure.Status
		confidence exposure.Confidence
	}{
		{"right", Recursion{Status: exposure.Fail, Genuine: true}, true, exposure.Pass, ""},
		{"wrong", Recursion{Status: exposure.NotTested, Lie: lie}, true, exposure.Fail, ""},
		{"wrong well-known name", Recursion{Status: exposure.NotTested, Lie: lie}, false, exposure.Fail, exposure.Low},
		{"right well-known name", Recursion{Status: exposure.Fail}, false, exposure.NotTested, ""},
		{"refuses", Recursion{Status: exposure.Pass}, true, exposure.NotTested, ""},
		{"collector out of reach", Recursion{Status: exposure.Fail}, true, exposure.NotTested, ""},
		{"silence", Recursion{Status: exposure.NotTested, Reason: "no answer"}, true, exposure.NotTested, ""},
	} {
		o := judgeLie(c.r, exposure.UDP, c.collector)
		if o.Status != c.status || o.Confidence != c.confidence || o.Reason == "" {
			t.Errorf("%s: %+v", c.what, o)
		}
	}
}

// recorder counts the questions a fake server gets.
type recorder struct {
	mu    sync.Mutex
	names []string
}

func (r *recorder) add(q *dnswire.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names = append(r.names, q.Question[0].Name)
}

func (r *recorder) count(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, have := range r.names {
		if strings.HasSuffix(have, name) {
			n++
		}
	}
	return n
}

func TestRecursionAsksTheStableNameOnlyWhenNeeded(t *testing.T) {
	z := probeZone(t)
	for _, c := range []struct {
		what   string
		words  string // for the fresh name
		fresh  int
		stable int
	}{
		{"resolved", "right", 1, 0},
		{"refused", "REFUSED", 1, 1},
		{"failed", "SERVFAIL", 2, 1},
		{"silent", "-", 1, 1},
	} {
		var seen recorder
		s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
			seen.add(q)
			ask := q.Question[0]
			switch {
			case ask.Name == "a.root-servers.net.":
				return reply(t, ask, "NOERROR ra", "a.root-servers.net. 60 A 198.41.0.4")
			case c.words == "-":
				return nil
			case c.words == "right":
				return reply(t, ask, "NOERROR ra", ask.Name+" 60 A "+z.Addr4(ask.Name).String())
			}
			return reply(t, ask, c.words)
		}, Options{Collector: &z})
		s.Recursion(t.Context(), exposure.UDP)
		s.Recursion(t.Context(), exposure.UDP)
		if got := seen.count("a.root-servers.net."); got != c.stable {
			t.Errorf("%s: the stable name was asked for %d times, want %d", c.what, got, c.stable)
		}
		if got := seen.count(".a.probe.test."); got != c.fresh {
			t.Errorf("%s: %d fresh names, want %d", c.what, got, c.fresh)
		}
	}
}

func TestRecursionLooksTwiceAtRateLimiting(t *testing.T) {
	z := probeZone(t)
	var seen recorder
	s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
		seen.add(q)
		ask := q.Question[0]
		if seen.count(".a.probe.test.") == 1 {
			return reply(t, ask, "NOERROR tc")
		}
		return reply(t, ask, "NOERROR ra", ask.Name+" 60 A "+z.Addr4(ask.Name).String())
	}, Options{Collector: &z})
	if r := s.Recursion(t.Context(), exposure.UDP); !r.Genuine {
		t.Errorf("%+v", r)
	}
}

func TestChecksWithoutCollectorOrRecursion(t *testing.T) {
	z := probeZone(t)
	refuse := fakeServer(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg { return reply(t, q.Question[0], "REFUSED") })
	silent := fakeServer(func(*dnswire.Message, exchange.Request) *dnswire.Msg { return nil })
	for _, c := range []struct {
		what   string
		server fakeServer
		opts   Options
		reason string
	}{
		{"no collector", refuse, Options{}, "reconshield collector"},
		{"refused", refuse, Options{Collector: &z}, "resolves nothing for this vantage"},
		{"silent", silent, Options{Collector: &z}, "see REC-1"},
	} {
		s := fakeSession(c.server, c.opts)
		for _, check := range recursiveOnly() {
			for _, o := range check.Run(t.Context(), s) {
				if o.Status != exposure.NotTested || !strings.Contains(o.Reason, c.reason) {
					t.Errorf("%s: %s: %s %q", c.what, check.ID, o.Status, o.Reason)
				}
			}
		}
	}
}

// recursiveOnly are the checks that make no sense without recursion.
func recursiveOnly() []Check {
	var out []Check
	for _, checks := range [][]Check{snoopChecks(), predictChecks(), validateChecks(), subnetChecks(), hijackChecks(), rebindChecks(), forwarderChecks()[1:]} {
		out = append(out, checks...)
	}
	return out
}

func TestAnswersFromElsewhereAreNotTestedFurther(t *testing.T) {
	z := probeZone(t)
	elsewhere := exchangerFunc(func(r exchange.Request) exchange.Reply {
		q, err := dnswire.Parse(r.Payload)
		if err != nil {
			t.Error(err)
		}
		ask := q.Question[0]
		out := fakeServer(func(*dnswire.Message, exchange.Request) *dnswire.Msg {
			return reply(t, ask, "NOERROR ra", ask.Name+" 60 A "+z.Addr4(ask.Name).String())
		}).Exchange(t.Context(), r)
		out.From = netip.MustParseAddrPort("203.0.113.8:53")
		return out
	})
	s := sessionOver(elsewhere, []exposure.Transport{exposure.UDP}, Options{Collector: &z})
	if o := forwarderChecks()[0].Run(t.Context(), s); o[0].Status != exposure.Fail || o[0].Confidence != "" {
		t.Errorf("FWD-1: %+v", o)
	}
	for _, check := range recursiveOnly() {
		for _, o := range check.Run(t.Context(), s) {
			if o.Status != exposure.NotTested {
				t.Errorf("%s: %s %q", check.ID, o.Status, o.Reason)
			}
		}
	}
}

type exchangerFunc func(exchange.Request) exchange.Reply

func (f exchangerFunc) Exchange(_ context.Context, r exchange.Request) exchange.Reply { return f(r) }

func sessionOver(x dialogue.Exchanger, spoken []exposure.Transport, opts Options) *Session {
	d := dialogue.New(x, netip.MustParseAddr("192.0.2.53"), dialogue.Options{Timeout: time.Second})
	return NewSession(d, Server{Addr: d.Addr(), Spoken: spoken}, opts)
}
