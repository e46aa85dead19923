package dial

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"reconshield/internal/exchange"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

const (
	// lookEvery is after how many probes of one Send what has arrived is read,
	// so that its time is true and its descriptor free.
	lookEvery = 16
	// maxReady bounds the replies that wait for Receive.
	maxReady = 4096
	// maxIdle bounds the sockets of a family kept for the next probe.
	maxIdle = 16
)

// sockets is the carrier of Linux: non-blocking sockets and one epoll
// descriptor, all used by the caller's goroutine.
type sockets struct {
	d        *Dialer
	payloads *payload.Table
	key      probe.Key
	opened   time.Time
	here     surroundings
	limit    int // descriptors
	limitUDP int // UDP sockets: each takes a port of the whole machine
	epoll    int
	flights  flights
	idle     [2][]idleSocket // of IPv4, IPv6
	ready    []probe.Reply
	read     int // of ready, already given away
	forged   uint64
	closed   bool

	events [128]unix.EpollEvent
	buf    []byte
	oob    [errorSpace]byte
	to4    unix.SockaddrInet4
	to6    unix.SockaddrInet6
}

// idleSocket is a TCP socket whose connection was refused and that can be
// connected again: half the price of a new one.
type idleSocket struct {
	fd    int
	known bool // to epoll
}

func (d *Dialer) newCarrier(payloads *payload.Table) (carrier, error) {
	w := &sockets{
		d: d, payloads: payloads, key: probe.RandomKey(), opened: time.Now(), here: readSurroundings(),
		limitUDP: readLimits().ports / 2, buf: make([]byte, exchange.MaxDatagram),
	}
	if err := w.rehearse(); err != nil {
		return nil, err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create", err)
	}
	w.epoll, w.limit = epoll, max(1, d.Capacity()-2*maxIdle)
	return w, nil
}

func (w *sockets) capacity() int     { return w.limit }
func (w *sockets) forgeries() uint64 { return w.forged }

func (w *sockets) now() time.Duration { return time.Since(w.opened) }

func (w *sockets) push(r probe.Reply) { w.ready = append(w.ready, r) }

func (w *sockets) send(probes []probe.Probe) (int, error) {
	for i := range probes {
		full := w.flights.len() >= w.limit || probes[i].Kind == probe.UDP && w.flights.udp >= w.limitUDP
		if i%lookEvery == 0 || full {
			if err := w.look(); err != nil {
				return i, err
			}
			w.expire()
			full = w.flights.len() >= w.limit || probes[i].Kind == probe.UDP && w.flights.udp >= w.limitUDP
		}
		if full || len(w.ready)-w.read >= maxReady {
			return i, nil
		}
		err := w.begin(&probes[i])
		switch {
		case err == nil:
		case errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.ENODEV):
			return i, fmt.Errorf("%w: %w", probe.ErrDown, err)
		case exhausted(err) && w.flights.len() > 0:
			return i, nil
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN):
			return i, fmt.Errorf("%w: %w", probe.ErrBusy, err)
		default: // also what will not pass, because nothing of ours is the cause
			w.refuse(&probes[i], err)
		}
	}
	return len(probes), nil
}

// exhausted reports that descriptors, ports or memory are used up, which
// passes when probes in flight end.
func exhausted(err error) bool {
	for _, e := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.ENOBUFS, unix.EAGAIN, unix.EADDRNOTAVAIL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// refuse reports that nothing could be sent.
func (w *sockets) refuse(p *probe.Probe, err error) {
	a := probe.LocalError
	if errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) { // routes of our own say so
		a = probe.NoRoute
	}
	r := answered(p, a, netip.Addr{}, time.Now())
	r.Detail = w.here.detail(p.Addr, err)
	w.push(r)
}

func (w *sockets) begin(p *probe.Probe) error {
	if err := w.d.check(p.Addr); err != nil {
		w.refuse(p, err)
		return nil
	}
	switch p.Kind {
	case probe.TCP:
		return w.beginTCP(p)
	case probe.UDP:
		return w.beginUDP(p)
	case probe.Echo:
		return w.beginEcho(p)
	}
	w.refuse(p, errors.New("unknown kind of probe"))
	return nil
}

