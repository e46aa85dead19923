package rehearse

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// glance is how long answers are waited for before it is looked whether
	// any can still come.
	glance = 5 * time.Millisecond
	// longest bounds a round of conversations, however slowly they move.
	longest = 30 * time.Second
	// together is how many conversations are held at once.
	together = 256
)

// converse holds conversations with the stage's listeners, those of each place
// from a thread there.
func (s *Stage) converse(ctx context.Context, shots []shot) error {
	for some := range slices.Chunk(shots, together) {
		if err := s.lap(some); err != nil {
			return err
		}
		if err := s.round(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// call is one conversation.
type call struct {
	*shot
	fd        int
	connected bool
	over      bool
}

func (s *Stage) round(ctx context.Context, shots []shot) error {
	calls := make([]call, 0, len(shots))
	defer func() {
		for _, c := range calls {
			_ = unix.Close(c.fd)
		}
	}()
	places := map[string][]*shot{}
	for i := range shots {
		places[shots[i].from] = append(places[shots[i].from], &shots[i])
	}
	for place, there := range places {
		err := s.sides[place].do(func() error {
			for _, x := range there {
				c, err := s.begin(x)
				if err != nil {
					return fmt.Errorf("speak from %s to %s: %w", x.Source, netip.AddrPortFrom(x.Target, x.Port), err)
				}
				calls = append(calls, c)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.hearAll(ctx, calls)
}

// begin opens a socket on the calling thread and sends the first packet.
func (s *Stage) begin(x *shot) (call, error) {
	version, kind := unix.AF_INET, unix.SOCK_DGRAM
	if x.Target.Is6() {
		version = unix.AF_INET6
	}
	if x.isTCP() {
		kind = unix.SOCK_STREAM
	}
	fd, err := unix.Socket(version, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return call{}, err
	}
	c := call{shot: x, fd: fd}
	// A port that an earlier conversation had is free at once; a reset at the
	// end leaves nothing behind.
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, socketAddress(x.Source, x.SourcePort)),
	)
	if err == nil && x.isTCP() {
		err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	if err != nil {
		_ = unix.Close(fd)
		return call{}, err
	}
	err = unix.Connect(fd, socketAddress(x.Target, x.Port))
	if err == nil && !x.isTCP() {
		_, err = unix.Write(fd, mark{s.prober.nonce, x.id}.append(nil))
	}
	switch {
	case err == nil, errors.Is(err, unix.EINPROGRESS), errors.Is(err, unix.EPERM) && x.from == Loopback:
		c.over = errors.Is(err, unix.EPERM)
		return c, nil
	case refusal(err):
		c.over, x.outcome.Refused = true, true
		return c, nil
	}
	_ = unix.Close(fd)
	return call{}, err
}

func socketAddress(a netip.Addr, port uint16) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4(), Port: int(port)}
	}
	return &unix.SockaddrInet6{Addr: a.As16(), Port: int(port)}
}

// refusal reports that an error is somebody's answer: a reset or an ICMP error.
func refusal(err error) bool {
	for _, e := range []error{unix.ECONNREFUSED, unix.ECONNRESET, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EACCES, unix.ENOPROTOOPT, unix.EPROTO, unix.EHOSTDOWN} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// hearAll waits for answers until no more can come.
func (s *Stage) hearAll(ctx context.Context, calls []call) error {
	end := time.Now().Add(longest)
	for {
		fds, waiting := pending(calls)
		if len(fds) == 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("conversations from the zones did not come to an end in %v: this machine is too busy, try again", longest)
		}
		n, err := unix.Poll(fds, int(glance.Milliseconds()))
		if err == nil && n == 0 {
			resting, failed := s.atRest()
			if failed != nil {
				return failed
			}
			if n, err = unix.Poll(fds, 0); resting && err == nil && n == 0 {
				return nil
			}
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for answers: %w", err)
		}
		for i, fd := range fds {
			if fd.Revents != 0 {
				waiting[i].hear()
			}
		}
	}
}

// atRest reports that no packet is under way and no listener has anything left
// to do. What the listeners answered before they were idle has then arrived.
func (s *Stage) atRest() (bool, error) {
	if err := s.prober.barrier.everywhere(); err != nil {
		return false, err
	}
	if !s.listeners.idle() {
		return false, nil
	}
	return true, s.prober.barrier.everywhere()
}

// pending lists the conversations that are not over, and what to wait for.
func pending(calls []call) (fds []unix.PollFd, waiting []*call) {
	for i := range calls {
		c := &calls[i]
		if c.over {
			continue
		}
		events := int16(unix.POLLIN)
		if c.isTCP() && !c.connected {
			events = unix.POLLOUT
		}
		fds = append(fds, unix.PollFd{Fd: int32(c.fd), Events: events}) //nolint:gosec // a descriptor
		waiting = append(waiting, c)
	}
	return fds, waiting
}

// hear takes what has come.
func (c *call) hear() {
	if c.isTCP() && !c.connected {
		errno, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil || errno != 0 {
			c.over, c.outcome.Refused = true, refusal(unix.Errno(errno)) //nolint:gosec // an error number
			return
		}
		c.connected = true
		return
	}
	var buffer [2 * markLen]byte
	n, err := unix.Read(c.fd, buffer[:])
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return
	}
	c.over = true
	if err != nil {
		c.outcome.Refused = refusal(err)
		return
	}
	if c.isTCP() {
		c.outcome.Answered = n == 1 && buffer[0] == greeting
	} else if n == markLen {
		answered(buffer[:n])
		c.outcome.Answered = markOf(buffer[:n]).id == c.id
	}
	c.outcome.Delivered = c.outcome.Answered
}
