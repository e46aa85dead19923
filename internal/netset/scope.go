package netset

import (
	"fmt"
	"iter"
	"math/big"
	"net/netip"
	"slices"

	"go4.org/netipx"
)

// Scope is the set of addresses a scan may send to. It is immutable and safe
// for concurrent use, and small enough to pass by value; the zero value is
// empty. IPv4 addresses are held as IPv4, never as IPv4-mapped IPv6.
type Scope struct {
	in *contents // nil when empty
}

// contents is what a scope holds. It does not change once it is built.
type contents struct {
	set     *netipx.IPSet
	ranges  []netipx.IPRange
	places  places
	singles map[netip.Addr]bool
	names   map[netip.Addr][]string
}

// Contains reports whether addr may be sent to. An IPv4-mapped address counts
// as its IPv4 address; an address with a zone is never in scope.
func (s Scope) Contains(addr netip.Addr) bool {
	return s.in != nil && s.in.set.Contains(addr.Unmap())
}

// Len is the number of addresses.
func (s Scope) Len() uint64 {
	if s.in == nil {
		return 0
	}
	return s.in.places.size
}

// At gives the address at position i in the order of All, the zero Addr when i
// is not below Len. It takes time by the logarithm of the number of separate
// ranges and allocates nothing.
func (s Scope) At(i uint64) netip.Addr {
	if s.in == nil {
		return netip.Addr{}
	}
	return s.in.places.at(i)
}

// Index gives the position of addr in the order of All: At of it is addr. ok is
// false when Contains is. An IPv4-mapped address counts as its IPv4 address.
func (s Scope) Index(addr netip.Addr) (i uint64, ok bool) {
	if s.in == nil {
		return 0, false
	}
	return s.in.places.index(addr)
}

// All gives every address once, IPv4 before IPv6, each in ascending order. It
// holds one address at a time.
func (s Scope) All() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		if s.in == nil {
			return
		}
		for _, r := range s.in.ranges {
			last := r.To()
			for addr := r.From(); ; addr = addr.Next() {
				if !yield(addr) {
					return
				}
				if addr == last {
					break
				}
			}
		}
	}
}

// Prefixes gives the scope as the fewest prefixes, in ascending order. The
// slice is the caller's.
func (s Scope) Prefixes() []netip.Prefix {
	if s.in == nil {
		return nil
	}
	return s.in.set.Prefixes()
}

// Names lists the host names that resolved to addr, in the order given. The
// slice is the caller's; nil when addr was not named so.
func (s Scope) Names(addr netip.Addr) []string {
	if s.in == nil {
		return nil
	}
	return slices.Clone(s.in.names[addr.Unmap()])
}

// Single reports whether addr was named for itself, by address or by host
// name, rather than as part of a prefix or range. Such an address deserves a
// line in a report also when it is silent.
func (s Scope) Single(addr netip.Addr) bool {
	return s.in != nil && s.in.singles[addr.Unmap()]
}

// addName notes a host name of addr. All addresses of a host come together, so
// looking at the last name is enough to keep it once.
func (c *contents) addName(addr netip.Addr, host string) {
	names := c.names[addr]
	if len(names) == 0 || names[len(names)-1] != host {
		c.names[addr] = append(names, host)
	}
}

// finish builds the set, checks its size, and drops notes on excluded
// addresses.
func (c *contents) finish(builder *netipx.IPSetBuilder, s Spec) (Scope, error) {
	set, err := builder.IPSet()
	if err != nil {
		return Scope{}, fmt.Errorf("build the scope: %w", err)
	}
	c.set, c.ranges = set, set.Ranges()
	if len(c.ranges) == 0 {
		return Scope{}, fmt.Errorf("%w: nothing is left of the scope after exclusions", ErrNoTargets)
	}
	if err := checkSize(c.ranges, s); err != nil {
		return Scope{}, err
	}
	c.places = newPlaces(c.ranges)
	for addr := range c.singles {
		if !set.Contains(addr) {
			delete(c.singles, addr)
			delete(c.names, addr)
		}
	}
	return Scope{c}, nil
}

// checkSize compares the number of addresses with the limits of s.
func checkSize(ranges []netipx.IPRange, s Spec) error {
	limit := s.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	all, v6 := new(big.Int), new(big.Int)
	for _, r := range ranges {
		size := rangeSize(r)
		all.Add(all, size)
		if r.From().Is6() {
			v6.Add(v6, size)
		}
	}
	switch {
	case s.LimitIPv6 > 0 && v6.Cmp(new(big.Int).SetUint64(s.LimitIPv6)) > 0:
		return &TooManyError{Count: v6, Limit: s.LimitIPv6, IPv6: true}
	case all.Cmp(new(big.Int).SetUint64(limit)) > 0:
		return &TooManyError{Count: all, Limit: limit}
	}
	return nil
}

// rangeSize is the number of addresses in r.
func rangeSize(r netipx.IPRange) *big.Int {
	size := new(big.Int).SetBytes(r.To().AsSlice())
	size.Sub(size, new(big.Int).SetBytes(r.From().AsSlice()))
	return size.Add(size, big.NewInt(1))
}
