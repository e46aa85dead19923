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
// for concurrent use; the zero value is empty. IPv4 addresses are held as
// IPv4, never as IPv4-mapped IPv6.
type Scope struct {
	set     *netipx.IPSet
	ranges  []netipx.IPRange
	size    uint64
	singles map[netip.Addr]bool
	names   map[netip.Addr][]string
}

// Contains reports whether addr may be sent to. An IPv4-mapped address counts
// as its IPv4 address; an address with a zone is never in scope.
func (s Scope) Contains(addr netip.Addr) bool {
	return s.set != nil && s.set.Contains(addr.Unmap())
}

// Len is the number of addresses.
func (s Scope) Len() uint64 { return s.size }

// All gives every address once, IPv4 before IPv6, each in ascending order. It
// holds one address at a time.
func (s Scope) All() iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for _, r := range s.ranges {
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
	if s.set == nil {
		return nil
	}
	return s.set.Prefixes()
}

// Names lists the host names that resolved to addr, in the order given. The
// slice is the caller's; nil when addr was not named so.
func (s Scope) Names(addr netip.Addr) []string {
	return slices.Clone(s.names[addr.Unmap()])
}

// Single reports whether addr was named for itself, by address or by host
// name, rather than as part of a prefix or range. Such an address deserves a
// line in a report also when it is silent.
func (s Scope) Single(addr netip.Addr) bool { return s.singles[addr.Unmap()] }

// addName notes a host name of addr. All addresses of a host come together, so
// looking at the last name is enough to keep it once.
func (s *Scope) addName(addr netip.Addr, host string) {
	names := s.names[addr]
	if len(names) == 0 || names[len(names)-1] != host {
		s.names[addr] = append(names, host)
	}
}

// finish builds the set, drops notes on excluded addresses and checks the size.
func (s *Scope) finish(builder *netipx.IPSetBuilder, limit uint64) (Scope, error) {
	set, err := builder.IPSet()
	if err != nil {
		return Scope{}, fmt.Errorf("build the scope: %w", err)
	}
	if limit == 0 {
		limit = DefaultLimit
	}
	s.set, s.ranges = set, set.Ranges()
	count := new(big.Int)
	for _, r := range s.ranges {
		count.Add(count, rangeSize(r))
	}
	switch {
	case count.Sign() == 0:
		return Scope{}, fmt.Errorf("%w: nothing is left of the scope after exclusions", ErrNoTargets)
	case count.Cmp(new(big.Int).SetUint64(limit)) > 0:
		return Scope{}, &TooManyError{Count: count, Limit: limit}
	}
	s.size = count.Uint64()
	for addr := range s.singles {
		if !set.Contains(addr) {
			delete(s.singles, addr)
			delete(s.names, addr)
		}
	}
	return *s, nil
}

// rangeSize is the number of addresses in r.
func rangeSize(r netipx.IPRange) *big.Int {
	size := new(big.Int).SetBytes(r.To().AsSlice())
	size.Sub(size, new(big.Int).SetBytes(r.From().AsSlice()))
	return size.Add(size, big.NewInt(1))
}
