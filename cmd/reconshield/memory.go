package main

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// spareMemory lets garbage lie while a command holds little memory, and collects
// it the more often the nearer that is to a bound, until its result is called.
// The bound grows with what is in use, so that collecting never takes over. Who
// sets GOGC or GOMEMLIMIT decides that alone.
func spareMemory() (restore func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	const percent = 200
	before := debug.SetGCPercent(percent)
	debug.SetMemoryLimit(memoryBound(0))
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		followMemory(done)
	}()
	return func() {
		close(done)
		<-over
		debug.SetMemoryLimit(math.MaxInt64)
		debug.SetGCPercent(before)
	}
}

// memoryBound is the memory, in bytes, that may be held while so much is in use.
func memoryBound(live uint64) int64 {
	const least, factor = 180 << 20, 1.8
	return int64(max(least, factor*float64(live)))
}

// followMemory keeps the bound in step with the heap until done.
func followMemory(done <-chan struct{}) {
	const pause = 20 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	bound := memoryBound(0)
	for {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		metrics.Read(sample)
		if sample[0].Value.Kind() != metrics.KindUint64 {
			return
		}
		if next := memoryBound(sample[0].Value.Uint64()); next != bound {
			bound = next
			debug.SetMemoryLimit(bound)
		}
	}
}
