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
	if s.space.size() == 0 {
		return nil
	}
	s.retell()
	s.begin(s.space.size() - s.lo)
	s.conclude(false)
	return nil
}

// lastSlab is where the last slab of so many positions begins.
func lastSlab(n, slab uint64) uint64 { return (n - 1) / slab * slab }
