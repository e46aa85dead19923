package portlist

import "time"

// meter turns states into a share that never goes back, and a time left that
// rests on what was measured. It is not safe for concurrent use.
//
// The share is one of time: it moves towards the end of its phase as the time
// that has passed does towards the time that is left, of which it takes there to
// be some seconds at any time: what is found at last may need longer. When more
// work is found than was known, the time left grows and the share slows down.
type meter struct {
	phase string
	end   float64 // the share at which the phase ends
	share float64
	at    time.Time
	left  uint64 // targets without a verdict
	pace  pace
}

// read gives s as it should be shown now.
func (m *meter) read(s ProgressState, now time.Time) ProgressState {
	left := s.Targets - min(s.Done, s.Targets)
	m.end = 1
	if s.Until > 0 && s.Until < 1 {
		m.end = max(s.Until, m.share)
	}
	name := s.phase()
	if m.at.IsZero() || name != m.phase {
		m.begin(s, name, left)
		m.at = now
	}
	if s.Limit == "" {
		m.pace = pace{}
	} else {
		s.ETA = m.pace.remaining(s.ETA, left, now)
	}
	switch passed := now.Sub(m.at); {
	case s.complete():
		m.share = m.end
	case s.ETA > 0:
		m.share += (m.end - m.share) * float64(passed) / float64(passed+max(s.ETA, leastLeft))
	case left < m.left:
		m.share += (m.end - m.share) * float64(m.left-left) / float64(m.left)
	}
	m.at, m.left = now, left
	s.shown, s.metered = m.share, true
	return s
}

// begin takes up a phase, which may have been under way in an earlier run.
func (m *meter) begin(s ProgressState, name string, left uint64) {
	m.phase, m.left, m.pace = name, left, pace{}
	if s.Targets == 0 {
		return
	}
	m.left = s.Targets // also what was done before the first state counts
	if s.Sent > 0 || s.ETA > 0 {
		m.left = left
		earlier := s.Done - min(s.Done, s.Sent, s.Targets)
		m.share += (m.end - m.share) * float64(min(earlier, s.Targets)) / float64(s.Targets)
	}
}

// leastLeft is the least time that is taken to be left.
const leastLeft = 5 * time.Second

// pace measures how fast targets of hosts that limit their answers are
// answered. A rate of probes says little there: most of them find the
// allowance used up.
type pace struct {
	marks []paceMark // the oldest first, paceStep apart
}

type paceMark struct {
	at   time.Time
	left uint64
}

const (
	paceStep    = 2 * time.Second
	paceWindow  = 2 * time.Minute
	leastPaced  = 10 * time.Second
	leastHeard  = 4 // answers, fewer tell no rate
	paceUnknown = 0
)

// remaining is the time that so many targets take at the pace of late, and at
// least the guess; paceUnknown while that cannot be told.
func (p *pace) remaining(guess time.Duration, left uint64, now time.Time) time.Duration {
	n := len(p.marks)
	if n > 0 && left > p.marks[n-1].left { // more work was found: what was before says nothing
		p.marks, n = p.marks[:0], 0
	}
	if n == 0 || now.Sub(p.marks[n-1].at) >= paceStep {
		p.marks = append(p.marks, paceMark{now, left})
	}
	for len(p.marks) > 1 && now.Sub(p.marks[1].at) >= paceWindow {
		p.marks = p.marks[1:]
	}
	first := p.marks[0]
	heard, passed := first.left-left, now.Sub(first.at)
	if passed < leastPaced || heard < leastHeard {
		return paceUnknown
	}
	const longest = 1 << 62
	return max(guess, time.Duration(min(float64(left)/float64(heard)*float64(passed), longest)))
}
