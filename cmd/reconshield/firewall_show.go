package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/recommend"
	"reconshield/internal/report"
)

// The JSON of a recommendation.
type (
	configDocument struct {
		Schema   string       `json:"schema"`
		Format   string       `json:"format"`
		Files    []configFile `json:"files"`
		Check    []configStep `json:"check"`
		Apply    []configStep `json:"apply"`
		Rollback []configStep `json:"rollback"`
		Verify   []configStep `json:"verify"`
		Notes    []string     `json:"notes"`
	}
	configFile struct {
		Name string `json:"name"`
		Text string `json:"text"`
	}
	configStep struct {
		Text    string `json:"text"`
		Command string `json:"command,omitempty"`
	}
)

func configJSON(c firewall.Config) configDocument {
	doc := configDocument{
		Schema: "reconshield.recommendation/1", Format: c.Format, Files: []configFile{}, Notes: append([]string{}, c.Notes...),
		Check: jsonSteps(c.Check), Apply: jsonSteps(c.Apply), Rollback: jsonSteps(c.Rollback), Verify: jsonSteps(c.Verify),
	}
	for _, f := range c.Files {
		doc.Files = append(doc.Files, configFile(f))
	}
	return doc
}

func jsonSteps(steps []firewall.Step) []configStep {
	out := []configStep{}
	for _, s := range steps {
		out = append(out, configStep(s))
	}
	return out
}

// showConfig writes a configuration for people: its files, the cautions, and
// what to do with it. Lines of files and commands are never wrapped, so that
// they can be copied.
func showConfig(w io.Writer, c firewall.Config, opts report.Options, whole bool) error {
	s := report.NewSheet(w, opts)
	for i, f := range c.Files {
		if i > 0 {
			s.Line("")
		}
		s.Heading(report.Sanitize(f.Name), c.Format)
		showFile(s, f)
	}
	if whole || len(c.Files) > 0 {
		s.Line("")
	}
	if len(c.Notes) > 0 {
		s.Heading("Mind")
		for _, text := range c.Notes {
			s.Hanging(2, s.Warn(s.Alert)+" ", report.Uncoloured, report.Sanitize(text))
		}
		s.Line("")
	}
	for i, part := range []struct {
		title string
		steps []firewall.Step
	}{{"Check", c.Check}, {"Apply", c.Apply}, {"Take back", c.Rollback}, {"Verify", c.Verify}} {
		if len(part.steps) == 0 {
			continue
		}
		if i > 0 {
			s.Line("")
		}
		s.Heading(part.title)
		for n, step := range part.steps {
			s.Hanging(2, s.Strong(fmt.Sprintf("%d ", n+1)), report.Uncoloured, report.Sanitize(step.Text))
			s.Code(6, report.ConfigLines(step.Command))
		}
	}
	return s.Err()
}

// showFile writes a file with its comments behind what they speak of.
func showFile(s *report.Sheet, f firewall.File) {
	for _, line := range report.ConfigLines(f.Text) {
		color := s.Signs.Code
		for _, mark := range []string{"#", "!", "//", "/*", "<!--", "REM "} {
			if strings.HasPrefix(strings.TrimSpace(line), mark) && !strings.HasPrefix(line, "#!") {
				color = s.Faint
			}
		}
		s.Line(color(line))
	}
}

func newFirewallFormatsCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "formats",
		Short: "List the formats that rules are written in",
		Long:  `It lists the formats that "firewall recommend --for" takes, with their other names.`,
		Example: `reconshield firewall formats
reconshield firewall formats --format json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("firewall formats takes no argument, not %q", args[0])
			}
			return listFormats(cmd.OutOrStdout(), format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "the form: text or json")
	return cmd
}

func listFormats(w io.Writer, format string) error {
	all := recommend.Formats()
	switch format {
	case "json":
		type entry struct {
			Name    string   `json:"name"`
			Title   string   `json:"title"`
			Aliases []string `json:"aliases"`
		}
		list := []entry{}
		for _, f := range all {
			list = append(list, entry{f.Name, f.Title, append([]string{}, f.Aliases...)})
		}
		return writeIndented(w, list)
	case "text":
	default:
		return fmt.Errorf("--format %q: text or json", format)
	}
	name := 0
	for _, f := range all {
		name = max(name, len(f.Name))
	}
	s := report.NewSheet(w, appearance(w, "auto"))
	for _, f := range all {
		also := ""
		if len(f.Aliases) > 0 {
			also = s.Faint(" (also " + strings.Join(f.Aliases, ", ") + ")")
		}
		s.Hanging(0, s.Strong(fmt.Sprintf("%-*s  ", name, f.Name)), report.Uncoloured, f.Title+also)
	}
	return unwritten(s.Err())
}
