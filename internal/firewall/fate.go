package firewall

import (
	"net/netip"
	"slices"
)

// fate is a set of things that may become of a packet in a chain. The bits
// come in pairs for packets that connection tracking shall see and for those
// that a rule exempted from it.
type fate uint64

const (
	acceptTracked fate = 1 << iota
	acceptUntracked
	returnTracked
	returnUntracked
	liveTracked // still in the chain; only while it is walked
	liveUntracked
	dropped
	lost // may end anywhere: a loop, or more NAT targets than there are bits
	astray
	firstNAT

	accepted = acceptTracked | acceptUntracked
	returned = returnTracked | returnUntracked
	live     = liveTracked | liveUntracked
	// maxNAT is the number of bits left for destinations of NAT.
	maxNAT = 55
)

// summary is the fate of every source in a chain: the fate of bounds[i] and of
// what follows it below bounds[i+1].
type summary struct {
	bounds []netip.Addr
	fates  []fate
}

// everywhere is the summary of one fate for all, the same one within a
// question.
func (w *walk) everywhere(f fate) *summary {
	if s := w.plain[f]; s != nil {
		return s
	}
	s := &summary{bounds: []netip.Addr{w.first}, fates: []fate{f}}
	if w.plain != nil && f < firstNAT {
		w.plain[f] = s
	}
	return s
}

// leave turns what is still in the chain at its end into what returns.
func leave(f fate) fate {
	if f&liveTracked != 0 {
		f |= returnTracked
	}
	if f&liveUntracked != 0 {
		f |= returnUntracked
	}
	return f &^ live
}

// meet is the fate of packets after a rule; sure says that the rule matches
// them, otherwise it may.
func meet(f fate, kind ActionKind, nat, target fate, sure bool) fate {
	if sure {
		return f&^live | act(f, kind, nat, target)
	}
	return f | act(f, kind, nat, target)
}

// act is what a matching rule makes of the live packets of f.
func act(f fate, kind ActionKind, nat, target fate) fate {
	tracked, untracked := f&liveTracked != 0, f&liveUntracked != 0
	pair := func(t, u fate) (out fate) {
		if tracked {
			out |= t
		}
		if untracked {
			out |= u
		}
		return out
	}
	switch kind {
	case Accept, SNAT:
		return pair(acceptTracked, acceptUntracked)
	case Drop, Reject:
		return dropped
	case Return:
		return pair(returnTracked, returnUntracked)
	case DNAT, Redirect:
		return nat
	case Notrack:
		return liveUntracked
	case Unknown:
		return f&live | dropped | pair(acceptTracked, acceptUntracked) | nat
	case Jump:
		out := enter(target, tracked, untracked)
		return out&^returned | liveAgain(out)
	case Goto:
		return enter(target, tracked, untracked)
	case Continue:
	}
	return f&live | nat
}

// enter is the fate in a chain of packets that come in tracked or not. Its
// summary is of tracked ones; what is exempt stays so.
func enter(target fate, tracked, untracked bool) fate {
	var out fate
	if tracked {
		out |= target
	}
	if untracked {
		out |= target &^ (acceptTracked | returnTracked)
		if target&accepted != 0 {
			out |= acceptUntracked
		}
		if target&returned != 0 {
			out |= returnUntracked
		}
	}
	return out
}

func liveAgain(f fate) (out fate) {
	if f&returnTracked != 0 {
		out |= liveTracked
	}
	if f&returnUntracked != 0 {
		out |= liveUntracked
	}
	return out
}

// destination is where NAT sends packets; self is the host, whatever its
// address on the way in.
type destination struct {
	to   NATRange
	self bool
}

// refused reports whether the kernel drops packets that come from outside and
// were given the destination, unless it is told otherwise (route_localnet).
func (d destination) refused() bool { return d.to.First.IsLoopback() || d.to.Last.IsLoopback() }

// natBit gives the bit of a destination, the same for the same one.
func (w *walk) natBit(a Action) fate {
	to := destination{to: a.To, self: a.Kind == Redirect}
	i := slices.Index(w.nats, to)
	if i < 0 {
		if len(w.nats) == maxNAT {
			return lost
		}
		i = len(w.nats)
		w.nats = append(w.nats, to)
	}
	return firstNAT << i
}

// of is the fate at a; none for a nil summary.
func (s *summary) of(a netip.Addr) fate {
	if s == nil {
		return 0
	}
	i, found := slices.BinarySearchFunc(s.bounds, a, netip.Addr.Compare)
	if !found {
		i--
	}
	return s.fates[i]
}

// compact joins neighbours of the same fate.
func (w *walk) compact(bounds []netip.Addr, fates []fate) *summary {
	n := 0
	for i, f := range fates {
		if i == 0 || fates[i-1] != f {
			n++
		}
	}
	if n == 1 {
		return w.everywhere(fates[0])
	}
	s := &summary{make([]netip.Addr, 0, n), make([]fate, 0, n)}
	for i, f := range fates {
		if i == 0 || fates[i-1] != f {
			s.bounds, s.fates = append(s.bounds, bounds[i]), append(s.fates, f)
		}
	}
	return s
}
