package rawsock

import (
	"context"
	"iter"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"reconshield/internal/packet"
)

// neighbours is the table of hardware addresses on links. Find takes no lock:
// the table is written only between expect and forget.
type neighbours struct {
	most  int
	table map[key]packet.MAC

	mu    sync.Mutex
	asked map[key]int // by whom we wait to hear, and on which interface
	heard chan struct{}
}

func newNeighbours(most int) *neighbours {
	return &neighbours{
		most: most, table: map[key]packet.MAC{}, asked: map[key]int{}, heard: make(chan struct{}, 1),
	}
}

// answer takes an ARP reply or a neighbour advertisement. Only who was asked,
// on the interface it was asked on, is believed, and only once.
func (n *neighbours) answer(ifindex int, d *packet.Decoded) {
	k := keyOf(d.Target)
	n.mu.Lock()
	defer n.mu.Unlock()
	if asked, ok := n.asked[k]; !ok || asked != ifindex {
		return
	}
	delete(n.asked, k)
	if len(n.table) < n.most {
		n.table[k] = d.Hardware
	}
	if len(n.asked) == 0 {
		select {
		case n.heard <- struct{}{}:
		default:
		}
	}
}

func (n *neighbours) find(a netip.Addr) (packet.MAC, bool) {
	mac, ok := n.table[keyOf(a)]
	return mac, ok
}

// expect begins to believe answers from the given addresses.
func (n *neighbours) expect(from map[key]question) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for k, q := range from {
		n.asked[k] = q.way.Interface
	}
}

// open reports that the address has not answered yet.
func (n *neighbours) open(k key) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, open := n.asked[k]
	return open
}

// all reports that nobody is left to answer.
func (n *neighbours) all() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.asked) == 0
}

// forget ends the questions; from here on nothing changes the table.
func (n *neighbours) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.asked)
}

// question is one address to resolve, and how.
type question struct {
	target netip.Addr
	way    *route
}

const (
	solicitTries = 3
	solicitWait  = 250 * time.Millisecond
	// solicitChunk bounds the memory of a resolution: so many are asked at once.
	solicitChunk = 1 << 14
	solicitRate  = 10_000
)

// Resolve learns the hardware addresses of those of addrs that are on a link,
// or of their gateways, by ARP and neighbour solicitations of its own: rate a
// second (10,000 when it is 0), three times, a quarter of a second apart. It
// asks nothing for addresses whose next hop is known, or that need none. Who
// does not answer stays unknown, which is no error: Send tells. It must not run
// at the same time as Send; it returns early with the context's error.
func (w *Wire) Resolve(ctx context.Context, addrs iter.Seq[netip.Addr], rate int) error {
	if rate <= 0 {
		rate = solicitRate
	}
	s := solicitor{wire: w, pace: time.Second / time.Duration(rate), due: time.Now(), chunk: map[key]question{}}
	const often = 1024
	n := 0
	for a := range addrs {
		if n++; n%often == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		s.collect(a)
		if len(s.chunk) == solicitChunk {
			if err := s.ask(ctx); err != nil {
				return err
			}
		}
	}
	return s.ask(ctx)
}

// solicitor is one resolution under way.
type solicitor struct {
	wire  *Wire
	chunk map[key]question
	pace  time.Duration // between two frames
	due   time.Time     // when the next may leave
	frame [packet.SolicitLen]byte
}

// collect adds the address, or its gateway, unless it is known already.
func (s *solicitor) collect(a netip.Addr) {
	way := s.wire.routes.find(a)
	if way == nil || !way.resolve || way.Unreachable != "" {
		return
	}
	target := way.hop(a)
	if _, known := s.wire.neighbours.find(target); !known {
		s.chunk[keyOf(target)] = question{target, way}
	}
}

// ask sends the chunk's questions until all are answered or the tries are over.
func (s *solicitor) ask(ctx context.Context) error {
	n := s.wire.neighbours
	n.expect(s.chunk)
	defer n.forget()
	defer clear(s.chunk)
	for range solicitTries {
		for k, q := range s.chunk {
			if !n.open(k) {
				continue
			}
			if err := s.wait(ctx); err != nil {
				return err
			}
			s.send(q)
		}
		if err := s.listen(ctx); err != nil {
			return err
		}
	}
	return nil
}

// wait keeps the pace; what is due within the timer's coarseness leaves at once.
func (s *solicitor) wait(ctx context.Context) error {
	const coarse = 2 * time.Millisecond
	now := time.Now()
	if s.due.Before(now) {
		s.due = now
	}
	ahead := s.due.Sub(now)
	s.due = s.due.Add(s.pace)
	if ahead < coarse {
		return ctx.Err()
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *solicitor) send(q question) {
	hardware := packet.MAC(q.way.Hardware)
	n := packet.Solicit(s.frame[:], hardware, q.way.Source.Unmap().WithZone(""), q.target)
	in := s.wire.intake(q.way.Interface)
	if n == 0 || in == nil {
		return
	}
	// A question that is lost is asked again.
	_ = unix.Sendto(in.fd, s.frame[:n], unix.MSG_DONTWAIT, &unix.SockaddrLinklayer{Ifindex: in.ifindex})
}

// listen waits for the answers, at most the time between two tries.
func (s *solicitor) listen(ctx context.Context) error {
	n := s.wire.neighbours
	timer := time.NewTimer(solicitWait)
	defer timer.Stop()
	for {
		if n.all() {
			return ctx.Err()
		}
		select {
		case <-n.heard:
		case <-timer.C:
			return ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// hop is whose hardware address a packet to a needs.
func (r *route) hop(a netip.Addr) netip.Addr {
	if r.Gateway.IsValid() {
		return r.Gateway.Unmap().WithZone("")
	}
	return a
}
