package dial

import (
	"errors"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"reconshield/internal/exposure"
	"reconshield/internal/probe"
)

// beginTCP connects. It tries again when the connection was made with itself:
// see Dialer.connect.
func (w *sockets) beginTCP(p *probe.Probe) error {
	const tries = 4
	for range tries {
		s, err := w.takeTCP(p.Addr.Is6())
		if err != nil {
			return err
		}
		f := flight{asked: *p, fd: s.fd, known: s.known, sent: w.now()}
		err = unix.Connect(f.fd, w.address(p))
		if errors.Is(err, unix.EINPROGRESS) {
			// The answer of a near host is there by now, and connecting once
			// more tells it: cheaper than epoll.
			err = unix.Connect(f.fd, w.address(p))
		}
		switch {
		case errors.Is(err, unix.EALREADY), errors.Is(err, unix.EINPROGRESS):
			return w.await(f)
		case exhausted(err):
			return errors.Join(os.NewSyscallError("connect", err), unix.Close(f.fd))
		}
		self := w.conclude(&f, err, false)
		if f.fd >= 0 {
			unix.Close(f.fd) //nolint:errcheck,gosec // nothing was written that could be lost
		}
		if !self {
			return nil
		}
	}
	w.refuse(p, errors.New("connected only to itself"))
	return nil
}

// takeTCP gives an idle socket or makes one.
func (w *sockets) takeTCP(v6 bool) (idleSocket, error) {
	family, other := &w.idle[0], &w.idle[1]
	if v6 {
		family, other = other, family
	}
	if n := len(*family); n > 0 {
		s := (*family)[n-1]
		*family = (*family)[:n-1]
		return s, nil
	}
	if n := len(*other); n > 0 && w.flights.len()+n >= w.limit {
		unix.Close((*other)[n-1].fd) //nolint:errcheck,gosec // it is not connected
		*other = (*other)[:n-1]
	}
	fd, err := w.socket(v6, unix.SOCK_STREAM, 0)
	return idleSocket{fd: fd}, err
}

// connected looks at a flight of which epoll told. It reports whether it is over.
func (w *sockets) connected(f *flight) bool {
	err := unix.Connect(f.fd, w.address(&f.asked))
	if errors.Is(err, unix.EALREADY) {
		// An ICMP error that came while the kernel had the socket in hand did
		// not end the attempt, but is in the error queue.
		return w.complained(f)
	}
	asked := f.asked
	if self := w.conclude(f, err, true); self {
		if err := w.beginTCP(&asked); err != nil {
			w.refuse(&asked, err)
		}
	}
	return true
}

// conclude reports how the attempt to connect ended, err being what the kernel
// said. It takes the descriptor of a refused one for the next probe. self is
// true when the connection was made with itself, which proves nothing.
func (w *sockets) conclude(f *flight, err error, late bool) (self bool) {
	switch {
	case err == nil, errors.Is(err, unix.EISCONN),
		// A reset before the handshake is done is ECONNREFUSED: these say that
		// the connection was made and then ended.
		errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE):
		return w.opens(f, late)
	}
	if w.complained(f) {
		return false
	}
	switch reasonOfErrno(err) {
	case exposure.ReasonReset:
		w.push(answered(&f.asked, probe.Reset, f.asked.Addr, w.opened.Add(w.now())))
		family := &w.idle[0]
		if f.asked.Addr.Is6() {
			family = &w.idle[1]
		}
		if len(*family) < maxIdle && errors.Is(err, unix.ECONNREFUSED) {
			*family = append(*family, idleSocket{fd: f.fd, known: f.known})
			f.fd = -1
		}
	case exposure.ReasonTimeout: // the kernel's patience was shorter
	default:
		w.refuse(&f.asked, os.NewSyscallError("connect", err))
	}
	return false
}

// opens reports an open port.
func (w *sockets) opens(f *flight, late bool) (self bool) {
	target := netip.AddrPortFrom(f.asked.Addr, f.asked.Port)
	if w.here.hasOwn(f.asked.Addr) {
		local, err := unix.Getsockname(f.fd)
		if err == nil && samePort(addrPort(local), target) {
			return true
		}
	}
	at := w.now()
	if late {
		// The kernel's own measurement does not count the time until epoll was
		// asked.
		info, err := unix.GetsockoptTCPInfo(f.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if rtt := time.Duration(info.Rtt) * time.Microsecond; err == nil && rtt > 0 && info.Total_retrans == 0 {
			at = min(at, f.sent+rtt)
		}
	}
	w.push(answered(&f.asked, probe.SynAck, f.asked.Addr, w.opened.Add(at)))
	// A reset on close leaves no TIME_WAIT, of which a scan would pile up as
	// many as there are ephemeral ports.
	unix.SetsockoptLinger(f.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) //nolint:errcheck,gosec // only makes the close less tidy
	return false
}

// complained reports the ICMP error in the error queue, if there is one.
func (w *sockets) complained(f *flight) bool {
	e, ok := readErrorQueue(f.fd, w.buf, w.oob[:])
	if ok {
		w.push(w.complaint(f, e))
	}
	return ok
}

// complaint words an ICMP error. Those of this machine itself tell that no
// neighbour has the address, or that there is no way.
func (w *sockets) complaint(f *flight, e icmpError) probe.Reply {
	r := answered(&f.asked, answerOf(e.reason), e.offender, w.opened.Add(w.now()))
	if !w.here.hasOwn(e.offender) || f.asked.Addr == e.offender {
		return r
	}
	switch r.Answer { //nolint:exhaustive // the rest was said by a packet filter here
	case probe.HostUnreachable:
		r.Answer, r.From = probe.NoNeighbour, netip.Addr{}
	case probe.NetUnreachable:
		r.Answer, r.From = probe.NoRoute, netip.Addr{}
	}
	return r
}
