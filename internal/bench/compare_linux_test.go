package bench_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"reconshield/internal/bench"
)

// BenchmarkScanners compares the scanners. It reads from the environment:
// BENCH_FULL (all of it, three runs), BENCH_RUNS, BENCH_BOUND (how long to wait
// for the slowest scans), BENCH_SCENES and BENCH_TOOLS (names, separated by
// commas), BENCH_COMMANDS (writes the command lines) and BENCH_OURS (the
// reconshield binary).
func BenchmarkScanners(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	o := bench.Options{Ours: os.Getenv("BENCH_OURS"), Self: self, Dir: b.TempDir(), Runs: 1, Size: bench.QuickSize()}
	if os.Getenv("BENCH_FULL") != "" {
		o.Runs, o.Size = 3, bench.FullSize()
	}
	if text := os.Getenv("BENCH_RUNS"); text != "" {
		if o.Runs, err = strconv.Atoi(text); err != nil || o.Runs < 1 {
			b.Fatalf("BENCH_RUNS=%q is no number of runs", text)
		}
	}
	if text := os.Getenv("BENCH_BOUND"); text != "" {
		if o.Size.Patience, err = time.ParseDuration(text); err != nil {
			b.Fatalf("BENCH_BOUND: %v", err)
		}
	}
	if o.Ours != "" {
		if o.Ours, err = filepath.Abs(o.Ours); err != nil {
			b.Fatal(err)
		}
	}
	o.Lines = os.Getenv("BENCH_COMMANDS") != ""
	o.Scenes, o.Tools = names("BENCH_SCENES"), names("BENCH_TOOLS")
	for b.Loop() {
		if err := bench.Compare(b.Context(), o, os.Stdout); err != nil {
			b.Fatal(err)
		}
	}
}

func names(variable string) []string {
	return strings.FieldsFunc(os.Getenv(variable), func(r rune) bool { return r == ',' })
}
