package rawsock

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"reconshield/internal/probe"
)

// flushAt is how many frames are handed to the kernel at once: enough to make
// the system call cheap, few enough to stay in the first-level cache.
const flushAt = 64

// room is the length of a frame's buffer: the longest payload with all headers.
const room = 2048 + 64 // not a power of two: frames would share the cache's sets

// outlet is a queue of frames towards one interface. It is not safe for
// concurrent use.
type outlet interface {
	// next gives the buffer for the next frame; nil when the queue is full.
	next() []byte
	// push queues the first n bytes of the buffer that next gave last. The
	// probe is copied when the outlet needs it.
	push(n int, p *probe.Probe)
	// flush hands what is queued to the kernel in order. What the kernel did
	// not take stays queued, with probe.ErrBusy or probe.ErrDown.
	flush() error
	queued() int
	close() error
}

// refusal tells the caller that the kernel refuses one frame for good.
type refusal func(p *probe.Probe, err error)

// verdict sorts the errors of sending. A nil error with ok false means that the
// fault is the frame's own.
func verdict(errno error, up func() bool) (err error, ok bool) { //nolint:revive // the error is the result, not a failure
	switch {
	case errors.Is(errno, unix.ENETDOWN), errors.Is(errno, unix.ENXIO), errors.Is(errno, unix.ENODEV):
		return probe.ErrDown, true
	case errors.Is(errno, unix.ENOBUFS), errors.Is(errno, unix.EAGAIN), errors.Is(errno, unix.EBUSY), errors.Is(errno, unix.ENOMEM):
		if !up() {
			return probe.ErrDown, true
		}
		return probe.ErrBusy, true
	case errors.Is(errno, unix.EBADF):
		return fmt.Errorf("send: %w", errno), true
	}
	return nil, false
}

// running reports whether the interface is up and has a carrier.
func running(name string) bool {
	// AF_XDP sockets do not know the request, so another one must ask.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true // the next frame tells
	}
	defer func() { _ = unix.Close(fd) }()
	req, err := unix.NewIfreq(name)
	if err != nil {
		return false
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err != nil {
		return false
	}
	const want = unix.IFF_UP | unix.IFF_RUNNING
	return req.Uint16()&want == want
}

// writable waits a moment for the socket's buffer to drain: a full buffer is
// how a fast sender meets the link's own pace, and no reason to slow down.
func writable(fd int) bool {
	const patience = 2                                                                  // ms
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, patience) //nolint:gosec // a descriptor
	return err == nil && n > 0
}

// pause sleeps more finely than the runtime's timers.
func pause(d time.Duration) {
	limit := unix.NsecToTimespec(int64(d))
	_, _ = unix.Ppoll(nil, &limit, nil)
}

// network is a protocol number in network byte order, as AF_PACKET wants it.
func network(proto uint16) uint16 { return proto<<8 | proto>>8 }
