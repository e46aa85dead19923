package report

import (
	"charm.land/lipgloss/v2"

	"reconshield/internal/exposure"
)

// paint gives text a colour; without colours it gives the text back.
type paint func(string) string

// theme holds the colours and signs of the terminal report. Only the sixteen
// colours that follow the reader's own palette are used.
type theme struct {
	Title, Strong, Faint, Good, Bad, Warn, Low, Accent, Code paint
	Critical, Loud                                           paint

	Rule, Arrow, Dot, Tick, Cross, Alert, Ask, More string
	color, ascii                                    bool
}

func newTheme(opts Options) theme {
	t := theme{
		Rule: "─", Arrow: "→", Dot: "·", Tick: "✓", Cross: "✗", Alert: "▲", Ask: "?", More: "…",
		color: opts.Color, ascii: opts.ASCII,
	}
	if opts.ASCII {
		t.Rule, t.Arrow, t.Dot, t.Tick, t.Cross, t.Alert, t.More = "-", "->", "|", "+", "x", "!", "..."
	}
	style := lipgloss.NewStyle
	t.Title = t.with(style().Bold(true))
	t.Strong = t.with(style().Bold(true))
	t.Faint = t.with(style().Faint(true))
	t.Good = t.with(style().Foreground(lipgloss.Green))
	t.Bad = t.with(style().Bold(true).Foreground(lipgloss.Red))
	t.Warn = t.with(style().Foreground(lipgloss.Yellow))
	t.Low = t.with(style().Foreground(lipgloss.Cyan))
	t.Accent = t.with(style().Bold(true).Foreground(lipgloss.Blue))
	t.Code = t.with(style().Foreground(lipgloss.Green))
	t.Critical = t.with(style().Bold(true).Foreground(lipgloss.BrightWhite).Background(lipgloss.Red))
	t.Loud = t.with(style().Foreground(lipgloss.Black).Background(lipgloss.Yellow))
	return t
}

func (t theme) with(s lipgloss.Style) paint {
	if !t.color {
		return func(text string) string { return text }
	}
	s = s.TabWidth(lipgloss.NoTabConversion)
	return func(text string) string {
		if text == "" {
			return ""
		}
		return s.Render(text)
	}
}

// severity is the icon, the word and the colour of a severity.
func (t theme) severity(s exposure.Severity) (icon string, color paint) {
	switch s {
	case exposure.Critical:
		return t.pick("✖", "X"), t.Critical
	case exposure.HighSev:
		return t.pick("▲", "!"), t.Bad
	case exposure.MediumSev:
		return t.pick("◆", "*"), t.Warn
	case exposure.LowSev:
		return t.pick("●", "o"), t.Low
	case exposure.Info, exposure.NoSeverity:
	}
	return t.pick("○", "."), t.Faint
}

// state is the icon and the colour of a port's state.
func (t theme) state(s exposure.State) (icon string, color paint) {
	switch s {
	case exposure.Open:
		return t.pick("●", "*"), t.Strong
	case exposure.OpenFiltered:
		return t.pick("◐", "~"), t.Warn
	case exposure.Filtered:
		return t.pick("◌", "="), t.Faint
	case exposure.Closed:
		return t.pick("○", "o"), t.Faint
	case exposure.Unmeasured:
	}
	return "?", t.Warn
}

func (t theme) pick(sign, ascii string) string {
	if t.ascii {
		return ascii
	}
	return sign
}
