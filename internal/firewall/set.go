package firewall

import (
	"net/netip"
	"slices"
)

// Point is an element of an ordered, discrete space. Next and Prev of the
// outermost elements may be anything: they are not asked for.
type Point[T any] interface {
	comparable
	Compare(T) int
	Next() T
	Prev() T
}

// Number is a small value: a port, a protocol, a type.
type Number uint32

// Compare orders numbers.
func (n Number) Compare(o Number) int {
	switch {
	case n < o:
		return -1
	case n > o:
		return 1
	}
	return 0
}

// Next is n+1.
func (n Number) Next() Number { return n + 1 }

// Prev is n-1.
func (n Number) Prev() Number { return n - 1 }

// Span is a range, both ends included.
type Span[T Point[T]] struct{ First, Last T }

// Set is a set of points as sorted, disjoint, non-adjacent spans. It is
// immutable and safe for concurrent use; the zero value is empty. Operations
// are linear in the number of spans.
type Set[T Point[T]] struct{ spans []Span[T] }

// Addrs is a set of addresses of both families, without zones and not mapped.
type Addrs = Set[netip.Addr]

// Numbers is a set of small values.
type Numbers = Set[Number]

// NewSet gives the union of spans in any order. A span whose Last is below its
// First is left out. Both ends must be of one family.
func NewSet[T Point[T]](spans ...Span[T]) Set[T] {
	kept := make([]Span[T], 0, len(spans))
	for _, s := range spans {
		if s.First.Compare(s.Last) <= 0 {
			kept = append(kept, s)
		}
	}
	slices.SortFunc(kept, func(a, b Span[T]) int { return a.First.Compare(b.First) })
	return Set[T]{merge(kept)}
}

