package dnscheck

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// patternKind is what a row of ports or IDs looks like.
type patternKind int

const (
	random   patternKind = iota // no test objects
	constant                    // always the same
	counting                    // the next is the one before and a little
	few                         // drawn from a small set
	narrow                      // drawn from a small window
)

// pattern describes a row of numbers as they followed each other.
type pattern struct {
	kind     patternKind
	n        int
	distinct int
	low      uint16
	high     uint16
	steps    int // differences that are small and not zero
	fixed    int // bits that never changed
}

// String is the pattern in words.
func (p pattern) String() string {
	switch p.kind {
	case constant:
		return fmt.Sprintf("are always %d", p.low)
	case counting:
		return fmt.Sprintf("count: %d of %d steps are at most %d", p.steps, p.n-1, smallStep)
	case few:
		return fmt.Sprintf("come from a small set: %d different in %d, %d of 16 bits never change", p.distinct, p.n, p.fixed)
	case narrow:
		return fmt.Sprintf("stay within %d to %d", p.low, p.high)
	case random:
	}
	return fmt.Sprintf("look random: %d different in %d, %d to %d", p.distinct, p.n, p.low, p.high)
}

// Limits of the tests. Each objects to a good source with a chance below
// 1e-7 from 8 samples on, and more samples make it smaller.
const (
	// A step is small by chance with 128/8192 when at least 8192 values are
	// drawn evenly; five of seven with 2e-8.
	smallStep = 64
	stepShare = 0.6
	// usualFixed bits stay the same in the narrowest usual range of ports.
	usualFixed = 2
	// smallestSet is the least number of values that is not called small.
	smallestSet = 1024
	// objection is the chance allowed to the tests that compute theirs.
	objection = 1e-7
	// widest spread, as a share of the width, that is called narrow.
	widest = 0.25
)

// narrowShare is the share of the width within which n even samples stay with
// the chance allowed: n*r^(n-1) bounds that chance for a share r.
func narrowShare(n int) float64 {
	return min(widest, math.Pow(objection/float64(n), 1/float64(n-1)))
}

// patternOf tests a row of numbers that a good source draws evenly from at
// least width values. It needs two or more.
func patternOf(row []uint16, width int) pattern {
	p := pattern{n: len(row), low: slices.Min(row), high: slices.Max(row)}
	sorted := slices.Clone(row)
	slices.Sort(sorted)
	p.distinct = len(slices.Compact(sorted))
	var changed uint16
	for i, v := range row {
		changed |= v ^ row[0]
		if i == 0 {
			continue
		}
		d := int16(v - row[i-1]) //nolint:gosec // wraps on purpose: 65535 is followed by 0
		if d != 0 && d >= -smallStep && d <= smallStep {
			p.steps++
		}
	}
	p.fixed = 16 - bits.OnesCount16(changed)
	switch {
	case p.distinct == 1:
		p.kind = constant
	case float64(p.steps) >= stepShare*float64(p.n-1):
		p.kind = counting
	case chanceOfFew(p.n, p.distinct, smallestSet) < objection, chanceOfFixed(p.n, p.fixed) < objection:
		p.kind = few
	case float64(p.high-p.low) < narrowShare(p.n)*float64(width):
		p.kind = narrow
	}
	return p
}

// chanceOfFew is the chance that n even draws from a set of the size show at
// most so many different values (the occupancy distribution, computed draw by draw).
func chanceOfFew(n, most, size int) float64 {
	seen := make([]float64, n+1) // seen[k]: chance of k different values so far
	seen[0] = 1
	for range n {
		for k := n; k >= 0; k-- {
			seen[k] *= float64(k) / float64(size)
			if k > 0 {
				seen[k] += seen[k-1] * float64(size-k+1) / float64(size)
			}
		}
	}
	sum := 0.0
	for k := range min(most, n) + 1 {
		sum += seen[k]
	}
	return math.Min(sum, 1)
}

// chanceOfFixed bounds the chance that so many bits stay the same in n even
// draws: each does with 2^-(n-1), beyond those that the range itself fixes.
func chanceOfFixed(n, fixed int) float64 {
	const free = 16 - usualFixed
	more := fixed - usualFixed
	if more <= 0 {
		return 1
	}
	ways := 1.0
	for i := range more {
		ways *= float64(free-i) / float64(i+1)
	}
	return ways * math.Pow(2, -float64(more*(n-1)))
}
