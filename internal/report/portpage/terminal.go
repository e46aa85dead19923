package portpage

import (
	"io"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/text"

	"reconshield/internal/atlas"
	"reconshield/internal/intel"
	"reconshield/internal/report"
)

// Widths of a page on a terminal.
const (
	usualWidth = 80
	leastWidth = 40
	mostWidth  = 96 // longer lines are hard to read
	margin     = 2
)

// Terminal writes the page for a reader's terminal, in colours of the reader's
// own palette.
func Terminal(w io.Writer, e *atlas.Entry, opts report.Options) error {
	source := []byte(Markdown(e))
	p := newPainter(opts, source)
	document := goldmark.DefaultParser().Parse(text.NewReader(source))
	p.blocks(document, "", "")
	page := p.out.String() + "\n"
	if opts.ASCII {
		page = fold.Replace(page)
	}
	_, err := io.WriteString(w, page)
	return err
}

// fold writes the signs of the text in ASCII.
//
//nolint:gochecknoglobals // read-only table
var fold = strings.NewReplacer("·", "-", "–", "-", "—", "-", "…", "...", "’", "'", "‘", "'", "“", `"`, "”", `"`, "×", "x",
	"≥", ">=", "≤", "<=", "→", "->", "\u00a0", " ", "µ", "u", "é", "e", "ö", "o", "ü", "u", "ä", "a")

// painter turns a Markdown document into lines. It knows the few elements that
// pages are made of; others show as their text.
type painter struct {
	source []byte
	out    strings.Builder
	width  int
	style  styles
	bullet string
	rule   string
}

// styles are nothing without colours.
type styles struct{ title, heading, strong, emphasis, code, faint func(string) string }

func newPainter(opts report.Options, source []byte) *painter {
	width := opts.Width
	if width == 0 {
		width = usualWidth
	}
	p := &painter{source: source, width: min(max(width, leastWidth), mostWidth) - margin, bullet: "•", rule: "─"}
	if opts.ASCII {
		p.bullet, p.rule = "-", "-"
	}
	with := func(s lipgloss.Style) func(string) string {
		if !opts.Color {
			return func(s string) string { return s }
		}
		return func(text string) string { return s.Render(text) }
	}
	s := lipgloss.NewStyle
	p.style = styles{
		title: with(s().Bold(true).Foreground(lipgloss.Cyan)), heading: with(s().Bold(true).Foreground(lipgloss.Blue)),
		strong: with(s().Bold(true)), emphasis: with(s().Foreground(lipgloss.Yellow)),
		code: with(s().Foreground(lipgloss.Green)), faint: with(s().Faint(true)),
	}
	return p
}

// blocks writes the children of a node: the first line behind first, the
// others behind rest.
func (p *painter) blocks(parent ast.Node, first, rest string) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		if n.PreviousSibling() != nil && !tight(n) {
			p.out.WriteString("\n")
		}
		p.block(n, first, rest)
		first = rest
	}
}

// tight reports a block that follows the one before without an empty line.
func tight(n ast.Node) bool {
	if item, ok := n.Parent().(*ast.ListItem); ok {
		list, ok := item.Parent().(*ast.List)
		return ok && list.IsTight
	}
	list, ok := n.Parent().(*ast.List)
	return ok && list.IsTight
}

func (p *painter) block(n ast.Node, first, rest string) {
	switch n := n.(type) {
	case *ast.Heading:
		p.heading(n, first, rest)
	case *ast.List:
		p.list(n, first, rest)
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		lines := n.Lines()
		for i := range lines.Len() {
			line := lines.At(i)
			p.out.WriteString(strings.Repeat(" ", margin) + rest + "  " + p.style.code(strings.TrimRight(string(line.Value(p.source)), "\n")) + "\n")
		}
	default:
		if n.FirstChild() != nil && n.FirstChild().Type() == ast.TypeBlock {
			p.blocks(n, first, rest)
			return
		}
		p.paragraph(p.inline(n), first, rest)
	}
}

func (p *painter) heading(n *ast.Heading, first, rest string) {
	title := ansi.Strip(p.inline(n))
	if n.Level == 1 {
		p.out.WriteString("\n")
		p.paragraph(p.style.title(title), first, rest)
		p.paragraph(p.style.title(strings.Repeat(p.rule, min(ansi.StringWidth(title), p.width))), first, rest)
		return
	}
	p.out.WriteString("\n")
	p.paragraph(p.style.heading(title), first, rest)
}

func (p *painter) list(n *ast.List, first, rest string) {
	number := n.Start
	for item := n.FirstChild(); item != nil; item = item.NextSibling() {
		if item.PreviousSibling() != nil && !n.IsTight {
			p.out.WriteString("\n")
		}
		mark := p.bullet + " "
		if n.IsOrdered() {
			mark = strconv.Itoa(number) + ". "
			number++
		}
		p.blocks(item, first+mark, rest+strings.Repeat(" ", ansi.StringWidth(mark)))
		first = rest
	}
}

// paragraph writes wrapped text.
func (p *painter) paragraph(words, first, rest string) {
	// Identifiers such as CVE-2020-1350 stay in one piece.
	const hyphen, unbroken = "-", "\u2011"
	words = strings.ReplaceAll(words, hyphen, unbroken)
	wrapped := strings.ReplaceAll(ansi.Wrap(words, max(p.width-ansi.StringWidth(rest), 20), " "), unbroken, hyphen)
	for i, line := range strings.Split(wrapped, "\n") {
		lead := rest
		if i == 0 {
			lead = first
		}
		p.out.WriteString(strings.TrimRight(strings.Repeat(" ", margin)+lead+line, " ") + "\n")
	}
}

// inline is a node's text with its styles.
func (p *painter) inline(parent ast.Node) string {
	var b strings.Builder
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Text:
			b.WriteString(plain(n.Value(p.source)))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteString(" ")
			}
		case *ast.String:
			b.WriteString(plain(n.Value))
		case *ast.CodeSpan:
			b.WriteString(p.style.code(ansi.Strip(p.inline(n))))
		case *ast.Emphasis:
			paint := p.style.emphasis
			if n.Level > 1 {
				paint = p.style.strong
			}
			b.WriteString(paint(p.inline(n)))
		case *ast.Link:
			label, to := p.inline(n), string(n.Destination)
			b.WriteString(label)
			// A technique's id finds it without its address.
			if ansi.Strip(label) != to && !strings.HasPrefix(to, intel.TechniqueBase) {
				b.WriteString(p.style.faint(" <" + to + ">"))
			}
		case *ast.AutoLink:
			b.Write(n.URL(p.source))
		case *ast.RawHTML:
			for i := range n.Segments.Len() {
				segment := n.Segments.At(i)
				b.Write(segment.Value(p.source))
			}
		default:
			b.WriteString(p.inline(n))
		}
	}
	return b.String()
}

// plain resolves what Markdown escapes.
func plain(source []byte) string {
	var b strings.Builder
	for i := 0; i < len(source); i++ {
		if source[i] == '\\' && i+1 < len(source) && strings.IndexByte("\\`*_{}[]()#+-.!<>|~&", source[i+1]) >= 0 {
			i++
		}
		b.WriteByte(source[i])
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(b.String())
}
