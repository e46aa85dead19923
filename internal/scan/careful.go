package scan

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"reconshield/internal/probe"
)

// hostNote is what is known of a host that has answered.
type hostNote struct {
	unreachables uint32 // UDP ports it said are closed
	proven, lost uint16 // its sentinels
	canary       probe.Probe
	lane         *lane // when it is asked by itself
	limited      bool  // its silence may come from a limit
}

// isCareful reports a target that belongs to a lane of its host's own.
func (s *sweep) isCareful(host uint64, kind probe.Kind) bool {
	return len(s.lanes) > 1 && s.laneOf(host, kind).careful
}

func (s *sweep) laneOf(host uint64, kind probe.Kind) *lane {
	if len(s.lanes) > 1 {
		if n := s.hosts[host]; n != nil && n.lane != nil && (kind == probe.UDP || !n.lane.onlyUDP) {
			return n.lane
		}
	}
	return s.lanes[0]
}

// sentinelDue reports that the lane should ask a target that is known to answer.
func (s *sweep) sentinelDue(l *lane) bool {
	const (
		share = 32  // one packet in so many
		alert = 8   // while answers are being lost
		few   = 4   // an epoch, however short
		slow  = 200 // packets a second, below which epochs are few
	)
	w, p := l.watch, l.pacer
	if len(w.slots) == 0 {
		return false
	}
	if l.careful {
		// While most probes are answered, they show themselves that the host
		// keeps up; silence has to be told from a used-up allowance.
		every := share
		if p.proven < p.sent*3/4 {
			every = 2
		}
		return l.sinceSentinel >= every
	}
	if l.streak > 1 {
		return l.sinceSentinel > 0
	}
	if p.ramp && !p.topped && len(l.waiting) == 0 && l.epochSentinels < few {
		return p.sent > l.epochSentinels
	}
	if p.loss > tolerable || p.rate < slow {
		return l.owed >= alert
	}
	return l.owed >= share
}

// reserve notes that a sentinel is about to leave, which settles what probes
// are owed; those of an epoch that is long over are forgiven.
func (l *lane) reserve(c *sentinel) {
	const share, most = 32, 128
	l.owed = min(max(l.owed-share, 0), most)
	l.epochSentinels++
	c.asked, l.sinceSentinel = true, 0
}

// expire gives up sentinels that have been due for too long.
func (s *sweep) expire(l *lane, now time.Duration) {
	p := l.pacer
	soon := max(time.Millisecond, 3*p.meanRTT)
	var limited []uint64
	l.watch.expire(now, soon, p.patience(), func(c *sentinel, lost bool) {
		n := s.hosts[c.host]
		if !lost {
			p.verified(c.sentAt)
			if n != nil {
				n.proven++
			}
			return
		}
		p.missed(c.sentAt)
		s.summary.SentinelsLost++
		l.streak++
		if l.silentFor == 0 {
			l.silentFor, l.rateBefore = now, p.rate
		}
		if n != nil {
			n.lost++
			if !l.careful && s.limits(n) {
				limited = append(limited, c.host)
			}
		}
	})
	for _, host := range limited {
		if n := s.hosts[host]; n.lane == nil {
			s.detach(host, n, now, false)
		}
	}
}

// limits reports a host that loses answers while the others keep theirs.
func (s *sweep) limits(n *hostNote) bool {
	const (
		least = 4
		share = 3 // one in so many lost
	)
	if n.lane != nil || n.lost < least || n.lost*share < n.lost+n.proven || len(s.hosts) < 2 {
		return false
	}
	var proven, lost int
	for _, c := range s.lanes[0].watch.slots {
		if other := s.hosts[c.host]; other != nil && other != n {
			proven += int(other.proven)
			lost += int(other.lost)
		}
	}
	return proven >= enoughProven && lost*share*4 < proven+lost
}

// detach gives a host a lane of its own, for all that it has not answered, or
// what of that is UDP.
func (s *sweep) detach(host uint64, n *hostNote, now time.Duration, onlyUDP bool) *lane {
	const start, need = 4, 4
	l := &lane{careful: true, onlyUDP: onlyUDP, host: host, watch: newWatch(s.Seed+host, mostOfOne), pacer: s.newPacer(start)}
	l.pacer.floor, l.pacer.need, l.pacer.began, l.pacer.refilled = leastRate, need, now, now
	main := s.lanes[0]
	theirs := func(c *sentinel) bool { return c.host == host && (!onlyUDP || c.target.Kind == probe.UDP) }
	for _, c := range main.watch.slots {
		if theirs(&c) {
			l.watch.adopt(c)
		}
	}
	main.watch.forget(theirs)
	if !onlyUDP {
		main.pacer.lost, main.pacer.proven = 0, 0
	}
	n.lane = l
	for end, e := range s.space.ends {
		if onlyUDP && e.kind != probe.UDP {
			continue
		}
		i, h, ok := s.known(host, end)
		if !ok || h != pending || onlyUDP && s.isSuspect(i) {
			continue // a suspect has answered, and can do so again
		}
		l.list = append(l.list, uint32(i)) //nolint:gosec // a slab has fewer than 2^28
	}
	s.importantFirst(l.list)
	if len(l.list) <= fewLeft {
		l.pacer.rate = l.pacer.floor // what little time there is goes to what matters
	}
	l.left, l.wake = len(l.list), now
	s.lanes = append(s.lanes, l)
	heap.Push(&s.agenda, l)
	return l
}

// known gives the place of an endpoint of a host in the slab and what is known
// of it; ok is false when it belongs to another slab or shard.
func (s *sweep) known(host uint64, end int) (i uint64, h heard, ok bool) {
	pos, ok := s.space.position(host, end)
	if !ok || pos < s.lo || pos-s.lo >= s.tally.n {
		return 0, pending, false
	}
	return pos - s.lo, s.tally.get(pos - s.lo), true
}

