package scan

import (
	"fmt"
	"math"
	"slices"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/probe"
)

// conclude gives their verdicts to the targets of the slab that stayed silent.
// A sweep that ended early says nothing of those it did not ask, or not long
// enough ago for them to answer.
func (s *sweep) conclude(early bool) {
	main := s.lanes[0]
	asked, trusted := s.tally.n, s.tally.n
	if main.pass == 0 && (early || s.broken != "") {
		asked = min(asked, main.cursor)
		if early && s.broken == "" {
			asked = min(asked, s.cursorAt(s.now()-main.settle(s.OnLink)))
		}
		if trusted = asked; main.silentFor != 0 || s.vigil.alarm > 0 {
			trusted = min(trusted, main.heardAt)
		}
	}
	for _, l := range s.lanes {
		if l.careful && !l.done { // what it did not come to is not known to be silent
			s.worthCare(l, 1, true)
			l.unheard = 1
		}
		s.missing += l.missing
	}
	held := s.held(early)
	if s.uniform() && asked == s.tally.n && len(held) == 0 {
		s.summary.Silent += s.tally.left
		s.summary.Targets += s.tally.left
		s.summary.Filtered += s.tally.left
		return
	}
	for w := range uint64(len(s.tally.words)) {
		for mask := s.tally.pendingIn(w); mask != 0; {
			i := next(w, &mask)
			switch {
			case early && s.broken == "" && (i >= asked || held[i]):
			case i >= trusted || held[i]:
				s.silent(i, exposure.Unmeasured)
			default:
				s.silent(i, "")
			}
		}
	}
}

// held gives the positions that were not asked, or not as they should be: what
// a lane had in hand when the sweep ended early or broke, and the TCP ports of
// a careful lane that was given up.
func (s *sweep) held(early bool) map[uint64]bool {
	held := map[uint64]bool{}
	for _, l := range s.lanes {
		if early || s.broken != "" {
			for _, o := range slices.Concat(l.waiting, l.prepared) {
				if l.pass == 0 && !o.sentinel {
					held[o.index] = true
				}
			}
			if l.careful && l.pass == 0 && !l.done {
				for _, i := range l.list[l.cursor:] {
					held[uint64(i)] = true
				}
			}
		}
		if !l.given {
			continue
		}
		for _, i := range l.list {
			var p probe.Probe
			if s.space.at(s.lo+uint64(i), &p); p.Kind != probe.UDP {
				held[uint64(i)] = true
			}
		}
	}
	return held
}

// mark is how far the main lane was at a time, in its first pass.
type mark struct {
	at     time.Duration
	cursor uint64
}

// cursorAt gives how far the main lane was, at least.
func (s *sweep) cursorAt(then time.Duration) (cursor uint64) {
	for _, m := range s.marks {
		if m.at > then {
			break
		}
		cursor = m.cursor
	}
	return cursor
}

// place notes how far the main lane is.
func (s *sweep) place(now time.Duration) {
	const enough = 40 // of reportEvery: more than any answer is waited for
	if len(s.marks) >= enough {
		s.marks = append(s.marks[:0], s.marks[1:]...)
	}
	if l := s.lanes[0]; l.pass == 0 {
		s.marks = append(s.marks, mark{now, l.cursor})
	}
}

// uniform reports that all silent targets have the same verdict and that nobody
// wants to hear of them one by one.
func (s *sweep) uniform() bool {
	return s.Want == WantOpen && len(s.failed) == 0 && s.broken == "" && s.space.where[probe.UDP] == nil && s.space.where[probe.Echo] == nil
}

// silent gives the verdict on a target of which nothing was heard.
func (s *sweep) silent(i uint64, state exposure.State) {
	var p probe.Probe
	host := s.space.at(s.lo+i, &p)
	o := exposure.Observation{
		Target: target(&p), Vantage: s.Vantage, State: state, Reason: exposure.ReasonTimeout,
		Attempts: s.lanes[0].pass + 1,
	}
	switch detail, failed := s.failed[i]; {
	case failed:
		o.State, o.Reason, o.Detail = exposure.Unmeasured, exposure.ReasonLocalError, detail
	case state == exposure.Unmeasured:
		o.Detail = "asked while nothing was answered any more, or not at all"
	case p.Kind == probe.UDP:
		o.State = exposure.OpenFiltered
		o.Detail = s.doubt(i, host)
	default:
		o.State = exposure.Filtered
	}
	if o.State != exposure.Unmeasured {
		s.summary.Silent++
	}
	s.count(o.State, probe.Nothing)
	if s.Want == WantAll || s.Want == WantMaybe && o.State == exposure.OpenFiltered {
		o.At = time.Now()
		s.emit(o)
	}
}

