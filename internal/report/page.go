package report

import (
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Widths of the terminal report, in columns.
const (
	defaultWidth = 100
	minWidth     = 40
	maxProse     = 100 // longer lines are hard to read
	labelWidth   = 10  // "Evidence  "
)

// page writes lines to a terminal; the first error ends all writing.
type page struct {
	theme
	w       io.Writer
	width   int
	verbose bool
	err     error
	// fixed is where a fix was printed first, by what it says.
	fixed map[string]string
}

func newPage(w io.Writer, opts Options) *page {
	width := opts.Width
	if width == 0 {
		width = defaultWidth
	}
	return &page{theme: newTheme(opts), w: w, width: max(width, minWidth), verbose: opts.Verbose, fixed: map[string]string{}}
}

// line writes parts as one line, without blanks at its end.
func (p *page) line(parts ...string) {
	if p.err != nil {
		return
	}
	_, p.err = io.WriteString(p.w, strings.TrimRight(strings.Join(parts, ""), " ")+"\n")
}

func (p *page) blank() { p.line("") }

// prose is the width for wrapped text behind an indentation.
func (p *page) prose(indent int) int {
	return max(min(p.width, maxProse)-indent, minWidth/2)
}

// para writes text wrapped at words, indented.
func (p *page) para(indent int, color paint, text string) {
	p.hanging(indent, "", 0, color, text)
}

// field writes "Label     text" of a finding, the text wrapped under itself.
func (p *page) field(label string, color paint, text string) {
	p.hanging(bodyIndent, p.Faint(pad(label, labelWidth)), labelWidth, color, text)
}

// hanging writes head, which takes headWidth columns, and text wrapped behind it.
// A head that would leave less than half of the width gets a line of its own.
func (p *page) hanging(indent int, head string, headWidth int, color paint, text string) {
	if indent+headWidth > p.width/2 {
		p.line(strings.Repeat(" ", indent), head)
		indent, head, headWidth = indent+2, "", 0
	}
	for i, l := range wrap(text, p.prose(indent+headWidth)) {
		if i > 0 {
			head = strings.Repeat(" ", headWidth)
		}
		p.line(strings.Repeat(" ", indent), head, color(l))
	}
}

// flow writes styled items behind head, two blanks apart, on as many lines as
// they need; an item is never broken.
func (p *page) flow(indent int, head string, items []string) {
	headWidth := ansi.StringWidth(head)
	if indent+headWidth > p.width/2 {
		p.line(strings.Repeat(" ", indent), head)
		indent, head, headWidth = indent+2, "", 0
	}
	for len(items) > 0 {
		text, used, n := "", 0, 0
		for n < len(items) {
			w := ansi.StringWidth(items[n])
			if n > 0 && used+2+w > p.prose(indent+headWidth) {
				break
			}
			if n > 0 {
				text += "  "
				used += 2
			}
			text += items[n]
			used += w
			n++
		}
		p.line(strings.Repeat(" ", indent), head, text)
		head = strings.Repeat(" ", headWidth)
		items = items[n:]
	}
}

// code writes lines exactly, indented and never wrapped: a wrapped line of
// configuration is no longer one.
func (p *page) code(indent int, lines []string) {
	for _, l := range lines {
		if l == "" {
			p.blank()
			continue
		}
		p.line(strings.Repeat(" ", indent), p.Code(l))
	}
}

// wrap breaks text at spaces into lines of at most width columns; a word that
// is longer is broken where it must.
func wrap(text string, width int) []string {
	width = max(width, 1)
	var lines []string
	cur, used := "", 0
	flush := func() {
		if cur != "" {
			lines = append(lines, cur)
		}
		cur, used = "", 0
	}
	for word := range strings.FieldsSeq(text) {
		n := ansi.StringWidth(word)
		if cur != "" && used+1+n > width {
			flush()
		}
		for n > width {
			head := ansi.Truncate(word, width, "")
			if head == "" {
				break
			}
			lines = append(lines, head)
			word = word[len(head):]
			n = ansi.StringWidth(word)
		}
		if cur != "" {
			cur += " "
			used++
		}
		cur += word
		used += n
	}
	flush()
	return lines
}

// pad fills text with blanks to width columns.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-ansi.StringWidth(text), 0))
}

// fit pads or cuts text to width columns; a cut shows.
func fit(text string, width int, more string) string {
	if ansi.StringWidth(text) > width {
		text = ansi.Truncate(text, width, more)
	}
	return pad(text, width)
}