// importantFirst orders positions by what their ports matter, and by the order
// of the sweep where that is equal.
func (s *sweep) importantFirst(list []uint32) {
	rank := rankings()
	place := func(i uint32) int {
		var p probe.Probe
		s.space.at(s.lo+uint64(i), &p)
		if r, ok := rank[endpoint{p.Kind, p.Port}]; ok {
			return r
		}
		return len(rank)
	}
	slices.SortStableFunc(list, func(a, b uint32) int { return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b)) })
}

// rankings gives the places of ports for which everything else waits.
func rankings() map[endpoint]int {
	const mdns, dot, doh, ntp, dns = 5353, 853, 443, 123, 53
	ranked := []endpoint{
		{probe.UDP, dns},
		{probe.TCP, dns},
		{probe.TCP, dot},
		{probe.TCP, doh},
		{probe.UDP, dot},
		{probe.UDP, mdns},
		{probe.UDP, ntp},
	}
	places := make(map[endpoint]int, len(ranked))
	for i, e := range ranked {
		places[e] = i
	}
	return places
}

// patience is how long the lane's host may hold the sweep up: half as long when
// DNS, for which the others wait, is known to be open.
func (s *sweep) patience(l *lane) time.Duration {
	const dns = 53
	where := s.space.where[probe.UDP]
	if where == nil || where[dns] < 0 {
		return s.Patience
	}
	if _, h, ok := s.known(l.host, int(where[dns])); ok && h == isOpen {
		return s.Patience / 2 //nolint:mnd // as it says
	}
	return s.Patience
}

// leastRate is the slowest a host is asked: Linux says once a second that a
// UDP port is closed.
const leastRate = 0.8

// separate looks, after a pass over everything, for hosts that say of some
// UDP ports that they are closed and nothing of others, or that close TCP ports
// and say nothing over UDP: an earlier scan may have used up what they say.
// When the verdict matters, they are asked as slowly as they answer.
func (s *sweep) separate(now time.Duration) {
	s.noteLimits()
	if s.Want == WantOpen {
		return
	}
	for host, n := range s.hosts {
		if n.lane != nil || !s.silentUDP(host) {
			continue
		}
		l := s.detach(host, n, now, true)
		if n.limited {
			l.watch.consider(&probe.Reply{Probe: n.canary, Answer: probe.PortUnreachable}, host, true)
		} else {
			l.trial, l.pacer.rate = true, l.pacer.floor
		}
		l.again(s.tally, s.Seed)
	}
}

// cared reports that a careful lane has nothing left to learn, or no time.
func (s *sweep) cared(l *lane, now time.Duration) bool {
	const inARow = 8
	switch {
	case l.left == 0:
		l.missing = 0
		return true
	case s.tried(l, now):
		return true
	case s.Patience > 0 && now > s.patience(l),
		l.streak >= inARow && now-l.silentFor >= s.Outage: // the host is gone
		l.given = true
		s.worthCare(l, 1, true)
		return true
	}
	return false
}

// noteLimits notes the hosts that say of some UDP ports that they are closed
// and nothing of others.
func (s *sweep) noteLimits() {
	for host, n := range s.hosts {
		if n.lane == nil && n.unreachables > 0 && s.silentUDP(host) {
			n.limited = true
		}
	}
}

// tried reports that a host has been asked by itself often enough in vain to
// be taken for one that says nothing of closed UDP ports.
func (s *sweep) tried(l *lane, now time.Duration) bool {
	const enough = 2
	if !l.trial || l.sinceSentinel < enough || now-l.lastSent < l.settle(s.OnLink) {
		return false
	}
	l.unheard, l.missing = 0, 0
	return true
}

// lastWord ends a pass over the ports of a careful host with a target that is
// known to answer: whether it does tells what the silence of the others is
// worth.
func (s *sweep) lastWord(l *lane, now time.Duration) bool {
	if !l.careful || l.sinceSentinel == 0 || l.trial {
		return false
	}
	c := l.watch.pick(now, l.sinceSentinel)
	if c == nil {
		return false
	}
	l.reserve(c)
	l.prepared = append(l.prepared, outgoing{probe: c.target, host: c.host, sentinel: true})
	return true
}

// silentUDP reports UDP ports of a host that have not answered.
func (s *sweep) silentUDP(host uint64) bool {
	for end, e := range s.space.ends {
		if e.kind != probe.UDP {
			continue
		}
		if i, h, ok := s.known(host, end); ok && h == pending && !s.isSuspect(i) {
			return true
		}
	}
	return false
}

// stalls reports that the lane waits because nothing is answered any more,
// though it was: then only sentinels are asked. It gives the lane up when that
// has lasted.
func (s *sweep) stalls(l *lane, now time.Duration) bool {
	const inARow = 8
	if l.careful || l.streak < inARow || now-l.silentFor < time.Second {
		return false
	}
	if now-l.silentFor >= s.Outage {
		s.giveUp(l)
		return true
	}
	l.stalled = true
	l.pacer.refilled = now
	pause := max(longestPause, time.Duration(float64(time.Second)/l.pacer.ceiling))
	if now-l.lastCry < pause {
		return true
	}
	c := l.watch.pick(now, l.sinceSentinel)
	if c == nil || s.throttled(c.host, c.target.Addr, now) > 0 {
		return true
	}
	l.lastCry = now
	s.batch, s.meta = s.batch[:0], s.meta[:0]
	s.take(outgoing{probe: c.target, host: c.host, sentinel: true}, now)
	if n, err := s.wire.Send(s.batch); err == nil && n == 1 {
		s.left(l, &s.meta[0], now)
	}
	return true
}