// await keeps a probe in flight until something arrives or its patience ends.
func (w *sockets) await(f flight) error {
	f.until = f.sent + patience(&f.asked)
	known, fd := f.known, f.fd
	f.known = true
	slot := w.flights.add(&f)
	if err := w.arm(fd, slot, f.stamp, f.asked.Kind, known); err != nil {
		w.flights.remove(slot)
		return errors.Join(err, unix.Close(fd))
	}
	return nil
}

// arm has epoll tell once of what happens on the descriptor. One-shot, so that
// idle sockets can stay registered in silence.
func (w *sockets) arm(fd int, slot, stamp int32, kind probe.Kind, known bool) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: slot, Pad: stamp}
	if kind == probe.TCP {
		e.Events = unix.EPOLLOUT | unix.EPOLLONESHOT
	}
	op := unix.EPOLL_CTL_ADD
	if known {
		op = unix.EPOLL_CTL_MOD
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(w.epoll, op, fd, &e))
}

// look reads all that has arrived, without waiting.
func (w *sockets) look() error {
	for w.flights.len() > 0 && len(w.ready)-w.read < maxReady {
		n, err := unix.EpollWait(w.epoll, w.events[:], 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return os.NewSyscallError("epoll_wait", err)
		}
		for i := range n {
			w.happened(w.events[i].Fd, w.events[i].Pad)
		}
		if n < len(w.events) {
			return nil
		}
	}
	return nil
}

func (w *sockets) happened(slot, stamp int32) {
	f := w.flights.get(slot, stamp)
	if f == nil {
		return
	}
	look := w.arrived
	if f.asked.Kind == probe.TCP {
		look = w.connected
	}
	if look(f) {
		w.end(slot)
		return
	}
	if err := w.arm(f.fd, slot, stamp, f.asked.Kind, true); err != nil {
		w.refuse(&f.asked, err)
		w.end(slot)
	}
}

// end forgets a flight and closes its socket, unless that was taken from it.
func (w *sockets) end(slot int32) {
	fd := w.flights.slots[slot].fd
	w.flights.remove(slot)
	if fd >= 0 {
		unix.Close(fd) //nolint:errcheck,gosec // nothing was written that could be lost
	}
}

// expire ends the flights whose patience is over.
func (w *sockets) expire() {
	now := w.now()
	for {
		slot, until, ok := w.flights.next()
		if !ok || until > now {
			return
		}
		w.end(slot)
	}
}

func (w *sockets) receive(into []probe.Reply, wait time.Duration) (int, error) {
	deadline := w.now() + wait
	for {
		if err := w.look(); err != nil {
			return 0, err
		}
		w.expire()
		if n := copy(into, w.ready[w.read:]); n > 0 {
			if w.read += n; w.read == len(w.ready) || w.read > maxReady {
				w.ready, w.read = w.ready[:copy(w.ready, w.ready[w.read:])], 0
			}
			return n, nil
		}
		now := w.now()
		if now >= deadline {
			return 0, nil
		}
		if err := w.sleep(w.untilNext(deadline) - now); err != nil {
			return 0, err
		}
	}
}

// untilNext is the deadline, or the end of some probe's patience before it.
func (w *sockets) untilNext(deadline time.Duration) time.Duration {
	if _, until, ok := w.flights.next(); ok {
		return min(deadline, until)
	}
	return deadline
}

// sleep waits until something arrives, for at most d. epoll_wait itself knows
// milliseconds only.
func (w *sockets) sleep(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timeout := unix.NsecToTimespec(d.Nanoseconds())
	fds := [1]unix.PollFd{{Fd: int32(w.epoll), Events: unix.POLLIN}} //nolint:gosec // a descriptor
	_, err := unix.Ppoll(fds[:], &timeout, nil)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return os.NewSyscallError("ppoll", err)
	}
	return nil
}

func (w *sockets) close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	for w.flights.len() > 0 {
		slot, _, _ := w.flights.next()
		w.end(slot)
	}
	for _, family := range w.idle {
		for _, s := range family {
			unix.Close(s.fd) //nolint:errcheck,gosec // as in end
		}
	}
	w.idle = [2][]idleSocket{}
	return os.NewSyscallError("close", unix.Close(w.epoll))
}
