package portlist

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"reconshield/internal/exposure"
)

const (
	// flushEvery is the longest a verdict waits before it is written.
	flushEvery = 100 * time.Millisecond
	// flushAt verdicts are written without waiting.
	flushAt = 2048
	// queueLimit is how far the scan may be ahead of the output, in verdicts.
	queueLimit = 8 * flushAt
)

var errEnded = errors.New("the output has been ended already")

// queue keeps a slow disk or terminal from slowing the scan: Port only puts
// the verdict into a buffer, which one goroutine takes to the backend.
type queue struct {
	name    string
	backend backend
	stop    chan struct{}
	kick    chan struct{} // buffered: there is enough to write
	done    chan struct{} // closed when the goroutine is gone

	mu      sync.Mutex
	room    sync.Cond // on mu: the buffer was taken
	pending []exposure.Observation
	spare   []exposure.Observation
	ended   bool
	closed  bool
	err     error  // first failure; nothing is written after it
	missing uint64 // verdicts that came to nothing by it
}

func newQueue(name string, b backend) *queue {
	q := &queue{
		name: name, backend: b,
		stop: make(chan struct{}), kick: make(chan struct{}, 1), done: make(chan struct{}),
	}
	q.room.L = &q.mu
	go q.run()
	return q
}

// Port is a Writer's.
func (q *queue) Port(o exposure.Observation) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.pending) >= queueLimit && q.err == nil && !q.ended {
		q.room.Wait()
	}
	switch {
	case q.ended:
		return errEnded
	case q.err != nil:
		q.missing++
		return q.failure()
	}
	q.pending = append(q.pending, o)
	if len(q.pending) >= flushAt {
		select {
		case q.kick <- struct{}{}:
		default: // it has been told
		}
	}
	return nil
}

// End is a Writer's.
func (q *queue) End(s Summary) error {
	if !q.finish() {
		return errEnded
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = q.backend.end(s.normal())
	}
	return q.failure()
}

// Close is a Writer's.
func (q *queue) Close() error {
	q.finish()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	q.closed = true
	if err := q.backend.close(); q.err == nil {
		q.err = err
	}
	return q.failure()
}

// finish writes what waits and ends the goroutine; false when that was done before.
func (q *queue) finish() bool {
	q.mu.Lock()
	first := !q.ended
	q.ended = true
	q.room.Broadcast()
	q.mu.Unlock()
	if first {
		close(q.stop)
	}
	<-q.done
	return first
}

func (q *queue) run() {
	defer close(q.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-q.kick:
		case <-q.stop:
			q.flush()
			return
		}
		q.flush()
	}
}

// flush takes the buffer to the backend, without holding the lock meanwhile.
func (q *queue) flush() {
	q.mu.Lock()
	batch := q.pending
	q.pending, q.spare = q.spare[:0], nil
	failed := q.err != nil
	q.room.Broadcast()
	q.mu.Unlock()

	var err error
	if len(batch) > 0 && !failed {
		err = q.backend.rows(batch)
	}

	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.err = err
		failed = true
	}
	if failed {
		q.missing += uint64(len(batch))
	}
	clear(batch) // or services would be held after they are written
	q.spare = batch
}

// failure is the error every call gives after the first that failed.
func (q *queue) failure() error {
	switch {
	case q.err == nil:
		return nil
	case q.missing > 0:
		return fmt.Errorf("write results to %s: %w; up to %d verdicts are missing in it", q.name, q.err, q.missing)
	}
	return fmt.Errorf("write results to %s: %w", q.name, q.err)
}
