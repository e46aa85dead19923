package dial

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/quic-go/quic-go"

	"reconshield/internal/exchange"
	"reconshield/internal/exposure"
)

// doqNoError closes a DoQ connection in good order (RFC 9250 section 4.3).
const doqNoError = 0

var errPortUnreachable = errors.New("port unreachable")

// quicConn is the socket as the library sees it. It hides what a *net.UDPConn
// can do beyond sending and receiving: one small exchange needs no large
// buffers, and the library writes to the process's log when it does not get
// them. Of ICMP errors it passes on only the server's own word that nobody
// listens; any other would end the session although it may be forged.
type quicConn struct {
	net.PacketConn
	socket *udpSocket
	server netip.AddrPort
}

func (quicConn) SetReadBuffer(int) error  { return nil }
func (quicConn) SetWriteBuffer(int) error { return nil }

func (c quicConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		p, err := c.socket.receive()
		switch {
		case err != nil:
			return 0, nil, err
		case p.icmp == nil:
			return copy(b, p.payload), net.UDPAddrFromAddrPort(p.from), nil
		case p.icmp.reason == exposure.ReasonPortUnreachable && samePort(p.icmp.dest, c.server) && sameHost(p.icmp.offender, c.server.Addr()):
			return 0, nil, errPortUnreachable
		}
	}
}

func (c quicConn) WriteTo(b []byte, to net.Addr) (int, error) {
	addr, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.InvalidAddrError("not a UDP address")
	}
	return len(b), c.socket.send(b, addr.AddrPort())
}

// overQUIC is DNS over QUIC (RFC 9250). The message ID is 0 on the wire, as
// section 4.2.1 demands; the reply is given the ID of the payload again.
func (d *Dialer) overQUIC(ctx context.Context, r exchange.Request) exchange.Reply {
	ctx, cancel := context.WithTimeout(ctx, total(r.Timeouts))
	defer cancel()
	reply := exchange.Reply{BytesOut: len(r.Payload)}
	conn, err := d.listenUDP(ctx, r.Server.Addr(), r.SourcePort, r.HopLimit)
	if err != nil {
		reply.Reason, reply.Detail = localReason(ctx, err), err.Error()
		return reply
	}
	defer conn.Close() //nolint:errcheck // the answer is already there
	socket, err := newUDPSocket(conn, &d.buffers)
	if err != nil {
		reply.Reason, reply.Detail = exposure.ReasonLocalError, err.Error()
		return reply
	}
	transport := &quic.Transport{Conn: quicConn{conn, socket, r.Server}}
	defer transport.Close() //nolint:errcheck // as above
	reply.Attempts = 1
	patience := total(r.Timeouts)
	session, err := transport.Dial(ctx, net.UDPAddrFromAddrPort(r.Server), d.clientTLS(r, alpnDoQ), &quic.Config{
		HandshakeIdleTimeout: patience, MaxIdleTimeout: patience, MaxIncomingStreams: -1, MaxIncomingUniStreams: -1,
		DisablePathMTUDiscovery: true,
	})
	if err != nil {
		quicFailed(ctx, &reply, err)
		if reply.Reason == exposure.ReasonPortUnreachable {
			reply.Offender = r.Server.Addr()
		}
		return reply
	}
	defer session.CloseWithError(doqNoError, "") //nolint:errcheck // as above
	reply.TLS = d.sawTLS(session.ConnectionState().TLS, r)
	reply.Reason = exposure.ReasonUDPResponse
	if len(r.Payload) == 0 {
		return reply
	}
	if err := askQUIC(ctx, session, r, &reply); err != nil {
		quicFailed(ctx, &reply, err)
	}
	return reply
}

// askQUIC sends each message on a stream of its own, one after the other.
func askQUIC(ctx context.Context, session *quic.Conn, r exchange.Request, reply *exchange.Reply) error {
	start := time.Now()
	for i := -1; i < len(r.Pipeline); i++ {
		query := r.Payload
		if i >= 0 {
			query = r.Pipeline[i]
		}
		m, err := askStream(ctx, session, query)
		if err != nil {
			return err
		}
		if i < 0 {
			reply.Payload, reply.From, reply.Reason = m, r.Server, exposure.ReasonDNSResponse
			reply.RTT = time.Since(start)
			continue
		}
		reply.More = append(reply.More, exchange.Datagram{Payload: m, From: r.Server, After: time.Since(start)})
	}
	return nil
}

// askStream makes one query and reads one reply on a new stream.
func askStream(ctx context.Context, session *quic.Conn, query []byte) ([]byte, error) {
	out, err := frame(exchange.Request{Payload: query})
	if err != nil {
		return nil, err
	}
	const idAt, idLen = 2, 2
	var id [idLen]byte
	if len(out) >= idAt+idLen {
		copy(id[:], out[idAt:])
		clear(out[idAt : idAt+idLen])
	}
	stream, err := session.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		stream.SetDeadline(deadline) //nolint:errcheck // never fails on a new stream
	}
	stop := context.AfterFunc(ctx, func() {
		stream.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // as above
	})
	defer stop()
	if _, err := stream.Write(out); err != nil {
		return nil, err
	}
	if err := stream.Close(); err != nil { // the FIN that section 4.2 demands
		return nil, err
	}
	m, err := readMessage(stream)
	if err != nil {
		return nil, err
	}
	if len(m) >= idLen && binary.BigEndian.Uint16(m) == 0 {
		copy(m, id[:])
	}
	return m, nil
}

// quicFailed notes why an exchange over QUIC gave no answer. Whatever the peer
// itself said proves that a QUIC server is there.
func quicFailed(ctx context.Context, reply *exchange.Reply, err error) {
	reply.Detail = err.Error()
	if reply.Answered() {
		return
	}
	var (
		version     *quic.VersionNegotiationError
		transport   *quic.TransportError
		application *quic.ApplicationError
		reset       *quic.StatelessResetError
		idle        *quic.IdleTimeoutError
		handshake   *quic.HandshakeTimeoutError
	)
	switch {
	case errors.Is(err, errPortUnreachable):
		reply.Reason, reply.Detail = exposure.ReasonPortUnreachable, ""
	case errors.As(err, &version), errors.As(err, &reset),
		errors.As(err, &transport) && transport.Remote, errors.As(err, &application) && application.Remote:
		reply.Reason = exposure.ReasonUDPResponse
	case ctx.Err() != nil:
		reply.Reason = reasonOf(ctx, ctx.Err())
	case errors.As(err, &idle), errors.As(err, &handshake):
		reply.Reason = exposure.ReasonTimeout
	case reply.TLS != nil, transport != nil && transport.ErrorCode.IsCryptoError(): // a session that we ended
		reply.Reason = exposure.ReasonUDPResponse
	default:
		reply.Reason = localReason(ctx, err)
	}
}
