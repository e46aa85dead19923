package rehearse

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"reconshield/internal/exposure"
)

// listeners are the stage's servers.
type listeners struct {
	open    []*os.File
	serving sync.WaitGroup
	gate    sync.RWMutex
}

// mostListeners bounds the sockets of a stage.
const mostListeners = 8192

// Listen starts servers on addresses of the scene: the host's own, of hosts
// behind it, of zones. Over TCP they send a byte to who connects and hang up;
// over UDP they give each datagram back with the highest bit of its third byte
// turned, which makes a response of a DNS query. They serve until Close.
func (s *Stage) Listen(targets ...exposure.Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("the stage is closed")
	}
	if len(s.listeners.open)+len(targets) > mostListeners {
		return fmt.Errorf("a stage has at most %d listeners", mostListeners)
	}
	places := map[string][]exposure.Target{}
	for _, t := range targets {
		place := s.scene.Place(t.Addr)
		if place == "" {
			return fmt.Errorf("cannot listen on %s: nobody in the scene has the address", t.Addr)
		}
		places[place] = append(places[place], t)
	}
	for place, targets := range places {
		err := s.sides[place].do(func() error {
			for _, t := range targets {
				if err := s.listeners.listen(t); err != nil {
					return fmt.Errorf("listen on %s: %w", t, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// listen opens one server's socket on the calling thread and serves.
func (l *listeners) listen(t exposure.Target) error {
	kind, answer := unix.SOCK_STREAM, answerTCP
	switch t.Transport.Base() {
	case exposure.TCP:
	case exposure.UDP:
		kind, answer = unix.SOCK_DGRAM, datagrams()
	default:
		return fmt.Errorf("%s has no ports to listen on", t.Transport)
	}
	fd, err := socketAt(kind, t.AddrPort())
	if err != nil {
		return err
	}
	// Package net lets nobody else accept connections.
	file := os.NewFile(uintptr(fd), t.String())
	raw, err := file.SyscallConn()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	l.open = append(l.open, file)
	l.serving.Go(func() { l.serve(raw, answer) })
	return nil
}

// socketAt opens a bound socket, which listens when it is of TCP.
func socketAt(kind int, at netip.AddrPort) (int, error) {
	version := unix.AF_INET
	if at.Addr().Is6() {
		version = unix.AF_INET6
	}
	fd, err := unix.Socket(version, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if version == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil && kind == unix.SOCK_STREAM {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = unix.Bind(fd, socketAddress(at.Addr(), at.Port()))
	}
	if err == nil && kind == unix.SOCK_STREAM {
		err = unix.Listen(fd, together)
	}
	if err != nil {
		_ = unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// idle reports that all requests that have arrived are answered.
func (l *listeners) idle() bool {
	l.gate.Lock()
	defer l.gate.Unlock()
	fds := make([]unix.PollFd, 0, len(l.open))
	for _, s := range l.open {
		raw, err := s.SyscallConn()
		if err != nil {
			continue // closed
		}
		_ = raw.Control(func(fd uintptr) { fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}) }) //nolint:gosec // a descriptor
	}
	n, err := unix.Poll(fds, 0)
	return n == 0 && err == nil
}

// greeting is what TCP servers send.
const greeting = '!'

// serve answers whenever the socket is readable, until it is closed. Between
// taking a request and the end of its answer the gate is held.
func (l *listeners) serve(raw syscall.RawConn, answer func(fd int) error) {
	_ = raw.Read(func(fd uintptr) bool {
		l.gate.RLock()
		defer l.gate.RUnlock()
		for {
			err := answer(int(fd))
			switch {
			case errors.Is(err, unix.EAGAIN):
				return false // call again when it is readable
			case errors.Is(err, unix.EBADF), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTSOCK):
				return true
			}
			// Another error is of one request; the next may be well.
		}
	})
}

func answerTCP(fd int) error {
	conn, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM) {
		return unix.EAGAIN // the one who waits will not be answered
	}
	if err != nil {
		return err
	}
	_, _ = unix.Write(conn, []byte{greeting})
	return unix.Close(conn)
}

// datagrams answers over UDP with a buffer of its own.
func datagrams() func(fd int) error {
	const most = 4096 // longer ones come back cut off
	buffer := make([]byte, most)
	return func(fd int) error {
		n, from, err := unix.Recvfrom(fd, buffer, unix.MSG_DONTWAIT)
		if err != nil {
			return err
		}
		answered(buffer[:n])
		_ = unix.Sendto(fd, buffer[:n], unix.MSG_DONTWAIT, from)
		return nil
	}
}

// answered turns a datagram into its answer, and back.
func answered(b []byte) {
	const at, bit = 2, 0x80 // QR of RFC 1035, section 4.1.1
	if len(b) > at {
		b[at] ^= bit
	}
}

func (l *listeners) close() error {
	var err error
	for _, file := range l.open {
		err = errors.Join(err, file.Close())
	}
	l.serving.Wait()
	l.open = nil
	return err
}
