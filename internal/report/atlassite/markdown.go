package atlassite

import (
	"bytes"
	"html/template"
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"reconshield/internal/intel"
)

// markup turns the atlas's Markdown into HTML. HTML in the text is shown, not
// obeyed: it is no part of the grammar, and neither are headings and images.
// Safe for concurrent use.
type markup struct {
	md    goldmark.Markdown
	cited *regexp.Regexp
	digit *regexp.Regexp
}

// targets says which numbers of a text are links.
type targets struct {
	// page gives the address of a port's page, empty for none; nil for none at all.
	page func(port int) string
	// bare are the ports that a number means where no word says that it is one.
	bare map[int]bool
}

func (t targets) url(port int) string {
	if t.page == nil {
		return ""
	}
	return t.page(port)
}

func newMarkup() *markup {
	const order = 100
	m := &markup{
		cited: regexp.MustCompile(`\bCVE-\d{4}-\d{4,7}\b|\bRFC ?\d{1,5}\b|\bT1\d{3}(?:\.\d{3})?\b` +
			`|\b[Pp]orts? \d{1,5}(?:(?:, and |, or |, | and | or | to |–|-)\d{1,5})*\b` +
			`|\b\d{1,5}/(?:tcp|udp|sctp|dccp|TCP|UDP|SCTP|DCCP)\b|\b\d{1,5}\b`),
		digit: regexp.MustCompile(`\d+`),
	}
	grammar := parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewListParser(), 1*order),
			util.Prioritized(parser.NewListItemParser(), 2*order),
			util.Prioritized(parser.NewCodeBlockParser(), 3*order),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 4*order),
			util.Prioritized(parser.NewBlockquoteParser(), 5*order),
			util.Prioritized(parser.NewParagraphParser(), 6*order),
		),
		parser.WithInlineParsers(
			util.Prioritized(parser.NewCodeSpanParser(), 1*order),
			util.Prioritized(parser.NewLinkParser(), 2*order),
			util.Prioritized(parser.NewAutoLinkParser(), 3*order),
			util.Prioritized(parser.NewEmphasisParser(), 4*order),
		),
	)
	m.md = goldmark.New(goldmark.WithParser(grammar))
	return m
}

// html renders Markdown. Ports, CVEs, RFCs and techniques that the text names
// become links.
func (m *markup) html(source string, to targets) template.HTML {
	src := []byte(source)
	doc := m.md.Parser().Parse(text.NewReader(src))
	m.connect(doc, src, to)
	var b bytes.Buffer
	if err := m.md.Renderer().Render(&b, src, doc); err != nil {
		return template.HTML("<p>" + template.HTMLEscapeString(source) + "</p>") //nolint:gosec // escaped
	}
	// A box that scrolls has to be reachable by keyboard.
	out := strings.ReplaceAll(b.String(), "<pre>", `<pre tabindex="0">`)
	return template.HTML(out) //nolint:gosec // the renderer escapes; see newMarkup
}

// inline renders one line without a paragraph around it.
func (m *markup) inline(source string, to targets) template.HTML {
	out := strings.TrimSpace(string(m.html(source, to)))
	if body, ok := strings.CutPrefix(out, "<p>"); ok && strings.Count(out, "<p>") == 1 && strings.HasSuffix(body, "</p>") {
		return template.HTML(strings.TrimSuffix(body, "</p>")) //nolint:gosec // rendered above
	}
	return template.HTML(template.HTMLEscapeString(source)) //nolint:gosec // escaped
}

// plain is the text alone, on one line.
func (m *markup) plain(source string) string {
	src := []byte(source)
	doc := m.md.Parser().Parse(text.NewReader(src))
	var b strings.Builder
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			if n.Type() == ast.TypeBlock {
				b.WriteByte(' ')
			}
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(util.UnescapePunctuations(util.ResolveEntityNames(util.ResolveNumericReferences(n.Segment.Value(src)))))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.AutoLink:
			b.Write(n.Label(src))
		case *ast.FencedCodeBlock, *ast.CodeBlock:
			for i := range n.Lines().Len() {
				line := n.Lines().At(i)
				b.Write(line.Value(src))
			}
		}
		return ast.WalkContinue, nil
	})
	return strings.Join(strings.Fields(b.String()), " ")
}

