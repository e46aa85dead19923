package scan

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/probe"
)

// Sweep asks every target of the survey over the wire and calls emit with what
// was found, once a target and from this goroutine: whenever an answer decides
// it, or at the end of a slab of the order when it stayed silent. What the
// survey does not want is counted and not emitted.
//
// It returns an error with a partial summary when ctx is cancelled or the wire
// fails; what was asked until then has been emitted. It starts no goroutine.
func Sweep(ctx context.Context, w Wire, survey Survey, emit func(exposure.Observation)) (Summary, error) {
	s := newSweep(w, survey, emit)
	err := s.resume()
	for s.lo < s.space.size() && err == nil {
		s.begin(min(slabSize, s.space.size()-s.lo))
		err = s.loop(ctx)
		s.conclude(err != nil)
		if err == nil {
			s.lo += s.tally.n
		}
	}
	return s.finish(err)
}

// slabSize bounds the memory of a sweep: two bits a position. A larger order
// is walked slab by slab, each a random part of the whole.
const slabSize = 1 << 27

// sweep is one under way.
type sweep struct {
	Survey
	wire  Wire
	space *space
	emit  func(exposure.Observation)
	start time.Time

	lo      uint64 // first position of the slab
	tally   *tally
	flights *flights
	lanes   []*lane // the main one first
	hosts   map[uint64]*hostNote
	notes   bool // hosts are worth a note
	perHost *throttle
	perNet  *throttle

	suspects map[uint64]uint8  // positions that sent what answers nothing
	failed   map[uint64]string // positions whose last attempt failed on this side

	batch     []probe.Probe
	meta      []outgoing
	replies   []probe.Reply
	drops     uint64
	downSince time.Duration
	broken    string // why the sweep gave up a part
	summary   Summary
	inSlab    [probe.Attempts]uint64 // answers of the main lane by the attempt they answer
	missing   float64                // of the slabs that are done
	reported  time.Duration
	recorded  time.Duration
	lastSent  uint64
	rate      float64
	recent    []byte // answers not yet in the journal
	replayed  bool
}

const (
	batchSize     = 128
	replySize     = 1024
	reportEvery   = 100 * time.Millisecond
	recordEvery   = time.Second
	longestPause  = 50 * time.Millisecond
	outageRate    = 20.0 // packets a second while it is not clear what happens
	fewEndpoints  = 8    // ports below which a host is not worth a note
	mostHostNotes = 1 << 18
)

func newSweep(w Wire, survey Survey, emit func(exposure.Observation)) *sweep {
	if survey.Outage == 0 {
		survey.Outage = DefaultOutage
	}
	s := &sweep{
		Survey: survey, wire: w, space: newSpace(&survey), emit: emit, start: time.Now(),
		flights: &flights{}, batch: make([]probe.Probe, 0, batchSize), meta: make([]outgoing, 0, batchSize),
		replies: make([]probe.Reply, replySize),
		perHost: newThrottle(survey.PerHost, survey.Addresses.Len()),
		perNet:  newThrottle(survey.PerNet, survey.Addresses.Len()),
	}
	s.notes = len(s.space.ends) >= fewEndpoints || s.space.where[probe.UDP] != nil
	s.summary.Started, s.summary.Mode, s.summary.Seed = s.start, survey.Mode, survey.Seed
	return s
}

// now is the time since the start.
func (s *sweep) now() time.Duration { return time.Since(s.start) }

// begin sets up a slab.
func (s *sweep) begin(n uint64) {
	now := s.now()
	s.tally = newTally(n)
	s.hosts, s.suspects, s.failed = map[uint64]*hostNote{}, map[uint64]uint8{}, map[uint64]string{}
	s.inSlab = [probe.Attempts]uint64{}
	main := &lane{watch: newWatch(s.Seed), pacer: s.newPacer(s.firstRate())}
	if len(s.lanes) > 0 { // what was learned of the path stays known
		main.pacer, main.watch = s.lanes[0].pacer, s.lanes[0].watch
	}
	main.pacer.began, main.pacer.refilled = now, now
	s.lanes = append(s.lanes[:0], main)
	s.replay()
}

// firstRate is what a sweep begins with.
func (s *sweep) firstRate() float64 {
	if s.OnLink || s.Rate > 0 {
		return startRate
	}
	return blindRate
}

func (s *sweep) newPacer(start float64) *pacer {
	ceiling := math.Inf(1)
	if s.Rate > 0 {
		ceiling = s.Rate
	}
	return newPacer(start, 1, ceiling)
}

