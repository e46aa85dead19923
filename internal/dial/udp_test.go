package dial_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
)

const (
	long  = 5 * time.Second       // never waited out
	short = 60 * time.Millisecond // waited out where silence is the point
)

func TestUDPEnds(t *testing.T) {
	type answer = func(*net.UDPConn, []byte, netip.AddrPort)
	reply := func(form func(q []byte) []byte) answer {
		return func(c *net.UDPConn, q []byte, from netip.AddrPort) { c.WriteToUDPAddrPort(form(q), from) }
	}
	none := func(*net.UDPConn, []byte, netip.AddrPort) {}
	forgedThenTrue := func(c *net.UDPConn, q []byte, from netip.AddrPort) {
		for range 200 {
			c.WriteToUDPAddrPort([]byte("not what was asked for"), from)
		}
		c.WriteToUDPAddrPort(refused(q), from)
	}
	flood := func(c *net.UDPConn, _ []byte, from netip.AddrPort) {
		for range 20000 {
			c.WriteToUDPAddrPort([]byte{0}, from)
		}
	}
	tests := []struct {
		name     string
		answer   answer
		timeouts []time.Duration
		reason   exposure.Reason
		attempts int
		answered bool
	}{
		{"a header is an answer", reply(refused), []time.Duration{long}, exposure.ReasonDNSResponse, 1, true},
		{"another ID is none", reply(func([]byte) []byte { return refused([]byte{9, 9}) }), []time.Duration{short}, exposure.ReasonTimeout, 1, false},
		{"silence, retried", none, []time.Duration{short, short, short}, exposure.ReasonTimeout, 3, false},
		{"an echo is no answer", reply(func(q []byte) []byte { return q }), []time.Duration{short}, exposure.ReasonTimeout, 1, false},
		{"an empty datagram is no answer", reply(func([]byte) []byte { return nil }), []time.Duration{short}, exposure.ReasonTimeout, 1, false},
		{"forgeries before the answer", forgedThenTrue, []time.Duration{long}, exposure.ReasonDNSResponse, 1, true},
		{"a flood ends", flood, []time.Duration{long}, exposure.ReasonTimeout, 1, false},
	}
	for _, host := range loopbacks() {
		for _, tt := range tests {
			t.Run(host+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				server := serveUDP(t, host, tt.answer)
				got := dial.New(dial.Options{}).Exchange(t.Context(), request(server, exposure.UDP, tt.timeouts...))
				if got.Reason != tt.reason || got.Attempts != tt.attempts || got.Answered() != tt.answered {
					t.Fatalf("got %s after %d attempts, answered %v: %s", got.Reason, got.Attempts, got.Answered(), got.Detail)
				}
				if tt.answered && (got.From != server || got.RTT <= 0 || got.RTT > long || got.BytesOut != 17) {
					t.Errorf("from %s in %s, %d bytes out", got.From, got.RTT, got.BytesOut)
				}
			})
		}
	}
}

func TestUDPAnswersTheRetry(t *testing.T) {
	seen := 0
	server := serveUDP(t, "127.0.0.1", func(c *net.UDPConn, q []byte, from netip.AddrPort) {
		if seen++; seen == 2 {
			c.WriteToUDPAddrPort(refused(q), from)
		}
	})
	got := dial.New(dial.Options{}).Exchange(t.Context(), request(server, exposure.UDP, short, long, long))
	if !got.Answered() || got.Attempts != 2 {
		t.Fatalf("got %s after %d attempts", got.Reason, got.Attempts)
	}
}

func TestUDPPortUnreachable(t *testing.T) {
	for _, host := range loopbacks() {
		t.Run(host, func(t *testing.T) {
			server := freePort(t, host, exposure.UDP)
			got := dial.New(dial.Options{}).Exchange(t.Context(), request(server, exposure.UDP, long, long))
			if got.Reason != exposure.ReasonPortUnreachable || got.Offender != server.Addr() || got.Attempts != 1 {
				t.Fatalf("got %s from %v after %d attempts: %s", got.Reason, got.Offender, got.Attempts, got.Detail)
			}
		})
	}
}

func TestUDPUnexpectedSender(t *testing.T) {
	other, from := listenUDP(t, "127.0.0.2")
	server := serveUDP(t, "127.0.0.1", func(_ *net.UDPConn, q []byte, to netip.AddrPort) {
		other.WriteToUDPAddrPort(refused(q), to)
	})
	got := dial.New(dial.Options{}).Exchange(t.Context(), request(server, exposure.UDP, long))
	if !got.Answered() || got.From != from {
		t.Fatalf("got %s from %s, want an answer from %s", got.Reason, got.From, from)
	}
}

