package report_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"reconshield/internal/report"
)

func TestSanitize(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "BIND 9.18.24", "BIND 9.18.24"},
		{"empty", "", ""},
		{"letters of any script", "naïve 例え 🛡", "naïve 例え 🛡"},
		{"escape", "\x1b[31m", `\x1b[31m`},
		{"bell and delete", "\a\x7f", `\x07\x7f`},
		{"C1 as a character", "\u009b31m", `\x9b31m`},
		{"C1 as a byte", "\x9b31m", `\x9b31m`},
		{"newlines", "a\r\nb\tc", `a\r\nb\tc`},
		{"line separators", "\u2028\u2029", `\u2028\u2029`},
		{"bidirectional", "\u202egnp\u2066x", `\u202egnp\u2066x`},
		{"zero width", "a\u200bb\ufeff", `a\u200bb\ufeff`},
		{"tag characters", "\U000e0041", `\U000e0041`},
		{"no-break space", "a\u00a0b", `a\xa0b`},
		{"not UTF-8", "\xff\xc3", `\xff\xc3`},
		{"combining mark in front", "\u0301x", `\u0301x`},
		{"stacked marks", "e\u0301\u0302\u0303\u0304", "e\u0301\u0302" + `\u0303\u0304`},
		{"backslash stays", `\x1b`, `\x1b`},
		{"nul", "\x00", `\x00`},
	} {
		if got := report.Sanitize(c.in); got != c.want {
			t.Errorf("%s: Sanitize(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

func TestSanitizeBoundsItsResult(t *testing.T) {
	for _, in := range []string{
		strings.Repeat("a", 1<<20), strings.Repeat("\x1b", 1<<20), strings.Repeat("例", 1<<20), strings.Repeat("\U000e0041", 5000),
	} {
		got := report.Sanitize(in)
		if len(got) > 4096 {
			t.Errorf("%d bytes of %q came back", len(got), got[:8])
		}
		if !strings.HasSuffix(got, " bytes)") {
			t.Errorf("the cut does not show: %q", got[len(got)-20:])
		}
	}
	if got := report.Sanitize(strings.Repeat("a", 4096)); len(got) != 4096 || strings.Contains(got, "bytes") {
		t.Error("text that fits is cut")
	}
}

func FuzzSanitize(f *testing.F) {
	for _, s := range []string{"", hostile, "\x1b]8;;http://x\x1b\\", strings.Repeat("\u0301", 10), strings.Repeat("\xff", 3000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := report.Sanitize(s)
		if len(got) > 4096 || !utf8.ValidString(got) {
			t.Fatalf("%d bytes, valid %v", len(got), utf8.ValidString(got))
		}
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("%U got through", r)
			}
		}
		if again := report.Sanitize(got); again != got {
			t.Fatalf("a second pass changes %q to %q", got, again)
		}
	})
}
