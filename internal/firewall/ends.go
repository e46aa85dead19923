package firewall

import (
	"net/netip"
	"slices"
)

// endKey is what becomes of packets that a chain summed up.
type endKey struct {
	sum       *summary
	all, live setID
	chain     *Chain
	maybe     bool
}

// ends sorts sources by what becomes of them in a base chain.
type ends struct {
	tracked, untracked []Span[netip.Addr]
	kept               []Span[netip.Addr]   // that are not dropped for sure
	astray             []Span[netip.Addr]   // that may get through whatever follows
	nat                [][]Span[netip.Addr] // by number of the bit
}

// sets gives what was sorted; what is all of live is live itself.
func (e *ends) sets(live Addrs) *passed {
	set := func(spans []Span[netip.Addr]) Addrs {
		a := Addrs{merge(spans)} // they are in order
		if a.Equal(live) {
			return live
		}
		return Addrs{slices.Clone(a.spans)}
	}
	out := &passed{kept: set(e.kept), tracked: set(e.tracked), untracked: set(e.untracked), astray: set(e.astray)}
	for _, spans := range e.nat {
		out.nat = append(out.nat, set(spans))
	}
	return out
}

// ends cuts a summary to the sources that there are.
func (p *path) ends(sum *summary, all Addrs, last Verdict, maybe bool) *ends {
	out := &p.sorted
	out.tracked, out.untracked, out.kept, out.astray, out.nat = out.tracked[:0], out.untracked[:0], out.kept[:0], out.astray[:0], nil
	for _, r := range all.Spans() {
		i, found := slices.BinarySearchFunc(sum.bounds, r.First, netip.Addr.Compare)
		if !found {
			i--
		}
		for ; i < len(sum.bounds) && sum.bounds[i].Compare(r.Last) <= 0; i++ {
			piece := Span[netip.Addr]{later(r.First, sum.bounds[i]), r.Last}
			if i+1 < len(sum.bounds) {
				piece.Last = earlier(r.Last, sum.bounds[i+1].Prev())
			}
			out.add(piece, sum.fates[i], last, maybe)
		}
	}
	return out
}

func (e *ends) add(r Span[netip.Addr], f fate, last Verdict, maybe bool) {
	if f&returned != 0 && last == DropVerdict {
		f |= dropped
	}
	if last == DropVerdict {
		f &^= returned
	}
	if f&lost != 0 {
		f |= dropped | acceptTracked | astray
	}
	if f&astray != 0 {
		e.astray = append(e.astray, r)
	}
	if maybe {
		f |= acceptTracked
	}
	if f&dropped == 0 {
		e.kept = append(e.kept, r)
	}
	if f&(acceptTracked|returnTracked) != 0 {
		e.tracked = append(e.tracked, r)
	}
	if f&(acceptUntracked|returnUntracked) != 0 {
		e.untracked = append(e.untracked, r)
	}
	for i := 0; f>>i >= firstNAT; i++ {
		if f&(firstNAT<<i) == 0 {
			continue
		}
		for len(e.nat) <= i {
			e.nat = append(e.nat, nil)
		}
		e.nat[i] = append(e.nat[i], r)
	}
}