// connect replaces images by their text and makes links of what is cited.
func (m *markup) connect(doc ast.Node, src []byte, to targets) {
	var texts []*ast.Text
	var images []*ast.Image
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link, *ast.CodeSpan, *ast.AutoLink:
			return ast.WalkSkipChildren, nil
		case *ast.Image:
			images = append(images, n)
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			texts = append(texts, n)
		}
		return ast.WalkContinue, nil
	})
	for _, n := range images {
		for child := n.FirstChild(); child != nil; child = n.FirstChild() {
			n.Parent().InsertBefore(n.Parent(), n, child)
		}
		n.Parent().RemoveChild(n.Parent(), n)
	}
	for _, n := range texts {
		m.cite(n, src, to)
	}
}

// span is a part of a text that becomes a link.
type span struct {
	from, to int
	url      string
}

// cite splits a text around what it cites.
func (m *markup) cite(n *ast.Text, src []byte, to targets) {
	segment := n.Segment
	if !bytes.ContainsAny(segment.Value(src), "0123456789") {
		return
	}
	var spans []span
	for _, at := range m.cited.FindAllIndex(segment.Value(src), -1) {
		from, end := segment.Start+at[0]-segment.Padding, segment.Start+at[1]-segment.Padding
		if from < segment.Start {
			continue
		}
		spans = append(spans, m.resolve(src, from, end, to)...)
	}
	if len(spans) == 0 {
		return
	}
	parent, start := n.Parent(), segment.Start
	for _, s := range spans {
		if s.from > start {
			parent.InsertBefore(parent, n, ast.NewTextSegment(text.NewSegment(start, s.from)))
		}
		link := ast.NewLink()
		link.Destination = []byte(s.url)
		link.AppendChild(link, ast.NewTextSegment(text.NewSegment(s.from, s.to)))
		parent.InsertBefore(parent, n, link)
		start = s.to
	}
	n.Segment = text.NewSegment(start, segment.Stop)
}

// resolve gives the links within one citation.
func (m *markup) resolve(src []byte, from, end int, to targets) []span {
	word := string(src[from:end])
	switch {
	case strings.HasPrefix(word, "CVE-"):
		return []span{{from, end, intel.URL(word)}}
	case strings.HasPrefix(word, "RFC"):
		return []span{{from, end, "https://www.rfc-editor.org/rfc/rfc" + strings.TrimSpace(word[3:])}}
	case word[0] == 'T':
		return []span{{from, end, intel.TechniqueURL(word)}}
	}
	if port, err := strconv.Atoi(word); err == nil && (!to.bare[port] || !alone(src, from, end)) {
		return nil
	}
	var out []span
	for _, at := range m.digit.FindAllStringIndex(word, -1) {
		port, err := strconv.Atoi(word[at[0]:at[1]])
		if err != nil || partOfNumber(src, from+at[1]) {
			continue
		}
		if url := to.url(port); url != "" {
			out = append(out, span{from + at[0], from + at[1], url})
		}
	}
	return out
}

// partOfNumber reports digits that go on as "1,600" or "1.5" do.
func partOfNumber(src []byte, end int) bool {
	return end+1 < len(src) && (src[end] == ',' || src[end] == '.') && src[end+1] >= '0' && src[end+1] <= '9'
}

// alone reports a number that stands by itself, and is no year or measure. One
// that may well be something else has to have a name behind it: "22 (SSH)".
func alone(src []byte, from, end int) bool {
	const firstYear, lastYear, common = "1900", "2099", 2
	before, after := byte(' '), string(src[end:min(end+len(" million"), len(src))])
	if from > 0 {
		before = src[from-1]
	}
	word := string(src[from:end])
	doubtful := len(word) <= common || len(word) == len(firstYear) && firstYear <= word && word <= lastYear
	if doubtful && !strings.HasPrefix(after, " (") {
		return false
	}
	for _, unit := range []string{" byte", " bit", " packet", " million", " %", "%", "-", "/", ":", "_", "x"} {
		if strings.HasPrefix(after, unit) {
			return false
		}
	}
	return !strings.ContainsRune(".,-/:_#$+", rune(before)) && !partOfNumber(src, end)
}
