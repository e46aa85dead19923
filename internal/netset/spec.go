package netset

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"go4.org/netipx"
)

// Spec is what the user asked for, parsed but not resolved. The zero value
// asks for nothing. Methods do not change their receiver.
type Spec struct {
	// Limit is the largest number of addresses Resolve accepts after
	// exclusions; 0 means DefaultLimit.
	Limit uint64
	// LimitIPv6 is the largest number of IPv6 addresses among them; 0 means
	// that only Limit counts.
	LimitIPv6 uint64
	// Warnings lists odd but usable expressions in the order they were given.
	Warnings []Warning

	entries  []entry
	excluded []entry
}

// Empty reports whether nothing was asked for.
func (s Spec) Empty() bool { return len(s.entries) == 0 }

// Hosts lists the host names that Resolve will look up, each once, sorted,
// exclusions among them.
func (s Spec) Hosts() []string {
	var hosts []string
	for _, e := range slices.Concat(s.entries, s.excluded) {
		if e.host != "" {
			hosts = append(hosts, e.host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// And gives what either asks for, minus what either excludes, under the
// receiver's limits.
func (s Spec) And(other Spec) Spec {
	s.entries = slices.Concat(s.entries, other.entries)
	s.excluded = slices.Concat(s.excluded, other.excluded)
	s.Warnings = slices.Concat(s.Warnings, other.Warnings)
	return s
}

// Without takes away everything that excluded names. Its host names are
// resolved too, and an exclusion that does not resolve is an error: scanning
// an address somebody excluded is worse than not scanning.
func (s Spec) Without(excluded Spec) Spec {
	s.excluded = slices.Concat(s.excluded, excluded.entries)
	s.Warnings = slices.Concat(s.Warnings, excluded.Warnings)
	return s
}

// Lookup gives the A and AAAA addresses of a host name. It must be safe for
// concurrent use.
type Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

// Resolve looks up the host names, takes away the exclusions and checks the
// limits. A host name adds its addresses only. Each name is looked up once, a
// few at a time; the error is for the first name, in the order given, that
// does not resolve or resolves to an address that cannot be scanned. Other
// errors wrap ErrNoTargets or ErrTooMany. A nil lookup is fine when there are
// no host names.
func (s Spec) Resolve(ctx context.Context, lookup func(context.Context, string) ([]netip.Addr, error)) (Scope, error) {
	if s.Empty() {
		return Scope{}, fmt.Errorf("%w: name an address, prefix, range or host name", ErrNoTargets)
	}
	answers := lookupAll(ctx, lookup, s.Hosts())
	scope := contents{singles: map[netip.Addr]bool{}, names: map[netip.Addr][]string{}}
	var set netipx.IPSetBuilder
	named := map[string]bool{}
	for _, e := range s.entries {
		if e.host == "" {
			set.AddRange(e.span)
			if e.single {
				scope.singles[e.span.From()] = true
			}
			continue
		}
		if named[e.host] {
			continue
		}
		named[e.host] = true
		addrs, err := answers[e.host].take(target, e)
		if err != nil {
			return Scope{}, err
		}
		for _, addr := range addrs {
			set.Add(addr)
			scope.singles[addr] = true
			scope.addName(addr, e.host)
		}
	}
	for _, e := range s.excluded {
		addrs, err := answers[e.host].take(exclusion, e)
		if err != nil {
			return Scope{}, err
		}
		if e.host == "" {
			set.RemoveRange(e.span)
		}
		for _, addr := range addrs {
			set.Remove(addr)
		}
	}
	return scope.finish(&set, s)
}

// answer is the outcome of one look-up.
type answer struct {
	addrs []netip.Addr
	err   error
}

// take gives the addresses of an entry that names a host, checked for what
// the entry is used for. It gives nothing for an entry of addresses.
func (a answer) take(k kind, e entry) ([]netip.Addr, error) {
	if e.host == "" {
		return nil, nil
	}
	err := a.err
	if err == nil && len(a.addrs) == 0 {
		err = ErrNoAddress
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: cannot be resolved: %w", k, quote(e.expr), err)
	}
	addrs := make([]netip.Addr, 0, len(a.addrs))
	for _, addr := range a.addrs {
		addr = addr.Unmap()
		if !addr.IsValid() {
			return nil, fmt.Errorf("%s %s: cannot be resolved: %w", k, quote(e.expr), ErrNoAddress)
		}
		if k == target {
			if err := refuseResolved(e.host, addr); err != nil {
				return nil, fmt.Errorf("%s %s: %w", k, quote(e.expr), err)
			}
		}
		addrs = append(addrs, addr.WithZone(""))
	}
	return addrs, nil
}

// lookupAll resolves hosts, a few at a time.
func lookupAll(ctx context.Context, lookup Lookup, hosts []string) map[string]answer {
	const parallel = 8
	answers := make([]answer, len(hosts))
	slots := make(chan struct{}, parallel)
	var wg sync.WaitGroup
	for i, host := range hosts {
		if lookup == nil {
			answers[i].err = errNoLookup
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			answers[i].addrs, answers[i].err = lookup(ctx, host)
		})
	}
	wg.Wait()
	byHost := make(map[string]answer, len(hosts))
	for i, host := range hosts {
		byHost[host] = answers[i]
	}
	return byHost
}
