package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestHelpFits: at every width no line of a help text is longer than the
// terminal, nothing is cut, and no markup of the texts shows.
func TestHelpFits(t *testing.T) {
	for _, width := range []int{60, 80, 100, 120} {
		for _, cmd := range newRootCommand().Commands() {
			before := words(cmd.Long + " " + cmd.Example)
			fit(cmd, width)
			if after := words(cmd.Long + " " + cmd.Example); cmd.Name() != "completion" && before != after {
				t.Errorf("%s at %d: other words:\n%s\n%s", cmd.Name(), width, before, after)
			}
			key := widestKey(cmd)
			check := func(what, text string, room int) {
				for line := range strings.Lines(text) {
					if n := ansi.StringWidth(strings.TrimRight(line, "\n")); n > room || strings.ContainsAny(line, "`…") {
						t.Errorf("%s at %d, %s: %d columns of %d: %q", cmd.Name(), width, what, n, room, line)
					}
				}
			}
			check("text", cmd.Long, width-2*textIndent)
			check("example", cmd.Example, width-blockIndent)
			cmd.Flags().VisitAll(func(f *pflag.Flag) {
				if f.DefValue != "" {
					t.Errorf("%s at %d: fang would add %q behind the text of --%s", cmd.Name(), width, f.DefValue, f.Name)
				}
				check("--"+f.Name, f.Usage, max(width-flagIndent-key, leastColumn))
			})
		}
	}
}

func widestKey(cmd *cobra.Command) int {
	n := 8
	cmd.Flags().VisitAll(func(f *pflag.Flag) { n = max(n, len(flagKey(f))) })
	return n + 2
}

func words(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "\\\n", " ")), " ")
}

// TestHelpAsShown: what fang makes of the texts, at its width for what is no
// terminal, fits that width and is whole; the root's fits 80 columns.
func TestHelpAsShown(t *testing.T) {
	for name, most := range map[string]int{"": 80, "assess": 120, "scan": 120, "checks": 120, "collector": 120, "completion": 120} {
		args := strings.Fields(name + " --help")
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr); code != exitClean || stderr.Len() > 0 {
			t.Errorf("%s: exit code %d, %s", args, code, &stderr)
		}
		for line := range strings.Lines(stdout.String()) {
			if line = strings.TrimRight(line, " \n"); ansi.StringWidth(line) > most || strings.ContainsAny(line, "`…") {
				t.Errorf("%s: %d columns: %q", args, ansi.StringWidth(line), line)
			}
		}
		if name == "completion" {
			continue
		}
		for _, want := range []string{"EXAMPLES", "FLAGS", fmt.Sprintf("reconshield %s", name)} {
			if !strings.Contains(stdout.String(), want) {
				t.Errorf("%s: no %q", args, want)
			}
		}
	}
}
