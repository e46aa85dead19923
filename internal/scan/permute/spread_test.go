package permute

import (
	"fmt"
	"math"
	"testing"
)

// spaces are sizes as scans have them: ports of a host, of a /28 and a /24,
// one port of a /10 and of a /8, and some crooked ones.
func spaces() []uint64 {
	return []uint64{65536, 16 * 65536, 1_000_003, 256 * 65536, 256 * 40, 1 << 22, 1 << 24, 254 * 1000, 1<<32 + 12345, 1 << 40}
}

// chi tells how far counts are from being even, in standard deviations of the
// chi-square statistic.
func chi(counts []int, total int) float64 {
	expected := float64(total) / float64(len(counts))
	sum := 0.0
	for _, c := range counts {
		d := float64(c) - expected
		sum += d * d / expected
	}
	free := float64(len(counts) - 1)
	return (sum - free) / math.Sqrt(2*free)
}

// Any stretch of consecutive positions falls evenly over the space, and so do
// the differences of neighbours, at any small distance.
func TestSpread(t *testing.T) {
	const blocks, keys = 64, 20
	for _, n := range spaces() {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			// Few enough that taking without repetition is like taking with.
			sample := min(n/16, 1<<14)
			for distance := range uint64(9) {
				worst, sum := 0.0, 0.0
				for k := range uint64(keys) {
					p := New(n, key(k))
					counts := make([]int, blocks)
					start := k * n / keys / 2
					for i := range sample {
						v := p.At(start + i)
						if distance > 0 {
							v = (v + n - p.At(start+i+distance)) % n
						}
						counts[mulDiv(v, blocks, n)]++
					}
					z := chi(counts, int(sample))
					worst, sum = max(worst, z), sum+z
				}
				if mean := sum / keys; worst > 6 || math.Abs(mean) > 1.5 {
					t.Errorf("distance %d: worst %.1f, mean %.1f deviations", distance, worst, mean)
				}
			}
		})
	}
}

// mulDiv is v*m/n for n up to 2^58.
func mulDiv(v, m, n uint64) uint64 { return v * m / n }

// Low bits spread as well: with address x port they are the ports or the hosts.
func TestSpreadOfLowBits(t *testing.T) {
	for _, n := range spaces() {
		for _, modulus := range []uint64{2, 16, 40, 256} {
			p := New(n, key(n))
			sample := min(n/16, 1<<14)
			if sample < 16*modulus {
				continue
			}
			counts := make([]int, modulus)
			for i := range sample {
				counts[p.At(i)%modulus]++
			}
			if z := chi(counts, int(sample)); z > 6 {
				t.Errorf("n %d modulo %d: %.1f deviations", n, modulus, z)
			}
		}
	}
}

// A run in equal steps would look like a sweep to whatever watches, and would
// find the same host again and again when the step is a row of the space.
func TestNoRuns(t *testing.T) {
	for _, n := range spaces() {
		p := New(n, key(n+1))
		steps, run := uint64(0), 0
		for i := range min(n-1, 1<<18) {
			step := (p.At(i+1) + n - p.At(i)) % n
			if step == steps {
				run++
			} else {
				steps, run = step, 1
			}
			if run > 3 {
				t.Fatalf("n %d: positions %d to %d are in steps of %d", n, i-2, i+1, step)
			}
		}
	}
}

// Addresses of one /24 come up apart: in a /16, among any 16 consecutive ones
// seldom more than two.
func TestNetworksAreApart(t *testing.T) {
	const n, window = 1 << 16, 16
	for k := range uint64(10) {
		p := New(n, key(k))
		crowded := 0
		for start := uint64(0); start+window <= n; start += window {
			var in [n / 256]int
			for i := range uint64(window) {
				if in[p.At(start+i)/256]++; in[p.At(start+i)/256] == 3 {
					crowded++
				}
			}
		}
		// By chance 1 window in 117 holds three of one network: 35 of 4096.
		if crowded > 70 {
			t.Errorf("key %d: %d of %d windows hold three of one network", k, crowded, n/window)
		}
	}
}

// Ascents, descents and fixed points are as frequent as in an order by chance.
func TestAscents(t *testing.T) {
	for _, n := range spaces() {
		p := New(n, key(n+2))
		up, fixed := 0, 0
		sample := min(n-1, 1<<16)
		for i := range sample {
			v := p.At(i)
			if p.At(i+1) > v {
				up++
			}
			if v == i {
				fixed++
			}
		}
		deviations := (float64(up) - float64(sample)/2) / math.Sqrt(float64(sample)/12)
		if math.Abs(deviations) > 6 || fixed > 12 {
			t.Errorf("n %d: %d of %d ascents (%.1f deviations), %d fixed points", n, up, sample, deviations, fixed)
		}
	}
}
