package scan

import (
	"net/netip"
	"time"
)

// fill builds a batch of at most n probes. It tells how long to wait when
// there is nothing that may leave now.
func (s *sweep) fill(l *lane, n int, now time.Duration) (hold time.Duration) {
	s.batch, s.meta = s.batch[:0], s.meta[:0]
	for _, o := range l.prepared {
		s.add(o)
	}
	l.prepared = l.prepared[:0]
	hold = s.release(l, n, now)
	attempt, patience := l.attempt(), l.settle(s.OnLink)
	for skipped := 0; len(s.batch) < n; {
		if s.sentinelDue(l) {
			if c := l.watch.pick(now, l.sinceSentinel); c != nil && s.throttled(c.host, c.target.Addr, now) == 0 {
				l.reserve(c)
				s.take(outgoing{probe: c.target, host: c.host, sentinel: true}, now)
				continue
			}
		}
		if len(l.waiting) >= batchSize {
			break
		}
		i, ok := l.position(s.tally)
		if !ok {
			break
		}
		o := outgoing{index: i}
		o.host = s.space.at(s.lo+i, &o.probe)
		if !l.careful && s.isCareful(o.host, o.probe.Kind) && !s.isSuspect(i) {
			if skipped++; skipped == mostSkipped {
				return 0
			}
			continue
		}
		o.probe.Attempt, o.probe.Patience = attempt, patience
		if wait := s.throttled(o.host, o.probe.Addr, now); wait > 0 {
			l.waiting = append(l.waiting, o)
			hold = min(hold, wait)
			continue
		}
		s.take(o, now)
	}
	return hold
}

// release moves what a throttle held back and may leave now into the batch.
func (s *sweep) release(l *lane, n int, now time.Duration) (hold time.Duration) {
	hold = longestPause
	kept := l.waiting[:0]
	for _, o := range l.waiting {
		wait := s.throttled(o.host, o.probe.Addr, now)
		switch {
		case s.tally.get(o.index) != pending:
		case wait > 0:
			hold = min(hold, wait)
			kept = append(kept, o)
		case len(s.batch) >= n:
			hold = 0
			kept = append(kept, o)
		default:
			s.take(o, now)
		}
	}
	l.waiting = kept
	return hold
}

// throttled tells how long an address must be left alone.
func (s *sweep) throttled(host uint64, a netip.Addr, now time.Duration) time.Duration {
	if s.perNet == nil {
		return s.perHost.wait(host, now)
	}
	return max(s.perHost.wait(host, now), s.perNet.wait(network(a), now))
}

func (s *sweep) take(o outgoing, now time.Duration) {
	s.perHost.take(o.host, now)
	if s.perNet != nil {
		s.perNet.take(network(o.probe.Addr), now)
	}
	s.add(o)
}

func (s *sweep) add(o outgoing) {
	s.batch, s.meta = append(s.batch, o.probe), append(s.meta, o)
}
