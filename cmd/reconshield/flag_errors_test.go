package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestWrongValues: whatever flag has a value of its kind only, a wrong one gets
// one line which names the flag and the value and not how they were parsed.
func TestWrongValues(t *testing.T) {
	tested := 0
	for _, cmd := range newRootCommand().Commands() {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			wrong := `x"y`
			switch kind := f.Value.Type(); {
			case kind == "string", f.Name == "help":
				return
			case kind == "stringSlice":
				wrong = `a"b`
			}
			tested++
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), []string{cmd.Name(), "--" + f.Name + "=" + wrong}, strings.NewReader(""), &stdout, &stderr)
			line := stderr.String()
			start := fmt.Sprintf("reconshield: --%s %q: ", f.Name, wrong)
			if code != exitUsage || stdout.Len() > 0 || strings.Count(line, "\n") != 1 || len(line) < len(start)+len("a number") || !strings.HasPrefix(line, start) {
				t.Errorf("%s --%s: exit code %d, %q, %q", cmd.Name(), f.Name, code, &stdout, line)
			}
			for _, word := range []string{"strconv", "parse", "parsing", "syntax", "invalid argument", "missing unit"} {
				if strings.Contains(line, word) {
					t.Errorf("%s --%s speaks of %q: %s", cmd.Name(), f.Name, word, line)
				}
			}
		})
	}
	const least = 25
	if tested < least {
		t.Errorf("only %d flags were tested", tested)
	}
}
