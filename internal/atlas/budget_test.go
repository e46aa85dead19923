package atlas_test

import (
	"os"
	"testing"
	"time"

	"reconshield/internal/atlas"
)

// TestNoAllocs: a lookup makes its result and nothing else.
func TestNoAllocs(t *testing.T) {
	a := atlas.Default()
	for _, port := range []uint16{0, 22, 53, 6000, 6400, 50000} {
		if n := testing.AllocsPerRun(100, func() { _ = a.ServiceName(port, "tcp") }); n != 0 {
			t.Errorf("the name of port %d takes %v allocations", port, n)
		}
		if n := testing.AllocsPerRun(100, func() { _ = a.Registrations(port) }); n > 1 {
			t.Errorf("the registrations of port %d take %v allocations, want that of the slice", port, n)
		}
	}
}

// TestLookupTime holds lookups below 1 µs, on a busy machine as well: the best
// of several rounds counts.
func TestLookupTime(t *testing.T) {
	a := atlas.Default()
	const rounds, lookups = 20, 1 << 14
	for name, look := range map[string]func(port uint16){
		"ServiceName":   func(port uint16) { _ = a.ServiceName(port, "udp") },
		"Registrations": func(port uint16) { _ = a.Registrations(port) },
	} {
		best := time.Duration(1 << 62)
		for range rounds {
			start := time.Now()
			for i := range lookups {
				look(uint16(i * 4))
			}
			best = min(best, time.Since(start)/lookups)
		}
		if best >= time.Microsecond {
			t.Errorf("%s takes %v", name, best)
		}
	}
}

// TestDataSize holds the embedded data of the atlas to its share of the 4 MiB
// that all of them may have.
func TestDataSize(t *testing.T) {
	const most = 4 << 20
	var total int64
	for _, dir := range []string{"data", "../intel/data", "../intel/recog/data"} {
		files, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, f := range files {
			info, err := f.Info()
			if err != nil {
				t.Fatal(err)
			}
			total += info.Size()
		}
	}
	if total == 0 || total >= most {
		t.Errorf("the embedded data have %d bytes, want fewer than %d", total, most)
	}
}

func BenchmarkServiceName(b *testing.B) {
	a := atlas.Default()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_ = a.ServiceName(uint16(i), "tcp")
	}
}

func BenchmarkRegistrations(b *testing.B) {
	a := atlas.Default()
	b.ReportAllocs()
	for b.Loop() {
		_ = a.Registrations(53)
	}
}

func BenchmarkByName(b *testing.B) {
	a := atlas.Default()
	for b.Loop() {
		_ = a.ByName("domain")
	}
}

func BenchmarkSearch(b *testing.B) {
	a := atlas.Default()
	for b.Loop() {
		_ = a.Search("remote desktp", 10)
	}
}