// loop runs the slab's lanes until all are done.
func (s *sweep) loop(ctx context.Context) error {
	for {
		wait, done, err := s.turn()
		if err != nil || done {
			return err
		}
		n, err := s.wire.Receive(s.replies, min(max(wait, 0), longestPause))
		if err != nil {
			return fmt.Errorf("receive answers: %w", err)
		}
		now := s.now()
		for i := range s.replies[:n] {
			s.hear(&s.replies[i], now)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.housekeep(now); err != nil {
			return err
		}
	}
}

// turn gives every lane its turn and tells how long nothing is to be done.
func (s *sweep) turn() (wait time.Duration, done bool, err error) {
	done, wait = true, longestPause
	for i := 0; i < len(s.lanes); i++ { // lanes may be added on the way
		l := s.lanes[i]
		if l.done {
			continue
		}
		done = false
		pause, err := s.advance(l)
		if err != nil {
			return 0, false, err
		}
		wait = min(wait, pause)
	}
	return wait, done, nil
}

// advance lets a lane do what is due, and tells when more will be.
func (s *sweep) advance(l *lane) (time.Duration, error) {
	now := s.now()
	s.expire(l, now)
	if l.pacer.due(now) {
		s.drops = s.wire.Account().RingDrops
		watched := len(l.watch.slots) > 0
		l.pacer.adapt(now, l.watch.late, s.drops, s.limit(l, watched), watched)
		l.epochSentinels = l.watch.sent
		if l.streak > 1 && !l.careful { // it may be an outage: slow down, and see
			l.pacer.rate = max(l.pacer.rate, min(l.rateBefore, outageRate))
		}
	}
	if s.finished(l) {
		l.done = true
		return 0, nil
	}
	if l.ended && len(l.waiting)+len(l.prepared) == 0 {
		return s.settle(l, now), nil
	}
	if s.stalls(l, now) {
		return longestPause, nil
	}
	return s.send(l, now)
}

// limit is the ceiling of a lane beside the one that the user set.
func (s *sweep) limit(l *lane, watched bool) float64 {
	if s.Rate > 0 {
		return math.Inf(1)
	}
	return l.pacer.limit(s.Addresses.Len(), s.OnLink, watched)
}

// finished reports that nothing is left to learn.
func (s *sweep) finished(l *lane) bool {
	if l.careful {
		if s.tried(l, s.now()) {
			return true
		}
		if over := s.Patience > 0 && s.now() > s.Patience; over {
			s.worthCare(l, 1, true)
			return true
		}
		return false
	}
	if s.tally.left == 0 {
		l.missing = 0
	}
	return s.tally.left == 0
}

// settle waits for the answers to a pass, then decides on another.
func (s *sweep) settle(l *lane, now time.Duration) time.Duration {
	if l.settles == 0 {
		if s.lastWord(l, now) {
			return 0
		}
		l.settles = now + l.settle(s.OnLink)
	}
	if now < l.settles {
		return l.settles - now
	}
	l.settles = 0
	if !s.worthAnother(l) {
		l.done = true
		return 0
	}
	if !l.careful && l.pass == 0 {
		s.separate(now)
	}
	l.again(s.tally, s.Seed)
	l.pacer.refilled, l.pacer.began = now, now
	return 0
}

// send lets as many packets of the lane leave as its rate allows.
func (s *sweep) send(l *lane, now time.Duration) (time.Duration, error) {
	n := min(l.pacer.allowance(now), batchSize)
	if n == 0 {
		return l.pacer.wait(), nil
	}
	hold := s.fill(l, n, now)
	if len(s.batch) == 0 {
		return hold, nil
	}
	before := s.now()
	sent, err := s.wire.Send(s.batch)
	now = s.now()
	for i := range sent {
		// The first answers come while the last probes leave.
		s.left(l, &s.meta[i], before+(now-before)*time.Duration(i)/time.Duration(sent))
	}
	l.prepared = append(l.prepared[:0], s.meta[sent:]...)
	l.pacer.spent(sent)
	switch {
	case errors.Is(err, probe.ErrDown):
		return longestPause, s.down(now)
	case errors.Is(err, probe.ErrBusy):
		l.pacer.busy++
		return leastEpoch, nil
	case err != nil:
		return 0, fmt.Errorf("send probes: %w", err)
	}
	s.downSince = 0
	if sent < len(s.batch) { // the wire holds as many as it can
		return leastEpoch, nil
	}
	return l.pacer.wait(), nil
}

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
	for len(s.batch) < n {
		if s.sentinelDue(l) {
			if c := l.watch.pick(now); c != nil && s.throttled(c.host, c.target.Addr, now) == 0 {
				l.watch.left(c, now, l.cursor)
				l.sinceSentinel = 0
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
		if !l.careful && s.isCareful(o.host) {
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

// left notes that a probe is on its way.
func (s *sweep) left(l *lane, o *outgoing, now time.Duration) {
	s.summary.Sent++
	if o.sentinel {
		s.summary.Sentinels++
		return
	}
	if l.pass > 0 {
		s.summary.Retransmitted++
	}
	l.sinceSentinel++
	l.lastSent = now
	s.flights.left(o.index, o.probe.Attempt, now)
}

// down waits for the link; it gives up after a while.
func (s *sweep) down(now time.Duration) error {
	if s.downSince == 0 {
		s.downSince = now
	}
	if now-s.downSince < s.Outage {
		return nil
	}
	return fmt.Errorf("the link has been down for %s: %w", s.Outage, probe.ErrDown)
}
