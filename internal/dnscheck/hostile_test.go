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
	"reconshield/internal/nonce"
)

// statusOf runs one check against a server and gives the status over UDP, or
// the only one.
func statusOf(t *testing.T, id string, s *Session) Outcome {
	t.Helper()
	checks, err := Select(Catalogue(), Intrusive, []string{id}, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := Run(t.Context(), s, checks, nil)[0].Outcomes
	return out[0]
}

// TestErrorsProveNothing: a server that answers every question with one error
// gets no verdict from checks that did not come to a real answer.
func TestErrorsProveNothing(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"SERVFAIL", "SERVFAIL ra", "FORMERR", "NOERROR aa tc"} {
		for _, id := range []string{"REC-2", "SNP-1", "RND-1", "SEC-1", "ECS-1", "NXD-1", "RBD-1", "XFR-1", "UPD-1", "WLD-1", "SEC-2", "AMP-2"} {
			t.Run(words+" "+id, func(t *testing.T) {
				t.Parallel()
				z := probeZone(t)
				s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg { return reply(t, q.Question[0], words) }, Options{Collector: &z})
				if o := statusOf(t, id, s); o.Status != exposure.NotTested {
					t.Errorf("%+v", o)
				}
			})
		}
		t.Run(words+" private reverse zones", func(t *testing.T) {
			t.Parallel()
			s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg { return reply(t, q.Question[0], words) }, Options{})
			if out := runPrivateReverse(t.Context(), s); out[0].Status != exposure.NotTested {
				t.Errorf("%+v", out)
			}
		})
	}
}

// TestAmplificationNeedsSomethingToMeasure: a refusal of all that is known is
// no proof for zones that nobody named.
func TestAmplificationNeedsSomethingToMeasure(t *testing.T) {
	t.Parallel()
	refuse := func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg { return reply(t, q.Question[0], "REFUSED") }
	for _, tt := range []struct {
		name    string
		product exposure.Product
		zones   []string
		want    exposure.Status
	}{
		{"no zone known", exposure.BIND, nil, exposure.NotTested},
		{"not the zone's server", exposure.BIND, []string{"example.test"}, exposure.Pass},
		{"holds no zones", exposure.Unbound, nil, exposure.Pass},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := fakeSession(refuse, Options{Zones: tt.zones})
			s.Server.Identity = &exposure.Service{Product: tt.product}
			s.chaos.get(func() map[string]dialogue.Answer { return nil })
			if o := statusOf(t, "AMP-1", s); o.Status != tt.want {
				t.Errorf("%+v", o)
			}
		})
	}
}

// flooder sends twenty copies of every answer to whoever listens that long.
type flooder struct{ fakeServer }

func (f flooder) Exchange(ctx context.Context, r exchange.Request) exchange.Reply {
	reply := f.fakeServer.Exchange(ctx, r)
	for range 20 {
		if r.Linger > 0 {
			reply.More = append(reply.More, exchange.Datagram{Payload: reply.Payload})
		}
	}
	return reply
}

// TestSmallRepliesSentOften: the factor counts every copy of a small reply.
func TestSmallRepliesSentOften(t *testing.T) {
	t.Parallel()
	flood := flooder{fakeServer(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg { return reply(t, q.Question[0], "REFUSED") })}
	d := dialogue.New(flood, netip.MustParseAddr("192.0.2.53"), dialogue.Options{Timeout: time.Second})
	s := NewSession(d, Server{Addr: d.Addr(), Spoken: []exposure.Transport{exposure.UDP}}, Options{Zones: []string{"example.test"}})
	s.chaos.get(func() map[string]dialogue.Answer { return nil })
	if o := statusOf(t, "AMP-1", s); o.Status != exposure.Fail {
		t.Errorf("%+v", o)
	}
}

// TestTheLargestSizeWasLost: an answer to a smaller size does not make up for
// the silence that met the largest.
func TestTheLargestSizeWasLost(t *testing.T) {
	t.Parallel()
	s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
		switch ask := q.Question[0]; {
		case ask.Name == "example.test." && ask.Qtype == dnswire.TypeSOA:
			return reply(t, ask, "NOERROR aa", soaText)
		case ask.Qtype == dnswire.TypeTXT && q.OPT() != nil && q.OPT().UDPSize() == 4096:
			return nil
		default:
			return reply(t, ask, "NOERROR aa")
		}
	}, Options{Zones: []string{"example.test"}})
	s.chaos.get(func() map[string]dialogue.Answer { return nil })
	if o := statusOf(t, "AMP-1", s); o.Status != exposure.NotTested {
		t.Errorf("%+v", o)
	}
}

// TestWildcardOfIPv6 is a zone whose wildcard has an IPv6 address only.
func TestWildcardOfIPv6(t *testing.T) {
	t.Parallel()
	s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
		switch ask := q.Question[0]; {
		case ask.Name == "example.test." && ask.Qtype == dnswire.TypeSOA:
			return reply(t, ask, "NOERROR aa", soaText)
		case ask.Qtype == dnswire.TypeAAAA:
			return reply(t, ask, "NOERROR aa", ask.Name+" 60 AAAA 2001:db8::1")
		default:
			return reply(t, ask, "NOERROR aa")
		}
	}, Options{Zones: []string{"example.test"}})
	if o := statusOf(t, "WLD-1", s); o.Status != exposure.Fail {
		t.Errorf("%+v", o)
	}
}

