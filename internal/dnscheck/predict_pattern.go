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

// Limits of the tests. With n = 16 samples, drawn evenly from at least 8192
// values (or, for the set test, from 1024), each objects to a good resolver
// with the probability given; more samples make it smaller.
const (
	smallStep = 64
	// stepShare of the n-1 differences must be small: for 8192 values one is
	// small by chance with 128/8192, 9 of 15 with less than 3e-13.
	stepShare = 0.6
	// maxFixed bits may stay the same: five do in 16 even samples with
	// C(16,5) * (2^-15)^5 < 1e-18. Ranges of ports fix up to two.
	maxFixed = 4
	// smallestSet is the least number of values that is not called small.
	smallestSet = 1024
	// error rate of the set test; see chanceOfFew.
	setError = 1e-7
)

// patternOf tests a row of numbers that a good source draws evenly from at
// least width values. A spread below a quarter of that has the chance
// n*(1/4)^(n-1), 1.5e-8 for 16 samples.
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
	case chanceOfFew(p.n, p.distinct, smallestSet) < setError, p.fixed > maxFixed:
		p.kind = few
	case int(p.high)-int(p.low) < width/4:
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
