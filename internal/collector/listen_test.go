package collector

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"reconshield/internal/dnswire"
	"reconshield/internal/nonce"
)

func sockets(t *testing.T, address string) (net.PacketConn, net.Listener) {
	t.Helper()
	udp, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", address)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return udp, tcp
}

func TestServe(t *testing.T) {
	s := start(t, nil)
	udp4, tcp4 := sockets(t, "127.0.0.1:0")
	udp6, tcp6 := sockets(t, "[::1]:0")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, []net.PacketConn{udp4, udp6}, []net.Listener{tcp4, tcp6}) }()
	for _, a := range []net.Addr{udp4.LocalAddr(), udp6.LocalAddr(), tcp4.Addr(), tcp6.Addr()} {
		roundTrip(t, s, a)
	}
	idle, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", tcp4.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(4 * time.Second): // less than an idle connection may live
		t.Error("Serve does not end")
	}
}

func roundTrip(t *testing.T, s *Server, a net.Addr) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), a.Network(), a.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	name := s.zone.Name(nonce.Who)
	wire, err := dnswire.Query{Name: name, Type: dnswire.TypeTXT}.Pack(9)
	if err != nil {
		t.Fatal(err)
	}
	stream := a.Network() == "tcp"
	if stream {
		wire = append([]byte{0, byte(len(wire))}, wire...)
	}
	if _, err := c.Write(wire); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2000)
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	out := buf[:n]
	if stream {
		out = out[2:]
	}
	m, err := dnswire.Parse(out)
	if err != nil || len(m.TXT()) != 1 {
		t.Fatalf("%s %s: %v", a.Network(), a, err)
	}
	r, err := nonce.ParseReport(s.zone, name, m.TXT()[0])
	if err != nil || r.Stream != stream || r.Source != addrPort(c.LocalAddr()) {
		t.Errorf("%s %s: report %+v, %v", a.Network(), a, r, err)
	}
}

func TestServeNeedsASocket(t *testing.T) {
	if err := start(t, nil).Serve(t.Context(), nil, nil); err == nil {
		t.Error("served on nothing")
	}
}

type brokenListener struct{ net.Listener }

func (brokenListener) Accept() (net.Conn, error) { return nil, errors.New("broken") }

func TestServeEndsOnABrokenSocket(t *testing.T) {
	udp, tcp := sockets(t, "127.0.0.1:0")
	err := start(t, nil).Serve(t.Context(), []net.PacketConn{udp}, []net.Listener{brokenListener{tcp}})
	if err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("Serve: %v", err)
	}
}
