package dial

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"reconshield/internal/exposure"
	"reconshield/internal/probe"
)

// maxLooks bounds how many datagrams and ICMP errors one flight is worth, so
// that a flood cannot hold it.
const maxLooks = 64

// beginUDP sends the port's question from a socket that is not connected, so
// that an answer from another address than was asked is seen.
func (w *sockets) beginUDP(p *probe.Probe) error {
	fd, err := w.socket(p.Addr.Is6(), unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if w.here.hasOwn(p.Addr) {
		if fd, err = w.connectUDP(fd, p); err != nil {
			return err
		}
	}
	f := flight{asked: *p, cookie: w.key.Cookie(p), fd: fd, sent: w.now()}
	question := w.payloads.For(p.Port).Append(w.buf[:0], uint64(f.cookie))
	if err := unix.Sendto(fd, question, 0, w.address(p)); err != nil {
		return errors.Join(os.NewSyscallError("sendto", err), unix.Close(fd))
	}
	return w.await(f)
}

// connectUDP connects a socket to a port of this machine. Others of our own
// sockets may hold that port: unless they are connected elsewhere, the datagram
// would reach them and a closed port would seem silent. Only a socket's own
// port can be met then, and another is taken.
func (w *sockets) connectUDP(fd int, p *probe.Probe) (int, error) {
	const tries = 4
	for range tries {
		if err := unix.Connect(fd, w.address(p)); err != nil {
			return -1, errors.Join(os.NewSyscallError("connect", err), unix.Close(fd))
		}
		local, err := unix.Getsockname(fd)
		if err == nil && addrPort(local).Port() != p.Port {
			return fd, nil
		}
		next, err := w.socket(p.Addr.Is6(), unix.SOCK_DGRAM, 0)
		unix.Close(fd) //nolint:errcheck,gosec // after the next was made, so that its port is another
		if err != nil {
			return -1, err
		}
		fd = next
	}
	return -1, errors.Join(errors.New("connected only to itself"), unix.Close(fd))
}

// beginEcho sends an echo request from an ICMP datagram socket. The kernel
// writes the identifier and the checksum (ping(7), net.ipv4.ping_group_range).
func (w *sockets) beginEcho(p *probe.Probe) error {
	const request4, request6 = 8, 128
	protocol, kind := unix.IPPROTO_ICMP, byte(request4)
	if p.Addr.Is6() {
		protocol, kind = unix.IPPROTO_ICMPV6, request6
	}
	fd, err := w.socket(p.Addr.Is6(), unix.SOCK_DGRAM, protocol)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EPROTONOSUPPORT) {
		err = errors.New("not permitted to send echo requests: let the sysctl net.ipv4.ping_group_range include this user's group")
	}
	if err != nil {
		return err
	}
	f := flight{asked: *p, cookie: w.key.Cookie(p), fd: fd, sent: w.now()}
	f.asked.Port = 0
	message := append(w.buf[:0], kind, 0, 0, 0, 0, 0, 0, p.Attempt)
	message = binary.BigEndian.AppendUint64(message, uint64(f.cookie))
	if err := unix.Sendto(fd, message, 0, w.address(&f.asked)); err != nil {
		return errors.Join(os.NewSyscallError("sendto", err), unix.Close(fd))
	}
	return w.await(f)
}

// arrived reads both queues of a UDP or echo socket. It reports whether the
// flight is over.
func (w *sockets) arrived(f *flight) bool {
	for ; f.looks < maxLooks; f.looks++ {
		n, from, err := unix.Recvfrom(f.fd, w.buf, unix.MSG_DONTWAIT)
		if err == nil {
			if w.judge(f, w.buf[:n], addrPort(from)) {
				return true
			}
			continue
		}
		if e, ok := readErrorQueue(f.fd, w.buf, w.oob[:]); ok {
			if w.judgeError(f, e) {
				return true
			}
			continue
		}
		if errors.Is(err, unix.EAGAIN) {
			return false
		}
	}
	return true
}

// judge looks at a datagram. One that answers the question ends the flight;
// another is told of once when it comes from the port that was asked.
func (w *sockets) judge(f *flight, data []byte, from netip.AddrPort) (over bool) {
	sender := from.Addr().WithZone("")
	r := answered(&f.asked, probe.Datagram, sender, w.opened.Add(w.now()))
	if f.asked.Kind == probe.Echo {
		if over = f.echoes(data); over {
			r.Answer = probe.EchoReply
			w.push(r)
		} else {
			w.forged++
		}
		return over
	}
	question := w.payloads.For(f.asked.Port)
	switch {
	case question.Answers(data, uint64(f.cookie)):
		r.Protocol = question.Protocol
		w.push(r)
		return true
	case sender != f.asked.Addr || from.Port() != f.asked.Port:
		w.forged++
	case !f.strange:
		f.strange = true
		w.push(r)
	}
	return false
}

// echoes reports the echo reply to the request (RFC 792, RFC 4443 section 4.2).
func (f *flight) echoes(data []byte) bool {
	const reply4, reply6, length = 0, 129, 16
	kind := byte(reply4)
	if f.asked.Addr.Is6() {
		kind = reply6
	}
	return len(data) >= length && data[0] == kind && data[1] == 0 && data[7] == f.asked.Attempt &&
		binary.BigEndian.Uint64(data[8:]) == uint64(f.cookie)
}

// judgeError looks at an ICMP error. The target's own word on its port is
// final; any other may be contradicted by an answer for a moment.
func (w *sockets) judgeError(f *flight, e icmpError) (over bool) {
	if !w.isAbout(f, e) {
		w.forged++
		return false
	}
	if !f.failed {
		f.failed = true
		w.push(w.complaint(f, e))
	}
	if e.reason == exposure.ReasonPortUnreachable && sameHost(e.offender, f.asked.Addr) || f.asked.Kind == probe.Echo {
		return true
	}
	w.flights.hasten(f, w.now()+contradiction)
	return false
}

// isAbout reports whether e is about the flight's datagram. What a quoted echo
// request carries behind its header need not be there.
func (w *sockets) isAbout(f *flight, e icmpError) bool {
	if f.asked.Kind == probe.Echo {
		return sameHost(e.dest.Addr(), f.asked.Addr)
	}
	question := w.payloads.For(f.asked.Port).Append(w.buf[:0], uint64(f.cookie))
	return e.concerns(netip.AddrPortFrom(f.asked.Addr, f.asked.Port), question)
}
