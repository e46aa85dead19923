package portlist

import (
	"charm.land/lipgloss/v2"

	"reconshield/internal/exposure"
)

// paint gives text a colour; without colours it gives the text back.
type paint func(string) string

// style holds the colours and signs of a table. Only the sixteen colours that
// follow the reader's own palette are used.
type style struct {
	strong, faint, good, bad, warn, accent, loud paint

	rule, dot, tick, cross, alert, more string

	color, ascii bool
}

func newStyle(color, ascii bool) style {
	s := style{rule: "─", dot: "·", tick: "✓", cross: "✗", alert: "▲", more: "…", color: color, ascii: ascii}
	if ascii {
		s.rule, s.dot, s.tick, s.cross, s.alert, s.more = "-", "|", "+", "x", "!", "..."
	}
	with := func(l lipgloss.Style) paint {
		if !color {
			return func(text string) string { return text }
		}
		return func(text string) string { return l.Render(text) }
	}
	base := lipgloss.NewStyle().TabWidth(lipgloss.NoTabConversion)
	s.strong = with(base.Bold(true))
	s.faint = with(base.Faint(true))
	s.good = with(base.Foreground(lipgloss.Green))
	s.bad = with(base.Bold(true).Foreground(lipgloss.Red))
	s.warn = with(base.Foreground(lipgloss.Yellow))
	s.accent = with(base.Foreground(lipgloss.Cyan))
	s.loud = with(base.Foreground(lipgloss.Black).Background(lipgloss.Yellow))
	return s
}

// state is the sign and the colour of a port's state.
func (s style) state(state exposure.State) (sign string, color paint) {
	sign, color, ascii := "?", s.warn, "?"
	switch state {
	case exposure.Open:
		sign, color, ascii = "●", s.strong, "*"
	case exposure.OpenFiltered:
		sign, color, ascii = "◐", s.warn, "~"
	case exposure.Filtered:
		sign, color, ascii = "◌", s.faint, "="
	case exposure.Closed:
		sign, color, ascii = "○", s.faint, "o"
	case exposure.Unmeasured:
	}
	if s.ascii {
		return ascii, color
	}
	return sign, color
}
