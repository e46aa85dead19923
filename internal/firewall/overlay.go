package firewall

import (
	"cmp"
	"net/netip"
	"slices"
)

// overlay lays the leaves over each other: what may get through is what any
// leaf accepts, what must is that without what any leaf drops. Neighbouring
// ports with the same answer are joined.
func overlay(leaves []leaf, sources Addrs) []Reach {
	var out []Reach
	for _, band := range bands(leaves, func(l *leaf) Span[Number] { return l.sport }) {
		for _, cell := range bands(band.leaves, func(l *leaf) Span[Number] { return l.dport }) {
			out = append(out, settle(cell, band.span, sources))
		}
	}
	slices.SortStableFunc(out, func(a, b Reach) int {
		return cmp.Or(a.Ports.First.Compare(b.Ports.First), a.SourcePorts.First.Compare(b.SourcePorts.First))
	})
	return joinBands(out)
}

// band is a range of ports with the leaves that cover it.
type band struct {
	span   Span[Number]
	leaves []leaf
}

// bands cuts along one kind of port.
func bands(leaves []leaf, of func(*leaf) Span[Number]) []band {
	sorted := slices.Clone(leaves)
	slices.SortFunc(sorted, func(a, b leaf) int { return of(&a).First.Compare(of(&b).First) })
	var cuts []Number
	for i := range sorted {
		s := of(&sorted[i])
		cuts = append(cuts, s.First, s.Last+1)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var out []band
	var active []leaf
	next := 0
	for i := 0; i+1 < len(cuts); i++ {
		span := Span[Number]{cuts[i], cuts[i+1] - 1}
		active = slices.DeleteFunc(active, func(l leaf) bool { return of(&l).Last < span.First })
		for ; next < len(sorted) && of(&sorted[next]).First <= span.First; next++ {
			active = append(active, sorted[next])
		}
		if len(active) > 0 {
			out = append(out, band{span, slices.Clone(active)})
		}
	}
	return out
}

func settle(cell band, sports Span[Number], sources Addrs) Reach {
	var in []Span[netip.Addr]
	for i := range cell.leaves {
		in = append(in, cell.leaves[i].accepted.Spans()...)
	}
	may := NewSet(in...).Intersect(sources)
	must := may
	for i := range cell.leaves {
		l := &cell.leaves[i]
		if must.Empty() {
			break
		}
		must = must.Subtract(l.came.Intersect(must).Subtract(l.kept))
	}
	return Reach{Ports: cell.span, SourcePorts: sports, May: may, Must: must}
}

// joinBands joins answers for neighbouring destination ports that say the same
// for the same source ports.
func joinBands(in []Reach) []Reach {
	open := map[Span[Number]]int{} // by source ports: index in out of the last answer
	var out []Reach
	for _, r := range in {
		if i, ok := open[r.SourcePorts]; ok && out[i].Ports.Last+1 == r.Ports.First && out[i].May.Equal(r.May) && out[i].Must.Equal(r.Must) {
			out[i].Ports.Last = r.Ports.Last
			continue
		}
		open[r.SourcePorts] = len(out)
		out = append(out, r)
	}
	return out
}
