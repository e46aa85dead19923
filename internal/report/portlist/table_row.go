package portlist

import (
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

// Columns that tables of some width have the same, so that lines which come
// later align.
const (
	addrIndent   = 2
	between      = 2 // blanks between two cells
	usualAddr    = len("192.168.100.100")
	portWidth    = len("65535/tcp")
	stateWidth   = len("open|filtered") + 2
	leastState   = len("STATE") + 1
	rttWidth     = len("1000 ms")
	reasonWidth  = len("dns-response")
	serviceWidth = 5
	mostProtocol = 24
	roomy        = 80 // columns from which the state's are fixed
	leastProse   = 12 // columns below which text of no consequence is left out
	nextIndent   = 4  // of what stands on a line of its own
)

// columns is how a table of a given width is divided. Addresses, ports and
// states are never cut: an address that is too long for its column stands on a
// line of its own. The round-trip time goes first when there is no room.
type columns struct {
	width int
	addr  int // columns of the address; grows up to most, never shrinks
	most  int
	state int
	rtt   bool
}

func newColumns(width int) columns {
	c := columns{width: width, most: width - addrIndent - between - portWidth - between - stateWidth, state: leastState}
	if width >= roomy {
		c.state = stateWidth
	}
	c.addr = min(usualAddr, c.most)
	return c
}

// grow makes room for an address and a state, where that can be.
func (c *columns) grow(addr, state int) {
	if addr <= c.most {
		c.addr = max(c.addr, addr)
	}
	c.state = max(c.state, min(state, stateWidth))
}

// settle decides what the table has room for beside the addresses known so far,
// and how far their column may grow later.
func (c *columns) settle() {
	const service = len("https  Apache httpd 2.4.")
	least := between + reasonWidth
	left := c.most - c.addr
	if need := between + rttWidth + between + service; left >= need {
		c.rtt, least = true, need
	}
	c.most = c.addr + max(left-least, 0)
}

func (t *table) header() {
	line := []cell{
		{text: "  ADDRESS", width: t.addr + addrIndent},
		{text: "PORT", width: portWidth},
		{text: "STATE", width: t.columns.state},
	}
	if t.rtt {
		line = append(line, cell{text: "RTT", width: rttWidth, right: true})
	}
	rest := []cell{{text: "DETAILS"}}
	if t.width >= defaultWidth {
		rest = []cell{{text: "REASON", width: reasonWidth}, {text: "SERVICE"}}
	}
	for _, c := range rest {
		if taken(line)+between+c.columns() <= t.width {
			line = append(line, c)
		}
	}
	t.line(line...)
	header := strings.TrimRight(t.buf.String(), "\n")
	t.buf.Reset()
	t.buf.WriteString(t.faint(header) + "\n")
}

// row writes a verdict. What says how far to trust it and what listens stands
// on a second line when the first has no room; the rest is left out then, what
// the port is registered for first.
func (t *table) row(o exposure.Observation) {
	sign, color := t.style.state(o.State)
	addr := "  " + addrText(o.Addr)
	if ansi.StringWidth(addr) > t.addr+addrIndent {
		t.buf.WriteString(ansi.Truncate(addr, t.width, t.more) + "\n") // longer than any terminal only by its zone
		addr = ""
	}
	line := []cell{
		{text: addr, width: t.addr + addrIndent},
		{text: strconv.Itoa(int(o.Port)) + "/" + report.Sanitize(string(o.Transport)), paint: t.strong, width: portWidth},
		{text: sign + " " + report.Sanitize(string(o.State)), paint: color, width: t.columns.state},
	}
	if t.rtt {
		line = append(line, cell{text: rttText(o.RTT), paint: t.faint, width: rttWidth, right: true})
	}
	here, below, prose := t.divide(o, t.width-taken(line)-between)
	line = append(line, here...)
	if len(below) > 0 {
		t.line(line...)
		line = t.overflow(below)
	}
	for _, c := range prose {
		if room := t.width - taken(line) - between; room >= min(c.columns(), leastProse) {
			line = append(line, c)
		}
	}
	t.line(line...)
}

// divide tells what stands in the line of a row, which has so much room left,
// what below it, and what may be left out.
func (t *table) divide(o exposure.Observation, room int) (here, below, prose []cell) {
	reason, telling, prose := t.reason(o), t.telling(o), t.prose(o)
	known := slices.Concat(t.registered(o), telling)
	if all := slices.Concat(reason, known); taken(all) <= room {
		return all, nil, prose
	}
	if o.State == exposure.Open && t.width < defaultWidth && taken(known) <= room {
		return known, nil, prose // an open port has next to always the same reason
	}
	all := append(reason, telling...)
	if taken(all) <= room {
		return all, nil, prose
	}
	if o.State == exposure.Filtered || o.State == exposure.Unmeasured {
		telling = all // why nothing is known of it
	}
	n := len(telling)
	for n > 0 && taken(telling[:n]) > room {
		n--
	}
	return telling[:n], telling[n:], prose
}

// overflow writes cells on lines below a row, and gives the last of these.
func (t *table) overflow(cells []cell) []cell {
	start := func() []cell { return []cell{{text: "", width: nextIndent - between}} }
	line := start()
	for _, c := range cells {
		if len(line) > 1 && taken(line)+between+c.columns() > t.width {
			t.line(line...)
			line = start()
		}
		line = append(line, c)
	}
	return line
}

// taken is how many columns the cells of a line take.
func taken(cells []cell) int {
	n := between * max(len(cells)-1, 0)
	for _, c := range cells {
		n += c.columns()
	}
	return n
}

// reason is how the verdict is known; what listens says so as well.
func (t *table) reason(o exposure.Observation) []cell {
	if o.Service != nil && t.width < defaultWidth {
		return nil
	}
	width := 0
	if t.width >= roomy {
		width = reasonWidth
	}
	return []cell{{text: report.Sanitize(string(o.Reason)), paint: t.faint, width: width}}
}

// registered is what the port is registered for, with a mark of doubt; nothing
// when it is known what listens.
func (t *table) registered(o exposure.Observation) []cell {
	name := registered(t.ports, o)
	if name == "" || o.Service != nil {
		return nil
	}
	return []cell{{text: ansi.Truncate(report.Sanitize(name), mostProtocol, t.more) + "?", paint: t.faint, width: serviceWidth}}
}

// telling is what listens, and how far to trust it.
func (t *table) telling(o exposure.Observation) []cell {
	var cells []cell
	if o.Service != nil {
		protocol := ansi.Truncate(report.Sanitize(o.Service.Protocol), mostProtocol, t.more)
		cells = append(cells, cell{text: protocol, paint: t.accent, width: serviceWidth})
		if text := strings.TrimSpace(softwareName(*o.Service) + " " + o.Service.Version); text != "" {
			most := t.width - nextIndent - max(serviceWidth, ansi.StringWidth(protocol)) - between
			cells = append(cells, cell{text: ansi.Truncate(report.Sanitize(text), most, t.more)})
		}
	}
	for _, l := range o.Labels {
		cells = append(cells, cell{text: t.alert + " " + report.Sanitize(labelWords(l)), paint: t.warn})
	}
	return cells
}

// prose is what a table can do without.
func (t *table) prose(o exposure.Observation) []cell {
	var cells []cell
	if names := knownNames(t.names, o.Addr); len(names) > 0 {
		cells = append(cells, cell{text: report.Sanitize(names[0]), paint: t.faint})
	}
	if o.Detail != "" {
		cells = append(cells, cell{text: report.Sanitize(o.Detail), paint: t.faint})
	}
	return cells
}
