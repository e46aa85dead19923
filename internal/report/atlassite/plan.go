package atlassite

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"reconshield/internal/atlas"
)

// blockSize is how many ports one list holds; no range crosses its border.
const blockSize = 1024

// place is what has one page: a port, or a range of ports that nothing known
// tells apart.
type place struct {
	first, last uint16
	title       string // the entry's, without "Port 53: "
	name, about string
	transports  []string
	kind        atlas.Kind
	reach       atlas.Reach
	class       atlas.Class
	threats     int
	content     bool // a service or malicious software is known
	written     bool // by hand
}

// plan says which page each port is on.
type plan struct {
	places []place // in order, all ports
	of     []int   // place of a port
}

// newPlan looks at every port up to last.
func newPlan(a *atlas.Atlas, k atlas.Knowledge, last uint16) plan {
	single := map[uint16]bool{}
	if k.Threats != nil {
		for _, p := range k.Threats.Data().Ports {
			// A family that uses any of thousands of ports says nothing of one.
			if p.First == p.Last {
				single[p.First] = true
			}
		}
	}
	blocks := make([][]place, (int(last)+blockSize)/blockSize)
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for n := range next {
				blocks[n] = blockOf(a, k, single, n*blockSize, min((n+1)*blockSize-1, int(last)))
			}
		})
	}
	for n := range blocks {
		next <- n
	}
	close(next)
	wg.Wait()
	var p plan
	for i, at := range slices.Concat(blocks...) {
		p.places = append(p.places, at)
		for range at.ports() {
			p.of = append(p.of, i)
		}
	}
	return p
}

// blockOf are the places of the ports from first to last. Single are those with
// malicious software of their own.
func blockOf(a *atlas.Atlas, k atlas.Knowledge, single map[uint16]bool, first, last int) []place {
	var out []place
	var before []atlas.Registration
	written := a.Handwritten()
	for n := first; n <= last; n++ {
		port := uint16(n) //nolint:gosec // not above 65,535
		rows := a.Registrations(port)
		_, noted := slices.BinarySearch(written, port)
		end := len(out) - 1
		// Composing an entry takes a while, and most are those of the port before.
		if end >= 0 && !noted && !single[port] && out[end].same(port, k) && slices.Equal(rows, before) {
			out[end].last = port
			continue
		}
		before = rows
		e := a.Entry(port, "", k)
		at := placeOf(&e, single[port])
		if end >= 0 && out[end].continues(&at) {
			out[end].last = port
		} else {
			out = append(out, at)
		}
	}
	return out
}

// same reports a range without content in whose class and threats a port is.
func (p *place) same(port uint16, k atlas.Knowledge) bool {
	return !p.content && p.class == atlas.ClassOf(port) && (k.Threats == nil || len(k.Threats.OnPort(port)) == p.threats)
}

// placeOf is the place of one port. suspect is whether malicious software is
// known on this very port.
func placeOf(e *atlas.Entry, suspect bool) place {
	_, title, _ := strings.Cut(e.Title, ": ")
	at := place{
		first: e.Port, last: e.Port, title: title, name: e.Name(), transports: e.Transports(), class: e.Class,
		threats: len(e.Malware), written: e.Note != nil,
	}
	at.content = at.written || at.name != "" || suspect
	if e.Note != nil {
		at.kind, at.reach = e.Note.Kind, e.Note.Reach
	}
	if at.name != "" {
		at.about = e.About()
	}
	return at
}

// continues reports whether the next port belongs to the same range.
func (p *place) continues(next *place) bool {
	return !p.content && !next.content && p.class == next.class && p.title == next.title &&
		p.threats == next.threats
}

// ports is how many the place has.
func (p *place) ports() int { return int(p.last) - int(p.first) + 1 }

// numbers is "53" or "54–55".
func (p *place) numbers() string {
	if p.first == p.last {
		return fmt.Sprint(p.first)
	}
	return fmt.Sprintf("%d–%d", p.first, p.last)
}

// dir is where the page is, below the site.
func (p *place) dir() string {
	if p.first == p.last {
		return fmt.Sprintf("ports/%d/", p.first)
	}
	return fmt.Sprintf("ports/%d-%d/", p.first, p.last)
}

// block is where the list with the port is, below the site.
func block(port uint16) string {
	first := int(port) / blockSize * blockSize
	return fmt.Sprintf("blocks/%d-%d/", first, first+blockSize-1)
}

// at is the place of a port; nil for one beyond the plan.
func (p *plan) at(port int) *place {
	if port < 0 || port >= len(p.of) {
		return nil
	}
	return &p.places[p.of[port]]
}

// beside gives the nearest places before and after that have content; nil
// where there is none.
func (p *plan) beside(i int) (before, after *place) {
	for n := i - 1; n >= 0 && before == nil; n-- {
		if p.places[n].content {
			before = &p.places[n]
		}
	}
	for n := i + 1; n < len(p.places) && after == nil; n++ {
		if p.places[n].content {
			after = &p.places[n]
		}
	}
	return before, after
}
