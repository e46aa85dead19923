package ruleset

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"reconshield/internal/firewall/analyze"
	"reconshield/internal/report"
)

// How much the concise report shows.
const (
	fewAssets   = 8 // from here on those without a departure are named only
	fewRows     = 40
	fewFindings = 25
	fewLines    = 8 // of rules, and of what was not understood
	fewAnswers  = 24
	bodyIndent  = 4
)

// sheet is a report being written.
type sheet struct {
	*report.Sheet
	doc    *Document
	judged []judged
	opts   Options
}

// writeText writes the report for people at a terminal: what was asked, the
// matrix of each asset, the findings, what was taken for granted or not
// understood, and the sum.
func writeText(w io.Writer, doc *Document, opts Options) error {
	s := &sheet{report.NewSheet(w, opts.Options), doc, judgeAll(doc), opts}
	s.masthead()
	blocks := matrices(s.judged)
	s.matrices(blocks)
	if opts.Answers || s.Verbose() {
		s.answers()
	}
	s.changes()
	s.findings()
	s.unparsed()
	s.assumed()
	s.result(blocks)
	return s.Err()
}

func (s *sheet) blank() { s.Line("") }

func (s *sheet) masthead() {
	s.Line(s.Title(strings.TrimSpace(cmp.Or(report.Sanitize(s.opts.Tool), "reconshield") + " · firewall audit")))
	files := make([]string, len(s.doc.Files))
	for i, f := range s.doc.Files {
		files[i] = report.Sanitize(f)
	}
	facts := "ruleset " + strings.Join(s.few(files, 6), " ")
	if s.doc.Policy != "" {
		facts += " " + s.Dot + " policy " + report.Sanitize(s.doc.Policy)
	} else {
		facts += " " + s.Dot + " no policy: everything counts as denied"
	}
	s.Para(0, s.Faint, facts)
	if n := len(s.doc.Unparsed); n > 0 {
		s.blank()
		s.Hanging(0, s.Loud(" "+s.Alert+" NOT FULLY UNDERSTOOD ")+" ", report.Uncoloured,
			counted(n, "part")+" of the ruleset could not be read, and whatever they may bear on is undecided; see below.")
	}
}

// few is at most n items, the rest counted, unless all are wanted.
func (s *sheet) few(items []string, n int) []string {
	if s.Verbose() || len(items) <= n+1 {
		return items
	}
	return append(items[:n:n], fmt.Sprintf("+%d more", len(items)-n))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// stateText is a state with its sign, in its colour.
func (s *sheet) stateText(x state) string { return x.color(s.Signs)(s.stateWords(x)) }

func (s *sheet) stateWords(x state) string { return s.Pick(x.icon()) + " " + x.word() }

// answers tells of each answer who gets through, by which rules, and a packet
// that shows it.
func (s *sheet) answers() {
	if len(s.judged) == 0 {
		return
	}
	s.blank()
	s.Heading("Why")
	for i, a := range s.judged {
		if i == fewAnswers && !s.Verbose() {
			s.blank()
			s.Para(2, s.Faint, fmt.Sprintf("%s and %d more answers with --verbose, or ask for less", s.More, len(s.judged)-i))
			return
		}
		s.answer(a)
	}
}

func (s *sheet) answer(a judged) {
	s.blank()
	p, x := placeOf(a.Answer), a.State
	head := x.color(s.Signs)(s.Pick(x.icon()) + " " + string(a.Verdict))
	s.Hanging(1, head+"  ", s.Strong, fmt.Sprintf("%s of %s (%s) from %s", p.ports(), report.Sanitize(a.Asset), addressText(a.Address), report.Sanitize(a.Zone)))
	if len(a.Sources) > 0 {
		text := s.sources(a.Sources)
		if len(a.SourcePorts) > 0 {
			text += " (some only from source port " + strings.Join(s.few(a.SourcePorts, 4), ", ") + ")"
		}
		s.Field("Who", report.Uncoloured, text)
	}
	if len(a.Undecided) > 0 {
		s.Field("Perhaps", report.Uncoloured, s.sources(a.Undecided))
	}
	s.Field("Policy", report.Uncoloured, strings.TrimSuffix(string(a.Policy)+": "+report.Sanitize(a.PolicyRule), ": ")+" "+s.Arrow+" "+x.color(s.Signs)(x.word()))
	s.lines("Decided", a.Why)
	s.witness(a.Witness)
}

func (s *sheet) sources(list []netip.Prefix) string {
	if text := who(list); !strings.HasSuffix(text, " networks") {
		return text
	}
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return strings.Join(s.few(texts, 6), ", ")
}

// addressText is an address, or what stands for all of a host's.
func addressText(a netip.Addr) string {
	if a.IsUnspecified() {
		if a.Is4() {
			return "any IPv4 address"
		}
		return "any IPv6 address"
	}
	return a.String()
}

// lines shows rules with the file and the line where they stand.
func (s *sheet) lines(label string, rules []analyze.Line) {
	const tail = 3
	shown, left := rules, 0
	if !s.Verbose() && len(rules) > fewLines+1 {
		left = len(rules) - fewLines
		shown = slices.Concat(rules[:fewLines-tail], rules[len(rules)-tail:])
	}
	width := 0
	for _, r := range shown {
		width = max(width, ansi.StringWidth(position(r)))
	}
	const most = 32
	width = min(width, most)
	for i, r := range shown {
		if left > 0 && i == fewLines-tail {
			s.Field("", s.Faint, fmt.Sprintf("%s %d more rules with --verbose", s.More, left))
		}
		s.rule(label, r, width)
		label = ""
	}
}

func (s *sheet) rule(label string, r analyze.Line, width int) {
	const labelWidth, deepest = 10, 8
	where := position(r)
	gap := strings.Repeat(" ", max(width-ansi.StringWidth(where), 0)+2)
	indent := strings.Repeat("  ", min(r.Depth, deepest))
	head := s.Faint(fmt.Sprintf("%-*s", labelWidth, label)) + s.Faint(where) + gap + indent
	s.Hanging(bodyIndent, head, s.Signs.Code, report.Sanitize(r.Rule))
	if r.Undecided != "" {
		under := strings.Repeat(" ", labelWidth+width+2+len(indent))
		if bodyIndent+ansi.StringWidth(head) > s.Width()/2 { // the rule stands below the file's name, too
			under = "  "
		}
		s.Hanging(bodyIndent, under+s.Warn(s.Ask+" "), s.Warn, report.Sanitize(r.Undecided))
	}
}

// position is "rules.v4:12", or the file alone.
func position(r analyze.Line) string {
	text := report.Sanitize(r.File)
	if r.Line > 0 {
		text += ":" + strconv.Itoa(r.Line)
	}
	return text
}

// witness shows a packet for which the answer holds.
func (s *sheet) witness(w *analyze.Witness) {
	if w != nil {
		s.Field("Packet", report.Uncoloured, witnessText(w, s.Arrow))
	}
}

func witnessText(w *analyze.Witness, arrow string) string {
	text := fmt.Sprintf("%s %s %s %s", w.Transport, netip.AddrPortFrom(w.Source, w.SourcePort), arrow, netip.AddrPortFrom(w.Target, w.Port))
	if w.Interface != "" {
		text += " in on " + report.Sanitize(w.Interface)
	}
	return text
}
