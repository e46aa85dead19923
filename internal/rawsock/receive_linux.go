package rawsock

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"reconshield/internal/packet"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

// batch is how many replies are handed over at once.
const batch = 128

// receiver reads the rings on a goroutine of its own, proves what the packets
// answer and queues the replies. Nothing of it but the counters is touched by
// others while it runs.
type receiver struct {
	intakes    []*intake
	matcher    packet.Matcher
	payloads   *payload.Table
	elsewhere  []uint16 // UDP ports whose answers come from another port
	neighbours *neighbours
	resets     *resets
	queue      *queue
	stop       event
	done       chan struct{}

	decoded packet.Decoded
	replies []probe.Reply
	forged  atomic.Uint64
}

func newReceiver(cfg *Config, intakes []*intake, n *neighbours, routes *routes) (*receiver, error) {
	stop, err := newEvent()
	if err != nil {
		return nil, err
	}
	q, err := newQueue(cfg.Queue)
	if err != nil {
		stop.close()
		return nil, err
	}
	r := &receiver{
		intakes: intakes, matcher: packet.Matcher{Key: cfg.Key}, payloads: cfg.Payloads,
		neighbours: n, resets: &resets{routes: routes}, queue: q, stop: stop, done: make(chan struct{}),
		replies: make([]probe.Reply, 0, batch),
	}
	for _, p := range cfg.Payloads.All() {
		if p.Elsewhere {
			r.elsewhere = append(r.elsewhere, p.Ports...)
		}
	}
	return r, nil
}

// run reads until close.
func (r *receiver) run() {
	defer close(r.done)
	fds := make([]unix.PollFd, 0, len(r.intakes)+1)
	fds = append(fds, unix.PollFd{Fd: int32(r.stop.fd), Events: unix.POLLIN}) //nolint:gosec // a descriptor
	for _, in := range r.intakes {
		fds = append(fds, unix.PollFd{Fd: int32(in.fd), Events: unix.POLLIN}) //nolint:gosec // a descriptor
	}
	for {
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return // a descriptor is gone: nothing more can arrive
		}
		if fds[0].Revents != 0 {
			return
		}
		for i, in := range r.intakes {
			if fds[i+1].Revents&unix.POLLERR != 0 {
				// A link that went down says so once; reading it clears the word.
				_, _ = unix.GetsockoptInt(in.fd, unix.SOL_SOCKET, unix.SO_ERROR)
			}
		}
		// A wake-up per packet would cost more than the packet, so while they
		// come the rings are looked at by the clock.
		for n := 1; n > 0; {
			if n = r.drain(); n < 0 || n > 0 && r.stop.wait(nap) {
				return
			}
		}
	}
}

// nap is how long answers may wait in the ring before they are read; their
// times are the kernel's and do not suffer.
const nap = 50 * time.Microsecond

// drain reads every ring until all are empty and reports how many packets there
// were; -1 when the queue is closed.
func (r *receiver) drain() int {
	total := 0
	for more := true; more; {
		more = false
		for _, in := range r.intakes {
			n := r.read(in)
			total += n
			more = more || n == batch
			r.forged.Store(r.matcher.Forged + r.matcher.Rewritten)
			if len(r.replies) > 0 {
				if !r.queue.put(r.replies) {
					return -1
				}
				r.replies = r.replies[:0]
			}
		}
	}
	return total
}

// read takes a batch of packets from one ring and reports how many.
func (r *receiver) read(in *intake) int {
	var p received
	now := time.Now()
	wall := now.UnixNano()
	for n := range batch {
		if !in.take(&p) {
			return n
		}
		// Packets of the future are those that came after the clock was read.
		at := now.Add(time.Duration(p.at - wall))
		r.packet(in, &p, at)
		in.release()
	}
	return batch
}

func (r *receiver) packet(in *intake, p *received, at time.Time) {
	d := &r.decoded
	ok := false
	switch {
	case in.ether:
		ok = d.Frame(p.bytes)
	case p.ether == unix.ETH_P_IP, p.ether == unix.ETH_P_IPV6:
		ok = d.Packet(p.bytes)
	}
	if !ok {
		return
	}
	if d.What == packet.Neighbour {
		r.neighbours.answer(in.ifindex, d)
		return
	}
	reply, content, ok := r.matcher.Match(d)
	switch {
	case ok && reply.Answer == probe.Datagram:
		asked := r.payloads.For(reply.Port)
		if asked.Answers(content, uint64(r.matcher.Key.Cookie(&reply.Probe))) {
			reply.Protocol = asked.Protocol
		}
	case ok && reply.Answer == probe.SynAck:
		r.resets.heard(in, p, d)
	case !ok && d.What == packet.Datagram:
		reply, ok = r.diverted(d)
	}
	if !ok {
		return
	}
	reply.At = at
	r.replies = append(r.replies, reply)
}

// diverted finds the probe of a datagram that comes from a port of the target
// other than the one that was asked, as some protocols do. The port proves
// nothing then, so the content must.
func (r *receiver) diverted(d *packet.Decoded) (probe.Reply, bool) {
	for _, port := range r.elsewhere {
		p := probe.Probe{Addr: d.Src, Port: port, Kind: probe.UDP, Attempt: probe.AttemptOf(d.DstPort)}
		cookie, asked := r.matcher.Key.Cookie(&p), r.payloads.For(port)
		if cookie.SourcePort() == d.DstPort && asked.Answers(d.Payload, uint64(cookie)) {
			return probe.Reply{
				Probe: p, Answer: probe.Datagram, From: d.Src, Protocol: asked.Protocol, HopLimit: d.HopLimit,
			}, true
		}
	}
	return probe.Reply{}, false
}

// close stops the goroutine and waits for it.
func (r *receiver) close() {
	r.queue.close()
	r.stop.set()
	<-r.done
	r.stop.close()
	r.queue.wake.close()
}

// openIntakes opens a ring for every interface of the routes.
func openIntakes(routes *routes, size int) ([]*intake, error) {
	const least = 1 << 20
	var all []*intake
	ports := routes.interfaces()
	for _, i := range ports {
		in, err := newIntake(i.index, i.link == probe.Ethernet, max(size/len(ports), least))
		if err != nil {
			for _, open := range all {
				_ = open.close()
			}
			return nil, fmt.Errorf("receive on %s: %w", i.name, err)
		}
		all = append(all, in)
	}
	return all, nil
}
