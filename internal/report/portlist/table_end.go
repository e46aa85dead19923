package portlist

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

// end writes what the run says of itself: what was found, how it was measured,
// and how far it can be trusted.
func (t *table) end(s Summary) error {
	if t.begun {
		t.text("")
	}
	head := t.rule + t.rule + " "
	title := "Result"
	t.text(t.faint(head) + t.strong(title) + " " +
		t.faint(strings.Repeat(t.rule, max(min(t.width, mostProse)-ansi.StringWidth(head)-len(title)-1, 2))))
	t.field("found", t.found(s), plain)
	t.field("measured", t.measured(s), plain)
	t.field("packets", t.packets(s), plain)
	color, sign, words := t.verdict(s)
	t.field("complete", sign+" "+words, color)
	if s.Partial {
		t.field("partial", t.alert+" stopped before the end; what is missing was not measured and proves nothing", t.warn)
	}
	label := "notes"
	for _, n := range s.Notes {
		t.field(label, report.Sanitize(n), plain)
		label = ""
	}
	return t.flush()
}

func plain(s string) string { return s }

// found is the verdicts by state, the telling ones first.
func (t *table) found(s Summary) string {
	var parts []string
	for _, state := range []exposure.State{
		exposure.Open, exposure.OpenFiltered, exposure.Closed, exposure.Filtered, exposure.Unmeasured,
	} {
		if n := s.States[state]; n > 0 || state == exposure.Open {
			parts = append(parts, grouped(n)+" "+string(state))
		}
	}
	if s.Undecided > 0 {
		parts = append(parts, grouped(s.Undecided)+" without a verdict")
	}
	return t.dotted(parts)
}

func (t *table) measured(s Summary) string {
	what := grouped(s.Targets) + " targets"
	if s.Targets == 1 {
		what = "1 target"
	}
	if s.Measured > 0 && s.Measured != s.Targets {
		what = grouped(s.Measured) + " of " + what
	}
	parts := []string{what}
	if s.Addresses > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s answered", grouped(s.Answered), plural(s.Addresses, "address")))
	}
	parts = append(parts, durationText(s.DurationS))
	if s.Mode != "" {
		parts = append(parts, report.Sanitize(s.Mode)+" mode")
	}
	if s.Shard != "" {
		parts = append(parts, "shard "+report.Sanitize(s.Shard))
	}
	return t.dotted(parts)
}

func (t *table) packets(s Summary) string {
	parts := []string{
		fmt.Sprintf("%s sent, %s a second", plural(s.ProbesSent, "probe"), rateText(s.RatePPS)),
		plural(s.Replies, "answer"),
	}
	if s.Retransmitted > 0 {
		parts = append(parts, grouped(s.Retransmitted)+" asked again")
	}
	if s.RingDrops > 0 {
		parts = append(parts, grouped(s.RingDrops)+" dropped on this side")
	}
	if s.Forged > 0 {
		parts = append(parts, grouped(s.Forged)+" forged or stale ones refused")
	}
	return t.dotted(parts)
}

// verdict is the completeness in plain words.
func (t *table) verdict(s Summary) (color paint, sign, words string) {
	if s.Completeness == nil {
		return t.warn, "?", "unknown: nothing answered, so loss could not be told from silence"
	}
	words = percentText(*s.Completeness) + " of answerable probes answered"
	if s.Partial {
		words = percentText(*s.Completeness) + " of what was asked until then and could be answered"
	}
	if s.Lost+s.Recovered > 0 {
		words += fmt.Sprintf("; %s lost, %s recovered by asking again", grouped(s.Lost), grouped(s.Recovered))
	}
	if *s.Completeness < s.MinCompleteness {
		return t.bad, t.cross, words + fmt.Sprintf(" %s below the %s asked for: the results are incomplete, try a lower --rate",
			t.dot, percentText(s.MinCompleteness))
	}
	switch {
	case s.Partial:
		return t.warn, t.alert, words
	case s.States[exposure.Unmeasured] > 0:
		return t.warn, t.alert, words + fmt.Sprintf("; %s could not be measured at all", plural(s.States[exposure.Unmeasured], "target"))
	}
	return t.good, t.tick, words
}

func (t *table) dotted(parts []string) string { return strings.Join(parts, " "+t.dot+" ") }

const labelWidth = 10

// field writes "  label     text", the text wrapped under itself.
func (t *table) field(label, text string, color paint) {
	const indent = 2
	width := max(min(t.width, mostProse)-indent-labelWidth, minWidth/2)
	for line := range strings.Lines(ansi.Wrap(text, width, "")) {
		pad := strings.Repeat(" ", max(labelWidth-len(label), 0))
		t.text(strings.Repeat(" ", indent) + t.faint(label) + pad + color(strings.TrimRight(line, " \n")))
		label = ""
	}
}

func (t *table) text(line string) { t.buf.WriteString(strings.TrimRight(line, " ") + "\n") }

// grouped is a number with its thousands apart: "65,536".
func grouped(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func plural(n uint64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	if strings.HasSuffix(word, "s") {
		return grouped(n) + " " + word + "es"
	}
	return grouped(n) + " " + word + "s"
}

// percentText is a share in per cent. It never rounds up to 100: only what is
// whole is called so.
func percentText(share float64) string {
	if share >= 1 {
		return "100 %"
	}
	return strconv.FormatFloat(math.Floor(max(share, 0)*10000+1e-6)/100, 'f', 2, 64) + " %"
}

// rateText is a rate in three digits: "850", "12.4 k", "1.31 M".
func rateText(pps float64) string {
	unit := ""
	switch {
	case pps >= 999_500:
		pps, unit = pps/1e6, " M"
	case pps >= 999.5:
		pps, unit = pps/1e3, " k"
	}
	digits := 0
	switch {
	case unit == "":
	case pps < 9.995:
		digits = 2
	case pps < 99.95:
		digits = 1
	}
	return strconv.FormatFloat(pps, 'f', digits, 64) + unit
}

// durationText is seconds as people say them.
func durationText(seconds float64) string {
	switch {
	case seconds < 0.0995:
		return strconv.FormatFloat(max(seconds, 0)*1000, 'f', 0, 64) + " ms"
	case seconds < 9.95:
		return strconv.FormatFloat(seconds, 'f', 2, 64) + " s"
	case seconds < 99.5:
		return strconv.FormatFloat(seconds, 'f', 1, 64) + " s"
	}
	n := int64(min(seconds, 1e15) + 0.5)
	switch {
	case n < 3600:
		return fmt.Sprintf("%d min %d s", n/60, n%60)
	case n < 48*3600:
		return fmt.Sprintf("%d h %d min", n/3600, n%3600/60)
	}
	return fmt.Sprintf("%s d %d h", grouped(uint64(n/86400)), n%86400/3600)
}
