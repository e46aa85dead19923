package ruleset

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/policy"
)

// block is the matrix of an asset, or of those of its addresses that are
// answered alike.
type block struct {
	Asset     string
	Addresses []netip.Addr
	Zones     []string
	Rows      []row
	Others    bool // there are ports of which no row speaks
}

// row is a range of ports as each zone of the block sees it.
type row struct {
	Transport  exposure.Transport
	First, Max uint16
	Cells      []cell
}

// cell is one answer.
type cell struct {
	State state
	Who   string // who gets through, or may
	Only  string // the part of Who that is never left out: "from port 53"
}

// about is what stands beside the state: who gets through, in full or only what
// is never left out.
func (c cell) about(full bool) string {
	if full {
		return c.Who
	}
	return c.Only
}

func (r row) worst() state {
	worst := closed
	for _, c := range r.Cells {
		if c.State.rank() > worst.rank() {
			worst = c.State
		}
	}
	return worst
}

func (r row) ports() string {
	if r.Transport == otherPorts {
		return otherPorts
	}
	last := r.Max
	if last == r.First {
		last = 0
	}
	return portText(r.Transport, r.First, last)
}

// others reports whether there are ports of which no row speaks.
func (b block) others() bool {
	const all = 2 * 65535 // of TCP and of UDP
	n := 0
	for _, r := range b.Rows {
		n += int(r.Max) - int(r.First) + 1
	}
	return n < all
}

// sum counts the cells of an asset by their state.
type sum struct {
	Asset string
	Count map[state]int
}

func (s sum) worst() state {
	out := closed
	for x, n := range s.Count {
		if n > 0 && x.rank() > out.rank() {
			out = x
		}
	}
	return out
}

// sums are those of all assets, in their order.
func sums(blocks []block) []sum {
	var out []sum
	index := map[string]int{}
	for _, b := range blocks {
		i, known := index[b.Asset]
		if !known {
			i = len(out)
			index[b.Asset] = i
			out = append(out, sum{b.Asset, map[state]int{}})
		}
		for _, r := range b.Rows {
			for _, c := range r.Cells {
				out[i].Count[c.State] += len(b.Addresses)
			}
		}
	}
	return out
}

// worst orders assets for who has little time.
func worst(assets []sum) []sum {
	return slices.SortedStableFunc(slices.Values(assets), func(a, b sum) int {
		for _, x := range departing() {
			if c := cmp.Compare(b.Count[x], a.Count[x]); c != 0 {
				return c
			}
		}
		return 0
	})
}

// matrices are the blocks of all assets, in the order of the answers.
func matrices(answers []judged) []block {
	var out []block
	for _, group := range chunks(answers) {
		b := blockOf(group)
		i := slices.IndexFunc(out, func(o block) bool { return o.Asset == b.Asset && alike(o, b) })
		if i < 0 {
			out = append(out, b)
			continue
		}
		out[i].Addresses = append(out[i].Addresses, b.Addresses...)
	}
	return out
}

func alike(a, b block) bool {
	return slices.Equal(a.Zones, b.Zones) && slices.EqualFunc(a.Rows, b.Rows, func(x, y row) bool {
		return x.Transport == y.Transport && x.First == y.First && x.Max == y.Max && slices.Equal(x.Cells, y.Cells)
	})
}

// chunks divides the answers by address.
func chunks(answers []judged) [][]judged {
	var out [][]judged
	for len(answers) > 0 {
		n := 1
		for n < len(answers) && answers[n].Asset == answers[0].Asset && answers[n].Address == answers[0].Address {
			n++
		}
		out = append(out, answers[:n])
		answers = answers[n:]
	}
	return out
}

func blockOf(answers []judged) block {
	b := block{Asset: answers[0].Asset, Addresses: []netip.Addr{answers[0].Address}}
	for _, a := range answers {
		if !slices.Contains(b.Zones, a.Zone) {
			b.Zones = append(b.Zones, a.Zone)
		}
	}
	for _, t := range []exposure.Transport{exposure.TCP, exposure.UDP} {
		b.Rows = append(b.Rows, rowsOf(answers, t, b.Zones)...)
	}
	b.Others = b.others()
	return b
}

// rowsOf cuts the ranges of the zones so that every row is in one range of
// each, and unites neighbours that all zones answer alike.
func rowsOf(answers []judged, t exposure.Transport, zones []string) []row {
	var cuts []int
	lists := make([][]judged, len(zones))
	for _, a := range answers {
		if a.Transport != t {
			continue
		}
		z := slices.Index(zones, a.Zone)
		lists[z] = append(lists[z], a)
		cuts = append(cuts, int(a.Port), int(max(a.Port, a.LastPort))+1)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var out []row
	single := false // the row before is of a port that the policy speaks of
	for i := 0; i+1 < len(cuts); i++ {
		r := row{Transport: t, First: uint16(cuts[i]), Max: uint16(cuts[i+1] - 1), Cells: make([]cell, len(zones))} //nolint:gosec // ends of ports
		asked, allowed := false, false
		for z := range zones {
			a, answered := at(&lists[z], r.First)
			if !answered {
				r.Cells[z] = cell{State: closed}
				continue
			}
			asked = true
			r.Cells[z] = cellOf(a)
			allowed = allowed || a.Policy == policy.Allow
		}
		if !asked {
			continue
		}
		if n := len(out) - 1; n >= 0 && !allowed && !single && out[n].Max+1 == r.First && slices.Equal(out[n].Cells, r.Cells) {
			out[n].Max = r.Max
			continue
		}
		out, single = append(out, r), allowed
	}
	return out
}

// at gives the answer for a port if there is one, and drops those before it from
// the list.
func at(list *[]judged, port uint16) (a judged, answered bool) {
	for len(*list) > 0 && max((*list)[0].Port, (*list)[0].LastPort) < port {
		*list = (*list)[1:]
	}
	if len(*list) == 0 || (*list)[0].Port > port {
		return judged{}, false
	}
	return (*list)[0], true
}

func cellOf(a judged) cell {
	c := cell{State: a.State}
	switch c.State {
	case expected, exposed:
		c.Who = who(a.Sources)
		if len(a.SourcePorts) > 0 {
			c.Only = "from port " + strings.Join(shortened(a.SourcePorts), ", ")
			c.Who += " " + c.Only
		}
	case undecided:
		c.Who = who(a.Undecided)
	case closed, nobody, starved:
	}
	return c
}