// TestZoneIsFoundOverTheOtherTransport: silence over UDP does not hide a zone.
func TestZoneIsFoundOverTheOtherTransport(t *testing.T) {
	t.Parallel()
	for _, udp := range []string{"-", "NOERROR aa tc"} {
		s := fakeSession(func(q *dnswire.Message, r exchange.Request) *dnswire.Msg {
			switch {
			case r.Transport == exposure.TCP:
				return reply(t, q.Question[0], "NOERROR aa", soaText)
			case udp == "-":
				return nil
			}
			return reply(t, q.Question[0], udp)
		}, Options{Zones: []string{"example.test"}})
		if zones := s.Zones(t.Context()); len(zones) != 1 {
			t.Errorf("UDP %s: %d zones", udp, len(zones))
		}
	}
}

// TestRefusalOfAFailedUpstream: dnsmasq says REFUSED with RA when nobody
// answered it, which is no refusal of the asker.
func TestRefusalOfAFailedUpstream(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		words   string
		product exposure.Product
		want    exposure.Status
	}{
		{"REFUSED ra", exposure.Dnsmasq, exposure.NotTested},
		{"REFUSED", exposure.Dnsmasq, exposure.Pass},
		{"REFUSED ra", exposure.Unbound, exposure.Pass},
	} {
		z := probeZone(t)
		s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg { return reply(t, q.Question[0], tt.words) }, Options{Collector: &z})
		s.Server.Identity = &exposure.Service{Product: tt.product}
		if r := s.Recursion(t.Context(), exposure.UDP); r.Status != tt.want {
			t.Errorf("%s of %s: %+v", tt.words, tt.product, r)
		}
	}
}

// TestRecursionBehindADisguise: a resolver is one, too, when it refuses only
// the collector's names, and when it sets AA on all it was told.
func TestRecursionBehindADisguise(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fresh, stable string // "+" in front: with the right address
		want          exposure.Status
	}{
		{"REFUSED", "+NOERROR ra", exposure.Fail},
		{"REFUSED", "REFUSED", exposure.Pass},
		{"REFUSED", "+NOERROR aa", exposure.Pass}, // holds the name itself
		{"REFUSED", "-", exposure.Pass},
		{"+NOERROR aa", "+NOERROR aa", exposure.Fail},
		{"+NOERROR aa", "REFUSED", exposure.Pass}, // the collector itself
	} {
		t.Run(tt.fresh+" "+tt.stable, func(t *testing.T) {
			t.Parallel()
			z := probeZone(t)
			s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
				ask, words, address := q.Question[0], tt.stable, "198.41.0.4"
				if ask.Name != "a.root-servers.net." {
					words, address = tt.fresh, z.Addr4(ask.Name).String()
				}
				if words == "-" {
					return nil
				}
				words, right := strings.CutPrefix(words, "+")
				if right {
					return reply(t, ask, words, ask.Name+" 60 A "+address)
				}
				return reply(t, ask, words)
			}, Options{Collector: &z})
			if r := s.Recursion(t.Context(), exposure.UDP); r.Status != tt.want {
				t.Errorf("%s, want %s: %s", r.Status, tt.want, r.Reason)
			}
		})
	}
}

// TestRebindTellsAFilterFromABadMoment: SERVFAIL is a filter only where fresh
// names meet it again and a public address does not.
func TestRebindTellsAFilterFromABadMoment(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		first, second bool // private addresses fail in the first and second round
		control       bool // the control fails
		want          exposure.Status
	}{
		{"filter", true, true, false, exposure.Pass},
		{"bad moment", true, false, false, exposure.Fail},
		{"still bad", true, true, true, exposure.NotTested},
		{"no filter", false, false, false, exposure.Fail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			z := probeZone(t)
			var seen recorder
			s := fakeSession(func(q *dnswire.Message, _ exchange.Request) *dnswire.Msg {
				ask := q.Question[0]
				_, kind, err := z.Parse(ask.Name)
				private := err == nil && strings.HasPrefix(string(kind), "priv")
				if private {
					seen.add(q)
				}
				round2 := seen.count(".probe.test.") > len(nonce.Private())
				fails := private && (tt.first && !round2 || tt.second && round2) || tt.control && !private && round2Started(&seen)
				if fails {
					return reply(t, ask, "SERVFAIL ra")
				}
				address := z.Addr4(ask.Name)
				if ask.Qtype == dnswire.TypeAAAA {
					address = z.Addr6(ask.Name)
				}
				return reply(t, ask, "NOERROR ra", ask.Name+" 60 "+dnswire.TypeName(ask.Qtype)+" "+address.String())
			}, Options{Collector: &z})
			if o := runRebind(t.Context(), s)[0]; o.Status != tt.want {
				t.Errorf("%+v", o)
			}
		})
	}
}

func round2Started(seen *recorder) bool { return seen.count(".probe.test.") >= len(nonce.Private()) }

func TestHiddenOrLost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		identity exposure.Service
		want     exposure.Status
	}{
		{"unknown", exposure.Service{How: "answered a DNS question"}, exposure.Pass},
		{"known by behaviour", exposure.Service{Product: exposure.Knot, How: "behaviour: this"}, exposure.Fail},
		{"told, and behaves otherwise", exposure.Service{Product: exposure.Knot, How: "behaviour: this", Banner: "unbound 1.17.1"}, exposure.NotTested},
		{"version lost", exposure.Service{Product: exposure.Knot, How: "behaviour: this", Details: []string{"no answer to version.bind"}}, exposure.NotTested},
		{"behaviour lost", exposure.Service{How: "answered a DNS question", Details: []string{"no answer to the questions that tell families apart"}}, exposure.NotTested},
	} {
		if o := judgeHidden(exposure.UDP, &tt.identity); o.Status != tt.want {
			t.Errorf("%s: %+v", tt.name, o)
		}
	}
}
