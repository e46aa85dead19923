package scan

import (
	"net/netip"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/probe"
)

// hear takes one answer.
func (s *sweep) hear(r *probe.Reply, now time.Duration) {
	if at := r.At.Sub(s.start); !r.At.IsZero() && at > 0 && at < now {
		now = at // what lay in a queue of this side is no round-trip time
	}
	pos, host, ok := s.space.find(&r.Probe)
	if !ok {
		return
	}
	if !fromNetwork(r.Answer) {
		s.unsent(r)
	} else {
		s.summary.Replies++
		s.vigil.answered(r, host, now)
	}
	if r.Attempt == sentinelAttempt {
		s.hearSentinel(r, host, now)
		return
	}
	if pos < s.lo || pos-s.lo >= s.tally.n {
		return // late, for an earlier slab
	}
	i := pos - s.lo
	if s.tally.get(i) != pending {
		return
	}
	if r.Answer == probe.LocalError {
		if len(s.failed) < mostOddities {
			s.failed[i] = r.Detail
			return
		}
		s.settled(i, r, 0)
		return
	}
	if r.Answer == probe.Datagram && r.Protocol == "" && !s.confirmed(i, r) {
		return
	}
	odd := s.isSuspect(i)
	delete(s.suspects, i)
	l := s.laneOf(host, r.Kind)
	var rtt time.Duration
	if fromNetwork(r.Answer) {
		rtt = s.flights.rtt(i, r.Attempt, now)
		l.pacer.answered(rtt)
		l.streak, l.silentFor = 0, 0
		s.watchFor(l, r, host)
		if l.careful {
			l.pacer.proven++
			l.found++
			l.trial = false
		} else {
			s.heardInMain(l, i, r)
		}
	}
	if l.careful && (!odd || !l.onlyUDP) { // those stay in the main lane
		l.left--
	}
	s.settled(i, r, rtt)
}

// unsent corrects the account for a probe that did not leave this machine.
func (s *sweep) unsent(r *probe.Reply) {
	if s.summary.Sent > 0 {
		s.summary.Sent--
	}
	if r.Attempt > 0 && r.Attempt != sentinelAttempt && s.summary.Retransmitted > 0 {
		s.summary.Retransmitted--
	}
}

// fromNetwork reports an answer that a packet brought.
func fromNetwork(a probe.Answer) bool { return a != probe.Nothing && a < probe.NoNeighbour }

// confirmed reports that a UDP target has sent something other than an answer
// to the question twice, from its own address: then a service of another kind
// is there. Once may be chance or forgery.
func (s *sweep) confirmed(i uint64, r *probe.Reply) bool {
	if !sameHost(r.From, r.Addr) {
		return false
	}
	attempt, seen := s.suspects[i]
	if !seen && len(s.suspects) < mostOddities {
		s.suspects[i] = r.Attempt
	}
	return seen && attempt != r.Attempt
}

// heardInMain notes what an answer tells of the main lane's path.
func (s *sweep) heardInMain(l *lane, i uint64, r *probe.Reply) {
	if r.Attempt == 0 {
		l.heardAt = max(l.heardAt, i+1) // in the first pass that is its cursor
	}
	if tellsLoss(r) {
		s.inSlab[r.Attempt]++
		s.byPass[len(s.byPass)-1]++
	}
}

// tellsLoss reports an answer that comes unless it is lost. Hosts limit their
// ICMP errors: that they come late says nothing of loss.
func tellsLoss(r *probe.Reply) bool {
	if r.Kind == probe.UDP {
		return r.Answer == probe.Datagram
	}
	return r.Answer != probe.PortUnreachable
}

// isSuspect reports a UDP target that has answered once, and oddly.
func (s *sweep) isSuspect(i uint64) bool {
	_, odd := s.suspects[i]
	return odd
}

// watchFor keeps the target as a sentinel, and notes what its host answers.
func (s *sweep) watchFor(l *lane, r *probe.Reply, host uint64) {
	l.watch.consider(r, host, l.careful)
	s.vigil.consider(r, host)
	if !s.notes || !sameHost(r.From, r.Addr) {
		return
	}
	n := s.hosts[host]
	if n == nil {
		if len(s.hosts) >= mostHostNotes {
			return
		}
		n = &hostNote{}
		s.hosts[host] = n
	}
	if r.Answer == probe.PortUnreachable && r.Kind == probe.UDP {
		n.unreachables++
		if !n.canary.Addr.IsValid() {
			n.canary = r.Probe
		}
	}
}

