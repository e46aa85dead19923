package rawsock

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"reconshield/internal/probe"
)

// Wire sends probes as raw packets and proves their answers. One goroutine
// uses it; Close may not run at the same time as another method.
type Wire struct {
	cfg        Config
	routes     *routes
	last       *route // that the previous probe took
	outlets    []outlet
	intakes    []*intake
	neighbours *neighbours
	receiver   *receiver
	local      []probe.Reply // this machine's own answers, for the next Receive
	content    []byte        // of one UDP probe
	drops      uint64
	closed     bool
}

// Limits of the wire's own memory.
const (
	// depth is the number of frames that an outlet holds: a power of two.
	depth = 1024
	// plainDepth is the same for outlets whose frames the kernel takes at once.
	plainDepth = 256
	// mostLocal bounds the answers that wait without having been on a network.
	mostLocal = 4096
)

// Available returns nil when raw mode can be used, else what to do about it.
func Available() error {
	// The same right is needed for packet sockets, which take the kernel some
	// milliseconds to close.
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return errors.New("raw mode needs the right to send raw packets: run as root or give it with " +
			"`sudo setcap cap_net_raw+ep` on the reconshield binary")
	case err != nil:
		return fmt.Errorf("raw mode needs raw sockets, which this kernel refuses: %w", err)
	}
	_ = unix.Close(fd)
	return nil
}

// Open prepares sockets and rings on every interface that the paths use and
// starts to listen. Close the wire after use.
func Open(cfg Config) (*Wire, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	routes, err := newRoutes(cfg.Paths)
	if err != nil {
		return nil, err
	}
	w := &Wire{
		cfg: cfg, routes: routes, neighbours: newNeighbours(cfg.Neighbours),
		local: make([]probe.Reply, 0, mostLocal+depth), content: make([]byte, 0, room),
	}
	if err := w.open(); err != nil {
		return nil, errors.Join(err, w.closeSockets())
	}
	go w.receiver.run()
	return w, nil
}

func (w *Wire) open() error {
	var err error
	if w.intakes, err = openIntakes(w.routes, w.cfg.Ring); err != nil {
		return err
	}
	if err := w.openOutlets(); err != nil {
		return err
	}
	w.receiver, err = newReceiver(&w.cfg, w.intakes, w.neighbours, w.routes)
	return err
}

// openOutlets gives every route its outlet; routes over one interface share it.
func (w *Wire) openOutlets() error {
	type id struct {
		ifindex int
		link    probe.Link
		v6      bool
	}
	open := map[id]outlet{}
	for i := range w.routes.all {
		r := &w.routes.all[i]
		if r.Unreachable != "" {
			continue
		}
		which := id{r.Interface, r.Link, false}
		if r.Link == probe.Loopback {
			which = id{r.scope(), r.Link, r.From.Is6()}
		}
		out, ok := open[which]
		if !ok {
			var err error
			if out, err = w.openOutlet(r); err != nil {
				return err
			}
			open[which] = out
			w.outlets = append(w.outlets, out)
		}
		r.outlet = out
	}
	return nil
}

func (w *Wire) openOutlet(r *route) (outlet, error) {
	switch r.Link {
	case probe.Loopback:
		return newLoopback(r.From.Is6(), r.scope(), plainDepth, w.refuse)
	case probe.Bare:
		return newBare(r.Interface, r.Name, plainDepth, w.refuse)
	case probe.Ethernet:
	}
	if !w.cfg.Plain {
		// Another program may hold the queue, or the kernel lack the protocol.
		if x, err := newXDP(r.Interface, r.Name, depth); err == nil {
			return x, nil
		}
	}
	return newPacket(r.Interface, r.Name, plainDepth, w.refuse)
}

// intake gives the ring of an Ethernet interface.
func (w *Wire) intake(ifindex int) *intake {
	for _, in := range w.intakes {
		if in.ifindex == ifindex && in.ether {
			return in
		}
	}
	return nil
}

// Receive gives answers, each proven to belong to a probe of this key. It waits
// for the first for at most wait; 0 does not wait. Duplicates may come. After
// Close it returns net.ErrClosed.
func (w *Wire) Receive(into []probe.Reply, wait time.Duration) (int, error) {
	if len(into) == 0 {
		return 0, nil
	}
	if len(w.local) > 0 {
		n := copy(into, w.local)
		w.local = append(w.local[:0], w.local[n:]...)
		if n == len(into) {
			return n, nil
		}
		m, err := w.receiver.queue.take(into[n:], 0)
		return n + m, err
	}
	if w.backlog() > 0 {
		// What is wrong is told by the next Send.
		_ = w.flush()
		const soon = 2 * time.Millisecond
		if w.backlog() > 0 {
			wait = min(wait, soon)
		}
	}
	return w.receiver.queue.take(into, wait)
}

// Account tells what was lost on this side so far.
func (w *Wire) Account() probe.Account {
	if !w.closed {
		for _, in := range w.intakes {
			w.drops += in.drops()
		}
	}
	return probe.Account{RingDrops: w.drops, Forged: w.receiver.forged.Load()}
}

// Close stops listening and releases everything. Answers that Receive has not
// given are lost. A second call does nothing.
func (w *Wire) Close() error {
	if w.closed {
		return nil
	}
	_ = w.Account() // the last drops
	w.closed = true
	w.receiver.close()
	return w.closeSockets()
}

// closeSockets closes all at once: the kernel waits some milliseconds for each
// until nobody can be looking at it any more.
func (w *Wire) closeSockets() error {
	closers := make([]func() error, 0, len(w.outlets)+len(w.intakes))
	for _, out := range w.outlets {
		closers = append(closers, out.close)
	}
	for _, in := range w.intakes {
		closers = append(closers, in.close)
	}
	failed := make([]error, len(closers))
	var closing sync.WaitGroup
	for i, end := range closers {
		closing.Go(func() { failed[i] = end() })
	}
	closing.Wait()
	return errors.Join(failed...)
}