// doubt says why the silence of a UDP port may mean less than it seems.
func (s *sweep) doubt(i, host uint64) string {
	n := s.hosts[host]
	switch {
	case n == nil:
	case n.lane != nil && n.lane.unheard > tooUnheard || n.lane == nil && n.limited:
		s.summary.Undecided++
		return limitedDetail
	case n.lane != nil && !n.lane.trial:
		return aloneDetail
	}
	if _, odd := s.suspects[i]; odd {
		return "one datagram came that answers nothing; it did not come again"
	}
	return ""
}

// housekeep tells the progress and keeps the journal.
func (s *sweep) housekeep(now time.Duration) error {
	if now-s.reported >= reportEvery {
		s.place(now)
		s.rate = 0
		if s.reported > 0 {
			s.rate = float64(s.summary.Sent-s.lastSent) / (now - s.reported).Seconds()
		}
		s.reported, s.lastSent = now, s.summary.Sent
		if s.Progress != nil {
			s.Progress(s.progress())
		}
	}
	if s.Journal != nil && now-s.recorded >= recordEvery {
		s.recorded = now
		return s.record()
	}
	return nil
}

// progress tells how far the sweep is, and an honest guess of what is left.
func (s *sweep) progress() Progress {
	main := s.lanes[0]
	p := Progress{
		Targets: s.space.size(), Sent: s.summary.Sent, Answered: s.summary.Answered, Open: s.summary.Open,
		Rate: s.rate, Loss: main.pacer.loss, Pass: main.pass, ETA: s.eta(),
	}
	p.Done = s.lo + s.tally.n - s.tally.left
	if main.pass == 0 {
		p.Done = max(p.Done, s.lo+main.cursor)
	} else {
		p.Done = s.lo + s.tally.n
	}
	for _, l := range s.lanes[1:] {
		if l.done {
			continue
		}
		p.Limited++
		p.Done -= min(p.Done, uint64(l.left)) //nolint:gosec // a count
	}
	p.Done = min(p.Done, p.Targets) // the last slab is behind us at the end
	return p
}

// eta is the time of the slowest lane, and of the slabs to come; passes that
// only loss would make necessary are not foreseen.
func (s *sweep) eta() time.Duration {
	var longest float64
	for _, l := range s.lanes {
		if l.done || l.pacer.rate <= 0 {
			continue
		}
		left := float64(l.left) // each is asked until it answers
		if !l.careful {
			unasked := uint64(0)
			if l.pass == 0 {
				unasked = s.space.size() - s.lo - l.cursor
			}
			silent := float64(s.tally.left)
			if l.pass == 0 && l.cursor > 0 {
				silent = float64(s.space.size()-s.lo) * (1 - float64(s.tally.n-s.tally.left)/float64(l.cursor))
			}
			left = float64(unasked) + max(silent, 0)*float64(max(0, fewestPasses-1-l.pass))
			if l.pass > 0 {
				left = silent * (1 - float64(l.cursor)/float64(max(1, len(s.tally.words))))
			}
		}
		rate := l.pacer.rate
		if !l.careful && s.rate > 0 {
			rate = min(rate, s.rate)
		}
		longest = max(longest, left/rate+l.settle(s.OnLink).Seconds())
	}
	return time.Duration(longest * float64(time.Second))
}

// finish closes the account.
func (s *sweep) finish(err error) (Summary, error) {
	sum := &s.summary
	sum.Duration = s.now()
	sum.Partial = err != nil || s.broken != ""
	sum.Missing = s.missing
	account := s.wire.Account()
	sum.RingDrops, sum.Forged = account.RingDrops, account.Forged
	sum.Completeness = sum.completeness()
	if s.blind && sum.Unmeasured == 0 {
		sum.Completeness = math.NaN()
	}
	if s.broken != "" {
		sum.Notes = append(sum.Notes, s.broken)
	}
	if sum.Undecided > 0 && s.Want == WantOpen {
		sum.Notes = append(sum.Notes, fmt.Sprintf(
			"%d UDP ports of hosts that limit their ICMP errors were not told closed from silent; ask for every verdict to wait for them", sum.Undecided))
	}
	if s.Journal != nil && len(s.lanes) > 0 {
		if failed := s.record(); failed != nil && err == nil {
			err = failed
		}
	}
	if s.Progress != nil && len(s.lanes) > 0 {
		s.Progress(s.progress())
	}
	if err != nil {
		return *sum, fmt.Errorf("scan ended early: %w", err)
	}
	return *sum, nil
}
