package dial_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

// carriers are the ways a wire works: the system's own and the one for every
// system.
func carriers() map[string]func(*testing.T, dial.Options) *dial.Wire {
	table := payload.New()
	return map[string]func(*testing.T, dial.Options) *dial.Wire{
		"own": func(t *testing.T, o dial.Options) *dial.Wire {
			t.Helper()
			w, err := dial.New(o).OpenWire(table)
			if err != nil {
				t.Fatal(err)
			}
			return closing(t, w)
		},
		"pool": func(t *testing.T, o dial.Options) *dial.Wire {
			t.Helper()
			return closing(t, dial.New(o).OpenPool(table))
		},
	}
}

func closing(t *testing.T, w *dial.Wire) *dial.Wire {
	t.Helper()
	t.Cleanup(func() {
		for range 2 { // closing twice is harmless
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return w
}

// ask sends one probe and collects n replies, as many as come when n is 0.
func ask(t *testing.T, w *dial.Wire, p probe.Probe, n int) []probe.Reply {
	t.Helper()
	if took, err := w.Send([]probe.Probe{p}); took != 1 || err != nil {
		t.Fatalf("took %d: %v", took, err)
	}
	var got []probe.Reply
	var into [4]probe.Reply
	wait := long
	if n == 0 {
		wait, n = 4*short, 1
	}
	for end := time.Now().Add(wait); len(got) < n && time.Now().Before(end); {
		k, err := w.Receive(into[:], time.Until(end))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, into[:k]...)
	}
	return got
}

// response answers the DNS question that unlisted ports are asked.
func response(q []byte) []byte {
	r := append([]byte{}, q...)
	r[2] |= 0x80
	return r
}

func TestWireAnswers(t *testing.T) {
	reply := func(form func(q []byte) []byte) func(*net.UDPConn, []byte, netip.AddrPort) {
		return func(c *net.UDPConn, q []byte, from netip.AddrPort) { c.WriteToUDPAddrPort(form(q), from) }
	}
	for name, open := range carriers() {
		for _, host := range loopbacks() {
			_, listening := listenTCP(t, host)
			tests := []struct {
				name     string
				kind     probe.Kind
				server   netip.AddrPort
				answer   probe.Answer
				protocol string
			}{
				{"open", probe.TCP, listening, probe.SynAck, ""},
				{"closed", probe.TCP, freePort(t, host, exposure.TCP), probe.Reset, ""},
				{"udp answered", probe.UDP, serveUDP(t, host, reply(response)), probe.Datagram, "dns"},
				{"udp closed", probe.UDP, freePort(t, host, exposure.UDP), probe.PortUnreachable, ""},
				{"udp echo proves nothing", probe.UDP, serveUDP(t, host, reply(func(q []byte) []byte { return q })), probe.Datagram, ""},
				{"udp something else", probe.UDP, serveUDP(t, host, reply(func([]byte) []byte { return []byte("hello") })), probe.Datagram, ""},
			}
			for _, tt := range tests {
				t.Run(name+" "+host+" "+tt.name, func(t *testing.T) {
					w := open(t, dial.Options{})
					p := probe.Probe{Addr: tt.server.Addr(), Port: tt.server.Port(), Kind: tt.kind, Attempt: 5, Patience: long}
					before := time.Now()
					got := ask(t, w, p, 1)
					if len(got) != 1 {
						t.Fatalf("%d replies", len(got))
					}
					p.Patience = 0
					want := probe.Reply{Probe: p, Answer: tt.answer, From: tt.server.Addr(), Protocol: tt.protocol}
					if diff := cmp.Diff(want, got[0], cmpopts.EquateComparable(netip.Addr{}), cmpopts.IgnoreFields(probe.Reply{}, "At")); diff != "" {
						t.Error(diff)
					}
					if at := got[0].At; at.Before(before) || at.After(time.Now()) {
						t.Errorf("at %s, %s after sending", at, at.Sub(before))
					}
				})
			}
		}
	}
}

func TestWireRefuses(t *testing.T) {
	tests := []struct {
		name   string
		opts   dial.Options
		addr   string
		answer probe.Answer
		detail string
	}{
		{"nothing", dial.Options{}, "0.0.0.0", probe.LocalError, "no address to send to"},
		{"multicast", dial.Options{}, "224.0.0.251", probe.LocalError, "multicast address 224.0.0.251 is never sent to"},
		{"multicast v6", dial.Options{}, "ff02::1", probe.LocalError, "multicast address ff02::1 is never sent to"},
		{"link-local without interface", dial.Options{}, "fe80::1", probe.LocalError, "link-local address without a zone"},
		{"another family", dial.Options{SourceIP: netip.MustParseAddr("127.0.0.1")}, "::1", probe.LocalError, "source address 127.0.0.1 is of another family than ::1"},
	}
	for name, open := range carriers() {
		for _, tt := range tests {
			for _, kind := range []probe.Kind{probe.TCP, probe.UDP, probe.Echo} {
				t.Run(name+" "+tt.name+" "+string(kind.Transport()), func(t *testing.T) {
					got := ask(t, open(t, tt.opts), probe.Probe{Addr: netip.MustParseAddr(tt.addr), Port: 53, Kind: kind, Patience: long}, 1)
					if len(got) != 1 || got[0].Answer != tt.answer || got[0].Detail != tt.detail || got[0].From.IsValid() {
						t.Errorf("got %+v", got)
					}
				})
			}
		}
	}
}

func TestWireNeverBroadcasts(t *testing.T) {
	for name, open := range carriers() {
		for _, kind := range []probe.Kind{probe.TCP, probe.UDP} {
			got := ask(t, open(t, dial.Options{}), probe.Probe{Addr: netip.MustParseAddr("127.255.255.255"), Port: 53, Kind: kind, Patience: long}, 1)
			if len(got) != 1 || got[0].Answer < probe.NoRoute || got[0].Detail != "broadcast address" {
				t.Errorf("%s %s: got %+v", name, kind.Transport(), got)
			}
		}
	}
}

// A wire that nobody receives from holds a bounded number of replies.
func TestWireDoesNotFlood(t *testing.T) {
	closed := freePort(t, "127.0.0.1", exposure.TCP)
	batch := make([]probe.Probe, 1000)
	for i := range batch {
		batch[i] = probe.Probe{Addr: closed.Addr(), Port: closed.Port(), Patience: long}
	}
	for name, open := range carriers() {
		t.Run(name, func(t *testing.T) {
			w := open(t, dial.Options{})
			sent, refused := 0, false
			for range 100 {
				n, err := w.Send(batch)
				if err != nil {
					t.Fatal(err)
				}
				sent += n
				if refused = n == 0; refused {
					break
				}
			}
			if !refused {
				t.Fatalf("%d probes taken", sent)
			}
			into := make([]probe.Reply, 500)
			for got := 0; got < sent; {
				n, err := w.Receive(into, long)
				if err != nil || n == 0 {
					t.Fatalf("%d replies of %d: %v", got, sent, err)
				}
				got += n
			}
		})
	}
}

func TestWireLimits(t *testing.T) {
	for name, open := range carriers() {
		w := open(t, dial.Options{})
		if got := w.Limits(1); len(got) != 0 {
			t.Errorf("%s: one target: %q", name, got)
		}
		if got := w.Limits(1 << 40); len(got) == 0 {
			t.Errorf("%s: nothing is said of 2^40 targets", name)
		}
	}
}
