package ruleset

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/firewall/analyze"
	"reconshield/internal/report"
)

// findings shows what is wrong, the worst first.
func (s *sheet) findings() {
	list := groups(s.doc)
	if len(list) == 0 {
		return
	}
	s.blank()
	s.Heading("Findings")
	rest := map[analyze.FindingID]int{}
	for i, g := range list {
		if i < fewFindings || s.Verbose() {
			s.finding(g)
			continue
		}
		rest[g.ID] += max(len(g.places), 1)
	}
	if len(rest) == 0 {
		return
	}
	var parts []string
	for id, n := range rest {
		parts = append(parts, fmt.Sprintf("%d %s (%s)", n, id, lowered(kind(id))))
	}
	slices.Sort(parts)
	s.blank()
	s.Para(2, s.Faint, fmt.Sprintf("%s and with --verbose: %s", s.More, strings.Join(parts, ", ")))
}

func (s *sheet) finding(g group) {
	s.blank()
	icon, color := s.Severity(g.Severity)
	badge := color(" " + icon + " " + strings.ToUpper(string(g.Severity)) + " ")
	s.Hanging(1, badge+" "+s.Strong(string(g.ID))+"  ", s.Strong, report.Sanitize(g.title()))
	s.Para(bodyIndent, report.Uncoloured, report.Sanitize(g.Summary))
	if len(g.places) > 1 {
		var addresses []string
		for _, a := range g.addresses() {
			addresses = append(addresses, addressText(a))
		}
		s.Field("In all", report.Uncoloured, report.Sanitize(strings.Join(g.where(), "; ")+" "+s.Arrow+" "+strings.Join(s.few(addresses, 6), ", ")))
	}
	s.lines(ruleLabel(g.ID), g.Rules)
	s.witness(g.Witness)
	if g.Fix != "" {
		s.Field("Fix", s.Good, report.Sanitize(g.Fix))
	}
}

// ruleLabel says what the rules of a finding are to it.
func ruleLabel(id analyze.FindingID) string {
	switch id {
	case analyze.Contradicted, analyze.Redundant, analyze.BySourcePort:
		return "Rules"
	case analyze.NotRead:
		return "Text"
	case analyze.Exposed, analyze.MaybeExposed, analyze.Starved, analyze.OnlyIPv6:
	}
	return "Decided"
}

// unparsed shows what was not understood, which makes everything undecided.
func (s *sheet) unparsed() {
	list := s.doc.Unparsed
	if len(list) == 0 {
		return
	}
	s.blank()
	s.Heading("Not understood")
	for i, u := range list {
		if i == fewLines && !s.Verbose() && len(list) > fewLines+1 {
			s.Para(2, s.Faint, fmt.Sprintf("%s and %s with --verbose", s.More, counted(len(list)-i, "more part")))
			return
		}
		s.Hanging(2, s.Warn(s.Ask)+" ", s.Strong, position(analyze.Line{File: u.File, Line: u.Line}))
		s.Code(bodyIndent, report.ConfigLines(report.Sanitize(u.Text)))
		s.Para(bodyIndent, report.Uncoloured, report.Sanitize(u.Why))
	}
}

// assumed shows what was taken for granted.
func (s *sheet) assumed() {
	if len(s.doc.Assumed) == 0 {
		return
	}
	s.blank()
	s.Heading("Taken for granted")
	for _, text := range s.few(s.doc.Assumed, fewLines) {
		s.Hanging(2, s.Warn(s.Ask)+" ", report.Uncoloured, report.Sanitize(text))
	}
}

// changes shows where the ruleset differs from the one before.
func (s *sheet) changes() {
	if s.doc.Changes == nil {
		return
	}
	s.blank()
	s.Heading("Changes", counted(len(s.doc.Changes), "port")+" or ranges of them answered differently than before")
	if len(s.doc.Changes) == 0 {
		s.Para(2, s.Good, s.Tick+" none: both rulesets let the same in")
		return
	}
	list := changes(s.doc.Changes)
	for i, g := range list {
		if i == fewRows && !s.Verbose() && len(list) > fewRows+1 {
			s.Para(2, s.Faint, fmt.Sprintf("%s and %s with --verbose", s.More, counted(len(list)-i, "more change")))
			return
		}
		s.change(g)
	}
}

func (s *sheet) change(g changeGroup) {
	head := fmt.Sprintf("%s of %s (%s) from %s", strings.Join(shortened(g.Ports), " "), report.Sanitize(g.Asset), addressText(g.Address), report.Sanitize(g.Zone))
	s.Para(2, s.Strong, head)
	s.Line(strings.Repeat(" ", bodyIndent), s.side(g.Before), " "+s.Arrow+" ", s.side(g.After))
	if rule, ok := telling(g.After); ok {
		s.lines("Now by", []analyze.Line{rule})
	}
}

func (s *sheet) side(x analyze.Side) string {
	color := s.Good
	switch x.Verdict {
	case analyze.Blocked:
	case analyze.Reachable:
		color = s.Bad
	case analyze.Undecided:
		color = s.Warn
	}
	return color(strings.TrimSpace(string(x.Verdict) + " " + sideWho(x)))
}

// result is the sum, and what the exit code will say.
func (s *sheet) result(blocks []block) {
	s.blank()
	s.Heading("Result")
	n := map[state]int{}
	for _, a := range s.judged {
		n[a.State]++
	}
	assets := map[string]bool{}
	for _, b := range blocks {
		assets[b.Asset] = true
	}
	s.Para(2, report.Uncoloured, strings.Join([]string{
		counted(len(assets)+len(s.doc.silent()), "asset"), counted(len(s.doc.Answers), "answer"), counted(len(s.doc.Findings), "finding"),
	}, " "+s.Dot+" "))
	var parts []string
	all := states()
	slices.Reverse(all)
	for _, x := range all {
		if n[x] > 0 {
			parts = append(parts, x.color(s.Signs)(s.Pick(x.icon())+" "+strconv.Itoa(n[x])+" "+x.word()))
		}
	}
	if len(parts) > 0 {
		s.Flow(2, s.Faint("answers: "), parts)
	}
	if len(s.doc.Findings) > 0 {
		s.Flow(2, s.Faint("findings: "), s.Tally(counts(s.doc.Findings, report.Severities())))
	}
	s.exit()
}

// exitMeaning explains the exit code in one sentence.
func exitMeaning(opts Options) string {
	const notUnderstood = 3
	if opts.ExitCode == notUnderstood {
		return "not everything was understood; what is undecided proves nothing"
	}
	return report.ExitMeaning(opts.ExitCode, opts.FailOn)
}

func (s *sheet) exit() {
	if s.opts.FailOn == "" {
		return
	}
	color := s.Good
	if s.opts.ExitCode != 0 {
		color = s.Bad
	}
	head := "exit " + strconv.Itoa(s.opts.ExitCode)
	s.Hanging(2, color(head)+"  ", s.Faint, exitMeaning(s.opts))
}
