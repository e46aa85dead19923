package scan

import (
	"math/bits"
	"time"
)

// heard is what is known of a target, in two bits.
type heard uint8

const (
	pending  heard = iota // nothing yet
	isOpen                //
	isClosed              //
	isOther               // filtered by an answer, or not measurable
)

const perWord = 32 // positions in a word of the tally

// tally holds what is known of each position of a slab.
type tally struct {
	words []uint64
	n     uint64
	left  uint64 // pending
}

func newTally(n uint64) *tally {
	return &tally{words: make([]uint64, (n+perWord-1)/perWord), n: n, left: n}
}

func (t *tally) get(i uint64) heard {
	return heard(t.words[i/perWord] >> (i % perWord * 2) & 3)
}

// settle notes the first thing heard of a pending position.
func (t *tally) settle(i uint64, h heard) {
	t.words[i/perWord] |= uint64(h) << (i % perWord * 2)
	t.left--
}

// pendingIn gives a bit, at even places, for each pending position of a word.
func (t *tally) pendingIn(word uint64) uint64 {
	const even = 0x5555555555555555
	w := t.words[word]
	mask := ^(w | w>>1) & even
	if rest := t.n - word*perWord; rest < perWord {
		mask &= 1<<(rest*2) - 1
	}
	return mask
}

// next takes the lowest position out of a mask of pendingIn.
func next(word uint64, mask *uint64) uint64 {
	i := uint64(bits.TrailingZeros64(*mask)) / 2 //nolint:gosec // below 64
	*mask &= *mask - 1
	return word*perWord + i
}

// flights remembers when recent probes left, for round-trip times. A probe is
// forgotten when as many others have left as the table has places, or sooner.
type flights struct {
	what [flightPlaces]uint32 // position in the slab and attempt
	at   [flightPlaces]int64  // nanoseconds since start
}

const (
	flightPlaces = 1 << 15
	attemptBits  = 3
)

func flightKey(i uint64, attempt uint8) uint32 {
	return uint32(i)<<attemptBits | uint32(attempt) + 1 //nolint:gosec // a slab has fewer positions than 2^28
}

func (f *flights) left(i uint64, attempt uint8, since time.Duration) {
	place := i % flightPlaces
	f.what[place], f.at[place] = flightKey(i, attempt), int64(since)
}

// rtt gives the time since the probe left, 0 when it was forgotten.
func (f *flights) rtt(i uint64, attempt uint8, now time.Duration) time.Duration {
	place := i % flightPlaces
	if f.what[place] != flightKey(i, attempt) {
		return 0
	}
	return max(now-time.Duration(f.at[place]), time.Microsecond)
}
