//go:build linux

package lab

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// Responder answers DNS queries on UDP and TCP port 53 of both addresses of
// the host with what fn returns; nil stays silent (UDP) or closes (TCP). fn
// gets the message without TCP's length prefix and is called concurrently. It
// stops when tb ends.
func (h *Host) Responder(tb testing.TB, fn func(query []byte, from netip.AddrPort) []byte) {
	tb.Helper()
	stop, err := h.respond(fn)
	if err != nil {
		tb.Fatal("lab:", err)
	}
	tb.Cleanup(stop)
}

// respond runs a responder for as long as the lab.
func (s *setup) respond(fn func([]byte, netip.AddrPort) []byte) error {
	stop, err := s.host.respond(fn)
	if err != nil {
		return err
	}
	s.lab.onClose(stop)
	return nil
}

func (h *Host) respond(fn func([]byte, netip.AddrPort) []byte) (stop func(), err error) {
	var open []io.Closer
	stop = func() {
		for _, c := range open {
			_ = c.Close()
		}
	}
	for _, addr := range []netip.Addr{netip.MustParseAddr("127.0.0.1"), h.V4, h.V6} {
		at := netip.AddrPortFrom(addr, 53).String()
		conn, err := h.ListenPacket("udp", at)
		if err != nil {
			stop()
			return nil, err
		}
		open = append(open, conn)
		listener, err := h.Listen("tcp", at)
		if err != nil {
			stop()
			return nil, err
		}
		open = append(open, listener)
		go serveUDP(conn, fn)
		go serve(listener, func(c net.Conn) { serveTCP(c, fn) })
	}
	return stop, nil
}

func serveUDP(conn net.PacketConn, fn func([]byte, netip.AddrPort) []byte) {
	for {
		buffer := make([]byte, 65535)
		n, from, err := conn.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error for an earlier reply
		}
		go func() {
			client, ok := from.(*net.UDPAddr)
			if !ok {
				return
			}
			if reply := fn(buffer[:n], client.AddrPort()); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}()
	}
}

// serve hands every connection to fn and closes it afterwards.
func serve(listener net.Listener, fn func(net.Conn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }()
			if conn.SetDeadline(time.Now().Add(time.Minute)) == nil {
				fn(conn)
			}
		}()
	}
}

// serveTCP answers length-prefixed messages (RFC 1035 section 4.2.2) one after
// the other.
func serveTCP(conn net.Conn, fn func([]byte, netip.AddrPort) []byte) {
	client, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return
	}
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		reply := fn(query, client.AddrPort())
		if reply == nil || len(reply) > 65535 {
			return
		}
		framed := binary.BigEndian.AppendUint16(nil, uint16(len(reply))) //nolint:gosec // bounded above
		if _, err := conn.Write(append(framed, reply...)); err != nil {
			return
		}
	}
}
