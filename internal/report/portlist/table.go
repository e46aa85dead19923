package portlist

import (
	"bytes"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

const (
	defaultWidth = 100
	minWidth     = 40
	mostProse    = 100 // longer lines are hard to read
)

// table writes a line for each verdict as it comes, and the summary at the end.
type table struct {
	style
	out   *output
	width int
	names func(netip.Addr) []string

	begun bool
	count int
	addr  int // columns of the address; grows, never shrinks
	buf   bytes.Buffer
}

func newTable(out *output, opts Options) (*table, error) {
	if out.path != "" && out.file != nil && !out.keep {
		if err := out.file.Truncate(0); err != nil {
			return nil, err
		}
	}
	if out.keep {
		if _, err := out.file.Seek(0, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	width := opts.Width
	if width <= 0 {
		width = defaultWidth
	}
	return &table{
		style: newStyle(opts.Color, opts.ASCII), out: out, width: max(width, minWidth), names: opts.Names,
		addr: len("192.168.100.100"),
	}, nil
}

// cell is a piece of a line: text and what paints it. It takes at least width
// columns and is cut beyond most, if that is set.
type cell struct {
	text        string
	paint       paint
	width, most int
	right       bool
}

// Columns that every table has the same, so that lines which come later align.
const (
	stateWidth   = len("open|filtered") + 2
	portWidth    = len("65535/tcp")
	rttWidth     = len("1000 ms")
	reasonWidth  = len("dns-response")
	serviceWidth = 5
)

func (t *table) rows(batch []exposure.Observation) error {
	for _, o := range batch {
		t.addr = max(t.addr, ansi.StringWidth(addrText(o.Addr))) // first, so that a batch aligns
	}
	if !t.begun {
		t.begun = true
		t.line(cell{text: "  ADDRESS", width: t.addr + 2}, cell{text: "PORT", width: portWidth},
			cell{text: "STATE", width: stateWidth}, cell{text: "RTT", width: rttWidth, right: true},
			cell{text: "REASON"})
		header := strings.TrimRight(t.buf.String(), "\n")
		t.buf.Reset()
		t.buf.WriteString(t.faint(header) + "\n")
	}
	for _, o := range batch {
		t.count++
		t.row(o)
	}
	return t.flush()
}

func (t *table) row(o exposure.Observation) {
	sign, color := t.state(o.State)
	line := []cell{
		{text: "  " + addrText(o.Addr), width: t.addr + 2},
		{text: strconv.Itoa(int(o.Port)) + "/" + report.Sanitize(string(o.Transport)), paint: t.strong, width: portWidth},
		{text: sign + " " + report.Sanitize(string(o.State)), paint: color, width: stateWidth},
		{text: rttText(o.RTT), paint: t.faint, width: rttWidth, right: true},
	}
	var rest []cell
	if o.Service == nil || t.width >= defaultWidth {
		rest = append(rest, cell{text: report.Sanitize(string(o.Reason)), paint: t.faint, width: reasonWidth})
	}
	if o.Service != nil {
		rest = append(rest, cell{text: report.Sanitize(o.Service.Protocol), paint: t.accent, width: serviceWidth, most: 24})
		text := strings.TrimSpace(softwareName(*o.Service) + " " + o.Service.Version)
		if text != "" {
			rest = append(rest, cell{text: report.Sanitize(text)})
		}
	}
	for _, l := range o.Labels {
		rest = append(rest, cell{text: t.alert + " " + report.Sanitize(labelWords(l)), paint: t.warn})
	}
	if names := knownNames(t.names, o.Addr); len(names) > 0 {
		rest = append(rest, cell{text: report.Sanitize(names[0]), paint: t.faint})
	}
	if o.Detail != "" {
		rest = append(rest, cell{text: report.Sanitize(o.Detail), paint: t.faint})
	}
	t.line(append(line, rest...)...)
}

// line writes cells two blanks apart; what does not fit the width is cut, and
// shows it.
func (t *table) line(cells ...cell) {
	used := 0
	var b strings.Builder
	for i, c := range cells {
		if i > 0 {
			if used+2 >= t.width || c.right && used+2+c.width > t.width {
				break // half a number is worse than none
			}
			b.WriteString("  ")
			used += 2
		}
		text := c.text
		if c.most > 0 {
			text = ansi.Truncate(text, c.most, t.more)
		}
		text = ansi.Truncate(text, t.width-used, t.more)
		n := ansi.StringWidth(text)
		gap := max(min(c.width, t.width-used)-n, 0)
		if text != "" && c.paint != nil {
			text = c.paint(text)
		}
		blank := strings.Repeat(" ", gap)
		if c.right {
			b.WriteString(blank + text)
		} else {
			b.WriteString(text + blank)
		}
		used += n + gap
	}
	t.buf.WriteString(strings.TrimRight(b.String(), " ") + "\n")
}

// addrText bounds an address, whose zone is a name.
func addrText(a netip.Addr) string {
	const longest = len("fe80:ffff:ffff:ffff:ffff:ffff:ffff:ffff%interface-name0")
	return ansi.Truncate(report.Sanitize(a.String()), longest, "…")
}

// flush writes whole lines in one call.
func (t *table) flush() error {
	_, err := t.out.w.Write(t.buf.Bytes())
	t.buf.Reset()
	return err
}

func (t *table) close() error { return t.out.close() }

// rttText is a round-trip time in few columns: "0.04 ms", "1.2 ms", "38 ms".
func rttText(d time.Duration) string {
	ms := float64(d.Microseconds()) / 1000
	switch {
	case d <= 0:
		return ""
	case ms < 0.01:
		return "<10 µs"
	case ms < 1:
		return strconv.FormatFloat(ms, 'f', 2, 64) + " ms"
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	case ms < 1000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	}
	return strconv.FormatFloat(ms/1000, 'f', 1, 64) + " s"
}

// labelWords is a label as people read it.
func labelWords(l exposure.Label) string {
	switch l {
	case exposure.LabelAcceptsAll:
		return "accepts every port"
	case exposure.LabelIntercepted:
		return "intercepted"
	case exposure.LabelUnproven:
		return "unproven"
	case exposure.LabelTarpit:
		return "tarpit"
	}
	return string(l)
}
