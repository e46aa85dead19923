package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"reconshield/internal/exposure"
)

// handshake connects with a socket of its own, because package net closes the
// socket of a failed connection before its error queue can be read. self is
// true when the connection was made with itself.
func (d *Dialer) handshake(ctx context.Context, server netip.AddrPort, deadline time.Time, hopLimit int) (h handshake, self bool) {
	fd, to, err := d.tcpSocket(server, hopLimit)
	if err != nil {
		return handshake{reason: localReason(ctx, err), detail: err.Error()}, false
	}
	start := time.Now()
	err = unix.Connect(fd, to)
	f := os.NewFile(uintptr(fd), "tcp") // non-blocking, hence polled by the runtime
	defer f.Close()                     //nolint:errcheck // the socket was never written to
	if errors.Is(err, unix.EINPROGRESS) {
		err = waitConnected(ctx, f, deadline)
	}
	h = handshake{rtt: time.Since(start), attempts: 1}
	raw, rawErr := f.SyscallConn()
	if rawErr != nil {
		return handshake{reason: exposure.ReasonLocalError, detail: rawErr.Error()}, false
	}
	rawErr = raw.Control(func(fd uintptr) {
		self = h.conclude(ctx, int(fd), server, err)
	})
	if rawErr != nil {
		return handshake{reason: exposure.ReasonLocalError, detail: rawErr.Error()}, false
	}
	return h, self
}

// tcpSocket makes a non-blocking socket, bound as the options say.
func (d *Dialer) tcpSocket(server netip.AddrPort, hopLimit int) (int, unix.Sockaddr, error) {
	family := unix.AF_INET
	if server.Addr().Is6() {
		family = unix.AF_INET6
	}
	to, err := sockaddr(server)
	if err != nil {
		return 0, nil, err
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, os.NewSyscallError("socket", err)
	}
	if err := d.setUpTCP(fd, server.Addr().Is6(), hopLimit); err != nil {
		return 0, nil, errors.Join(err, unix.Close(fd))
	}
	return fd, to, nil
}

func (d *Dialer) setUpTCP(fd int, v6 bool, hopLimit int) error {
	if err := prepare(uintptr(fd), v6, d.opts.Interface, hopLimit); err != nil {
		return err
	}
	// A reset on close leaves no TIME_WAIT, of which a scan would pile up as
	// many as there are ephemeral ports.
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return os.NewSyscallError("setsockopt SO_LINGER", err)
	}
	if !d.opts.SourceIP.IsValid() {
		return nil
	}
	// Without this option bind would reserve a port for all destinations.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return os.NewSyscallError("setsockopt IP_BIND_ADDRESS_NO_PORT", err)
	}
	from, err := sockaddr(netip.AddrPortFrom(d.opts.SourceIP, 0))
	if err != nil {
		return err
	}
	return os.NewSyscallError("bind", unix.Bind(fd, from))
}

// waitConnected waits for the end of the handshake: nil when it is complete,
// the socket's error, or that of a deadline.
func waitConnected(ctx context.Context, f *os.File, deadline time.Time) error {
	if err := f.SetWriteDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		f.SetWriteDeadline(time.Unix(1, 0)) //nolint:errcheck // fails only on a closed socket
	})
	defer stop()
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		errno, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		switch {
		case err != nil:
			failed = os.NewSyscallError("getsockopt", err)
			return true
		case errno != 0:
			failed = os.NewSyscallError("connect", unix.Errno(errno))
			return true
		}
		_, err = unix.Getpeername(int(fd))
		return err == nil
	})
	if err != nil {
		return err
	}
	return failed
}

// conclude reads what the kernel knows of the attempt that ended with err.
func (h *handshake) conclude(ctx context.Context, fd int, server netip.AddrPort, err error) (self bool) {
	if info, infoErr := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); infoErr == nil {
		h.attempts += int(info.Total_retrans)
		// The kernel's own measurement does not count the time until this
		// process was woken.
		if rtt := time.Duration(info.Rtt) * time.Microsecond; err == nil && rtt > 0 && rtt < h.rtt {
			h.rtt = rtt
		}
	}
	if err == nil {
		h.reason = exposure.ReasonSynAck
		local, localErr := unix.Getsockname(fd)
		return localErr == nil && samePort(addrPort(local), server)
	}
	var quoted [256]byte
	if e, ok := readErrorQueue(fd, quoted[:], make([]byte, errorSpace)); ok {
		h.reason, h.offender = e.reason, e.offender
		return false
	}
	h.reason = reasonOf(ctx, err)
	switch h.reason { //nolint:exhaustive // the others need no word
	case exposure.ReasonTimeout:
		h.rtt = 0
	case exposure.ReasonHostUnreachable: // no ICMP error: a route of our own says so
		h.reason = exposure.ReasonNoRoute
		fallthrough
	case exposure.ReasonNoRoute, exposure.ReasonLocalError, exposure.ReasonCancelled:
		h.rtt, h.attempts, h.detail = 0, 0, localDetail(server.Addr(), err)
	}
	return false
}

// sockaddr converts an address; a zone may be an interface's name or number.
func sockaddr(a netip.AddrPort) (unix.Sockaddr, error) {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
	zone := a.Addr().Zone()
	if zone == "" {
		return sa, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		sa.ZoneId = uint32(n)
		return sa, nil
	}
	ifi, err := net.InterfaceByName(zone)
	if err != nil {
		return nil, err
	}
	sa.ZoneId = uint32(ifi.Index)
	return sa, nil
}
