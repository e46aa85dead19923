package dnscheck

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

func seenAt(via exposure.Transport, port uint16, state exposure.State, reason exposure.Reason, detail string) exposure.Observation {
	return exposure.Observation{Target: exposure.Target{Transport: via, Port: port}, State: state, Reason: reason, Detail: detail}
}

func TestWhyUnmeasured(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		seen exposure.Observation
		want string
	}{
		{seenAt("udp", 5353, "unmeasured", "not-asked", ""), "udp/5353 was not measured: add it with --ports"},
		{seenAt("tcp", 853, "unmeasured", "no-route", "network is unreachable"), "tcp/853 could not be measured (no-route, network is unreachable): mend that and run again"},
		{seenAt("tcp", 853, "unmeasured", "local-error", ""), "tcp/853 could not be measured (local-error): mend that and run again"},
		{seenAt("tcp", 853, "unmeasured", "cancelled", ""), "tcp/853 could not be measured (cancelled): mend that and run again"},
		{seenAt("tcp", 853, "unmeasured", "", "ports were not measured in this run"), "tcp/853 could not be measured (ports were not measured in this run): mend that and run again"},
	} {
		if got := whyUnmeasured(tt.seen); got != tt.want {
			t.Errorf("%+v: %s", tt.seen, got)
		}
	}
}

func TestJudgeNoDatagrams(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		seen exposure.Observation
		want string
	}{
		{seenAt("udp", 53, "closed", "icmp-port-unreachable", ""), "does not apply: udp/53 is closed"},
		{seenAt("udp", 53, "open|filtered", "timeout", ""), "udp/53 gave no answer"},
		{seenAt("udp", 53, "filtered", "icmp-admin-prohibited", ""), "udp/53 is filtered (icmp-admin-prohibited); assess it from a network that reaches it"},
		{seenAt("udp", 53, "unmeasured", "not-asked", ""), "udp/53 was not measured: add it with --ports"},
		{seenAt("udp", 53, "unmeasured", "no-route", ""), "udp/53 could not be measured (no-route): mend that and run again"},
		{seenAt("udp", 53, "open", "udp-response", ""), "no DNS was proven on udp/53"},
		{seenAt("udp", 53, "unmeasured", "", "ports were not measured in this run"), "no DNS was proven on udp/53"},
	} {
		if o := judgeNoDatagrams(tt.seen); o.Reason != tt.want || o.Status != exposure.NotTested {
			t.Errorf("%+v: %+v", tt.seen, o)
		}
	}
}

// TestSilentOverUDP: the checks that need UDP call nothing inapplicable that
// was merely silent.
func TestSilentOverUDP(t *testing.T) {
	t.Parallel()
	for state, want := range map[exposure.State]string{exposure.OpenFiltered: "udp/53 gave no answer", exposure.Closed: "does not apply: udp/53 is closed"} {
		s := fakeSession(func(*dnswire.Message, exchange.Request) *dnswire.Msg { return nil }, Options{})
		s.Server.Spoken = []exposure.Transport{exposure.TCP}
		s.Server.Observe = func(_ context.Context, via exposure.Transport, port uint16) exposure.Observation {
			return seenAt(via, port, state, exposure.ReasonTimeout, "")
		}
		for _, c := range Catalogue() {
			switch c.ID {
			case "AMP-1", "AMP-2", "COO-1", "EDNS-1", "RRL-1", "FWD-1":
				if o := c.Run(t.Context(), s); len(o) != 1 || o[0].Reason != want || o[0].Status != exposure.NotTested {
					t.Errorf("%s: %+v, want %s", c.ID, o, want)
				}
			}
		}
	}
}

