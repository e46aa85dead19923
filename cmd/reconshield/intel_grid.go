package main

import (
	"io"
	"os"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"reconshield/internal/report"
)

// grid is a table of columns that are as wide as their longest cell. The last
// one is cut to the terminal, or stands below the others when little is left for
// it.
type grid struct {
	head  []string
	right string // the columns whose cells stand at the right
	rows  [][]string
}

func (g *grid) add(cells ...string) {
	for i, cell := range cells {
		cells[i] = report.Sanitize(cell)
	}
	g.rows = append(g.rows, cells)
}

// longest is how wide a column but the last may be.
const longest = 36

func (g *grid) write(w io.Writer) error {
	const gap = "  "
	last := len(g.head) - 1
	widths := make([]int, len(g.head))
	all := append([][]string{g.head}, g.rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	room := widthOf(w)
	for i := range last {
		widths[i] = min(widths[i], longest)
		room -= widths[i] + len(gap)
	}
	const leastLast = 30
	below := room < leastLast && widths[last] > room
	if below {
		room = widthOf(w) - len(gap)
	}
	widths[last] = max(min(widths[last], room), 1)
	var b strings.Builder
	for n, row := range all {
		var line strings.Builder
		for i, cell := range row[:last] {
			cell = ansi.Truncate(cell, widths[i], "…")
			blanks := strings.Repeat(" ", widths[i]-ansi.StringWidth(cell))
			if slices.Contains(strings.Fields(g.right), g.head[i]) {
				line.WriteString(blanks + cell + gap)
			} else {
				line.WriteString(cell + blanks + gap)
			}
		}
		text := strings.TrimRight(line.String(), " ")
		end := ansi.Truncate(row[last], widths[last], "…")
		switch {
		case !below:
			text = strings.TrimRight(line.String()+end, " ")
		case n > 0 && end != "":
			text += "\n" + gap + end
		}
		b.WriteString(text + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// widthOf is the width of the terminal at w, or a wide one.
func widthOf(w io.Writer) int {
	const wide = 160
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil { //nolint:gosec // a descriptor is small
			return width
		}
	}
	return wide
}
