package report

import (
	"os"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"
	"golang.org/x/term"
)

// Detect finds how a report can be shown on f: width, colours, and whether
// only ASCII is safe. getenv is os.Getenv, or a test's. It honours COLUMNS,
// NO_COLOR (any value but the empty one, https://no-color.org), CLICOLOR_FORCE,
// TERM=dumb and the locale; a file or a pipe gets no colours.
func Detect(f *os.File, getenv func(string) string) Options {
	opts := Options{ASCII: asciiLocale(getenv)}
	tty := IsTerminal(f)
	if tty {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			opts.Width = w
		}
	}
	if w, err := strconv.Atoi(getenv("COLUMNS")); err == nil && w > 0 {
		opts.Width = w
	}
	force := getenv("CLICOLOR_FORCE")
	switch {
	case getenv("NO_COLOR") != "":
	case force != "" && force != "0":
		opts.Color = true
	default:
		opts.Color = tty && getenv("TERM") != "dumb"
	}
	if tty && opts.Color {
		lipgloss.EnableLegacyWindowsANSI(f)
	}
	return opts
}

// IsTerminal reports whether f is a terminal; a nil f is none.
func IsTerminal(f *os.File) bool {
	return f != nil && term.IsTerminal(int(f.Fd()))
}

// asciiLocale reports whether the locale names a character set other than
// UTF-8. An unset locale says nothing, and UTF-8 is then the better guess.
func asciiLocale(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		v := strings.ToUpper(getenv(name))
		if v == "" {
			continue
		}
		if v == "C" || v == "POSIX" {
			return true
		}
		return strings.Contains(v, ".") && !strings.Contains(v, "UTF-8") && !strings.Contains(v, "UTF8")
	}
	return false
}
