package permute

// Shard is every so-many-th position of a permutation: a part of a scan that
// is divided among several machines or runs. Parts of one division differ in
// length by one at most, hold every number exactly once between them, and each
// is spread over the whole as the permutation is. It is a plain value like
// Permutation; the zero value has no numbers.
type Shard struct {
	all         Permutation
	index, step uint64
	n           uint64
}

// Shard gives the part of the positions i with i mod of = index. Parts are
// counted from 0; index must be below of. Shard(0, 1) is everything.
func (p *Permutation) Shard(index, of uint64) Shard {
	if index >= of {
		panic("permute: shard index is not below the number of shards")
	}
	s := Shard{all: *p, index: index, step: of}
	if index < p.n {
		s.n = (p.n-index-1)/of + 1
	}
	return s
}

// Len is the number of numbers in the part; it may be 0.
func (s *Shard) Len() uint64 { return s.n }

// At gives the number at position i of the part, which must be below Len.
func (s *Shard) At(i uint64) uint64 {
	if i >= s.n {
		panic("permute: position is not below the length")
	}
	return s.all.At(s.index + i*s.step)
}

// Index gives the position in the part of number v; ok is false when v belongs
// to another part or is not below the permutation's Len.
func (s *Shard) Index(v uint64) (i uint64, ok bool) {
	if v >= s.all.n || s.step == 0 {
		return 0, false
	}
	i = s.all.Index(v)
	return i / s.step, i%s.step == s.index
}
