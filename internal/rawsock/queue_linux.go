package rawsock

import (
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"reconshield/internal/probe"
)

// queue hands replies from the receiver to the sweep. One goroutine puts, one
// takes. A full queue blocks the one that puts: what arrives meanwhile waits in
// the ring, whose losses the kernel counts.
type queue struct {
	mu      sync.Mutex
	space   sync.Cond
	replies []probe.Reply // a ring
	head    int
	length  int
	waiting bool // take sleeps
	closed  bool
	wake    event
}

func newQueue(size int) (*queue, error) {
	wake, err := newEvent()
	if err != nil {
		return nil, err
	}
	q := &queue{replies: make([]probe.Reply, size), wake: wake}
	q.space.L = &q.mu
	return q, nil
}

// put reports false when the queue is closed.
func (q *queue) put(replies []probe.Reply) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(replies) > 0 {
		for q.length == len(q.replies) && !q.closed {
			q.space.Wait()
		}
		if q.closed {
			return false
		}
		tail := (q.head + q.length) % len(q.replies)
		end := min(len(q.replies), tail+len(q.replies)-q.length)
		n := copy(q.replies[tail:end], replies)
		replies = replies[n:]
		q.length += n
		if q.waiting {
			q.waiting = false
			q.wake.set()
		}
	}
	return true
}

// take waits for the first reply for at most wait.
func (q *queue) take(into []probe.Reply, wait time.Duration) (int, error) {
	var deadline time.Time
	for first := true; ; first = false {
		q.mu.Lock()
		n := q.drain(into)
		closed := q.closed
		q.waiting = n == 0 && wait > 0 && !closed
		sleeping := q.waiting
		q.mu.Unlock()
		switch {
		case n > 0:
			return n, nil
		case closed:
			return 0, net.ErrClosed
		case !sleeping:
			return 0, nil
		}
		if first {
			deadline = time.Now().Add(wait)
		} else {
			wait = time.Until(deadline)
		}
		// The runtime's timers are a millisecond coarse; a sender's pace is finer.
		if wait > 0 {
			q.wake.wait(wait)
		}
	}
}

// drain copies out what there is; mu is held.
func (q *queue) drain(into []probe.Reply) int {
	total := 0
	for total < len(into) && q.length > 0 {
		end := min(len(q.replies), q.head+q.length)
		n := copy(into[total:], q.replies[q.head:end])
		q.head = (q.head + n) % len(q.replies)
		q.length -= n
		total += n
	}
	if total > 0 {
		q.space.Signal()
	}
	return total
}

// close makes put and take return; it frees nothing.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.space.Broadcast()
	q.wake.set()
}

// event is a flag that one goroutine sets and another waits for.
type event struct{ fd int }

func newEvent() (event, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return event{fd}, os.NewSyscallError("eventfd", err)
}

func (e event) set() { _, _ = unix.Write(e.fd, []byte{7: 0, 0: 1}) }

// wait returns when the flag is set, which it clears and reports, or the time
// is over.
func (e event) wait(most time.Duration) bool {
	limit := unix.NsecToTimespec(int64(most))
	fds := [1]unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLIN}} //nolint:gosec // a descriptor
	n, err := unix.Ppoll(fds[:], &limit, nil)
	if err != nil || n == 0 {
		return false
	}
	e.clear()
	return true
}

func (e event) clear() {
	var buffer [8]byte
	_, _ = unix.Read(e.fd, buffer[:])
}

func (e event) close() { _ = unix.Close(e.fd) }
