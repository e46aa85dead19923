package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds what Sanitize returns, in bytes.
const maxText = 4096

// maxMarks is how many combining marks may follow one character; more only
// serve to paint over neighbouring lines.
const maxMarks = 2

// Sanitize makes text from the network harmless and visible on one line: C0
// and C1 controls, escape, delete, newlines, bidirectional and invisible
// characters and invalid UTF-8 become \n, \x1b or \u202e; stacked combining
// marks too. At most 4096 bytes are returned; what is left out is counted at
// the end. Backslashes are kept, so that a second pass changes nothing.
func Sanitize(s string) string {
	return sanitize(s, maxText)
}

func sanitize(s string, limit int) string {
	const tail = len("…(+9223372036854775807 bytes)")
	if len(s) <= limit && harmless(s) {
		return s
	}
	var b strings.Builder
	marks := maxMarks // a leading mark would join what stands before the text
	cut := -1
	keep := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		b.WriteString(visible(r, s[i:i+size], marks > maxMarks))
		i += size
		if b.Len() <= limit-tail {
			keep, cut = b.Len(), i
		}
		if b.Len() > limit {
			return fmt.Sprintf("%s…(+%d bytes)", b.String()[:keep], len(s)-max(cut, 0))
		}
	}
	return b.String()
}

// harmless is the fast path: printable ASCII only.
func harmless(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func visible(r rune, raw string, mark bool) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0])
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case !mark && unicode.IsPrint(r):
		return raw
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r > 0xffff:
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// configLines splits configuration into lines, each sanitised, without
// trailing blanks and without blank lines around. Tabs become four spaces:
// the indentation of configuration is kept, nothing else that is invisible.
func configLines(s string) []string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\t", "    ")
	lines := strings.Split(strings.Trim(s, "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(Sanitize(line), " ")
	}
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines
}
