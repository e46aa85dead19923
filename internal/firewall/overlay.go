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
	all := make([]*leaf, len(leaves))
	for i := range leaves {
		all[i] = &leaves[i]
	}
	var out []Reach
	settled := map[cell]Reach{}
	bands(all, func(l *leaf) Span[Number] { return l.sport }, func(sports Span[Number], among []*leaf) {
		bands(among, func(l *leaf) Span[Number] { return l.dport }, func(ports Span[Number], here []*leaf) {
			r := settle(here, sources, settled)
			r.Ports, r.SourcePorts = ports, sports
			out = append(out, r)
		})
	})
	slices.SortStableFunc(out, func(a, b Reach) int {
		return cmp.Or(a.Ports.First.Compare(b.Ports.First), a.SourcePorts.First.Compare(b.SourcePorts.First))
	})
	return joinBands(out)
}

// bands cuts along one kind of port. It yields each range with the leaves that
// cover it; the slice is only good until the next.
func bands(leaves []*leaf, of func(*leaf) Span[Number], yield func(Span[Number], []*leaf)) {
	if len(leaves) == 0 {
		return
	}
	first := of(leaves[0])
	if !slices.ContainsFunc(leaves, func(l *leaf) bool { return of(l) != first }) {
		yield(first, leaves)
		return
	}
	sorted := slices.Clone(leaves)
	slices.SortFunc(sorted, func(a, b *leaf) int { return of(a).First.Compare(of(b).First) })
	cuts := make([]Number, 0, 2*len(sorted))
	for _, l := range sorted {
		s := of(l)
		cuts = append(cuts, s.First, s.Last+1)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var active []*leaf
	next := 0
	for i := 0; i+1 < len(cuts); i++ {
		span := Span[Number]{cuts[i], cuts[i+1] - 1}
		active = slices.DeleteFunc(active, func(l *leaf) bool { return of(l).Last < span.First })
		for ; next < len(sorted) && of(sorted[next]).First <= span.First; next++ {
			active = append(active, sorted[next])
		}
		if len(active) > 0 {
			yield(span, active)
		}
	}
}

// cell is what few leaves say of the same ports. Most cells say what others do:
// where no rule is about the ports.
type cell [3]struct{ accepted, came, kept setID }

// settle gives the answer of leaves over each other, without its ports.
func settle(leaves []*leaf, sources Addrs, settled map[cell]Reach) Reach {
	var c cell
	small := len(leaves) <= len(c)
	if small {
		for i, l := range leaves {
			c[i].accepted, c[i].came, c[i].kept = idOf(l.accepted), idOf(l.came), idOf(l.kept)
		}
		if r, ok := settled[c]; ok {
			return r
		}
	}
	var may Addrs
	if len(leaves) == 1 {
		may = leaves[0].accepted
	} else {
		var in []Span[netip.Addr]
		for _, l := range leaves {
			in = append(in, l.accepted.Spans()...)
		}
		may = NewSet(in...)
	}
	may = may.Intersect(sources)
	must := may
	for _, l := range leaves {
		if must.Empty() {
			break
		}
		must = must.Subtract(l.came.Intersect(must).Subtract(l.kept))
	}
	r := Reach{May: may, Must: must}
	if small {
		settled[c] = r
	}
	return r
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
