package rehearsal

import (
	"fmt"
	"net/netip"
	"slices"

	"reconshield/internal/exposure"
	"reconshield/internal/policy"
)

// block is the matrix of an asset, or of those of its addresses that fared
// alike.
type block struct {
	Asset     string
	Addresses []netip.Addr
	Zones     []string
	Rows      []row
}

// row is a port as each zone sees it.
type row struct {
	Transport exposure.Transport
	Port      uint16
	Cells     []cell
}

// cell is what a zone's sources found.
type cell struct {
	State State  // the worst of them; empty: not asked
	Who   string // how many sources, when they fared differently
}

func (r row) text() string { return portText(r.Transport, r.Port) }

// worst of the cells; Closed when there are none.
func (r row) worst() State {
	worst := Closed
	for _, c := range r.Cells {
		if c.State.rank() > worst.rank() {
			worst = c.State
		}
	}
	return worst
}

// matrices are the blocks of all assets, in the order of the results.
func matrices(doc *Document) []block {
	type place struct {
		asset string
		addr  netip.Addr
	}
	var order []place
	groups := map[place][]*Result{}
	for i := range doc.Results {
		r := &doc.Results[i]
		p := place{r.Asset, r.Address}
		if groups[p] == nil {
			order = append(order, p)
		}
		groups[p] = append(groups[p], r)
	}
	var out []block
	for _, p := range order {
		b := blockOf(groups[p])
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
		return x.Transport == y.Transport && x.Port == y.Port && slices.Equal(x.Cells, y.Cells)
	})
}

func blockOf(results []*Result) block {
	b := block{Asset: results[0].Asset, Addresses: []netip.Addr{results[0].Address}}
	type key struct {
		transport exposure.Transport
		port      uint16
	}
	var order []key
	found := map[key]map[string][]*Result{}
	for _, r := range results {
		if !slices.Contains(b.Zones, r.Zone) {
			b.Zones = append(b.Zones, r.Zone)
		}
		k := key{r.Transport, r.Port}
		if found[k] == nil {
			order = append(order, k)
			found[k] = map[string][]*Result{}
		}
		found[k][r.Zone] = append(found[k][r.Zone], r)
	}
	for _, k := range order {
		line := row{Transport: k.transport, Port: k.port}
		for _, z := range b.Zones {
			line.Cells = append(line.Cells, cellOf(found[k][z]))
		}
		b.Rows = append(b.Rows, line)
	}
	return b
}

// cellOf is the worst of a zone's results.
func cellOf(results []*Result) cell {
	var c cell
	n := 0
	for _, r := range results {
		switch {
		case c.State == "" || r.State.rank() > c.State.rank():
			c.State, n = r.State, 1
		case r.State == c.State:
			n++
		}
	}
	if n < len(results) {
		c.Who = fmt.Sprintf("%d of %d sources", n, len(results))
	}
	return c
}

// quiet gives the state of a row that needs no line of its own: every zone found
// the same, and nothing gets through or should.
func (r row) quiet() (State, bool) {
	var same State
	for _, c := range r.Cells {
		switch {
		case c.State == "":
		case c.State.rank() > Unmeasured.rank() || c.State == Open || c.Who != "" || same != "" && same != c.State:
			return "", false
		default:
			same = c.State
		}
	}
	return same, same != "" && r.Transport != policy.ESP
}

// all reports that every zone found the state.
func (r row) all(s State) bool {
	return !slices.ContainsFunc(r.Cells, func(c cell) bool { return c.State != s || c.Who != "" })
}

// alike is how many rows are of one state as a whole.
func (b block) alike(s State) int {
	n := 0
	for _, r := range b.Rows {
		if r.all(s) {
			n++
		}
	}
	return n
}

// group is differences that say the same, of several ports, addresses or
// sources, for the same rule.
type group struct {
	*Result // the first of them
	all     []*Result
}

// groups are the differences, the worst first.
func groups(doc *Document) []group {
	var out []group
	index := map[string]int{}
	for _, r := range doc.Differences() {
		key := fmt.Sprint(r.Asset, r.Zone, r.State, r.Severity, r.Audited)
		if n := len(r.Why); n > 0 {
			key += fmt.Sprint(r.Why[n-1].File, r.Why[n-1].Line, r.Why[n-1].Rule)
		} else {
			key += r.Remark
		}
		at, known := index[key]
		if !known {
			at = len(out)
			index[key] = at
			out = append(out, group{Result: r})
		}
		out[at].all = append(out[at].all, r)
	}
	slices.SortStableFunc(out, func(a, b group) int {
		if d := b.Severity.Rank() - a.Severity.Rank(); d != 0 {
			return d
		}
		return b.State.rank() - a.State.rank()
	})
	return out
}

// distinct are the values of a group's results, in their order.
func distinct(g group, of func(*Result) string) []string {
	var out []string
	for _, r := range g.all {
		if text := of(r); !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}