func TestUDPLinger(t *testing.T) {
	other, second := listenUDP(t, "127.0.0.2")
	server := serveUDP(t, "127.0.0.1", func(c *net.UDPConn, q []byte, to netip.AddrPort) {
		c.WriteToUDPAddrPort(refused(q), to)
		c.WriteToUDPAddrPort([]byte("noise"), to)
		other.WriteToUDPAddrPort(refused(q), to)
	})
	r := request(server, exposure.UDP, long)
	r.Linger = 200 * time.Millisecond
	got := dial.New(dial.Options{}).Exchange(t.Context(), r)
	if got.From != server || len(got.More) != 1 || got.More[0].From != second || got.Reason != exposure.ReasonDNSResponse {
		t.Fatalf("got %s from %s and %d more", got.Reason, got.From, len(got.More))
	}
}

func TestUDPFreshSourcePort(t *testing.T) {
	ports := make(chan uint16, 8)
	server := serveUDP(t, "127.0.0.1", func(c *net.UDPConn, q []byte, from netip.AddrPort) {
		ports <- from.Port()
		c.WriteToUDPAddrPort(refused(q), from)
	})
	d := dial.New(dial.Options{})
	seen := map[uint16]bool{}
	for range 8 {
		d.Exchange(t.Context(), request(server, exposure.UDP, long))
		seen[<-ports] = true
	}
	if len(seen) < 6 {
		t.Errorf("8 exchanges came from %d ports", len(seen))
	}
	r := request(server, exposure.UDP, long)
	r.SourcePort = freePort(t, "127.0.0.1", exposure.UDP).Port()
	if d.Exchange(t.Context(), r); <-ports != r.SourcePort {
		t.Errorf("the source port %d was not used", r.SourcePort)
	}
}

func TestCancelEndsAtOnce(t *testing.T) {
	for _, via := range []exposure.Transport{exposure.UDP, exposure.TCP, exposure.TLS, exposure.HTTPS, exposure.QUIC} {
		t.Run(string(via), func(t *testing.T) {
			ctx, cancel := cancelled(t)
			defer cancel()
			var server netip.AddrPort
			if via.Base() == exposure.UDP {
				server = serveUDP(t, "127.0.0.1", func(*net.UDPConn, []byte, netip.AddrPort) { cancel() })
			} else {
				server = serveTCP(t, "127.0.0.1", func(c net.Conn) {
					c.Read(make([]byte, 1))
					cancel()
					c.Read(make([]byte, 4096))
				})
			}
			start := time.Now()
			got := dial.New(dial.Options{}).Exchange(ctx, request(server, via, long, long))
			if got.Reason != exposure.ReasonCancelled || time.Since(start) > long {
				t.Fatalf("got %s after %s: %s", got.Reason, time.Since(start), got.Detail)
			}
		})
	}
}

func TestNothingToSendTo(t *testing.T) {
	tests := []struct {
		name   string
		opts   dial.Options
		server string
	}{
		{"unspecified address", dial.Options{}, "0.0.0.0:53"},
		{"multicast", dial.Options{}, "224.0.0.251:53"},
		{"link-local without a zone", dial.Options{}, "[fe80::1]:53"},
		{"multicast v6", dial.Options{}, "[ff02::fb]:53"},
		{"source of another family", dial.Options{SourceIP: netip.MustParseAddr("127.0.0.1")}, "[::1]:53"},
		{"source that is not ours", dial.Options{SourceIP: netip.MustParseAddr("192.0.2.7")}, "127.0.0.1:53"},
		{"interface that is not there", dial.Options{Interface: "no-such-if0"}, "127.0.0.1:53"},
	}
	for _, tt := range tests {
		for _, via := range []exposure.Transport{exposure.UDP, exposure.TCP, exposure.TLS, exposure.QUIC, exposure.HTTPS, "carrier-pigeon"} {
			t.Run(tt.name+" "+string(via), func(t *testing.T) {
				server := netip.MustParseAddrPort(tt.server)
				got := dial.New(tt.opts).Exchange(t.Context(), request(server, via, long))
				if got.Reason != exposure.ReasonLocalError || got.Attempts != 0 || got.Detail == "" {
					t.Fatalf("got %s after %d attempts: %q", got.Reason, got.Attempts, got.Detail)
				}
			})
		}
		t.Run(tt.name+" connect", func(t *testing.T) {
			server := netip.MustParseAddrPort(tt.server)
			got := dial.New(tt.opts).Connect(t.Context(), exposure.Target{Addr: server.Addr(), Transport: exposure.TCP, Port: 53}, long)
			if got.State != exposure.Unmeasured || got.Reason != exposure.ReasonLocalError {
				t.Fatalf("got %s %s", got.State, got.Reason)
			}
		})
	}
}
