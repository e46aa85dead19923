package dial

import (
	"container/heap"
	"time"

	"reconshield/internal/probe"
)

// flight is a probe whose answer is awaited on a descriptor of its own. Times
// count from the opening of the wire.
type flight struct {
	asked       probe.Probe
	cookie      probe.Cookie
	sent, until time.Duration
	fd          int
	known       bool // to epoll
	failed      bool // an ICMP error has been reported
	strange     bool // a datagram that answers nothing has been reported
	looks       int  // datagrams and errors seen
	stamp       int32
	place       int // in flights.order
}

// flights holds what is in the air, and in which order patience ends.
type flights struct {
	slots []flight
	free  []int32
	order deadlines
	udp   int // how many are UDP probes, which take a port for themselves
}

// deadlines is a heap of slots by the time their patience ends.
type deadlines struct {
	slots *[]flight
	heap  []int32
}

func (d *deadlines) Len() int { return len(d.heap) }
func (d *deadlines) Less(i, j int) bool {
	return (*d.slots)[d.heap[i]].until < (*d.slots)[d.heap[j]].until
}

func (d *deadlines) Swap(i, j int) {
	d.heap[i], d.heap[j] = d.heap[j], d.heap[i]
	(*d.slots)[d.heap[i]].place, (*d.slots)[d.heap[j]].place = i, j
}

func (d *deadlines) Push(any) {} // add appends by itself, without the allocation

func (d *deadlines) Pop() any {
	d.heap = d.heap[:len(d.heap)-1]
	return nil
}

func (f *flights) len() int { return len(f.order.heap) }

// add keeps a flight and gives its slot.
func (f *flights) add(of *flight) int32 {
	f.order.slots = &f.slots
	var slot int32
	if n := len(f.free); n > 0 {
		slot, f.free = f.free[n-1], f.free[:n-1]
	} else {
		slot = int32(len(f.slots)) //nolint:gosec // bounded by the number of descriptors
		f.slots = append(f.slots, flight{})
	}
	of.stamp = f.slots[slot].stamp + 1
	of.place = len(f.order.heap)
	f.slots[slot] = *of
	f.order.heap = append(f.order.heap, slot)
	heap.Fix(&f.order, of.place)
	if of.asked.Kind == probe.UDP {
		f.udp++
	}
	return slot
}

// get finds a flight by its slot and stamp; nil when it has ended.
func (f *flights) get(slot, stamp int32) *flight {
	if slot < 0 || int(slot) >= len(f.slots) {
		return nil
	}
	of := &f.slots[slot]
	if of.stamp != stamp || of.place < 0 {
		return nil
	}
	return of
}

// remove forgets a flight; its descriptor is the caller's.
func (f *flights) remove(slot int32) {
	of := &f.slots[slot]
	if of.asked.Kind == probe.UDP {
		f.udp--
	}
	heap.Remove(&f.order, of.place)
	of.place, of.fd = -1, -1
	f.free = append(f.free, slot)
}

// hasten lets the patience for a flight end earlier.
func (f *flights) hasten(of *flight, until time.Duration) {
	if until < of.until {
		of.until = until
		heap.Fix(&f.order, of.place)
	}
}

// next is the flight whose patience ends first; false when there is none.
func (f *flights) next() (slot int32, until time.Duration, ok bool) {
	if f.len() == 0 {
		return 0, 0, false
	}
	slot = f.order.heap[0]
	return slot, f.slots[slot].until, true
}
