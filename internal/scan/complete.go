package scan

import "math"

// Passes that a sweep makes by itself: everything silent is asked twice, and
// more often as long as answers are being lost.
const (
	fewestPasses = 2
	mostPasses   = 16
	morePasses   = 4 // times as many, as long as they find something
)

// worthAnother decides, when the answers to a pass are there, whether the
// silent targets should be asked once more, and notes how many targets the
// passes so far are estimated to have missed.
func (s *sweep) worthAnother(l *lane) bool {
	passes := l.pass + 1
	loss, measured := l.passLoss()
	if l.careful {
		return s.worthCare(l, loss, measured)
	}
	l.missing = missingAfter(s.inSlab[:], s.byPass, loss, measured)
	// One pass with few sentinels tells nothing of what was lost.
	const fewWitnesses = 100
	s.blind = s.blind || passes == 1 && s.Retries == 0 && l.watch.sent < l.passSent+fewWitnesses && s.tally.left > 0
	var answered float64
	for _, n := range s.inSlab {
		answered += float64(n)
	}
	switch {
	case s.tally.left == 0:
		l.missing = 0
		return false
	case s.Retries >= 0:
		return l.pass < s.Retries
	case passes < fewestPasses:
		return true
	}
	const (
		atMost, share = 0.05, 1e-6
		patient, few  = 8, 1 << 16
	)
	if len(s.suspects) > 0 && passes < patient && s.tally.left <= few {
		return true // what answered oddly is asked until it has done so again
	}
	most := mostPasses
	if s.byPass[len(s.byPass)-1] > 0 {
		most = morePasses * mostPasses // as long as each pass finds more
	}
	return passes < most && l.missing > atMost+share*answered
}

// tooUnheard is the chance that a careful lane missed an answer, above which
// its silence means little.
const tooUnheard = 0.25

// worthCare decides for a careful lane.
func (s *sweep) worthCare(l *lane, loss float64, measured bool) bool {
	const (
		atMost   = 0.05
		unknown  = 0.5 // the loss of a pass without sentinels
		leastOne = 0.01
	)
	left := 0
	for _, i := range l.list {
		if s.tally.get(uint64(i)) == pending {
			left++
		}
	}
	if sent := l.watch.sent - l.passSent; !measured && sent > 0 {
		loss = (float64(l.watch.lost-l.passLost) + 0.5) / float64(sent+1) //nolint:mnd // few say little
	} else if !measured {
		loss = unknown
	}
	if all := float64(l.watch.sent); all > 0 { // one pass has few sentinels, and luck
		loss = max(loss, float64(l.watch.lost)/all)
	}
	if main := s.lanes[0].watch; main.sent >= mostSentinels { // most of the path is the same
		loss = max(loss, float64(main.lost)/float64(main.sent))
	}
	if l.pass == 0 || l.unheard == 0 {
		l.unheard = 1
	}
	l.unheard *= max(loss, leastOne)
	q := min(loss, 0.95) //nolint:mnd // bounds what cannot be told
	l.missing = min(float64(left), max(l.unheard*float64(left), float64(l.found)*q/(1-q)))
	found := l.found
	l.found = 0
	switch {
	case left == 0, s.Retries >= 0 && l.pass > s.Retries:
		return false
	case l.slow:
		return found > 0 && l.pass < 2*mostPasses
	case l.missing > atMost && l.pass < 2*mostPasses:
		return true
	}
	return s.slowDown(l, left)
}

// slowDown gives the few ports that a limiting host left silent a last pass, so
// slow that an allowance of one answer a second is there for each of them.
func (s *sweep) slowDown(l *lane, left int) bool {
	if left > fewLeft || l.watch.lost == 0 || l.trial || l.given {
		return false
	}
	l.slow = true
	l.pacer.rate, l.pacer.ceiling = l.pacer.floor, l.pacer.floor
	return true
}

// missingAfter estimates how many targets would have answered and were not
// heard: from how many answered only to a repetition, as if every packet had
// the same chance to be lost; from how much less the last pass found than the
// one before, since what is left may be where most is lost; and from the loss
// that sentinels measured in the last pass. What says most is believed.
func missingAfter(byAttempt, byPass []uint64, lastLoss float64, measured bool) float64 {
	var all, repeats float64
	for k, n := range byAttempt {
		all += float64(n)
		repeats += float64(k) * float64(n)
	}
	if all == 0 {
		return 0
	}
	passes := len(byPass)
	p := math.Pow(repeats/(all+repeats), float64(passes))
	missing := all * p / max(1-p, 0.01) //nolint:mnd // bounds what cannot be told
	const most = 0.95
	last := float64(byPass[passes-1])
	if passes > 1 {
		q := min(last/float64(max(byPass[passes-2], 1)), most)
		missing = max(missing, last*q/(1-q))
	}
	if !measured {
		return missing
	}
	q := min(lastLoss, most)
	return max(missing, last*q/(1-q))
}

// completeness is the share of the answerable targets that were heard.
func (s *Summary) completeness() float64 {
	answered := float64(s.Answered)
	missing := s.Missing
	// What has no route, a broadcast address for one, could not have answered.
	if failed := s.Unmeasured - s.Unroutable; failed > 0 || s.Unmeasured > 0 && s.Unmeasured == s.Targets {
		measured := float64(s.Targets - s.Unmeasured)
		if measured == 0 || answered == 0 {
			return 0
		}
		missing += float64(failed) * answered / measured
	}
	if answered == 0 {
		return math.NaN()
	}
	return answered / (answered + missing)
}
