package firewall

import (
	"net/netip"
	"slices"
)

// cutAddrs gives the starts of the intervals that no stroke divides.
func (w *walk) cutAddrs(bounds []netip.Addr, strokes []stroke) []netip.Addr {
	bounds = append(bounds, w.first)
	if !w.whole {
		bounds = cutAt(bounds, w.all)
	}
	for i := range strokes {
		s := &strokes[i]
		bounds = cutAt(bounds, s.may)
		if !s.may.Equal(s.must) {
			bounds = cutAt(bounds, s.must)
		}
		if s.target == nil {
			continue
		}
		for _, r := range s.may.Spans() {
			from, _ := slices.BinarySearchFunc(s.target.bounds, r.First, netip.Addr.Compare)
			for ; from < len(s.target.bounds) && s.target.bounds[from].Compare(r.Last) <= 0; from++ {
				bounds = append(bounds, s.target.bounds[from])
			}
		}
	}
	slices.SortFunc(bounds, netip.Addr.Compare)
	return slices.Compact(bounds)
}

func cutAt(bounds []netip.Addr, s Addrs) []netip.Addr {
	for _, r := range s.Spans() {
		bounds = append(bounds, r.First)
		if next := r.Last.Next(); next.IsValid() {
			bounds = append(bounds, next)
		}
	}
	return bounds
}

// canvas holds the fates of the intervals; next skips those that are decided.
type canvas struct {
	bounds []netip.Addr
	fates  []fate
	next   []int32 // union-find: next[i] is i, or nearer to the next undecided interval
}

// clear puts everybody of all into the chain, anew.
func (c *canvas) clear(bounds []netip.Addr, all Addrs) {
	c.bounds = bounds
	c.fates = slices.Grow(c.fates[:0], len(bounds))[:len(bounds)]
	c.next = slices.Grow(c.next[:0], len(bounds)+1)[:len(bounds)+1]
	clear(c.fates)
	for i := range c.fates {
		c.next[i] = int32(i + 1)
	}
	c.next[len(bounds)] = int32(len(bounds))
	for _, r := range all.Spans() {
		for i := c.at(r.First); int(i) < len(bounds) && bounds[i].Compare(r.Last) <= 0; i++ {
			c.fates[i], c.next[i] = liveTracked, i
		}
	}
}

// open is the first undecided interval from i on.
func (c *canvas) open(i int32) int32 {
	root := i
	for c.next[root] != root {
		root = c.next[root]
	}
	for c.next[i] != root {
		c.next[i], i = root, c.next[i]
	}
	return root
}

// at is the interval that starts at a or, if none does, the next one.
func (c *canvas) at(a netip.Addr) int32 {
	i, _ := slices.BinarySearchFunc(c.bounds, a, netip.Addr.Compare)
	return int32(i)
}
