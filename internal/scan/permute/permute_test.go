package permute

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func key(n uint64) [16]byte {
	var k [16]byte
	binary.LittleEndian.PutUint64(k[:], n)
	return k
}

func sizes() []uint64 {
	ns := []uint64{6, 7, 10, 11, 13, 100, 101, 997, 1000, 1009, 10007, 65535, 65537, 99991, 100000}
	for n := uint64(1); n <= 1<<17; n *= 2 {
		ns = append(ns, n)
		if n > 1 {
			ns = append(ns, n-1)
		}
		ns = append(ns, n+1)
	}
	return ns
}

func TestEachExactlyOnce(t *testing.T) {
	for _, n := range sizes() {
		for k := range uint64(3) {
			p := New(n, key(k))
			seen := make([]bool, n)
			for i := range n {
				v := p.At(i)
				if v >= n || seen[v] {
					t.Fatalf("n %d key %d: At(%d) = %d, out of bounds or twice", n, k, i, v)
				}
				seen[v] = true
				if got := p.Index(v); got != i {
					t.Fatalf("n %d key %d: Index(At(%d)) = %d", n, k, i, got)
				}
			}
		}
	}
}

func TestInverseOfLarge(t *testing.T) {
	for _, n := range []uint64{1 << 32, 1<<32 + 1, 1<<40 - 1, 1 << 40, 1<<40 + 1, 1_099_511_627_791, 1 << 48, 1<<62 + 3, math.MaxUint64} {
		p := New(n, key(n))
		for s := range uint64(20_000) {
			i := s * 0x9e3779b97f4a7c15 % n
			if s < 10 {
				i = n - 1 - s
			}
			v := p.At(i)
			if v >= n || p.Index(v) != i || p.At(p.Index(i)) != i {
				t.Fatalf("n %d: At(%d) = %d, Index of it %d", n, i, v, p.Index(v))
			}
		}
	}
}

// An order that changed would make interrupted scans leave gaps and shards of
// different releases overlap.
func TestOrderIsForEver(t *testing.T) {
	tests := []struct {
		n    uint64
		want []uint64
	}{
		{10, []uint64{7, 6, 4, 5, 2, 3, 0, 1}},
		{65536, []uint64{33070, 45663, 17745, 53524, 47128, 8033, 57706, 3856}},
		{1 << 40, []uint64{144910842228, 659305702093, 40019254111, 923474095757, 383633926761, 852128866471, 600228146862, 996392238448}},
	}
	for _, tt := range tests {
		p := New(tt.n, [16]byte([]byte("a key of 16 byte")))
		got := []uint64{}
		for i := range min(tt.n, 8) {
			got = append(got, p.At(i))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("n %d (-want +got):\n%s", tt.n, diff)
		}
	}
}

func TestKeysDiffer(t *testing.T) {
	const n, keys = 100_000, 40
	orders := make([]Permutation, keys)
	for k := range orders {
		orders[k] = New(n, key(uint64(k)))
	}
	for a := range orders {
		for b := range a {
			same := 0
			for i := range uint64(1000) {
				if orders[a].At(i) == orders[b].At(i) {
					same++
				}
			}
			if same > 5 {
				t.Errorf("keys %d and %d agree on %d of 1000 positions", a, b, same)
			}
		}
	}
	last := key(0)
	last[15] = 1
	if p := New(n, last); p == orders[0] {
		t.Error("the last byte of the key does not count")
	}
}

// For a small n every order should be possible, and about as often.
func TestSmallOrders(t *testing.T) {
	count := map[string]int{}
	const runs = 6000
	for k := range uint64(runs) {
		p := New(3, key(k))
		count[fmt.Sprint(p.At(0), p.At(1), p.At(2))]++
	}
	if len(count) != 6 {
		t.Fatalf("orders of 3: %v", count)
	}
	for order, n := range count {
		if n < runs/12 || n > runs/3 {
			t.Errorf("order %s: %d of %d", order, n, runs)
		}
	}
}

func TestOutOfBounds(t *testing.T) {
	p := New(10, key(1))
	var zero Permutation
	s := p.Shard(9, 10)
	for name, f := range map[string]func(){
		"At":         func() { p.At(10) },
		"Index":      func() { p.Index(10) },
		"zero At":    func() { zero.At(0) },
		"zero Index": func() { zero.Index(0) },
		"shard At":   func() { s.At(1) },
		"Shard":      func() { p.Shard(3, 3) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestShardsPartition(t *testing.T) {
	tests := []struct{ n, of uint64 }{
		{0, 1}, {0, 7}, {1, 1}, {1, 16}, {10, 1}, {10, 3}, {10, 10}, {10, 11}, {65536, 16}, {65537, 16}, {99991, 7}, {100000, 999},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d in %d", tt.n, tt.of), func(t *testing.T) {
			p := New(tt.n, key(7))
			owner := make([]int, tt.n)
			total := uint64(0)
			for index := range tt.of {
				s := p.Shard(index, tt.of)
				if s.Len() != tt.n/tt.of && s.Len() != tt.n/tt.of+1 {
					t.Errorf("shard %d holds %d", index, s.Len())
				}
				total += s.Len()
				for i := range s.Len() {
					v := s.At(i)
					owner[v]++
					if at, ok := s.Index(v); !ok || at != i {
						t.Fatalf("shard %d: Index(At(%d)) = %d, %v", index, i, at, ok)
					}
				}
			}
			if total != tt.n {
				t.Errorf("shards hold %d", total)
			}
			for v, owners := range owner {
				if owners != 1 {
					t.Fatalf("%d is in %d shards", v, owners)
				}
			}
		})
	}
}

func TestShardIndexOfOthers(t *testing.T) {
	p := New(1000, key(3))
	a, b := p.Shard(0, 2), p.Shard(1, 2)
	for v := range uint64(1000) {
		_, inA := a.Index(v)
		_, inB := b.Index(v)
		if inA == inB {
			t.Fatalf("%d: in the first shard %v, in the second %v", v, inA, inB)
		}
	}
	var zero Shard
	if _, ok := a.Index(1000); ok || zero.Len() != 0 {
		t.Error("a shard holds what does not exist")
	}
	if _, ok := zero.Index(0); ok {
		t.Error("the zero shard holds something")
	}
}

func TestNoAllocations(t *testing.T) {
	got := testing.AllocsPerRun(100, func() {
		p := New(1<<40+1, key(1))
		s := p.Shard(1, 3)
		if s.At(5) >= p.Len() || p.Index(p.At(9)) != 9 {
			t.Error("wrong")
		}
	})
	if got > 1 { // the key stream of New
		t.Errorf("%v allocations", got)
	}
}

func FuzzPermutation(f *testing.F) {
	f.Add(uint64(1), uint64(0), uint64(0))
	f.Add(uint64(3), uint64(1), uint64(2))
	f.Add(uint64(1)<<48, uint64(9), uint64(1)<<47)
	f.Add(uint64(math.MaxUint64), uint64(9), uint64(math.MaxUint64-1))
	f.Fuzz(func(t *testing.T, n, k, i uint64) {
		p := New(n, key(k))
		if n == 0 {
			return
		}
		i %= n
		if v := p.At(i); v >= n || p.Index(v) != i {
			t.Fatalf("n %d key %d: At(%d) = %d, Index of it %d", n, k, i, v, p.Index(v))
		}
		of := k%64 + 1
		s := p.Shard(i%of, of)
		if at, ok := s.Index(p.At(i)); !ok || at != i/of || s.At(at) != p.At(i) {
			t.Fatalf("n %d key %d: position %d is not position %d of its shard", n, k, i, i/of)
		}
	})
}
