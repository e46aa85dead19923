package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestMemoryBound(t *testing.T) {
	for _, tt := range []struct {
		live uint64
		want int64
	}{
		{0, 180 << 20},
		{90 << 20, 180 << 20},
		{1000 << 20, 1800 << 20},
	} {
		if got := memoryBound(tt.live); got != tt.want {
			t.Errorf("%d in use: %d, want %d", tt.live, got, tt.want)
		}
	}
}

func TestSpareMemory(t *testing.T) {
	state := func() [2]int64 {
		percent := debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return [2]int64{int64(percent), debug.SetMemoryLimit(-1)}
	}
	t.Setenv("GOMEMLIMIT", "")
	for _, given := range []string{"", "80"} {
		t.Setenv("GOGC", given)
		before := state()
		restore := spareMemory()
		if during := state(); (during[1] == math.MaxInt64) != (given != "") {
			t.Errorf("GOGC=%s: %v while it runs", given, during)
		}
		restore()
		if after := state(); after != before {
			t.Errorf("GOGC=%s: %v after it, %v before", given, after, before)
		}
	}
}
