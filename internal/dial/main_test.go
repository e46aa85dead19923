package dial_test

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// loopbacks are the addresses that every test runs on.
func loopbacks() []string { return []string{"127.0.0.1", "::1"} }

// query is a DNS query for the root's SOA with the ID.
func query(id uint16) []byte {
	return append(binary.BigEndian.AppendUint16(nil, id), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1)
}

// refused is the shortest reply to q.
func refused(q []byte) []byte { return []byte{q[0], q[1], 0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0} }

// answersTo accepts DNS replies to q as the product does.
func answersTo(q []byte) func([]byte) bool {
	return func(b []byte) bool { return len(b) >= 12 && b[0] == q[0] && b[1] == q[1] && b[2]&0x80 != 0 }
}

// listenUDP gives a socket on a free port, closed with the test.
func listenUDP(t *testing.T, host string) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(host), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, netip.MustParseAddrPort(conn.LocalAddr().String())
}

// serveUDP runs answer for every datagram until the test ends.
func serveUDP(t *testing.T, host string, answer func(conn *net.UDPConn, q []byte, from netip.AddrPort)) netip.AddrPort {
	t.Helper()
	conn, addr := listenUDP(t, host)
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			answer(conn, append([]byte{}, buf[:n]...), from)
		}
	}()
	return addr
}

// listenTCP gives a listener on a free port, closed with the test.
func listenTCP(t *testing.T, host string) (net.Listener, netip.AddrPort) {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, netip.MustParseAddrPort(l.Addr().String())
}

// serveTCP runs serve for every connection and closes it afterwards.
func serveTCP(t *testing.T, host string, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, addr := listenTCP(t, host)
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(5 * time.Second))
			serve(conn)
			conn.Close()
		}
	}()
	return addr
}

// freePort is a port that nothing listens on: a listener that was closed.
func freePort(t *testing.T, host string, transport exposure.Transport) netip.AddrPort {
	t.Helper()
	if transport == exposure.UDP {
		conn, addr := listenUDP(t, host)
		conn.Close()
		return addr
	}
	l, addr := listenTCP(t, host)
	l.Close()
	return addr
}

func request(server netip.AddrPort, via exposure.Transport, timeouts ...time.Duration) exchange.Request {
	q := query(0x1234)
	return exchange.Request{Server: server, Transport: via, Payload: q, Timeouts: timeouts, Accept: answersTo(q)}
}

// cancelled gives a context that is cancelled once the server has been reached.
func cancelled(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}
