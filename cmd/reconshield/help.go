package main

import (
	"os"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// What fang leaves of a terminal's width.
const (
	widestHelp  = 120
	mostProse   = 96 // longer lines are hard to read
	textIndent  = 2
	flagIndent  = 4
	blockIndent = 8 // around examples
	leastColumn = 24
)

// fitHelp makes every command fit its help to the terminal before it is shown:
// fang cuts examples and leaves long lines to the terminal. The root's help is
// fang's own, and is made of short lines only.
func fitHelp(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		cmd.SetHelpFunc(func(c *cobra.Command, args []string) {
			fit(c, helpWidth())
			root.HelpFunc()(c, args)
		})
	}
}

// helpWidth is the width that fang assumes.
func helpWidth() int {
	if width, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil { //nolint:gosec // a descriptor is small
		return min(width, widestHelp)
	}
	return widestHelp
}

// fit changes the texts of a command, whose help is then shown and nothing else.
func fit(c *cobra.Command, width int) {
	if c.Long == "" {
		c.Long = c.Short
	}
	c.Long = reflow(c.Long, min(width-2*textIndent, mostProse))
	c.Example = continued(c.Example, width-blockIndent)
	const keyGap, leastKey = 2, 10
	column := leastKey
	visible := func(do func(f *pflag.Flag)) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				do(f)
			}
		})
	}
	visible(func(f *pflag.Flag) { column = max(column, len(flagKey(f))+keyGap) })
	for _, sub := range c.Commands() {
		column = max(column, len(sub.Use)+len(" [--flags]")+keyGap)
	}
	room := max(width-flagIndent-column, leastColumn)
	visible(func(f *pflag.Flag) { describe(f, room) })
}

func flagKey(f *pflag.Flag) string {
	if f.Shorthand != "" {
		return "-" + f.Shorthand + " --" + f.Name
	}
	return "--" + f.Name
}

// describe wraps what a flag does, with its default, which fang would add
// behind the last line.
func describe(f *pflag.Flag, width int) {
	text := strings.ReplaceAll(f.Usage, "`", "")
	switch f.DefValue {
	case "", "false", "0", "[]":
	default:
		if !strings.Contains(text, "(default") {
			text += " (default " + f.DefValue + ")"
		}
	}
	f.Usage, f.DefValue = strings.Join(wrapped(text, width), "\n"), ""
}

// reflow joins the lines of each paragraph and wraps them anew. A line that
// begins with blanks and text begins an item; one that is indented further goes
// on with it.
func reflow(text string, width int) string {
	const item = "  "
	var out []string
	for line := range strings.Lines(text) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", item)
		last := len(out) - 1
		further := strings.HasPrefix(line, item+item)
		starts := line == "" || strings.HasPrefix(line, item) && !further
		if last < 0 || out[last] == "" || starts || !further && strings.HasPrefix(out[last], item) {
			out = append(out, line)
			continue
		}
		out[last] += " " + strings.TrimSpace(line)
	}
	for i, line := range out {
		body := strings.TrimLeft(line, " ")
		first := len(line) - len(body)
		hang := first
		if first > 0 { // under the text behind an item's mark
			if mark, rest, ok := strings.Cut(body, item); ok {
				hang += len(mark) + len(item)
				body = mark + item + strings.TrimLeft(rest, " ")
			}
		}
		out[i] = strings.Repeat(" ", first) + strings.Join(wrapped(body, width-hang), "\n"+strings.Repeat(" ", hang))
	}
	return strings.Join(out, "\n")
}

// wrapped breaks text between words only: a hyphen may be that of an option.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		switch {
		case line == "":
			line = word
		case ansi.StringWidth(line)+1+ansi.StringWidth(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// continued breaks command lines that are too long as a shell lets them be
// broken, and no option from its value.
func continued(examples string, width int) string {
	const indent, more = "  ", " \\"
	var out []string
	for line := range strings.Lines(examples) {
		text := ""
		for _, part := range optionsOf(strings.Fields(line)) {
			switch {
			case text == "":
				text = part
			case len(text)+1+len(part)+len(more) > width:
				out = append(out, text+more)
				text = indent + part
			default:
				text += " " + part
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, "\n")
}

// optionsOf joins each option with the value that follows it.
func optionsOf(words []string) []string {
	var parts []string
	for i, word := range words {
		if i > 0 && strings.HasPrefix(words[i-1], "-") && !strings.HasPrefix(word, "-") {
			parts[len(parts)-1] += " " + word
			continue
		}
		parts = append(parts, word)
	}
	return parts
}
