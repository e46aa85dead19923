package bench

import (
	"net/netip"

	"reconshield/internal/exposure"
)

// Truth is what a scene's targets really are.
type Truth struct {
	// Open holds the open targets.
	Open map[netip.AddrPort]bool
	// Closed is the number of the closed ones, Silent of those that never answer.
	Closed, Silent int
}

// Result is what a scanner said.
type Result struct {
	// Open holds the targets it named open.
	Open map[netip.AddrPort]bool
	// Count is the number of targets by state, open ones too. A tool that
	// names open targets only counts no others.
	Count map[exposure.State]int
	// Full says that Count covers every state.
	Full bool
}

func newResult(full bool) *Result {
	return &Result{Open: make(map[netip.AddrPort]bool), Count: make(map[exposure.State]int), Full: full}
}

func (r *Result) add(target netip.AddrPort, state exposure.State) {
	r.Count[state]++
	if state == exposure.Open {
		r.Open[target] = true
	}
}

// Judge fills in Open, OpenAll and Wrong of f. Wrong counts targets: open ones
// that were not reported, targets reported open that are not, and, where the
// result has every state, closed ones not called closed and silent ones that are.
func (t *Truth) Judge(r *Result, f *Figures) {
	f.OpenAll = len(t.Open)
	invented := 0
	for target := range r.Open {
		if t.Open[target] {
			f.Open++
		} else {
			invented++
		}
	}
	missed := f.OpenAll - f.Open
	f.Wrong = missed + invented
	if !r.Full {
		return
	}
	// What was missed may have been called closed and what was invented would
	// have been; both are counted already.
	lacking := t.Closed - r.Count[exposure.Closed]
	f.Wrong += max(0, lacking-invented) + max(0, -lacking-missed)
}
