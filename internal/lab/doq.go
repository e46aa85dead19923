//go:build linux

package lab

import (
	"context"
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"
)

// doq is DNS over QUIC (RFC 9250) in front of unbound-abused; port 53 refuses.
func doq(s *setup) error {
	conf, err := s.tlsConfig("doq")
	if err != nil {
		return err
	}
	for _, addr := range []netip.Addr{s.host.V4, s.host.V6} {
		conn, err := s.host.ListenPacket("udp", netip.AddrPortFrom(addr, 853).String())
		if err != nil {
			return err
		}
		listener, err := quic.Listen(conn, conf, &quic.Config{MaxIdleTimeout: 10 * time.Second})
		if err != nil {
			return err
		}
		s.lab.onClose(func() {
			_ = listener.Close()
			_ = conn.Close()
		})
		go serveQUIC(listener, s.host)
	}
	return s.respond(shortRefusal)
}

func serveQUIC(listener *quic.Listener, h *Host) {
	for {
		conn, err := listener.Accept(context.Background())
		if err != nil {
			return
		}
		go func() {
			for {
				stream, err := conn.AcceptStream(context.Background())
				if err != nil {
					return
				}
				go serveStream(stream, h)
			}
		}()
	}
}

// serveStream carries one query and its answer, each with a length before it
// (RFC 9250 section 4.2).
func serveStream(stream *quic.Stream, h *Host) {
	defer func() { _ = stream.Close() }()
	message, err := io.ReadAll(io.LimitReader(stream, 2+65535))
	if err != nil || len(message) < 14 || int(binary.BigEndian.Uint16(message)) != len(message)-2 {
		stream.CancelWrite(2) // DOQ_PROTOCOL_ERROR, RFC 9250 section 8.4
		return
	}
	upstream, _ := addressOf("unbound-abused")
	reply, err := h.exchange(message[2:], netip.AddrPortFrom(upstream, 53))
	if err != nil {
		return
	}
	framed := binary.BigEndian.AppendUint16(nil, uint16(len(reply))) //nolint:gosec // a UDP payload
	_, _ = stream.Write(append(framed, reply...))
}
