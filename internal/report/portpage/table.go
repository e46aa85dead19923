package portpage

import (
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"reconshield/internal/atlas"
	"reconshield/internal/report"
)

// Table shows ports one a line, as they come.
type Table struct {
	w     io.Writer
	width int
	color bool
	ascii bool
	begun bool
}

// NewTable is an empty table.
func NewTable(w io.Writer, opts report.Options) *Table {
	width := opts.Width
	if width == 0 {
		width = 100
	}
	return &Table{w: w, width: max(width, leastWidth), color: opts.Color, ascii: opts.ASCII}
}

// Widths of the columns before the last.
const (
	portWidth  = 7
	overWidth  = 14
	nameWidth  = 18
	classWidth = 8
	frame      = portWidth + overWidth + nameWidth + classWidth
	leastAbout = 10 // of the last; below it two columns go
)

func (t *Table) line(port, over, name, class, about string, strong bool) error {
	cut, room := "…", t.width-frame
	if t.ascii {
		cut, about, name = "~", fold.Replace(about), fold.Replace(name)
	}
	narrow := room < leastAbout
	if narrow { // the least that tells ports apart
		room = t.width - portWidth - nameWidth
	}
	about = ansi.Truncate(about, room, cut)
	name = ansi.Truncate(name, nameWidth-2, cut)
	begin, end := "", ""
	if t.color && strong {
		begin, end = "\x1b[1m", "\x1b[0m"
	}
	over = fmt.Sprintf("%-*s", overWidth, ansi.Truncate(over, overWidth-1, cut))
	class = fmt.Sprintf("%-*s", classWidth, class)
	if narrow {
		over, class = "", ""
	}
	text := fmt.Sprintf("%-*s%s%s%s%s%s%s%s", portWidth, port, over, begin, name, end,
		strings.Repeat(" ", max(nameWidth-ansi.StringWidth(name), 0)), class, about)
	_, err := fmt.Fprintln(t.w, strings.TrimRight(text, " "))
	return err
}

// Row adds a port.
func (t *Table) Row(e *atlas.Entry) error {
	if !t.begun {
		t.begun = true
		if err := t.line("PORT", "OVER", "SERVICE", "CLASS", "WHAT IT IS", false); err != nil {
			return err
		}
	}
	return t.line(fmt.Sprint(e.Port), strings.Join(e.Transports(), ","), e.Name(), string(e.Class), about(e), e.Note != nil)
}

// about is a port in a few words, and how many threats are on record.
func about(e *atlas.Entry) string {
	text := e.About()
	if n := len(e.Malware); n > 0 {
		text += " [" + threats(n) + "]"
	}
	return report.Sanitize(text)
}

// Hits shows what a search found.
func Hits(w io.Writer, hits []atlas.Hit, opts report.Options) error {
	t := NewTable(w, opts)
	if err := t.line("PORT", "OVER", "SERVICE", "CLASS", "WHAT IT IS", false); err != nil {
		return err
	}
	for _, h := range hits {
		if err := t.line(fmt.Sprint(h.Port), strings.Join(h.Transports, ","), h.Name, string(atlas.ClassOf(h.Port)), h.Title, h.Handwritten); err != nil {
			return err
		}
	}
	return nil
}

// List writes what a search found as a JSON array.
func List(w io.Writer, hits []atlas.Hit) error {
	text, err := report.EncodeJSON(some(hits))
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// Lines writes what a search found as JSON, one port a line.
func Lines(w io.Writer, hits []atlas.Hit) error {
	for _, h := range hits {
		text, err := report.EncodeJSON(h)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(text, '\n')); err != nil {
			return err
		}
	}
	return nil
}
