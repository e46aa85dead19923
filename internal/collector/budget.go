package collector

import (
	"net/netip"
	"sync"
	"time"
)

// Limits bound the bytes sent over UDP in answers that are larger than their
// question: to one source (an IPv4 address, an IPv6 /64) and to all together.
// Source addresses of UDP may be forged, and a victim must not get more.
type Limits struct {
	SourceRate  int // bytes a second; 16 KiB when 0
	SourceBurst int // bytes at once; 256 KiB when 0, a few assessments
	TotalRate   int // bytes a second; 1 MiB when 0
	TotalBurst  int // bytes at once; 4 MiB when 0
}

// maxSources bounds the memory of the budget.
const maxSources = 8192

type budget struct {
	limits Limits

	mu      sync.Mutex
	total   bucket
	sources map[netip.Prefix]*bucket
}

// bucket fills with time and is emptied by answers.
type bucket struct {
	level float64
	at    time.Time
}

func newBudget(l Limits) *budget {
	const kib = 1 << 10
	set := func(v *int, fallback int) {
		if *v <= 0 {
			*v = fallback
		}
	}
	set(&l.SourceRate, 16*kib)
	set(&l.SourceBurst, 256*kib)
	set(&l.TotalRate, 1024*kib)
	set(&l.TotalBurst, 4096*kib)
	return &budget{limits: l, total: bucket{level: float64(l.TotalBurst)}, sources: map[netip.Prefix]*bucket{}}
}

// take reports whether n bytes may go to the source now, and counts them.
func (b *budget) take(source netip.Addr, n int, now time.Time) bool {
	bits := source.BitLen()
	if source.Is6() {
		bits = 64
	}
	key, _ := source.Prefix(bits)
	b.mu.Lock()
	defer b.mu.Unlock()
	own, ok := b.sources[key]
	if !ok {
		b.makeRoom(now)
		own = &bucket{level: float64(b.limits.SourceBurst), at: now}
		b.sources[key] = own
	}
	own.fill(b.limits.SourceRate, b.limits.SourceBurst, now)
	b.total.fill(b.limits.TotalRate, b.limits.TotalBurst, now)
	if own.level < float64(n) || b.total.level < float64(n) {
		return false
	}
	own.level -= float64(n)
	b.total.level -= float64(n)
	return true
}

func (k *bucket) fill(rate, burst int, now time.Time) {
	if passed := now.Sub(k.at); passed > 0 && !k.at.IsZero() {
		k.level = min(float64(burst), k.level+passed.Seconds()*float64(rate))
	}
	k.at = now
}

// makeRoom forgets sources whose bucket is full again, or all when none is:
// the total still bounds what is sent.
func (b *budget) makeRoom(now time.Time) {
	if len(b.sources) < maxSources {
		return
	}
	for key, k := range b.sources {
		k.fill(b.limits.SourceRate, b.limits.SourceBurst, now)
		if k.level >= float64(b.limits.SourceBurst) {
			delete(b.sources, key)
		}
	}
	if len(b.sources) >= maxSources {
		clear(b.sources)
	}
}
