package report

import (
	"html/template"
	"io"

	"github.com/charmbracelet/x/ansi"

	"reconshield/internal/exposure"
)

// Signs are the colours and signs of reports on a terminal, for the packages
// below that show something else than an assessment.
type Signs struct{ theme }

// NewSigns gives the signs that fit the options.
func NewSigns(opts Options) Signs { return Signs{newTheme(opts)} }

// Severity is the icon and the colour of a severity.
func (s Signs) Severity(v exposure.Severity) (icon string, color func(string) string) {
	return s.severity(v)
}

// Pick is the sign, or the other one where only ASCII is safe.
func (s Signs) Pick(sign, ascii string) string { return s.pick(sign, ascii) }

// Sheet writes lines to a terminal as the report does: wrapped at the reader's
// width, in the colours of Signs. Texts are written as they are given; what
// comes from elsewhere goes through Sanitize before. The first error ends all
// writing, see Err.
type Sheet struct {
	Signs
	p *page
}

// NewSheet writes to w.
func NewSheet(w io.Writer, opts Options) *Sheet {
	p := newPage(w, opts)
	return &Sheet{Signs{p.theme}, p}
}

// Width is the number of columns.
func (s *Sheet) Width() int { return s.p.width }

// Verbose reports whether everything is to be shown.
func (s *Sheet) Verbose() bool { return s.p.verbose }

// Err is the first error of writing.
func (s *Sheet) Err() error { return s.p.err }

// Line writes parts as one line.
func (s *Sheet) Line(parts ...string) { s.p.line(parts...) }

// Heading writes a title, further names and a rule.
func (s *Sheet) Heading(title string, names ...string) { s.p.heading(title, names) }

// Para writes text wrapped at words.
func (s *Sheet) Para(indent int, color func(string) string, text string) {
	s.p.para(indent, color, text)
}

// Field writes a label of a finding, and its text beside it.
func (s *Sheet) Field(label string, color func(string) string, text string) {
	s.p.field(label, color, text)
}

// Hanging writes a head and text wrapped beside it. The head may hold colours.
func (s *Sheet) Hanging(indent int, head string, color func(string) string, text string) {
	s.p.hanging(indent, head, ansi.StringWidth(head), color, text)
}

// Flow writes items, which are never broken, behind a head.
func (s *Sheet) Flow(indent int, head string, items []string) { s.p.flow(indent, head, items) }

// Code writes lines verbatim.
func (s *Sheet) Code(indent int, lines []string) { s.p.code(indent, lines) }

// Tally is "1 critical", "2 high", each with its sign and colour; counts are by
// Severities.
func (s *Sheet) Tally(counts []int) []string { return s.p.tally(counts) }

// Severities are all of them, the worst first.
func Severities() []exposure.Severity { return severities() }

// Uncoloured gives text without colour.
func Uncoloured(text string) string { return text }

// ExitMeaning explains an exit code of a command in one sentence.
func ExitMeaning(code int, failOn exposure.Severity) string { return exitMeaning(code, failOn) }

// ConfigLines splits configuration into lines that are safe to show.
func ConfigLines(text string) []string { return configLines(text) }

// PageStyle is the style sheet of pages that stand by themselves.
func PageStyle() (template.CSS, error) {
	style, err := pageFiles.ReadFile("page.css")
	return template.CSS(style), err //nolint:gosec // our own embedded file
}

// SARIFSchema is the address of the schema that SARIF logs name.
const SARIFSchema = sarifSchema

// SARIFLevel is a severity in the words of SARIF (2.1.0 section 3.27.10).
func SARIFLevel(s exposure.Severity) string { return sarifLevel(s) }

// SecuritySeverity is the number by which readers of SARIF rank a severity.
func SecuritySeverity(s exposure.Severity) string { return securitySeverity(s) }
