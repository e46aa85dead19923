package scan

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"reconshield/internal/probe"
)

// sentinelAttempt marks a probe to a target that is known to answer.
const sentinelAttempt = probe.Attempts - 1

// sentinel is such a target.
type sentinel struct {
	target probe.Probe
	host   uint64
	every  time.Duration // least time between two askings
	sentAt time.Duration // the last one
	cursor uint64        // of the lane, then
	weight float64       // probes that it speaks for
	asked  bool          // and its time to answer not over yet
	heard  bool          // it has answered within that time
	missed bool          // it has not, and still may
}

type sentinelKey struct {
	addr netip.Addr
	port uint16
	kind probe.Kind
}

// watch is the set of sentinels of a lane.
type watch struct {
	slots []sentinel
	most  int
	index map[sentinelKey]int // nil where there are few
	next  int
	queue []overdue // in the order they were asked
	rand  *rand.Rand
	sent  uint64
	lost  uint64
	late  int // overdue and not yet given up
	// sent and lost, by the number of probes that they speak for
	weight, lostWeight float64
}

type overdue struct {
	slot int
	at   time.Duration
}

const (
	mostSentinels = 256
	mostOfOne     = 16 // of a careful lane, of which there may be thousands
	replaceOneIn  = 64 // answers, once there are enough sentinels
)

func newWatch(seed uint64, most int) *watch {
	w := &watch{most: most, rand: rand.New(rand.NewPCG(seed, seed))} //nolint:gosec // a choice of targets is no secret
	if most > mostOfOne {
		w.index = map[sentinelKey]int{}
	}
	return w
}

// find gives the place of a sentinel.
func (w *watch) find(p *probe.Probe) (i int, known bool) {
	if w.index != nil {
		i, known = w.index[sentinelKey{p.Addr, p.Port, p.Kind}]
		return i, known
	}
	for i := range w.slots {
		if t := &w.slots[i].target; t.Port == p.Port && t.Kind == p.Kind && t.Addr == p.Addr {
			return i, true
		}
	}
	return 0, false
}

// put notes the place of a sentinel.
func (w *watch) put(p *probe.Probe, i int) {
	if w.index != nil {
		w.index[sentinelKey{p.Addr, p.Port, p.Kind}] = i
	}
}

// spacing tells how often a target that answered so may be asked again; 0:
// never. A half-open connection or a rate-limited service must not be worn out.
func spacing(r *probe.Reply, canary bool) time.Duration {
	const (
		refusal = 2 * time.Millisecond
		opening = 250 * time.Millisecond
		service = time.Second
	)
	switch r.Answer {
	case probe.Reset:
		return refusal
	case probe.SynAck:
		return opening
	case probe.Datagram, probe.EchoReply:
		return service
	case probe.PortUnreachable:
		if canary {
			return refusal
		}
	case probe.Nothing, probe.HostUnreachable, probe.NetUnreachable, probe.ProtocolUnreachable,
		probe.AdminProhibited, probe.TimeExceeded, probe.NoNeighbour, probe.NoRoute, probe.LocalError:
	}
	return 0
}

// consider takes a target that has answered.
func (w *watch) consider(r *probe.Reply, host uint64, canary bool) {
	full := len(w.slots) >= w.most
	if full && (len(w.slots) == 0 || w.rand.IntN(replaceOneIn) != 0) {
		return
	}
	every := spacing(r, canary)
	if _, known := w.find(&r.Probe); known || every == 0 {
		return
	}
	s := sentinel{target: r.Probe, host: host, every: every, sentAt: -every}
	s.target.Attempt = sentinelAttempt
	if !full {
		w.put(&s.target, len(w.slots))
		w.slots = append(w.slots, s)
		return
	}
	i := w.rand.IntN(len(w.slots))
	old := &w.slots[i]
	if old.asked {
		return
	}
	delete(w.index, sentinelKey{old.target.Addr, old.target.Port, old.target.Kind})
	w.put(&s.target, i)
	*old = s
}

// adopt takes a sentinel over from another lane.
func (w *watch) adopt(s sentinel) {
	s.asked, s.heard, s.missed = false, false, false
	w.put(&s.target, len(w.slots))
	w.slots = append(w.slots, s)
}

// forget drops sentinels; what is due of the others stays due.
func (w *watch) forget(which func(*sentinel) bool) {
	const gone = -1
	place := make([]int, len(w.slots))
	kept := w.slots[:0]
	clear(w.index)
	for i, s := range w.slots {
		if place[i] = gone; which(&s) {
			continue
		}
		place[i] = len(kept)
		w.put(&s.target, len(kept))
		kept = append(kept, s)
	}
	due := w.queue[:0]
	for _, o := range w.queue {
		if o.slot = place[o.slot]; o.slot != gone {
			due = append(due, o)
		}
	}
	w.slots, w.queue, w.next = kept, due, 0
}

// pick gives the next sentinel that may be asked, to speak for so many probes;
// nil when there is none.
func (w *watch) pick(now time.Duration, probes int) *sentinel {
	const look = 16
	for range min(look, len(w.slots)) {
		w.next = (w.next + 1) % len(w.slots)
		if s := &w.slots[w.next]; !s.asked && now-s.sentAt >= s.every {
			s.weight = float64(max(probes, 1))
			return s
		}
	}
	return nil
}

// left notes that a sentinel that pick gave has left; until then nothing is
// due of it.
func (w *watch) left(p *probe.Probe, now time.Duration, cursor uint64) {
	i, known := w.find(p)
	if !known {
		return
	}
	s := &w.slots[i]
	s.sentAt, s.cursor, s.asked, s.heard, s.missed = now, cursor, true, false, false
	w.queue = append(w.queue, overdue{i, now})
	w.sent++
	w.weight += s.weight
}

// hear matches an answer to a sentinel that was asked, nil when there is none.
// late tells that it had been given up.
func (w *watch) hear(r *probe.Reply) (s *sentinel, late bool) {
	i, known := w.find(&r.Probe)
	if !known {
		return nil, false
	}
	s = &w.slots[i]
	switch {
	case s.missed:
		w.lost--
		w.lostWeight -= s.weight
		s.missed = false
		return s, true
	case s.asked && !s.heard:
		s.heard = true
		return s, false
	}
	return nil, false
}

// expire closes the account of the sentinels whose time to answer is over, and
// counts those that are silent for longer than soon. What was answered counts
// no sooner than what was not: otherwise good news would come first.
func (w *watch) expire(now, soon, patience time.Duration, each func(s *sentinel, lost bool)) {
	kept := w.queue[:0]
	w.late = 0
	for n, o := range w.queue {
		if now-o.at < soon {
			kept = append(kept, w.queue[n:]...)
			break
		}
		s := &w.slots[o.slot]
		switch {
		case !s.asked || s.sentAt != o.at:
		case now-o.at >= patience:
			s.asked, s.missed = false, !s.heard
			if s.missed {
				w.lost++
				w.lostWeight += s.weight
			}
			each(s, s.missed)
		default:
			if !s.heard {
				w.late++
			}
			kept = append(kept, o)
		}
	}
	w.queue = kept
}
