package scan

import "reconshield/internal/exposure"

// Replay gives the verdicts of a sweep that came to its end once more, out of
// its journal. It sends nothing. Verdicts that failed on this side are given as
// silence: the journal does not hold them.
func Replay(survey Survey, emit func(exposure.Observation)) error {
	s := newSweep(nil, survey, emit)
	if err := s.resume(); err != nil {
		return err
	}
	n := s.space.size()
	if n == 0 {
		return nil
	}
	s.lo = lastSlab(n) // the journal's answers to earlier ones need none
	s.begin(n - s.lo)
	s.conclude(false)
	return nil
}

// lastSlab is where the last slab of so many positions begins.
func lastSlab(n uint64) uint64 { return (n - 1) / slabSize * slabSize }
