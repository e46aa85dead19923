package rehearse

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// tap sees the packets of one protocol and IP version that a namespace's kernel
// takes for its own: raw sockets get a copy of each after the input rules and
// before the transport layer, whether anybody listens or not (raw(7)).
type tap struct {
	fd       int
	place    string
	protocol uint8
	v6       bool
}

// openTap must run inside the namespace.
func openTap(place string, protocol uint8, v6 bool) (*tap, error) {
	version := unix.AF_INET
	if v6 {
		version = unix.AF_INET6
	}
	fd, err := unix.Socket(version, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(protocol))
	if err != nil {
		return nil, fmt.Errorf("open a raw socket for protocol %d: %w", protocol, err)
	}
	t := &tap{fd, place, protocol, v6}
	if v6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	// As much as may be; what is lost all the same is noticed by drops.
	const memory = 8 << 20
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, memory) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, memory)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("prepare a raw socket: %w", err)
	}
	return t, nil
}

// drain gives every packet with a mark that has arrived.
func (t *tap) drain(buffer, control []byte, seen func(m mark, to netip.AddrPort)) error {
	for {
		n, c, _, _, err := unix.Recvmsg(t.fd, buffer, control, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return fmt.Errorf("read a raw socket: %w", err)
		}
		payload := buffer[:n]
		var to netip.Addr
		if t.v6 {
			to = destination6(control[:c])
		} else {
			var ok bool
			if to, payload, ok = addressed(payload); !ok {
				continue
			}
		}
		if m, port, ok := arrived(t.protocol, payload); ok {
			seen(m, netip.AddrPortFrom(to, port))
		}
	}
}

// destination6 reads the destination from the control message of RFC 3542,
// section 6.
func destination6(control []byte) netip.Addr {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return netip.Addr{}
	}
	for _, m := range messages {
		if m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= 16 {
			return netip.AddrFrom16([16]byte(m.Data[:16]))
		}
	}
	return netip.Addr{}
}

// drops is how many packets the socket had no room for since it was opened.
func (t *tap) drops() (uint32, error) {
	const words, at = 9, 8 // SK_MEMINFO_VARS and SK_MEMINFO_DROPS of uapi/linux/sock_diag.h
	return sockMemory(t.fd, words, at)
}

func (t *tap) close() error { return unix.Close(t.fd) }
