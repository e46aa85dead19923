package ruleset

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"reconshield/internal/report"
)

// matrices shows what each zone reaches: of every asset where they are few, else
// of the worst of them, behind a glance at all.
func (s *sheet) matrices(blocks []block) {
	defer s.silent()
	if len(blocks) == 0 {
		return
	}
	assets := sums(blocks)
	if len(assets) > 1 {
		s.glance(assets)
	}
	shown := map[string]bool{}
	for _, a := range worst(assets) {
		shown[a.Asset] = s.Verbose() || len(assets) <= fewAssets || len(shown) < fewAssets && a.worst().rank() > expected.rank()
	}
	left := 0
	for _, a := range assets {
		if !shown[a.Asset] && a.worst().rank() > expected.rank() {
			left++
		}
	}
	for _, b := range blocks {
		if shown[b.Asset] {
			s.matrix(b)
		}
	}
	if left > 0 {
		s.blank()
		s.Para(0, s.Faint, fmt.Sprintf("%s and the matrices of %s with --verbose, or ask for one: --query \"to ASSET\"", s.More, counted(left, "more asset")))
	}
	s.legend(blocks)
}

// silent tells of the assets that no answer speaks of.
func (s *sheet) silent() {
	var names []string
	for _, name := range s.doc.silent() {
		names = append(names, report.Sanitize(name))
	}
	if len(names) == 0 {
		return
	}
	s.blank()
	head := s.Good(s.Tick + " no port can be reached from any zone")
	if len(s.doc.Unparsed) > 0 {
		head = s.Warn(s.Ask + " undecided on every port")
	}
	s.Hanging(0, head+"  ", report.Uncoloured, strings.Join(s.few(names, fewRows), " "))
}

// glance is one line an asset: how many rows of its matrix are how.
func (s *sheet) glance(assets []sum) {
	s.blank()
	s.Line(s.Title("At a glance"))
	width := 0
	for _, a := range assets {
		width = max(width, ansi.StringWidth(report.Sanitize(a.Asset)))
	}
	const most = 40
	width = min(width, most)
	digits := map[state]int{}
	for _, a := range assets {
		for _, x := range departing() {
			if n := a.Count[x]; n > 0 {
				digits[x] = max(digits[x], len(strconv.Itoa(n)))
			}
		}
	}
	var good []string
	for _, a := range assets {
		if a.worst().rank() <= expected.rank() {
			good = append(good, report.Sanitize(a.Asset))
			continue
		}
		s.Flow(2, s.Strong(pad(report.Sanitize(a.Asset), width))+"  ", s.tallies(a, digits))
	}
	if len(good) > 0 {
		s.Hanging(2, s.Good(s.Tick+" as the policy wants it")+"  ", report.Uncoloured, strings.Join(s.few(good, fewRows), " "))
	}
}

// tallies are the departures of an asset by state, in columns that digits make.
func (s *sheet) tallies(a sum, digits map[state]int) []string {
	var items []string
	for _, x := range departing() {
		text := fmt.Sprintf("%s %*d %s", s.Pick(x.icon()), digits[x], a.Count[x], x.word())
		switch {
		case a.Count[x] > 0:
			items = append(items, x.color(s.Signs)(text))
		case digits[x] > 0:
			items = append(items, strings.Repeat(" ", ansi.StringWidth(text)))
		}
	}
	return items
}

// departing are the states that are not as the policy wants it, the worst first.
func departing() []state { return []state{exposed, undecided, starved} }

// legend explains the words that stand in the matrices.
func (s *sheet) legend(blocks []block) {
	used := map[state]bool{}
	for _, b := range blocks {
		for _, r := range b.Rows {
			for _, c := range r.Cells {
				used[c.State] = true
			}
		}
	}
	s.blank()
	all := states()
	slices.Reverse(all)
	for _, x := range all {
		if used[x] {
			s.Hanging(2, s.stateText(x)+strings.Repeat(" ", max(13-ansi.StringWidth(s.stateWords(x)), 1)), s.Faint, x.meaning(s.doc.Policy != ""))
		}
	}
}

