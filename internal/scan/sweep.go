package scan

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
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
	if over, _ := bits.Mul64(survey.Addresses.Len(), uint64(len(survey.Ports))+1); over != 0 {
		return Summary{}, errors.New("so many addresses times ports cannot be counted: scan fewer of them")
	}
	s := newSweep(w, survey, emit)
	err := s.resume()
	if err == nil {
		s.retell()
	}
	for s.lo < s.space.size() && err == nil {
		s.begin(min(s.slab, s.space.size()-s.lo))
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
	lanes   []*lane       // the main one first
	agenda  agenda        // the careful ones that are not done
	drained time.Duration // all answers that came until then were heard
	vigil   *vigil
	ceiling ceiling
	hosts   map[uint64]*hostNote
	notes   bool // hosts are worth a note
	perHost *throttle
	perNet  *throttle

	suspects map[uint64]uint8  // positions that sent what answers nothing
	failed   map[uint64]string // positions whose last attempt failed on this side

	marks     []mark
	batch     []probe.Probe
	meta      []outgoing
	replies   []probe.Reply
	downSince time.Duration
	broken    string // why the sweep gave up a part
	summary   Summary
	inSlab    [probe.Attempts]uint64 // answers of the main lane by the attempt they answer
	byPass    []uint64               // and by the pass in which they came
	blind     bool                   // nothing tells how much was missed
	missing   float64                // of the slabs that are done
	reported  time.Duration
	recorded  time.Duration
	lastSent  uint64
	rate      float64
	recent    []byte // answers not yet in the journal
	careful   []byte // the last record of careful lanes
	resumed   uint64 // where the journal stands: the slab that begins there was under way
}

const (
	batchSize      = 128
	replySize      = 1024
	reportEvery    = 100 * time.Millisecond
	recordEvery    = time.Second
	longestPause   = 50 * time.Millisecond
	allowanceEvery = 1100 * time.Millisecond // after which Linux answers for one more closed UDP port
	outageRate     = 20.0                    // packets a second while it is not clear what happens
	mostSkipped    = 4096                    // positions, before answers are looked at again
	fewEndpoints   = 8                       // ports below which a host is not worth a note
	mostHostNotes  = 1 << 18
	mostOddities   = 1 << 20 // targets that are remembered for what is odd about them
)

