package netset

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"go4.org/netipx"
)

// places numbers the addresses of a scope. The zero value has none.
type places struct {
	size uint64
	v4   int   // number of runs of IPv4; those of IPv6 follow them
	runs []run // ascending
}

// run is one range of addresses and the position of its first.
type run struct {
	place  uint64
	hi, lo uint64 // first address, an IPv4 one in lo
	size   uint64
}

// newPlaces numbers ranges in their order, IPv4 first. Their sizes must not
// add up to more than 64 bits hold.
func newPlaces(ranges []netipx.IPRange) places {
	p := places{runs: make([]run, 0, len(ranges))}
	for _, r := range ranges {
		hi, lo := halves(r.From())
		_, last := halves(r.To())
		// Right also when the range crosses a boundary of 2^64 addresses.
		size := last - lo + 1
		p.runs = append(p.runs, run{place: p.size, hi: hi, lo: lo, size: size})
		p.size += size
		if r.From().Is4() {
			p.v4++
		}
	}
	return p
}

// halves gives an address as a number; an IPv4 address has 32 bits.
func halves(addr netip.Addr) (hi, lo uint64) {
	if addr.Is4() {
		b := addr.As4()
		return 0, uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := addr.As16()
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
}

// at gives the address at position i, the zero Addr past the end.
func (p *places) at(i uint64) netip.Addr {
	if i >= p.size {
		return netip.Addr{}
	}
	n := 0
	if len(p.runs) > 1 {
		n = p.find(i)
	}
	r := &p.runs[n]
	if n < p.v4 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(r.lo+i-r.place))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	lo, carry := bits.Add64(r.lo, i-r.place, 0)
	binary.BigEndian.PutUint64(b[:8], r.hi+carry)
	binary.BigEndian.PutUint64(b[8:], lo)
	return netip.AddrFrom16(b)
}

// find gives the last run that starts at or before position i.
func (p *places) find(i uint64) int {
	from, n := 0, len(p.runs)
	for n > 1 {
		half := n / 2
		// By arithmetic, since a branch would be guessed wrong every other time.
		_, before := bits.Sub64(i, p.runs[from+half].place, 0)
		from += half & (int(before) - 1)
		n -= half
	}
	return from
}

// index gives the position of addr.
func (p *places) index(addr netip.Addr) (uint64, bool) {
	addr = addr.Unmap()
	if !addr.IsValid() || addr.Zone() != "" {
		return 0, false
	}
	runs := p.runs[p.v4:]
	if addr.Is4() {
		runs = p.runs[:p.v4]
	}
	hi, lo := halves(addr)
	from, n := 0, len(runs)
	if n == 0 {
		return 0, false
	}
	for n > 1 {
		half := n / 2
		if _, before := sub128(hi, lo, runs[from+half]); !before {
			from += half
		}
		n -= half
	}
	r := &runs[from]
	offset, before := sub128(hi, lo, *r)
	if before || offset.hi != 0 || offset.lo >= r.size {
		return 0, false
	}
	return r.place + offset.lo, true
}

// distance is how far an address is from the start of a run.
type distance struct{ hi, lo uint64 }

// sub128 gives the distance of an address from the start of r, and whether the
// address stands before it.
func sub128(hi, lo uint64, r run) (d distance, before bool) {
	var borrow uint64
	d.lo, borrow = bits.Sub64(lo, r.lo, 0)
	d.hi, borrow = bits.Sub64(hi, r.hi, borrow)
	return d, borrow != 0
}
