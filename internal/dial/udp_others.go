//go:build !linux

package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"reconshield/internal/exposure"
)

// hasErrorQueue tells that ICMP errors do not reach sockets that are not
// connected; see askConnected.
const hasErrorQueue = false

// udpSocket receives datagrams.
type udpSocket struct {
	conn    *net.UDPConn
	buffers *sync.Pool
}

func newUDPSocket(conn *net.UDPConn, buffers *sync.Pool) (*udpSocket, error) {
	return &udpSocket{conn: conn, buffers: buffers}, nil
}

func (s *udpSocket) send(payload []byte, to netip.AddrPort) error {
	_, err := s.conn.WriteToUDPAddrPort(payload, to)
	return err
}

// deadline sets until when receive waits; a context that has ended meanwhile wins.
func (s *udpSocket) deadline(ctx context.Context, t time.Time) {
	s.conn.SetReadDeadline(t) //nolint:errcheck // fails only on a closed socket, which receive reports
	if ctx.Err() != nil {
		s.conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // as above
	}
}

// receive waits for the next datagram.
func (s *udpSocket) receive() (packet, error) {
	buf, ok := s.buffers.Get().(*[]byte)
	if !ok {
		return packet{}, errors.New("buffer pool holds something else")
	}
	defer s.buffers.Put(buf)
	n, from, err := s.conn.ReadFromUDPAddrPort(*buf)
	if err != nil {
		return packet{}, err
	}
	return packet{payload: append([]byte{}, (*buf)[:n]...), from: from}, nil
}

// askConnected asks once more from a connected socket after silence: only
// there does the system report that the port is unreachable. It cannot say who
// sent the ICMP error; the server is taken for it.
func (d *Dialer) askConnected(ctx context.Context, x *udpExchange) {
	network := "udp4"
	if x.r.Server.Addr().Is6() {
		network = "udp6"
	}
	nc, err := d.netDialer(network, x.r.HopLimit).DialContext(ctx, network, x.r.Server.String())
	if err != nil {
		return
	}
	defer nc.Close() //nolint:errcheck // nothing is lost with a socket that has been read
	conn, ok := nc.(*net.UDPConn)
	if !ok || reportUnreachable(conn) != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() {
		conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // fails only on a closed socket
	})
	defer stop()
	x.sent = time.Now()
	if _, err := conn.Write(x.r.Payload); err != nil {
		return
	}
	x.reply.Attempts++
	receiver := &udpSocket{conn: conn, buffers: x.socket.buffers}
	receiver.deadline(ctx, x.sent.Add(x.r.Timeouts[0]))
	for range maxDatagrams {
		p, err := receiver.receive()
		switch {
		case err == nil:
			if _, over := x.judge(ctx, p); over {
				return
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		case reasonOf(ctx, err) == exposure.ReasonReset:
			x.reply.Reason, x.reply.Offender = exposure.ReasonPortUnreachable, x.r.Server.Addr()
			x.reply.RTT = time.Since(x.sent)
			return
		default:
			return
		}
	}
}