func newSweep(w Wire, survey Survey, emit func(exposure.Observation)) *sweep {
	if survey.Outage == 0 {
		survey.Outage = DefaultOutage
	}
	if survey.slab == 0 {
		survey.slab = slabSize
	}
	s := &sweep{
		Survey: survey, wire: w, space: newSpace(&survey), emit: emit, start: time.Now(),
		flights: &flights{}, batch: make([]probe.Probe, 0, batchSize), meta: make([]outgoing, 0, batchSize),
		replies: make([]probe.Reply, replySize),
		vigil:   newVigil(survey.Seed),
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
	s.inSlab, s.byPass, s.marks = [probe.Attempts]uint64{}, []uint64{0}, nil
	main := &lane{watch: newWatch(s.Seed, mostSentinels), pacer: s.newPacer(s.firstRate())}
	if len(s.lanes) > 0 { // what was learned of the path stays known
		main.pacer, main.watch = s.lanes[0].pacer, s.lanes[0].watch
	}
	main.pacer.began, main.pacer.refilled = now, now
	s.vigil.begin()
	s.lanes, s.agenda = append(s.lanes[:0], main), nil
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
		began := s.now()
		n, err := s.wire.Receive(s.replies, min(max(wait, 0), longestPause))
		if err != nil {
			return fmt.Errorf("receive answers: %w", err)
		}
		now := s.now()
		switch n {
		case 0:
			s.drained = now
		case len(s.replies): // there may be more
		default:
			s.drained = began
		}
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

// turn lets every lane do what is due and tells how long nothing is to be done.
func (s *sweep) turn() (wait time.Duration, done bool, err error) {
	const visits = 64 // until answers are looked at again
	start := s.now()
	wait = longestPause
	main := s.lanes[0]
	s.shared(start)
	if !main.done {
		pause, err := s.advance(main)
		if err != nil {
			return 0, false, err
		}
		wait = min(wait, pause)
	}
	// Thousands of lanes wait most of the time: each is looked at only when it
	// is due, or now and then.
	seldom := max(longestPause, time.Duration(len(s.agenda))*20*time.Microsecond)
	for range visits {
		if len(s.agenda) == 0 {
			return wait, main.done, nil
		}
		l := s.agenda[0]
		if l.wake > start {
			return min(wait, l.wake-start), false, nil
		}
		if n, pause := s.ceiling.allowance(true); n == 0 {
			return min(wait, pause), false, nil // who waits longest comes first then
		}
		pause, err := s.advance(l)
		if err != nil {
			return 0, false, err
		}
		if l.done {
			heap.Pop(&s.agenda)
			l.release()
			continue
		}
		l.wake = max(start+1, s.now()+min(pause, seldom))
		heap.Fix(&s.agenda, 0)
	}
	return 0, false, nil
}

// advance lets a lane do what is due, and tells when more will be.
func (s *sweep) advance(l *lane) (time.Duration, error) {
	now := s.now()
	s.expire(l, min(now, s.drained)) // what lies unread is not lost
	if l.pacer.due(now) {
		watched := len(l.watch.slots) > 0
		l.pacer.adapt(now, l.watch.late, s.wire.Account().RingDrops, s.limit(l, watched), watched)
		l.epochSentinels = 0
		if l.streak > 1 && !l.careful { // it may be an outage: slow down, and see
			l.pacer.rate = max(l.pacer.rate, min(l.rateBefore, outageRate))
		}
	}
	if s.finished(l) {
		l.done = true
		return 0, nil
	}
	unproven := s.unproven(l, now)
	if unproven {
		if err := s.listen(l, now); err != nil || l.done {
			return longestPause, err
		}
	}
	if l.ended && len(l.waiting)+len(l.prepared) == 0 {
		return s.settle(l, now, unproven), nil
	}
	if unproven {
		return longestPause, nil
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
		return s.cared(l, s.now())
	}
	if s.tally.left == 0 {
		l.missing = 0
	}
	return s.tally.left == 0
}

// settle waits for the answers to a pass, and for proof that the path still
// works, then decides on another.
func (s *sweep) settle(l *lane, now time.Duration, unproven bool) time.Duration {
	if l.settles == 0 {
		if s.lastWord(l, now) {
			return 0
		}
		l.settles = now + l.settle(s.OnLink)
		if !l.careful && l.pass == 0 && s.Want != WantOpen && s.space.where[probe.UDP] != nil {
			// Whoever scanned before may have used up what a host says.
			l.settles = max(l.settles, now+allowanceEvery)
		}
	}
	if now < l.settles {
		return l.settles - now
	}
	if unproven {
		return longestPause
	}
	l.settles = 0
	if !l.careful {
		s.separate(now)
	}
	if !s.worthAnother(l) {
		l.done = true
		return 0
	}
	l.again(s.tally, s.Seed)
	if !l.careful {
		s.byPass = append(s.byPass, 0)
	}
	l.pacer.refilled, l.pacer.began = now, now
	return 0
}

// send lets as many packets of the lane leave as its rate allows.
func (s *sweep) send(l *lane, now time.Duration) (time.Duration, error) {
	all, pause := s.ceiling.allowance(l.careful)
	n := min(l.pacer.allowance(now), batchSize, all)
	if n == 0 {
		return max(l.pacer.wait(), pause), nil
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
		s.downSince = 0
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

// left notes that a probe is on its way.
func (s *sweep) left(l *lane, o *outgoing, now time.Duration) {
	s.summary.Sent++
	s.ceiling.spent(l.careful)
	if o.sentinel {
		s.summary.Sentinels++
		l.watch.left(&o.probe, now, l.cursor)
		return
	}
	if len(s.failed) > 0 {
		delete(s.failed, o.index)
	}
	if l.pass > 0 {
		s.summary.Retransmitted++
	}
	l.sinceSentinel++
	l.owed++
	l.lastSent = now
	if !l.careful {
		s.vigil.unheard++
	}
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
