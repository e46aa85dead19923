package netset

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func unlimited(tb testing.TB, exprs string) Scope {
	tb.Helper()
	s := mustParse(tb, exprs)
	s.Limit = math.MaxUint64
	scope, err := s.Resolve(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return scope
}

// At follows All, and Index undoes At.
func TestPlaces(t *testing.T) {
	var apart []string
	for addr := netip.MustParseAddr("10.0.0.0"); len(apart) < 1000; addr = addr.Next().Next() {
		apart = append(apart, addr.String())
	}
	for _, exprs := range []string{
		"192.0.2.1",
		"2001:db8::1",
		"192.0.2.0/28",
		"2001:db8::/120",
		"2001:db8:0:0:ffff:ffff:ffff:fff0-2001:db8:0:1::f",
		"192.0.2.1 192.0.2.3 192.0.2.5-9 198.51.100.0/24",
		"2001:db8::1 2001:db8::3 2001:db9::/124",
		"192.0.2.0/31 2001:db8::/127",
		"223.255.255.0/24 1.0.0.0/30 2001:db8::7 ::2",
		strings.Join(apart, " ") + " 2001:db8::/126",
	} {
		scope := unlimited(t, exprs)
		i := uint64(0)
		for addr := range scope.All() {
			if got := scope.At(i); got != addr {
				t.Fatalf("%.60s: At(%d) = %s, want %s", exprs, i, got, addr)
			}
			if got, ok := scope.Index(addr); got != i || !ok {
				t.Fatalf("%.60s: Index(%s) = %d, %v, want %d", exprs, addr, got, ok, i)
			}
			i++
		}
		if i != scope.Len() || scope.At(i).IsValid() || scope.At(1<<63).IsValid() {
			t.Errorf("%.60s: Len %d, At past it %s", exprs, scope.Len(), scope.At(i))
		}
	}
}

func TestPlacesOfLarge(t *testing.T) {
	tests := []struct {
		exprs string
		i     uint64
		addr  string
	}{
		{"10.0.0.0/8", 0, "10.0.0.0"},
		{"10.0.0.0/8", 1<<24 - 1, "10.255.255.255"},
		{"1.0.0.0-126.255.255.255 128.0.0.0-223.255.255.255", 126<<24 + 5, "128.0.0.5"},
		{"2001:db8::/65", 1<<63 - 1, "2001:db8::7fff:ffff:ffff:ffff"},
		{"2001:db8::8000:0:0:0-2001:db8:0:1:7fff:ffff:ffff:fffe", 1 << 62, "2001:db8:0:0:c000::"},
		{"2001:db8::c000:0:0:0-2001:db8:0:1:3fff:ffff:ffff:ffff", 1<<62 + 9, "2001:db8:0:1::9"},
		{"10.0.0.0/8 2001:db8::/96", 1<<24 + 1<<32 - 1, "2001:db8::ffff:ffff"},
	}
	for _, tt := range tests {
		scope, addr := unlimited(t, tt.exprs), netip.MustParseAddr(tt.addr)
		if got := scope.At(tt.i); got != addr {
			t.Errorf("%s: At(%d) = %s, want %s", tt.exprs, tt.i, got, addr)
		}
		if got, ok := scope.Index(addr); got != tt.i || !ok {
			t.Errorf("%s: Index(%s) = %d, %v, want %d", tt.exprs, addr, got, ok, tt.i)
		}
	}
}

// Index knows exactly the addresses that Contains knows.
func TestIndexOfOthers(t *testing.T) {
	scope := unlimited(t, "192.0.2.4/30 192.0.2.10 2001:db8::4/126 2001:db8:0:1::1")
	var zero Scope
	for _, text := range []string{
		"0.0.0.0", "192.0.2.3", "192.0.2.4", "192.0.2.7", "192.0.2.8", "192.0.2.10", "192.0.2.11", "255.255.255.255",
		"::", "::ffff:192.0.2.4", "::ffff:192.0.2.3", "::c000:204", "2001:db8::3", "2001:db8::4", "2001:db8::4%eth0",
		"2001:db8::8", "2001:db8:0:1::", "2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1", "ffff::",
	} {
		addr := netip.MustParseAddr(text)
		if i, ok := scope.Index(addr); ok != scope.Contains(addr) || ok && scope.At(i) != addr.Unmap() {
			t.Errorf("Index(%s) = %d, %v; Contains is %v", addr, i, ok, scope.Contains(addr))
		}
		if _, ok := zero.Index(addr); ok {
			t.Errorf("the zero scope holds %s", addr)
		}
	}
	if _, ok := scope.Index(netip.Addr{}); ok || zero.At(0).IsValid() {
		t.Error("an address out of nothing")
	}
	if _, ok := unlimited(t, "2001:db8::1").Index(netip.MustParseAddr("192.0.2.1")); ok {
		t.Error("an IPv4 address in a scope without any")
	}
}

// Scopes by chance, exclusions among them.
func TestPlacesByChance(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func() string {
		from := random.Uint32N(1 << 12)
		if random.Uint32N(2) == 0 {
			return fmt.Sprintf("10.0.%d.%d-10.0.%d.%d", from>>8, from&255, (from+200)>>8, (from+200)&255)
		}
		return fmt.Sprintf("2001:db8::%x-2001:db8::%x", from, from+random.Uint32N(300))
	}
	for range 200 {
		var in, out []string
		for range 1 + random.IntN(8) {
			in, out = append(in, pick()), append(out, pick())
		}
		scope, err := mustParse(t, strings.Join(in, " ")).Without(mustExclude(t, strings.Join(out, " "))).Resolve(t.Context(), nil)
		if err != nil {
			continue // all was excluded
		}
		i := uint64(0)
		for addr := range scope.All() {
			at, ok := scope.Index(addr)
			if scope.At(i) != addr || at != i || !ok {
				t.Fatalf("%v without %v: position %d is %s, Index(%s) = %d, %v", in, out, i, scope.At(i), addr, at, ok)
			}
			i++
		}
	}
}

func TestPlacesAllocate(t *testing.T) {
	scope := unlimited(t, "10.0.0.0/8 192.0.2.1 192.0.2.3 2001:db8::/66 2001:db9::1")
	got := testing.AllocsPerRun(100, func() {
		for _, i := range []uint64{5, 1 << 24, 1 << 40} {
			if at, ok := scope.Index(scope.At(i)); at != i || !ok {
				t.Error(i)
			}
		}
	})
	if got > 0 {
		t.Errorf("%v allocations", got)
	}
}

type placeBench struct {
	name  string
	scope Scope
}

func placeBenches(b *testing.B) []placeBench {
	b.Helper()
	var apart []string
	for addr := netip.MustParseAddr("10.0.0.0"); len(apart) < 1000; addr = addr.Next().Next() {
		apart = append(apart, addr.String())
	}
	return []placeBench{
		{"one v4 range", unlimited(b, "10.0.0.0/8")},
		{"one v6 range", unlimited(b, "2001:db8::/96")},
		{"v4 and v6 range", unlimited(b, "10.0.0.0/8 2001:db8::/104")},
		{"a thousand ranges", unlimited(b, strings.Join(apart, " "))},
	}
}

func BenchmarkScopeAt(b *testing.B) {
	for _, bench := range placeBenches(b) {
		name, scope := bench.name, bench.scope
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			random, n := uint64(1), scope.Len()
			var addr netip.Addr
			for b.Loop() {
				// As a permutation asks: a regular step would be foreseen.
				random = random*6364136223846793005 + 1442695040888963407
				i, _ := bits.Mul64(random, n)
				addr = scope.At(i)
			}
			_ = addr
		})
	}
}

func BenchmarkScopeIndex(b *testing.B) {
	for _, bench := range placeBenches(b) {
		name, scope := bench.name, bench.scope
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			addrs := make([]netip.Addr, 1024)
			for i := range addrs {
				addrs[i] = scope.At(uint64(i) * 7919 % scope.Len())
			}
			i := 0
			for b.Loop() {
				if _, ok := scope.Index(addrs[i&1023]); !ok {
					b.Fatal(addrs[i&1023])
				}
				i++
			}
		})
	}
}
