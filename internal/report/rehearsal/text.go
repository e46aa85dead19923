package rehearsal

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
	fewRows   = 40
	fewGroups = 25
	fewPorts  = 12
	fewAlike  = 8 // ports that are exposed to every zone
	fewLines  = 6
	fewNotes  = 8
	indent    = 4
)

// sheet is a report being written.
type sheet struct {
	*report.Sheet
	doc  *Document
	opts Options
}

func writeText(w io.Writer, doc *Document, opts Options) error {
	s := &sheet{report.NewSheet(w, opts.Options), doc, opts}
	s.masthead()
	blocks := matrices(doc)
	for _, b := range blocks {
		s.matrix(b)
	}
	s.legend(blocks)
	s.differences()
	s.notes()
	s.result()
	return s.Err()
}

func (s *sheet) masthead() {
	title, dot := "firewall rehearsal", " "+s.Dot+" "
	if s.doc.Kind == Verification {
		title = "firewall verification"
	}
	s.Line(s.Title(cmp.Or(report.Sanitize(s.opts.Tool), "reconshield") + dot + title))
	var facts []string
	if len(s.doc.Files) > 0 {
		facts = append(facts, "ruleset "+report.Sanitize(strings.Join(s.doc.Files, " ")))
	}
	if s.doc.Policy != "" {
		facts = append(facts, "policy "+report.Sanitize(s.doc.Policy))
	}
	if s.doc.Kind == Verification {
		facts = append(facts, "scanned from zone "+report.Sanitize(s.doc.Zone))
	} else {
		facts = append(facts, "loaded as "+report.Sanitize(s.doc.Host)+" into a kernel of its own")
	}
	s.Para(0, s.Faint, strings.Join(facts, dot))
	s.worst()
}

// worst says at once what is the most urgent of what is wrong.
func (s *sheet) worst() {
	list := groups(s.doc)
	if len(list) == 0 {
		return
	}
	s.Line("")
	text := s.headline(list[0])
	if n := len(list) - 1; n > 0 {
		text += fmt.Sprintf("; and %s, see below", counted(n, "more difference"))
	}
	s.Hanging(0, s.badge(list[0])+" ", s.Strong, text)
}

func (s *sheet) badge(g group) string {
	icon, color := s.Severity(g.Severity)
	return color(" " + icon + " " + strings.ToUpper(string(g.Severity)) + " ")
}

func (s *sheet) headline(g group) string {
	ports := distinct(g, (*Result).PortText)
	return fmt.Sprintf("%s: %s of %s from %s", g.title(), strings.Join(s.few(ports, fewPorts), " "), report.Sanitize(g.Asset), report.Sanitize(g.Zone))
}

// matrix shows an asset; ports that are closed as they should be are counted.
func (s *sheet) matrix(b block) {
	s.Line("")
	var addresses []string
	for _, a := range b.Addresses {
		addresses = append(addresses, a.String())
	}
	s.Heading(report.Sanitize(b.Asset), addresses...)
	var rows []row
	quiet := map[State][]string{}
	flood := b.alike(Exposed) > fewAlike
	for _, r := range b.Rows {
		state, ok := r.quiet()
		if !ok && flood && r.all(Exposed) {
			state, ok = Exposed, true
		}
		if ok && !s.Verbose() {
			quiet[state] = append(quiet[state], r.text())
		} else {
			rows = append(rows, r)
		}
	}
	hidden := 0
	if len(rows) > fewRows+1 && !s.Verbose() {
		rows, hidden = chosen(rows)
	}
	s.table(b.Zones, rows)
	if hidden > 0 {
		s.Para(2, s.Faint, fmt.Sprintf("%s and %s with --verbose", s.More, counted(hidden, "more row")))
	}
	for _, state := range []State{Bypassed, Exposed, Unmeasured, Closed, Silent} {
		if list := quiet[state]; len(list) > 0 {
			s.Hanging(2, s.stateText(state)+"  ", s.Faint, "from every zone: "+compact(list))
		}
	}
}