func (s *sheet) matrix(b block) {
	s.blank()
	var addresses []string
	for _, a := range b.Addresses {
		addresses = append(addresses, addressText(a))
	}
	s.Heading(report.Sanitize(b.Asset), addresses...)
	rows, hidden := s.chosen(b.Rows)
	if b.Others && s.complete() {
		rows = append(slices.Clip(rows), row{Transport: otherPorts, Cells: slices.Repeat([]cell{{State: closed}}, len(b.Zones))})
	}
	widths, full := s.columns(b, rows)
	if widths == nil {
		s.narrow(b, rows)
	} else {
		head := []string{"", pad("port", widths[0])}
		for z, zone := range b.Zones {
			head = append(head, pad(report.Sanitize(zone), widths[z+1]))
		}
		s.Line(s.Faint(strings.Join(head, "  ")))
		for _, r := range rows {
			line := []string{"  ", s.Strong(pad(r.ports(), widths[0]))}
			for z, c := range r.Cells {
				line = append(line, "  ", s.cell(c, widths[z+1], full))
			}
			s.Line(line...)
		}
	}
	if hidden > 0 {
		s.Para(2, s.Faint, fmt.Sprintf("%s and %s with --verbose", s.More, counted(hidden, "more row")))
	}
}

// otherPorts stands for the ports of which no answer speaks.
const otherPorts = "every other port"

// complete reports whether ports without an answer are closed to everybody: when
// everything was asked, and everything understood.
func (s *sheet) complete() bool { return !s.opts.Answers && len(s.doc.Unparsed) == 0 }

// chosen are the rows to show, the worst of them where they are many.
func (s *sheet) chosen(rows []row) (shown []row, hidden int) {
	if s.Verbose() || len(rows) <= fewRows {
		return rows, 0
	}
	all := states()
	slices.Reverse(all)
	keep := map[int]bool{}
	for _, x := range all {
		for i := range rows {
			if len(keep) < fewRows && rows[i].worst() == x {
				keep[i] = true
			}
		}
	}
	for i := range rows {
		if keep[i] {
			shown = append(shown, rows[i])
		}
	}
	return shown, len(rows) - len(shown)
}

// columns gives the widths of the columns: with the sources in full where they
// fit, else without; nil when the zones do not fit side by side.
func (s *sheet) columns(b block, rows []row) (widths []int, full bool) {
	for _, full := range []bool{true, false} {
		widths := []int{len("port")}
		for _, zone := range b.Zones {
			widths = append(widths, ansi.StringWidth(report.Sanitize(zone)))
		}
		for _, r := range rows {
			widths[0] = max(widths[0], len(r.ports()))
			for z, c := range r.Cells {
				widths[z+1] = max(widths[z+1], ansi.StringWidth(s.cellWords(c, full)))
			}
		}
		sum := 0
		for _, w := range widths {
			sum += w + 2
		}
		if sum <= s.Width() {
			return widths, full
		}
	}
	return nil, false
}

func (s *sheet) cellWords(c cell, full bool) string {
	text := s.stateWords(c.State)
	if about := c.about(full); about != "" {
		text += " " + about
	}
	return text
}

func (s *sheet) cell(c cell, width int, full bool) string {
	text := s.stateText(c.State)
	if about := c.about(full); about != "" {
		text += " " + s.Faint(about)
	}
	return text + strings.Repeat(" ", max(width-ansi.StringWidth(s.cellWords(c, full)), 0))
}

// narrow writes the rows with the zones under one another's words.
func (s *sheet) narrow(b block, rows []row) {
	width := 0
	for _, r := range rows {
		width = max(width, len(r.ports()))
	}
	for _, r := range rows {
		var items []string
		for z, c := range r.Cells {
			items = append(items, s.Faint(report.Sanitize(b.Zones[z]))+" "+s.cell(c, 0, false))
		}
		s.Flow(2, s.Strong(pad(r.ports(), width))+"  ", items)
	}
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-ansi.StringWidth(text), 0))
}