func TestUnmeasuredPortsSayWhy(t *testing.T) {
	t.Parallel()
	var said []string
	for _, o := range judgeUnreachable([]exposure.Observation{
		seenAt("tcp", 953, "unmeasured", "not-asked", ""), seenAt("tcp", 8953, "unmeasured", "no-route", ""), seenAt("tcp", 8952, "closed", "conn-refused", ""),
	}, true) {
		said = append(said, string(o.Status)+" "+o.Reason)
	}
	want := []string{
		"pass not reachable from here: tcp 8952 closed",
		"not-tested could not be measured, or not every time alike: tcp 8953 (no-route); run again",
		"not-tested not measured: tcp 953; add them with --ports",
	}
	if strings.Join(said, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s", strings.Join(said, "\n"))
	}
}

func TestJudgeSilentCarrier(t *testing.T) {
	t.Parallel()
	for reason, want := range map[exposure.Reason]string{
		exposure.ReasonPortUnreachable: "does not apply: no DNS over QUIC here (udp/853 is closed (port unreachable to the check's own question))",
		exposure.ReasonTimeout:         "udp/853 gave no answer, to DNS over QUIC neither",
	} {
		a := dialogue.Answer{Reply: exchange.Reply{Reason: reason}}
		if o := judgeSilentCarrier(carrier{exposure.QUIC, 853, "DNS over QUIC"}, a); o.Reason != want || o.Status != exposure.NotTested {
			t.Errorf("%s: %+v", reason, o)
		}
	}
}

// TestProbe: on a resolver without zones cookies and EDNS are tried with a
// question that it answers, and only for this vantage.
func TestProbe(t *testing.T) {
	t.Parallel()
	const stable = "a.root-servers.net."
	for _, tt := range []struct {
		name         string
		root, withRD string // answers to questions for the root without and with RD
		resolves     bool
		wantName     string
		wantRD       bool
	}{
		{"authority without a known zone", "NOERROR", "NOERROR", false, ".", false},
		{"refuses all without RD", "REFUSED", "NOERROR ra", true, ".", true},
		{"knows no root", "REFUSED", "SERVFAIL ra", true, stable, true},
		{"silent without RD", "-", "NOERROR ra", true, ".", true},
		{"refuses strangers", "REFUSED", "REFUSED", false, ".", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
				question := q.Question[0]
				words := tt.root
				switch {
				case question.Name == stable && tt.resolves && question.Qtype == dnswire.TypeA:
					return reply(t, question, "NOERROR ra", stable+" 60 IN A 198.41.0.4")
				case question.Name == stable && tt.resolves:
					words = "NOERROR ra"
				case question.Name != ".":
					words = "REFUSED"
				case q.RecursionDesired:
					words = tt.withRD
				}
				if words == "-" {
					return nil
				}
				return reply(t, question, words)
			}, Options{})
			if q := s.probe(t.Context()); q.Name != tt.wantName || q.RD != tt.wantRD || q.Type != dnswire.TypeSOA {
				t.Errorf("%s rd=%v, want %s rd=%v", q, q.RD, tt.wantName, tt.wantRD)
			}
		})
	}
}

// TestBurst: it ends with the step that meets a limit, and at its size
// without one.
func TestBurst(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		limit int32 // answers in full before the rest is cut short
		sent  int
		want  string
	}{
		{"none", 1000, burstMost, "fail medium"},
		{"at once", 5, burstSize, "pass"},
		{"after a burst", 45, 3 * burstSize, "pass"},
		{"at the end of a step", 38, 3 * burstSize, "pass"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
				if asked.Add(1) > tt.limit {
					return reply(t, q.Question[0], "NOERROR aa tc")
				}
				return reply(t, q.Question[0], "NOERROR aa", "example.test. 60 IN NS ns1.example.test.")
			}, Options{})
			got := s.burst(t.Context(), question("example.test", dnswire.TypeNS))
			shows(t, judgeRateLimit(tally{answered: burstSize}, got), tt.want)
			if got.total() != tt.sent || got.first.Msg == nil {
				t.Errorf("%+v, want %d sent", got, tt.sent)
			}
		})
	}
}
