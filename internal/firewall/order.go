package firewall

import (
	"cmp"
	"slices"
)

// inOrder sorts the base chains of a hook, given the newest first, as Linux runs
// them. Chains of NAT run together, where NAT has its place and the first of
// them was registered; their priorities order them among themselves alone
// (nf_nat_register_fn).
func inOrder(hook Hook, newest []*Chain) []*Chain {
	nat := slices.DeleteFunc(slices.Clone(newest), func(c *Chain) bool { return c.Base.Kind != NAT })
	slices.SortStableFunc(nat, func(a, b *Chain) int { return cmp.Compare(a.Base.Priority, b.Base.Priority) })
	at := func(c *Chain) int {
		if c.Base.Kind == NAT {
			return natPriority(hook)
		}
		return c.Base.Priority
	}
	sorted := slices.Clone(newest)
	slices.SortStableFunc(sorted, func(a, b *Chain) int { return cmp.Compare(at(a), at(b)) })
	oldest := -1 // of the chains of NAT: where all of them run
	for i, c := range sorted {
		if c.Base.Kind == NAT {
			oldest = i
		}
	}
	out := make([]*Chain, 0, len(newest))
	for i, c := range sorted {
		switch {
		case i == oldest:
			out = append(out, nat...)
		case c.Base.Kind != NAT:
			out = append(out, c)
		}
	}
	return out
}

// natPriority is where chains of NAT run (nf_nat_ipv4_ops of nf_nat_proto.c).
func natPriority(hook Hook) int {
	switch hook {
	case Input, Postrouting:
		return SNATPriority
	case NoHook, Ingress, Prerouting, Forward, Output, Always:
	}
	return DNATPriority
}
