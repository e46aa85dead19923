package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/feeds"
	"reconshield/internal/report"
)

type intelUpdateFlags struct {
	intelPlace
	sources []string
	from    string
	urls    []string
	proxy   string
	timeout time.Duration
	force   bool
	quiet   bool
}

func newIntelUpdateCommand() *cobra.Command {
	var f intelUpdateFlags
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Bring the public feeds up to date",
		Long: `It fetches the public feeds over HTTPS, as far as they changed, reads them, and
puts them beside the data that came with the program:

  kev: CISA's known exploited vulnerabilities
  epss: FIRST's probabilities of exploitation
  nvd: the DNS servers in NIST's vulnerability database
  iana: the registry of ports
  attack: the names of MITRE ATT&CK

A feed that cannot be fetched, that is damaged, or that lost more than half of
its records changes nothing, and the others go on. The NVD is asked slowly, as
it wants it, for some two minutes; with a key in $NVD_API_KEY it is quicker.

With --from nothing is fetched: the files of the feeds are taken from a
directory, under the names that they have where they are published
(known_exploited_vulnerabilities.json, epss*.csv or .csv.gz, nvd*.json,
service-names-port-numbers.csv, enterprise-attack*.json).

Exit codes: 0 all is well, 1 a feed failed, 2 the command line cannot be used.`,
		Example: `reconshield intel update
reconshield intel update --source kev,epss
reconshield intel update --from /media/usb/feeds
reconshield intel update --proxy http://proxy.example.net:3128
reconshield intel update --url kev=https://mirror.example.net/kev.json --source kev`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runIntelUpdate(cmd.Context(), f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringSliceVar(&f.sources, "source", nil, "only these `SOURCES`: kev, epss, nvd, iana, attack (default all)")
	flags.StringVar(&f.from, "from", "", "take the files of the feeds from `DIRECTORY` and fetch nothing")
	flags.StringArrayVar(&f.urls, "url", nil, "fetch a source elsewhere: `SOURCE=URL`, https only")
	flags.StringVar(&f.proxy, "proxy", "", "fetch through the proxy at `URL` (default as $HTTPS_PROXY says)")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long one request may take, such as 90s")
	_ = flags.SetAnnotation("timeout", allowedValues, []string{timeoutRange}) // fails only for a flag that is not there
	flags.BoolVar(&f.force, "force", false, "take a feed even if it lost more than half of its records")
	flags.BoolVar(&f.quiet, "quiet", false, "show no progress")
	return cmd
}

const timeoutRange = "a time with its unit, from 1s to 1h, such as 90s"

// options turn flags into those of the update.
func (f *intelUpdateFlags) options() (feeds.Options, error) {
	o := feeds.Options{
		Dir: f.dir, From: f.from, URLs: map[string]string{}, Proxy: f.proxy, Timeout: f.timeout, Force: f.force,
		APIKey: os.Getenv("NVD_API_KEY"),
	}
	if err := f.check(); err != nil {
		return o, err
	}
	if f.timeout < time.Second || f.timeout > time.Hour {
		return o, fmt.Errorf("--timeout %q: %s", f.timeout, timeoutRange)
	}
	if strings.ContainsFunc(o.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return o, errors.New("$NVD_API_KEY holds characters that no key has")
	}
	for _, name := range f.sources {
		o.Sources = append(o.Sources, strings.ToLower(strings.TrimSpace(name)))
	}
	for _, text := range f.urls {
		source, at, ok := strings.Cut(text, "=")
		if u, err := url.Parse(at); !ok || err != nil || u.Scheme == "" || u.Host == "" {
			return o, fmt.Errorf("--url %q: write SOURCE=URL, such as kev=https://mirror.example.net/kev.json", text)
		}
		o.URLs[source] = at
	}
	if f.from != "" && (len(f.urls) > 0 || f.proxy != "") {
		return o, errors.New("--from fetches nothing: leave --url and --proxy out")
	}
	if o.Dir == "" {
		dir, err := app.IntelDir()
		if err != nil {
			return o, err
		}
		o.Dir = dir
	}
	var err error
	o.Dir, err = filepath.Abs(o.Dir)
	return o, err
}

func runIntelUpdate(ctx context.Context, f intelUpdateFlags, stdout, stderr io.Writer) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	show := newUpdateProgress(stderr, f.quiet)
	o.Progress = show.step
	outcomes, err := feeds.Update(ctx, o)
	show.end()
	if err != nil {
		if _, ok := errors.AsType[*feeds.StoreError](err); ok {
			return &exitError{exitFindings, err}
		}
		return err
	}
	failed := 0
	for _, one := range outcomes {
		if one.Err != nil {
			failed++
			_, _ = fmt.Fprintf(stderr, "reconshield: %s\n", report.Sanitize(oneLine(one.Err)))
		}
	}
	if f.format == "json" {
		err = indented(stdout, updateReport(o.Dir, outcomes))
	} else {
		err = writeUpdate(stdout, o.Dir, outcomes)
	}
	switch {
	case err != nil:
		return &exitError{exitUnmeasured, err}
	case failed > 0:
		return &exitError{code: exitFindings}
	}
	return nil
}

