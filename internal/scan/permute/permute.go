// Package permute puts the numbers below n into a keyed order without a table:
// it computes the number at any position, and the position of any number, in
// constant time and memory.
//
// The order is thorough enough to spread load over networks and to make the
// parts of a divided scan alike. It is no cipher: whoever sees much of it may
// learn the rest. The package knows no addresses and no ports.
package permute

import (
	"math/bits"
	"math/rand/v2"
)

// Permutation is a keyed order of the numbers from 0 to Len()-1. It is a plain
// value: copies are independent and equal, nothing in it changes after New, and
// it is safe for concurrent use. The zero value has no numbers.
//
// It is a Feistel network over high x low, where low has half of n's bits and
// high as many values as are needed to cover n. That covers at most the root
// of n more than n, so that walking past the surplus costs next to nothing for
// any n, not only for powers of two.
type Permutation struct {
	n     uint64
	highs uint64    // number of values of the high half, at most 2^32
	shift uint      // bits of the low half, at most 32
	mask  uint64    // of the low half
	keys  [6]uint64 // two a round
}

// New gives the order of the numbers below n that belongs to key. The same n
// and key give the same order in every release, since interrupted and divided
// scans depend on it. Any n is fine; with 0 there is nothing to ask for.
func New(n uint64, key [16]byte) Permutation {
	p := Permutation{n: n}
	if n == 0 {
		return p
	}
	p.shift = uint(bits.Len64(n-1)) / 2
	p.mask = 1<<p.shift - 1
	p.highs = (n-1)>>p.shift + 1
	var seed [32]byte
	copy(seed[:], key[:])
	stream := rand.NewChaCha8(seed) // its output is fixed by a specification
	for i := range p.keys {
		p.keys[i] = stream.Uint64()
	}
	return p
}

// Len is the number of numbers, n.
func (p *Permutation) Len() uint64 { return p.n }

// At gives the number at position i, which must be below Len.
func (p *Permutation) At(i uint64) uint64 {
	if i >= p.n {
		panic("permute: position is not below the length")
	}
	for {
		// What lands in the surplus is sent round again; it comes out since i
		// itself, from which the walk started, is not in the surplus.
		if i = p.forward(i); i < p.n {
			return i
		}
	}
}

// Index gives the position of number v, which must be below Len: At of it is v.
func (p *Permutation) Index(v uint64) uint64 {
	if v >= p.n {
		panic("permute: number is not below the length")
	}
	for {
		if v = p.backward(v); v < p.n {
			return v
		}
	}
}

// forward is written out, round by round, since it is run once a probe.
func (p *Permutation) forward(x uint64) uint64 {
	highs, mask, shift, k := p.highs, p.mask, p.shift&63, &p.keys
	high, low := x>>shift, x&mask
	high = plus(high, scatter(low, k[0])*highs>>32, highs)
	low ^= scatter(high, k[1]) & mask
	high = plus(high, scatter(low, k[2])*highs>>32, highs)
	low ^= scatter(high, k[3]) & mask
	high = plus(high, scatter(low, k[4])*highs>>32, highs)
	low ^= scatter(high, k[5]) & mask
	return high<<shift | low
}

// backward undoes forward.
func (p *Permutation) backward(x uint64) uint64 {
	highs, mask, shift, k := p.highs, p.mask, p.shift&63, &p.keys
	high, low := x>>shift, x&mask
	low ^= scatter(high, k[5]) & mask
	high = minus(high, scatter(low, k[4])*highs>>32, highs)
	low ^= scatter(high, k[3]) & mask
	high = minus(high, scatter(low, k[2])*highs>>32, highs)
	low ^= scatter(high, k[1]) & mask
	high = minus(high, scatter(low, k[0])*highs>>32, highs)
	return high<<shift | low
}

// plus is a + b modulo m, for a and b below m, without a branch: nobody can
// predict which way it would go.
func plus(a, b, m uint64) uint64 {
	sum := a + b
	wrapped := sum - m
	if sum < m {
		wrapped = sum
	}
	return wrapped
}

// minus is a - b modulo m, likewise.
func minus(a, b, m uint64) uint64 {
	difference := a - b
	wrapped := difference + m
	if a >= b {
		wrapped = difference
	}
	return wrapped
}

// scatter gives 32 bits that depend on all of half and key. The constant is
// odd, so that multiplying loses nothing, and without pattern; folding the
// product keeps the outcome from growing in steps with half.
func scatter(half, key uint64) uint64 {
	h := (half ^ key) * 0x9e3779b97f4a7c15
	return uint64(uint32(h ^ h>>32))
}
