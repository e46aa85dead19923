package permute

import (
	"fmt"
	"testing"
)

func benchSizes() []uint64 {
	return []uint64{10_000, 65536, 1 << 22, 1<<22 + 1, 3 << 21, 100_000_000, 1<<32 + 1, 1 << 40, 1 << 48}
}

func BenchmarkAt(b *testing.B) {
	for _, n := range benchSizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := New(n, key(1))
			b.ReportAllocs()
			i, sum := uint64(0), uint64(0)
			for b.Loop() {
				sum += p.At(i)
				if i++; i == n {
					i = 0
				}
			}
			_ = sum
		})
	}
}

func BenchmarkIndex(b *testing.B) {
	for _, n := range benchSizes() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			p := New(n, key(1))
			b.ReportAllocs()
			i, sum := uint64(0), uint64(0)
			for b.Loop() {
				sum += p.Index(i)
				if i++; i == n {
					i = 0
				}
			}
			_ = sum
		})
	}
}

func BenchmarkShardAt(b *testing.B) {
	p := New(1<<40+1, key(1))
	s := p.Shard(2, 16)
	b.ReportAllocs()
	i, sum := uint64(0), uint64(0)
	for b.Loop() {
		sum += s.At(i)
		i++
	}
	_ = sum
}