// merge joins sorted spans that overlap or touch, in place.
func merge[T Point[T]](sorted []Span[T]) []Span[T] {
	out := sorted[:0]
	for _, s := range sorted {
		last := len(out) - 1
		if last >= 0 && (s.First.Compare(out[last].Last) <= 0 || out[last].Last.Next() == s.First) {
			if s.Last.Compare(out[last].Last) > 0 {
				out[last].Last = s.Last
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// NumbersOf is the set of single values.
func NumbersOf(values ...Number) Numbers {
	spans := make([]Span[Number], len(values))
	for i, v := range values {
		spans[i] = Span[Number]{v, v}
	}
	return NewSet(spans...)
}

// NumberRange is the set of first to last.
func NumberRange(first, last Number) Numbers { return NewSet(Span[Number]{first, last}) }

// AddrsOf is the set of the addresses of the prefixes.
func AddrsOf(prefixes ...netip.Prefix) Addrs {
	spans := make([]Span[netip.Addr], 0, len(prefixes))
	for _, p := range prefixes {
		if p.IsValid() {
			spans = append(spans, PrefixSpan(p))
		}
	}
	return NewSet(spans...)
}

// Spans gives the spans in ascending order. The caller must not change them.
func (s Set[T]) Spans() []Span[T] { return s.spans }

// Empty reports whether nothing is in the set.
func (s Set[T]) Empty() bool { return len(s.spans) == 0 }

// Contains reports whether p is in the set.
func (s Set[T]) Contains(p T) bool {
	i := s.from(p)
	return i < len(s.spans) && s.spans[i].First.Compare(p) <= 0
}

// Covers reports whether all of r is in the set.
func (s Set[T]) Covers(r Span[T]) bool {
	i := s.from(r.First)
	return i < len(s.spans) && s.spans[i].First.Compare(r.First) <= 0 && s.spans[i].Last.Compare(r.Last) >= 0
}

// Meets reports whether any of r is in the set.
func (s Set[T]) Meets(r Span[T]) bool {
	i := s.from(r.First)
	return i < len(s.spans) && s.spans[i].First.Compare(r.Last) <= 0
}

// from is the index of the first span that ends at p or after it.
func (s Set[T]) from(p T) int {
	i, _ := slices.BinarySearchFunc(s.spans, p, func(r Span[T], p T) int {
		if r.Last.Compare(p) < 0 {
			return -1
		}
		return 1
	})
	return i
}

// Union gives what is in either set.
func (s Set[T]) Union(o Set[T]) Set[T] {
	if s.Empty() {
		return o
	}
	if o.Empty() {
		return s
	}
	all := make([]Span[T], 0, len(s.spans)+len(o.spans))
	i, j := 0, 0
	for i < len(s.spans) || j < len(o.spans) {
		if j == len(o.spans) || i < len(s.spans) && s.spans[i].First.Compare(o.spans[j].First) <= 0 {
			all = append(all, s.spans[i])
			i++
			continue
		}
		all = append(all, o.spans[j])
		j++
	}
	return Set[T]{merge(all)}
}

// Intersect gives what is in both sets.
func (s Set[T]) Intersect(o Set[T]) Set[T] {
	if len(o.spans) == 1 && len(s.spans) > 0 && o.spans[0].First.Compare(s.spans[0].First) <= 0 && s.spans[len(s.spans)-1].Last.Compare(o.spans[0].Last) <= 0 {
		return s // the common case of a part of everything
	}
	const lopsided = 16
	switch {
	case len(s.spans)*lopsided < len(o.spans):
		return o.among(s)
	case len(o.spans)*lopsided < len(s.spans):
		return s.among(o)
	}
	var out []Span[T]
	for i, j := 0, 0; i < len(s.spans) && j < len(o.spans); {
		a, b := s.spans[i], o.spans[j]
		first, last := later(a.First, b.First), earlier(a.Last, b.Last)
		if first.Compare(last) <= 0 {
			out = append(out, Span[T]{first, last})
		}
		if a.Last.Compare(b.Last) < 0 {
			i++
		} else {
			j++
		}
	}
	return Set[T]{out}
}

// among intersects with a set of far fewer spans.
func (s Set[T]) among(few Set[T]) Set[T] {
	var out []Span[T]
	for _, r := range few.spans {
		for i := s.from(r.First); i < len(s.spans) && s.spans[i].First.Compare(r.Last) <= 0; i++ {
			out = append(out, Span[T]{later(r.First, s.spans[i].First), earlier(r.Last, s.spans[i].Last)})
		}
	}
	return Set[T]{out}
}

// Subtract gives what is in s and not in o.
func (s Set[T]) Subtract(o Set[T]) Set[T] {
	if s.Empty() || o.Empty() {
		return s
	}
	if len(s.spans) == len(o.spans) && &s.spans[0] == &o.spans[0] {
		return Set[T]{}
	}
	var out []Span[T]
	j := o.from(s.spans[0].First)
	for _, a := range s.spans {
		for j < len(o.spans) && o.spans[j].Last.Compare(a.First) < 0 {
			j++
		}
		rest, k := a, j
		done := false
		for ; k < len(o.spans) && o.spans[k].First.Compare(rest.Last) <= 0; k++ {
			b := o.spans[k]
			if rest.First.Compare(b.First) < 0 {
				out = append(out, Span[T]{rest.First, b.First.Prev()})
			}
			if b.Last.Compare(rest.Last) >= 0 {
				done = true
				break
			}
			rest.First = b.Last.Next()
		}
		if !done {
			out = append(out, rest)
		}
	}
	return Set[T]{out}
}

// Equal reports whether both hold the same points.
func (s Set[T]) Equal(o Set[T]) bool {
	return len(s.spans) == len(o.spans) && (len(s.spans) == 0 || &s.spans[0] == &o.spans[0] || slices.Equal(s.spans, o.spans))
}

// setID tells sets apart by where they are kept: sets of one ID are equal; equal
// sets may have different ones.
type setID struct {
	first *Span[netip.Addr]
	n     int
}

func idOf(a Addrs) setID {
	if len(a.spans) == 0 {
		return setID{}
	}
	return setID{&a.spans[0], len(a.spans)}
}

func later[T Point[T]](a, b T) T {
	if a.Compare(b) >= 0 {
		return a
	}
	return b
}

func earlier[T Point[T]](a, b T) T {
	if a.Compare(b) <= 0 {
		return a
	}
	return b
}