// chosen are the worst rows, in their order.
func chosen(rows []row) ([]row, int) {
	by := slices.Clone(rows)
	slices.SortStableFunc(by, func(a, b row) int { return b.worst().rank() - a.worst().rank() })
	least := by[fewRows-1].worst().rank()
	var out []row
	for _, r := range rows {
		if len(out) < fewRows && r.worst().rank() >= least {
			out = append(out, r)
		}
	}
	return out, len(rows) - len(out)
}

// compact names ports by transport: "tcp 21, 23; udp 69".
func compact(list []string) string {
	var order []string
	by := map[string][]string{}
	for _, text := range list {
		transport, port, _ := strings.Cut(text, "/")
		if by[transport] == nil {
			order = append(order, transport)
		}
		by[transport] = append(by[transport], port)
	}
	parts := make([]string, len(order))
	for i, t := range order {
		parts[i] = strings.TrimSpace(t + " " + strings.Join(by[t], ", "))
	}
	return strings.Join(parts, "; ")
}

func (s *sheet) table(zones []string, rows []row) {
	if len(rows) == 0 {
		return
	}
	widths := make([]int, len(zones)+1)
	widths[0] = len("port")
	for i, z := range zones {
		widths[i+1] = ansi.StringWidth(report.Sanitize(z))
	}
	total := 0
	for _, r := range rows {
		widths[0] = max(widths[0], len(r.text()))
		for i, c := range r.Cells {
			widths[i+1] = max(widths[i+1], ansi.StringWidth(s.cellWords(c)))
		}
	}
	for _, w := range widths {
		total += w + 2
	}
	if total > s.Width() {
		s.narrow(zones, rows, widths[0])
		return
	}
	head := []string{pad("port", widths[0])}
	for i, z := range zones {
		head = append(head, pad(report.Sanitize(z), widths[i+1]))
	}
	s.Line(s.Faint("  " + strings.TrimRight(strings.Join(head, "  "), " ")))
	for _, r := range rows {
		line := []string{"  ", s.Strong(pad(r.text(), widths[0]))}
		for i, c := range r.Cells {
			gap := strings.Repeat(" ", widths[i+1]-ansi.StringWidth(s.cellWords(c)))
			if i == len(r.Cells)-1 {
				gap = ""
			}
			line = append(line, "  ", s.cell(c), gap)
		}
		s.Line(line...)
	}
}

// narrow writes each row with the zones behind one another.
func (s *sheet) narrow(zones []string, rows []row, width int) {
	for _, r := range rows {
		var items []string
		for i, c := range r.Cells {
			items = append(items, s.Faint(report.Sanitize(zones[i]))+" "+s.cell(c))
		}
		s.Flow(2, s.Strong(pad(r.text(), width))+"  ", items)
	}
}

func (s *sheet) cellWords(c cell) string {
	return strings.TrimSpace(s.Pick(c.State.icon()) + " " + c.State.word() + " " + c.Who)
}

func (s *sheet) cell(c cell) string {
	text := c.State.color(s.Signs)(strings.TrimSpace(s.Pick(c.State.icon()) + " " + c.State.word()))
	if c.Who != "" {
		text += " " + s.Faint(c.Who)
	}
	return text
}

func (s *sheet) stateText(x State) string {
	return x.color(s.Signs)(s.Pick(x.icon()) + " " + x.word())
}

// legend explains the words that stand in the matrices, the worst first.
func (s *sheet) legend(blocks []block) {
	used := map[State]bool{}
	for _, b := range blocks {
		for _, r := range b.Rows {
			for _, c := range r.Cells {
				used[c.State] = true
			}
		}
	}
	s.Line("")
	all := states()
	slices.Reverse(all)
	for _, x := range all {
		if used[x] {
			words := s.Pick(x.icon()) + " " + x.word()
			s.Hanging(2, s.stateText(x)+strings.Repeat(" ", max(14-ansi.StringWidth(words), 1)), s.Faint, x.meaning(s.doc.Kind))
		}
	}
}

// differences shows where the policy and what was found part, the worst first.
func (s *sheet) differences() {
	list := groups(s.doc)
	if len(list) == 0 {
		return
	}
	s.Line("")
	s.Heading("Differences")
	for i, g := range list {
		if i == fewGroups && !s.Verbose() {
			s.Line("")
			s.Para(2, s.Faint, fmt.Sprintf("%s and %s with --verbose", s.More, counted(len(list)-i, "more difference")))
			return
		}
		s.difference(g)
	}
}