// updateResult is the JSON form of an update.
type updateResult struct {
	Dir     string         `json:"dir"`
	Sources []sourceResult `json:"sources"`
}

type sourceResult struct {
	Source  string       `json:"source"`
	Status  feeds.Status `json:"status"`
	Records int          `json:"records"`
	Date    string       `json:"date"`
	Error   string       `json:"error,omitempty"`
}

func updateReport(dir string, outcomes []feeds.Outcome) updateResult {
	out := updateResult{Dir: dir, Sources: []sourceResult{}}
	for _, o := range outcomes {
		r := sourceResult{Source: o.Source, Status: o.Status, Records: o.Records, Date: o.Date}
		if o.Err != nil {
			r.Error = report.Sanitize(oneLine(o.Err))
		}
		out.Sources = append(out.Sources, r)
	}
	return out
}

func writeUpdate(w io.Writer, dir string, outcomes []feeds.Outcome) error {
	t := grid{head: []string{"SOURCE", "RESULT", "RECORDS", "DATE"}, right: "RECORDS"}
	for _, o := range outcomes {
		records, date := "-", "-"
		if o.Records > 0 {
			records = fmt.Sprint(o.Records)
		}
		if o.Date != "" {
			date = o.Date
		}
		t.add(o.Source, result(o), records, date)
	}
	if err := t.write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nkept in %s\n", report.Sanitize(dir))
	return err
}

func result(o feeds.Outcome) string {
	switch {
	case o.Status == feeds.Absent:
		return "no file"
	case o.Status == feeds.Failed && o.Records > 0:
		return "failed: the last update stays"
	case o.Status == feeds.Failed:
		return "failed"
	}
	return string(o.Status)
}

// updateProgress shows what an update does: in one line that changes on a
// terminal, in a line for each step elsewhere.
type updateProgress struct {
	w     io.Writer
	bar   bool
	quiet bool
	last  string
	shown int64
}

func newUpdateProgress(w io.Writer, quiet bool) *updateProgress {
	f, ok := w.(*os.File)
	return &updateProgress{w: w, quiet: quiet, bar: ok && report.IsTerminal(f) && os.Getenv("TERM") != "dumb"}
}

const clearLine = "\r\x1b[K"

func (p *updateProgress) step(s feeds.Progress) {
	const often, mega = 1 << 20, 1e6
	text := report.Sanitize(s.Source + ": " + s.Doing)
	changed := text != p.last
	switch {
	case p.quiet, !changed && (!p.bar || s.Bytes-p.shown < often):
		return
	case !p.bar:
		_, _ = fmt.Fprintln(p.w, text)
	default:
		p.shown = s.Bytes
		if s.Size > 0 {
			text += fmt.Sprintf("  %.1f of %.1f MB", float64(s.Bytes)/mega, float64(s.Size)/mega)
		} else if s.Bytes > 0 {
			text += fmt.Sprintf("  %.1f MB", float64(s.Bytes)/mega)
		}
		_, _ = io.WriteString(p.w, clearLine+ansi.Truncate(text, widthOf(p.w)-1, "…"))
	}
	if changed {
		p.last, p.shown = report.Sanitize(s.Source+": "+s.Doing), s.Bytes
	}
}

func (p *updateProgress) end() {
	if p.bar && p.last != "" {
		_, _ = io.WriteString(p.w, clearLine)
	}
}
