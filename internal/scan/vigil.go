package scan

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"reconshield/internal/probe"
)

// canary is a target that refused by an ICMP error. Hosts limit these, so that
// one that stays silent says nothing of loss; when all do, for longer than any
// allowance takes to come back, the path is dead.
type canary struct {
	target probe.Probe
	host   uint64
	from   netip.Addr    // who refused
	asked  time.Duration // last
}

// vigil notices that the path died where no sentinels tell: it is suspicious of
// silence, then keeps everything back and asks canaries only. A false alarm
// costs what one of them takes to answer.
type vigil struct {
	canaries []canary
	index    map[uint64]int // by host: one of each
	next     int
	rand     *rand.Rand

	began   time.Duration // the first answer of all
	heard   time.Duration // the last one
	answers uint64
	unheard int // probes since

	alarm   time.Duration // when only canaries began to be asked; 0: they are not
	cries   int           // how many were since
	pass    int           // whose end was proven to have been reached alive, plus one
	closing bool          // it is the end of a pass that is to be proven
	doubted bool          // so few hosts spoke, that their silence does not end the pass
}

const (
	mostCanaries  = 256
	fewestHearers = 3               // whose silence together ends a sweep before it has asked everything
	leastQuiet    = 2 * time.Second // longer than an allowance of Linux takes
	usualGaps     = 8               // between answers, that must pass without one
	fewestUnheard = 16              // probes without an answer
	fewestCries   = 8
)

func newVigil(seed uint64) *vigil {
	return &vigil{index: map[uint64]int{}, rand: rand.New(rand.NewPCG(seed, mostCanaries))} //nolint:gosec // a choice of targets is no secret
}

// begin forgets what concerns the slab before.
func (v *vigil) begin() {
	v.unheard, v.alarm, v.cries, v.pass, v.closing, v.doubted = 0, 0, 0, 0, false, false
}

// consider takes a target that has answered.
func (v *vigil) consider(r *probe.Reply, host uint64) {
	switch r.Answer {
	case probe.PortUnreachable, probe.ProtocolUnreachable, probe.AdminProhibited:
	default:
		return // what else there is answers for sentinels, or depends on ARP
	}
	c := canary{target: r.Probe, host: host, from: r.From, asked: -allowanceEvery}
	c.target.Attempt = sentinelAttempt
	if _, known := v.index[host]; known {
		return
	}
	if len(v.canaries) < mostCanaries {
		v.index[host] = len(v.canaries)
		v.canaries = append(v.canaries, c)
		return
	}
	if v.rand.IntN(replaceOneIn) != 0 {
		return
	}
	i := v.rand.IntN(len(v.canaries))
	delete(v.index, v.canaries[i].host)
	v.index[host], v.canaries[i] = i, c
}

// answered takes any answer that the network brought.
func (v *vigil) answered(r *probe.Reply, host uint64, now time.Duration) {
	if v.answers == 0 {
		v.began = now
	}
	v.answers++
	v.heard, v.unheard, v.doubted = max(v.heard, now), 0, false
	if !v.closing {
		v.alarm = 0
		return
	}
	// Others may have been on their way when the path died.
	if i, known := v.index[host]; known && r.Attempt == sentinelAttempt && v.canaries[i].asked >= v.alarm {
		v.alarm, v.closing = 0, false
	}
}

// quiet is the silence that makes suspicious.
func (v *vigil) quiet() time.Duration {
	gap := (v.heard - v.began) / time.Duration(max(v.answers, 1)) //nolint:gosec // a count
	return max(leastQuiet, usualGaps*gap)
}

// hearers counts those who refused what the canaries asked.
func (v *vigil) hearers() int {
	seen := map[netip.Addr]bool{}
	for i := range v.canaries {
		seen[v.canaries[i].from] = true
	}
	return len(seen)
}

// witnessed reports that the lane's sentinels tell what became of its pass.
func (l *lane) witnessed() bool { return l.watch.sent >= l.passSent+enoughProven }

// unproven reports that the lane must wait for proof that the path works: it
// was silent for too long, or its pass is over.
func (s *sweep) unproven(l *lane, now time.Duration) bool {
	v := s.vigil
	over := l.ended && len(l.waiting)+len(l.prepared) == 0
	closing := over && v.pass <= l.pass
	silent := !over && !v.doubted && v.unheard >= fewestUnheard && now-v.heard > v.quiet()
	if l.careful || l.witnessed() || v.alarm == 0 && !closing && !silent {
		return false
	}
	if !slices.ContainsFunc(v.canaries, s.free) {
		v.alarm, v.closing = 0, false
		return false // those that are left notice it in lanes of their own
	}
	if v.alarm == 0 {
		v.alarm, v.cries, l.lastCry = now, 0, now
	}
	if closing {
		v.closing, v.pass = true, l.pass+1
	}
	return true
}

// free reports a canary whose host has no lane of its own.
func (s *sweep) free(c canary) bool { return !s.isCareful(c.host, c.target.Kind) }

// listen asks canaries, each no sooner than its host may refuse again, and gives
// the lane up when none has answered for long.
func (s *sweep) listen(l *lane, now time.Duration) error {
	v := s.vigil
	l.pacer.refilled, l.pacer.began = now, now
	patience := s.Outage
	if v.doubted { // for which it was waited already
		patience = min(patience, fewestCries*allowanceEvery)
	}
	if now-v.alarm >= patience && v.cries >= fewestCries {
		if !v.closing && v.hearers() < fewestHearers {
			v.alarm, v.doubted = 0, true
			return nil
		}
		s.giveUp(l)
		return nil
	}
	pause := max(longestPause, time.Duration(float64(time.Second)/l.pacer.ceiling))
	if now-l.lastCry < pause {
		return nil
	}
	for range v.canaries {
		v.next = (v.next + 1) % len(v.canaries)
		c := &v.canaries[v.next]
		if now-c.asked < allowanceEvery || !s.free(*c) || s.throttled(c.host, c.target.Addr, now) > 0 {
			continue
		}
		l.lastCry = now
		return s.cry(l, c, now)
	}
	return nil
}

// cry asks one canary.
func (s *sweep) cry(l *lane, c *canary, now time.Duration) error {
	s.batch, s.meta = s.batch[:0], s.meta[:0]
	s.take(outgoing{probe: c.target, host: c.host, sentinel: true}, now)
	n, err := s.wire.Send(s.batch)
	if n == 1 {
		c.asked = now
		s.vigil.cries++
		s.left(l, &s.meta[0], now)
	}
	switch {
	case errors.Is(err, probe.ErrDown):
		return s.down(now)
	case err != nil && !errors.Is(err, probe.ErrBusy):
		return fmt.Errorf("send probes: %w", err)
	}
	s.downSince = 0
	return nil
}

// giveUp ends the main lane because nothing is answered any more.
func (s *sweep) giveUp(l *lane) {
	s.broken = "nothing has been answered any more for " + s.Outage.String() +
		": the link, the target or a firewall on the way stopped; what was not measured is reported as such"
	l.ended, l.done = true, true
}