func (s *sheet) difference(g group) {
	s.Line("")
	s.Hanging(1, s.badge(g)+" ", s.Strong, s.headline(g))
	s.Field("Expected", report.Uncoloured, fmt.Sprintf("%s: %s", g.Policy, report.Sanitize(g.Rule)))
	s.Field("Found", g.State.color(s.Signs), report.Sanitize(g.Found))
	addresses := distinct(g, func(r *Result) string { return r.Address.String() })
	sources := distinct(g, func(r *Result) string { return r.Source.String() })
	s.Field("Packet", report.Uncoloured, strings.Join(s.few(sources, 4), ", ")+" "+s.Arrow+" "+strings.Join(s.few(addresses, 4), ", "))
	if g.Audited != "" {
		s.Field("Ruleset", report.Uncoloured, "the audit says "+string(g.Audited))
	}
	s.lines(g.Why)
	if g.Remark != "" {
		s.Field("Note", s.Warn, report.Sanitize(g.Remark))
	}
}

// lines shows the rules that decided, the last of them surely.
func (s *sheet) lines(rules []analyze.Line) {
	if n := len(rules); n > fewLines && !s.Verbose() {
		rules = rules[n-fewLines:]
	}
	label := "Decided"
	for _, r := range rules {
		where := report.Sanitize(r.File)
		if r.Line > 0 {
			where += ":" + strconv.Itoa(r.Line)
		}
		s.Field(label, s.Signs.Code, where+"  "+report.Sanitize(strings.TrimSpace(r.Rule)))
		label = ""
	}
}

func (s *sheet) few(items []string, n int) []string {
	if s.Verbose() || len(items) <= n+1 {
		return items
	}
	return append(slices.Clip(items[:n]), fmt.Sprintf("+%d more", len(items)-n))
}

func (s *sheet) notes() {
	if len(s.doc.Notes) == 0 {
		return
	}
	s.Line("")
	s.Heading("Notes")
	for _, text := range s.few(s.doc.Notes, fewNotes) {
		s.Hanging(2, s.Warn(s.Ask)+" ", report.Uncoloured, report.Sanitize(text))
	}
}

// result is the sum, and what the exit code will say.
func (s *sheet) result() {
	s.Line("")
	s.Heading("Result")
	addresses, zones := map[netip.Addr]bool{}, map[string]bool{}
	for i := range s.doc.Results {
		addresses[s.doc.Results[i].Address], zones[s.doc.Results[i].Zone] = true, true
	}
	facts := []string{counted(len(addresses), "address") + "", counted(len(zones), "zone"), counted(len(s.doc.Results), "question")}
	if s.doc.Packets > 0 {
		facts = append(facts, counted(s.doc.Packets, "packet and conversation"))
	}
	facts = append(facts, fmt.Sprintf("%.1f s", s.doc.Seconds))
	s.Para(2, report.Uncoloured, strings.Join(facts, " "+s.Dot+" "))
	var parts []string
	all := states()
	slices.Reverse(all)
	for _, x := range all {
		if n := s.doc.Count(x); n > 0 {
			parts = append(parts, x.color(s.Signs)(s.Pick(x.icon())+" "+strconv.Itoa(n)+" "+x.word()))
		}
	}
	if len(parts) > 0 {
		s.Flow(2, "", parts)
	}
	color, text := s.Good, "what was found is what the policy says"
	switch s.opts.ExitCode {
	case 0:
	case 1:
		color, text = s.Bad, counted(len(s.doc.Differences()), "difference")+" between the policy and what was found"
	default:
		color, text = s.Warn, "something could not be measured"
		if len(s.doc.Untried) > 0 {
			text = "nobody could send from " + report.Sanitize(strings.Join(s.doc.Untried, ", ")) + ": nothing is known of that side"
		}
	}
	s.Hanging(2, color("exit "+strconv.Itoa(s.opts.ExitCode))+"  ", s.Faint, text)
}

func counted(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "ss"):
		return fmt.Sprintf("%d %ses", n, what)
	case what == "packet and conversation":
		return fmt.Sprintf("%d packets and conversations", n)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-ansi.StringWidth(text), 0))
}
