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
	ports func(uint16, exposure.Transport) string

	begun bool
	count int
	buf   bytes.Buffer
	columns
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
	width = max(width, minWidth)
	return &table{
		style: newStyle(opts.Color, opts.ASCII), out: out, width: width, names: opts.Names, ports: opts.Registered,
		columns: newColumns(width),
	}, nil
}

// cell is a piece of a line: text and what paints it. It takes at least width
// columns.
type cell struct {
	text  string
	paint paint
	width int
	right bool
}

// columns is how many columns it takes in a line.
func (c cell) columns() int { return max(c.width, ansi.StringWidth(c.text)) }

func (t *table) rows(batch []exposure.Observation) error {
	for _, o := range batch { // first, so that a batch aligns
		sign, _ := t.style.state(o.State)
		t.grow(ansi.StringWidth(addrText(o.Addr)), ansi.StringWidth(sign+" "+report.Sanitize(string(o.State))))
	}
	if !t.begun {
		t.begun = true
		t.settle()
		t.header()
	}
	for _, o := range batch {
		t.count++
		t.row(o)
	}
	return t.flush()
}

// line writes cells two blanks apart; what does not fit the width is cut, and
// shows it.
func (t *table) line(cells ...cell) {
	used := 0
	var b strings.Builder
	for i, c := range cells {
		if i > 0 {
			if used+between >= t.width {
				break
			}
			b.WriteString("  ")
			used += between
		}
		text := ansi.Truncate(c.text, t.width-used, t.more)
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