// hearSentinel takes the answer of a target that was known to answer.
func (s *sweep) hearSentinel(r *probe.Reply, host uint64, now time.Duration) {
	l := s.laneOf(host, r.Kind)
	if !fromNetwork(r.Answer) {
		return // which says nothing of the path
	}
	c, late := l.watch.hear(r)
	if c == nil {
		return
	}
	if l.stalled { // the path works again, as well as before for all we know
		l.pacer.restart(l.rateBefore/2, now) //nolint:mnd // half, to be careful
	}
	l.heardAt = max(l.heardAt, c.cursor)
	l.streak, l.silentFor, l.stalled = 0, 0, false
	l.pacer.answered(max(now-c.sentAt, time.Microsecond))
	if !late {
		return
	}
	s.summary.SentinelsLost--
	l.pacer.found(c.sentAt)
	if n := s.hosts[host]; n != nil && n.lost > 0 {
		n.lost--
		n.proven++
	}
}

// settled gives a verdict that rests on an answer.
func (s *sweep) settled(i uint64, r *probe.Reply, rtt time.Duration) {
	state, detail := judge(r)
	know := isOther
	switch state {
	case exposure.Open:
		know = isOpen
	case exposure.Closed:
		know = isClosed
	case exposure.Filtered, exposure.OpenFiltered, exposure.Unmeasured:
	}
	s.tally.settle(i, know)
	s.count(state, r.Answer)
	if r.Attempt > 0 {
		s.summary.Recovered++
	}
	s.keep(i, r, rtt)
	if s.Want != WantAll && state != exposure.Open {
		return
	}
	at := r.At
	if at.IsZero() {
		at = time.Now()
	}
	s.emit(exposure.Observation{
		Target: target(&r.Probe), Vantage: s.Vantage, State: state, Reason: r.Answer.Reason(r.Protocol),
		RTT: rtt, Attempts: int(r.Attempt) + 1, Detail: detail, At: at,
	})
}

// count adds a verdict to the summary.
func (s *sweep) count(state exposure.State, answer probe.Answer) {
	s.summary.Targets++
	if fromNetwork(answer) {
		s.summary.Answered++
	}
	switch state {
	case exposure.Open:
		s.summary.Open++
	case exposure.Closed:
		s.summary.Closed++
	case exposure.Filtered:
		s.summary.Filtered++
	case exposure.Unmeasured:
		s.summary.Unmeasured++
		if answer == probe.NoRoute {
			s.summary.Unroutable++
		}
	case exposure.OpenFiltered:
	}
}

func target(p *probe.Probe) exposure.Target {
	return exposure.Target{Addr: p.Addr, Transport: p.Kind.Transport(), Port: p.Port}
}

// judge turns an answer into a verdict. Only the target's own refusal proves a
// port closed.
func judge(r *probe.Reply) (state exposure.State, detail string) {
	own := !r.From.IsValid() || sameHost(r.From, r.Addr)
	switch r.Answer {
	case probe.SynAck, probe.EchoReply:
		return exposure.Open, ""
	case probe.Reset:
		return exposure.Closed, ""
	case probe.Datagram:
		if !own {
			return exposure.Open, "the answer came from " + r.From.String()
		}
		return exposure.Open, ""
	case probe.PortUnreachable:
		if own && r.Kind == probe.UDP {
			return exposure.Closed, ""
		}
		return exposure.Filtered, saidBy(r.From)
	case probe.HostUnreachable, probe.NetUnreachable, probe.ProtocolUnreachable,
		probe.AdminProhibited, probe.TimeExceeded:
		if own {
			return exposure.Filtered, ""
		}
		return exposure.Filtered, saidBy(r.From)
	case probe.NoNeighbour:
		return exposure.Filtered, ""
	case probe.Nothing, probe.NoRoute, probe.LocalError:
	}
	return exposure.Unmeasured, r.Detail
}

func saidBy(a netip.Addr) string { return "said by " + a.String() + ", not by the target" }
