package portlist

import (
	"path/filepath"
	"testing"

	"reconshield/internal/exposure"
)

// BenchmarkRows writes a million ordinary rows to a file: what a scan waits for.
func BenchmarkRows(b *testing.B) {
	const million = 1_000_000
	rows := make([]exposure.Observation, 4096)
	for i := range rows {
		rows[i] = numbered(i)
		rows[i].Detail, rows[i].RTT = "", 412_000
	}
	for _, format := range Formats() {
		b.Run(string(format), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w, err := Open(format, filepath.Join(b.TempDir(), "out"), sampleOptions())
				if err != nil {
					b.Fatal(err)
				}
				for i := range million {
					o := rows[i%len(rows)]
					o.Addr = numberedAddr(i)
					if err := w.Port(o); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.End(sampleSummary()); err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(million*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// TestRowAllocations: an ordinary row costs next to no memory.
func TestRowAllocations(t *testing.T) {
	o := numbered(1)
	o.RTT = 412_000
	buf := make([]byte, 0, pageSize)
	for name, c := range map[string]struct {
		most  float64
		write func()
	}{
		"jsonl": {1, func() { buf = jsonLines{(&Options{Registered: registry}).encoder()}.row(buf[:0], o) }},
		"csv":   {2, func() { buf = csvLines{registry}.row(buf[:0], o) }},
	} {
		if got := testing.AllocsPerRun(100, c.write); got > c.most {
			t.Errorf("%s: %.0f allocations a row, at most %.0f", name, got, c.most)
		}
	}
}
