package firewall

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// alike remembers answers by what rules can tell apart: two targets between
// which no rule distinguishes get one answer, and so do two interfaces.
type alike struct {
	bounds   []netip.Addr // destinations before which a rule may change its mind
	patterns []string     // of interfaces, all that rules mention
	mu       sync.Mutex
	known    map[alikeKey][]Reach
	oldest   []alikeKey // of known
	kept     int        // answers in known
}

// alikeKey is a question as far as rules can tell.
type alikeKey struct {
	family   Family
	target   int // -1: not known
	in       string
	local    Tri
	protocol Number
	ports    Span[Number]
	packet   Packet
}

func newAlike(r *Ruleset) *alike {
	a := &alike{known: map[alikeKey][]Reach{}}
	seen := map[string]bool{}
	for _, c := range r.Chains {
		if c.Base != nil {
			a.interfaces(c.Base.Interfaces, seen)
		}
		for i := range c.Rules {
			a.learn(c.Rules[i].Matches, seen)
			if to := c.Rules[i].Action.To; to.First.IsValid() {
				a.bounds = cutAt(a.bounds, NewSet(Span[netip.Addr]{to.First.Unmap(), to.Last.Unmap()}))
			}
		}
	}
	a.bounds = cutAt(a.bounds, r.Host.Local)
	for _, route := range r.Host.Routes {
		a.bounds = cutAt(a.bounds, AddrsOf(route.Prefix))
	}
	slices.SortFunc(a.bounds, netip.Addr.Compare)
	a.bounds = slices.Compact(a.bounds)
	return a
}

func (a *alike) learn(matches []Match, seen map[string]bool) {
	for i := range matches {
		m := &matches[i]
		if m.Field == Dst || m.Field == OrigDst {
			a.bounds = cutAt(a.bounds, m.Addrs)
		}
		a.interfaces(m.Names, seen)
		for _, t := range m.Tuples {
			a.learn(t, seen)
		}
	}
}

func (a *alike) interfaces(patterns []string, seen map[string]bool) {
	for _, p := range patterns {
		if !seen[p] {
			seen[p] = true
			a.patterns = append(a.patterns, p)
		}
	}
}

func (a *alike) key(h *header, q *Question) alikeKey {
	target, exact := slices.BinarySearchFunc(a.bounds, h.origDst, netip.Addr.Compare)
	if exact {
		target++
	}
	if !h.dstKnown {
		target = -1
	}
	var in strings.Builder
	for i := range a.patterns {
		in.WriteByte('0' + byte(h.in.matches(a.patterns[i:i+1])))
	}
	return alikeKey{h.family, target, in.String(), q.Local, q.Protocol, h.origDport, q.Packet}
}

func (a *alike) get(k alikeKey) ([]Reach, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.known[k]
	return r, ok
}

// put remembers an answer, and forgets the oldest ones where they become many.
func (a *alike) put(k alikeKey, r []Reach) {
	const most = 50_000
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.known[k]; ok {
		return
	}
	a.known[k] = r
	a.oldest, a.kept = append(a.oldest, k), a.kept+len(r)
	for a.kept > most && len(a.oldest) > 1 {
		a.kept -= len(a.known[a.oldest[0]])
		delete(a.known, a.oldest[0])
		a.oldest = a.oldest[1:]
	}
}
