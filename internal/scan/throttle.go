package scan

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"
	"net/netip"
	"time"
)

// throttle keeps probes to one address, or to one network, apart in time. It
// holds a table of fixed size; two that share a place share its allowance, so
// that the ceiling holds in any case.
type throttle struct {
	gap  uint32 // ticks between two packets
	free []uint32
	seed maphash.Seed
	mask uint64
	bits [2]int // of the prefix, IPv4 and IPv6
}

const (
	tick           = time.Microsecond
	throttlePlaces = 1 << 18
)

// newThrottle limits to so many packets a second; nil when that is 0.
func newThrottle(perSecond float64, places uint64, bits4, bits6 int) *throttle {
	if perSecond <= 0 {
		return nil
	}
	n := uint64(1) << bits.Len64(min(places, throttlePlaces)*2)
	return &throttle{
		gap:  uint32(math.Ceil(max(1, min(float64(time.Second)/float64(tick)/perSecond, 1<<30)))),
		free: make([]uint32, n), seed: maphash.MakeSeed(), mask: n - 1, bits: [2]int{bits4, bits6},
	}
}

func (t *throttle) place(a netip.Addr) *uint32 {
	var b [16]byte
	n := t.bits[1]
	if a.Is4() {
		n = t.bits[0]
		a4 := a.As4()
		copy(b[:], a4[:])
	} else {
		b = a.As16()
	}
	high := binary.BigEndian.Uint64(b[:])
	low := binary.BigEndian.Uint64(b[8:])
	switch {
	case n <= 64: //nolint:mnd // halves of an IPv6 address
		high, low = high>>(64-n)<<(64-n), 0
	default:
		low = low >> (128 - n) << (128 - n)
	}
	return &t.free[maphash.Comparable(t.seed, [2]uint64{high, low})&t.mask]
}

// wait gives how long the address must be left alone; nil throttles nothing.
func (t *throttle) wait(a netip.Addr, now time.Duration) time.Duration {
	if t == nil {
		return 0
	}
	// The clock wraps after 71 minutes: what lies further ahead than one gap
	// was set before that.
	left := *t.place(a) - uint32(now/tick) //nolint:gosec // a difference of wrapping clocks
	if left <= t.gap {
		return time.Duration(left) * tick
	}
	return 0
}

// take uses the address up for a while.
func (t *throttle) take(a netip.Addr, now time.Duration) {
	if t == nil {
		return
	}
	*t.place(a) = uint32(now/tick) + t.gap //nolint:gosec // a wrapping clock
}
