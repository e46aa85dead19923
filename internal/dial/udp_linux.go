package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hasErrorQueue tells that ICMP errors reach sockets that are not connected.
const hasErrorQueue = true

// udpSocket receives datagrams and ICMP errors. It takes a buffer only when
// something is there to be read, so that thousands of silent sockets cost little.
type udpSocket struct {
	conn    *net.UDPConn
	raw     syscall.RawConn
	buffers *sync.Pool
}

func newUDPSocket(conn *net.UDPConn, buffers *sync.Pool) (*udpSocket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &udpSocket{conn: conn, raw: raw, buffers: buffers}, nil
}

// send writes one datagram. An ICMP error that waits on the socket makes the
// write fail in its stead, hence the second try.
func (s *udpSocket) send(payload []byte, to netip.AddrPort) error {
	_, err := s.conn.WriteToUDPAddrPort(payload, to)
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.EHOSTUNREACH) {
		_, err = s.conn.WriteToUDPAddrPort(payload, to)
	}
	return err
}

// deadline sets until when receive waits; a context that has ended meanwhile wins.
func (s *udpSocket) deadline(ctx context.Context, t time.Time) {
	s.conn.SetReadDeadline(t) //nolint:errcheck // fails only on a closed socket, which receive reports
	if ctx.Err() != nil {
		s.conn.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // as above
	}
}

// receive waits for the next datagram or ICMP error.
func (s *udpSocket) receive() (packet, error) {
	var p packet
	var failed error
	err := s.raw.Read(func(fd uintptr) bool {
		var done bool
		p, done, failed = s.poll(int(fd))
		return done
	})
	return p, errors.Join(err, failed)
}

// poll looks once at both queues of the socket; done is false when both are empty.
func (s *udpSocket) poll(fd int) (p packet, done bool, err error) {
	buf, ok := s.buffers.Get().(*[]byte)
	if !ok {
		return packet{}, true, errors.New("buffer pool holds something else")
	}
	defer s.buffers.Put(buf)
	// A pending error is reported once by a read and then cleared; what it was
	// about is in the error queue.
	const tries = 4
	for range tries {
		n, from, err := unix.Recvfrom(fd, *buf, unix.MSG_DONTWAIT)
		if err == nil {
			return packet{payload: append([]byte{}, (*buf)[:n]...), from: addrPort(from)}, true, nil
		}
		if e, ok := readErrorQueue(fd, *buf, make([]byte, errorSpace)); ok {
			return packet{icmp: &e}, true, nil
		}
		if errors.Is(err, unix.EAGAIN) {
			return packet{}, false, nil
		}
	}
	return packet{}, false, nil
}

// errorSpace is room for the control messages of one error.
const errorSpace = 512

// readErrorQueue takes the next ICMP error from the socket's error queue,
// passing over what is none. buf takes what is quoted and oob, errorSpace long,
// the control messages; both may be used again afterwards.
func readErrorQueue(fd int, buf, oob []byte) (icmpError, bool) {
	const looks = 16
	for range looks {
		n, oobn, _, from, err := unix.Recvmsg(fd, buf, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return icmpError{}, false
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			continue
		}
		for _, m := range messages {
			v4 := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_RECVERR
			v6 := m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_RECVERR
			if !v4 && !v6 {
				continue
			}
			if e, ok := parseExtendedError(m.Data); ok {
				e.dest, e.quoted = addrPort(from), append([]byte{}, buf[:n]...)
				return e, true
			}
		}
	}
	return icmpError{}, false
}

// addrPort converts a socket address; the zero AddrPort for other families.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(a.ZoneId), 10))
		}
		return netip.AddrPortFrom(addr, uint16(a.Port))
	}
	return netip.AddrPort{}
}

// askConnected is needed only where ICMP errors reach connected sockets alone.
func (d *Dialer) askConnected(context.Context, *udpExchange) {}
