package dnscheck

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"

	"reconshield/internal/dnswire"
	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// TestBusyResolverIsAskedAgain: a resolver that answers one question at a time
// and leaves the others gets its verdicts in the second round.
func TestBusyResolverIsAskedAgain(t *testing.T) {
	z := probeZone(t)
	var busy atomic.Bool
	busy.Store(true)
	s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
		ask := q.Question[0]
		if _, _, err := z.Parse(ask.Name); err == nil && ask.Qtype == dnswire.TypeTXT && busy.Load() {
			return reply(t, ask, "SERVFAIL ra")
		}
		return reply(t, ask, "NOERROR ra", ask.Name+" 60 A "+z.Addr4(ask.Name).String())
	}, Options{Collector: &z})
	rounds := 0
	check := Check{ID: "T-1", Run: func(ctx context.Context, s *Session) []Outcome {
		rounds++
		a := s.askAll(ctx, exposure.UDP, resolve(z.Name("who"), dnswire.TypeTXT))[0]
		if a.Is(dnswire.RcodeServFail) {
			busy.Store(false)
			return []Outcome{notTested(exposure.UDP, "failed")}
		}
		return []Outcome{pass(exposure.UDP, "fine")}
	}}
	ran := Run(t.Context(), s, []Check{check}, nil)
	if rounds != 2 || ran[0].Outcomes[0].Status != exposure.Pass {
		t.Errorf("%d rounds, %+v", rounds, ran[0].Outcomes)
	}
}

// TestLimitedServerIsHeardAfterAll: a server that limits the rate of its answers
// over UDP, and told over TCP what it thinks of recursion, is asked once more
// when nothing else is. One that is silent over both is not.
func TestLimitedServerIsHeardAfterAll(t *testing.T) {
	t.Parallel()
	z := probeZone(t)
	for _, tt := range []struct {
		name   string
		stream bool // answers over TCP
		want   exposure.Status
	}{
		{"limited", true, exposure.Pass},
		{"silent", false, exposure.NotTested},
	} {
		var missed atomic.Int32
		s := fakeSession(func(q *dnswire.Message, r exchange.Request) *dnswire.Msg {
			switch {
			case r.Transport == exposure.TCP && !tt.stream, r.Transport == exposure.UDP && missed.Add(1) <= 2:
				return nil
			}
			return reply(t, q.Question[0], "REFUSED")
		}, Options{Collector: &z})
		checks, err := Select(Catalogue(), Standard, []string{"REC-1", "FWD-1"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, ran := range Run(t.Context(), s, checks, nil) {
			if got := ran.Outcomes[0]; got.Status != tt.want {
				t.Errorf("%s: %s is %s (%s), want %s", tt.name, ran.Check.ID, got.Status, got.Reason, tt.want)
			}
		}
	}
}

// TestVerdictsAreNotRepeated: neither a verdict nor a check that met no
// trouble is looked at twice.
func TestVerdictsAreNotRepeated(t *testing.T) {
	t.Parallel()
	s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg { return reply(t, q.Question[0], "SERVFAIL") }, Options{})
	verdict, untroubled := 0, 0
	Run(t.Context(), s, []Check{
		{ID: "T-1", Run: func(ctx context.Context, s *Session) []Outcome {
			verdict++
			s.askAll(ctx, exposure.UDP, question("a.test", dnswire.TypeA))
			return []Outcome{pass(exposure.UDP, "fine")}
		}},
		{ID: "T-2", Run: func(context.Context, *Session) []Outcome {
			untroubled++
			return []Outcome{notTested(exposure.UDP, "does not apply")}
		}},
	}, nil)
	if verdict != 1 || untroubled != 1 {
		t.Errorf("ran %d and %d times, want once", verdict, untroubled)
	}
}

func TestOthersAnswersAreDisowned(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		id   string
		via  exposure.Transport
		port uint16
		want exposure.Status
	}{
		{"EDNS-1", exposure.UDP, 0, exposure.NotTested},
		{"EDNS-1", exposure.TCP, 0, exposure.Pass},
		{"MDN-1", exposure.UDP, 5353, exposure.Pass},
		{"REC-1", exposure.UDP, 0, exposure.Pass},
		{"FWD-1", exposure.UDP, 0, exposure.Pass},
	} {
		t.Run(tt.id+string(tt.via), func(t *testing.T) {
			t.Parallel()
			s := fakeSession(nil, Options{})
			from := netip.MustParseAddr("203.0.113.9")
			s.stranger.Store(&from)
			r := Ran{Check{ID: tt.id}, []Outcome{{Status: exposure.Pass, Transport: tt.via, Port: tt.port}}}
			if s.disown(&r); r.Outcomes[0].Status != tt.want {
				t.Errorf("%+v", r.Outcomes[0])
			}
		})
	}
}
