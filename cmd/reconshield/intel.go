package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/intel"
	"reconshield/internal/report"
)

func newIntelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "intel",
		Short: "Ask or update what is known of threats",
		Long: `The program carries what is known of the vulnerabilities of DNS servers, of
those that are exploited, of registered ports and of malicious software on
ports. "status" shows how old each part is, "update" brings those of public
feeds up to date, and "match" gives the vulnerabilities of one version.`,
		Example: `reconshield intel status
reconshield intel update
reconshield intel match "BIND 9.16.50"`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("intel: name what to do: status, update or match")
		},
	}
	cmd.AddCommand(newIntelStatusCommand(), newIntelUpdateCommand(), newIntelMatchCommand())
	return cmd
}

// intelPlace are the flags that every intel command has.
type intelPlace struct{ dir, format string }

func (p *intelPlace) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.dir, "dir", "", "the `DIRECTORY` of the updated feeds (default $XDG_DATA_HOME/reconshield/intel, or where the system keeps such data)")
	cmd.Flags().StringVar(&p.format, "format", "text", "the form: text or json")
}

func (p *intelPlace) check() error {
	if p.format != "text" && p.format != "json" {
		return fmt.Errorf("--format %q: text or json", p.format)
	}
	return nil
}

func newIntelStatusCommand() *cobra.Command {
	var place intelPlace
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how old each source is",
		Long: `It lists each source with the date of its data and their age, whether they are
those that came with the program or those of an update, how many records there
are and under which licence. Data of more than 30 days are marked as stale.
Nothing is sent anywhere.`,
		Example: "reconshield intel status\nreconshield intel status --format json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := place.check(); err != nil {
				return err
			}
			known := app.OpenIntel(place.dir)
			sources := known.Status(time.Now())
			warn(cmd.ErrOrStderr(), known)
			if place.format == "json" {
				return indented(cmd.OutOrStdout(), sources)
			}
			return writeStatus(cmd.OutOrStdout(), sources)
		},
	}
	place.add(cmd)
	return cmd
}

// warn writes what of the stored feeds could not be used.
func warn(w io.Writer, known *app.Intel) {
	for _, text := range known.Warnings() {
		_, _ = fmt.Fprintf(w, "reconshield: warning: %s\n", report.Sanitize(text))
	}
}

func indented(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(value)
}

func writeStatus(w io.Writer, sources []app.IntelSource) error {
	t := grid{head: []string{"SOURCE", "DATE", "AGE", "ORIGIN", "RECORDS", "LICENCE", "TITLE"}, right: "AGE RECORDS"}
	var notes []string
	stale := false
	for i := range sources {
		s := &sources[i]
		age := "-"
		if s.AgeDays != nil {
			age = fmt.Sprintf("%d d", *s.AgeDays)
		}
		if s.Stale {
			age, stale = age+" !", true
		} else {
			age += "  "
		}
		t.add(s.Source, cmp.Or(s.Date, "-"), age, s.Origin, fmt.Sprint(s.Records), s.Licence, s.Title)
		if s.Note != "" {
			notes = append(notes, s.Source+": "+s.Note)
		}
	}
	if err := t.write(w); err != nil {
		return err
	}
	if stale {
		notes = append(notes, fmt.Sprintf("!  stale, more than %d days old; reconshield intel update refreshes all but malware", app.IntelStale))
	}
	if len(notes) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s\n", report.Sanitize(notes[0]))
	for _, note := range notes[1:] {
		if err == nil {
			_, err = fmt.Fprintln(w, report.Sanitize(note))
		}
	}
	return err
}

type intelMatchFlags struct {
	intelPlace
	product, version string
}

func newIntelMatchCommand() *cobra.Command {
	var f intelMatchFlags
	cmd := &cobra.Command{
		Use:   "match [TEXT]",
		Short: "List the known vulnerabilities of a version",
		Long: `It lists the vulnerabilities whose affected releases hold the version, the
worst first. The version may be what a server answers to version.bind. That of a
distribution's package is told by its suffix: the distribution may have carried
fixes back, so its tracker decides, and no match is certain.

An empty list means that no vulnerability is known here, not that there is
none. Nothing is sent anywhere.`,
		Example: `reconshield intel match "BIND 9.16.50"
reconshield intel match 9.18.19-1~deb12u1-Debian
reconshield intel match --product bind --version 9.16.50-S1 --format json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runIntelMatch(cmd, strings.Join(args, " "), f)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.product, "product", "", "the `PRODUCT`, such as bind, unbound or dnsmasq")
	cmd.Flags().StringVar(&f.version, "version", "", "its `VERSION`, such as 9.16.50-S1")
	return cmd
}

func runIntelMatch(cmd *cobra.Command, text string, f intelMatchFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	named := f.product != "" || f.version != ""
	switch {
	case named && strings.TrimSpace(text) != "":
		return errors.New(`intel match: give a text such as "BIND 9.16.50", or --product and --version, not both`)
	case named && (f.product == "" || f.version == ""):
		return errors.New("intel match: --product and --version are needed together")
	case !named && strings.TrimSpace(text) == "":
		return errors.New(`intel match: name a product and its version, such as "BIND 9.16.50"`)
	}
	known := app.OpenIntel(f.dir)
	table := known.Table()
	warn(cmd.ErrOrStderr(), known)
	var found intel.Matches
	var err error
	if named {
		found, err = table.Match(f.product, f.version)
	} else {
		found, err = table.MatchText(text)
	}
	if err != nil {
		return fmt.Errorf("intel match: %w", err)
	}
	if f.format == "json" {
		return indented(cmd.OutOrStdout(), found)
	}
	return writeMatches(cmd.OutOrStdout(), &found)
}

func writeMatches(w io.Writer, found *intel.Matches) error {
	built := ""
	if found.Builder != "" {
		built = ", built by " + found.Builder
	}
	count := "no known vulnerability"
	switch n := len(found.Matches); {
	case n == 1:
		count = "1 known vulnerability"
	case n > 1:
		count = fmt.Sprintf("%d known vulnerabilities", n)
	}
	name := strings.TrimSuffix(found.Product.Name(), " 9") // BIND 9 9.18 would be one too many
	lines := []string{fmt.Sprintf("%s %s%s: %s", name, found.Version, built, count)}
	if found.Note != "" {
		lines = append(lines, "Note: "+found.Note)
	}
	lines = append(lines, "Data: "+found.Table)
	for _, line := range lines {
		for _, part := range wrapped(report.Sanitize(line), min(widthOf(w), mostProse)) {
			if _, err := fmt.Fprintln(w, part); err != nil {
				return err
			}
		}
	}
	if len(found.Matches) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	t := grid{head: []string{"CVE", "SEVERITY", "CVSS", "EPSS", "KEV", "FIXED IN", "SURE", "TITLE"}, right: "CVSS EPSS"}
	for i := range found.Matches {
		m := &found.Matches[i]
		cvss, epss, kev := "-", "-", "-"
		if m.CVSS != nil {
			cvss = fmt.Sprintf("%.1f", *m.CVSS)
		}
		if m.EPSS != nil {
			epss = fmt.Sprintf("%.1f%%", *m.EPSS*100) //nolint:mnd // percent
		}
		if m.KEV {
			kev = "yes"
		}
		t.add(m.CVE, string(m.Severity), cvss, epss, kev, cmp.Or(strings.Join(m.FixedIn, ", "), "-"), string(m.Confidence), m.Title)
	}
	return t.write(w)
}
