package scan

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"time"
)

// throttle keeps probes to one address, or to one network, apart in time. It
// holds a table of bounded size; two that share a place in it share the
// allowance, so that the ceiling holds in any case.
type throttle struct {
	gap   uint32   // ticks between two packets
	slack uint32   // ticks that packets may leave early, so that high rates leave in batches
	free  []uint32 // when the next may leave
	mask  uint64
}

const (
	tick       = time.Microsecond
	mostPlaces = 1 << 20
	batchTime  = uint32(time.Millisecond / tick)
)

// newThrottle limits to so many packets a second, for so many addresses or
// networks; nil when the rate is 0.
func newThrottle(perSecond float64, count uint64) *throttle {
	if perSecond <= 0 {
		return nil
	}
	n := uint64(1) << bits.Len64(min(count, mostPlaces)-1)
	gap := float64(time.Second) / float64(tick) / perSecond
	t := &throttle{gap: uint32(math.Ceil(min(max(1, gap), math.MaxInt32))), free: make([]uint32, n), mask: n - 1}
	if t.gap < batchTime {
		t.slack = batchTime - t.gap
	}
	return t
}

// wait gives how long what has this number must be left alone; nil throttles
// nothing.
func (t *throttle) wait(number uint64, now time.Duration) time.Duration {
	if t == nil {
		return 0
	}
	if left := t.ahead(number, now); left > t.slack {
		return time.Duration(left-t.slack) * tick
	}
	return 0
}

// ahead gives how many ticks ahead of now the next packet would be in time. The
// clock wraps after 71 minutes: what lies further ahead than it can was set
// before that.
func (t *throttle) ahead(number uint64, now time.Duration) uint32 {
	left := t.free[number&t.mask] - uint32(now/tick) //nolint:gosec // a difference of wrapping clocks
	if left > t.gap+t.slack {
		return 0
	}
	return left
}

// take uses the number's allowance up for a while.
func (t *throttle) take(number uint64, now time.Duration) {
	if t != nil {
		t.free[number&t.mask] = uint32(now/tick) + t.ahead(number, now) + t.gap //nolint:gosec // a wrapping clock
	}
}

// network numbers the /24 or /64 of an address; networks that follow each other
// have numbers that do, too.
func network(a netip.Addr) uint64 {
	if a.Is4() {
		b := a.As4()
		return uint64(binary.BigEndian.Uint32(b[:]) >> 8) //nolint:mnd // the host's byte
	}
	b := a.As16()
	return binary.BigEndian.Uint64(b[:])
}
