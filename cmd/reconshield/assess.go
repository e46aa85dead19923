package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

type assessFlags struct {
	app     app.Options
	format  string
	output  string
	failOn  string
	color   string
	quiet   bool
	verbose bool
}

func newAssessCommand() *cobra.Command {
	var f assessFlags
	cmd := &cobra.Command{
		Use:   "assess TARGET ...",
		Short: "Check what listens for how it can be abused",
		Long: `Measures port 53 and the ports that belong to DNS on each target, proves what
listens, runs the catalogue of checks, and prints ranked findings with their
evidence, the fix for the product found and the firewall rule that closes it.
It needs no privileges and changes nothing on a target.

A TARGET is an address, a prefix, a range (192.0.2.1-9) or a host name.

` + exitHelp,
		Example: `reconshield assess 127.0.0.1
reconshield assess ns1.example.net 192.0.2.0/28 2001:db8::53 --format json
reconshield assess 192.0.2.53 --zone example.net --check XFR-1,UPD-1
reconshield assess --targets-from mine.txt --exclude 192.0.2.7 --format sarif --output dns.sarif
reconshield assess 192.0.2.53 --collector probe.example.net
reconshield assess 192.0.2.53 --policy policy.yaml --from-zone lan`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.app.Targets = args
			return runAssess(cmd, f)
		},
	}
	f.register(cmd)
	return cmd
}

func (f *assessFlags) register(cmd *cobra.Command) {
	o, flags := &f.app, cmd.Flags()
	flags.StringSliceVar(&o.TargetFiles, "targets-from", nil, "read targets from `FILE`, one a line (- is standard input)")
	flags.StringSliceVar(&o.Exclude, "exclude", nil, "never send to these `TARGETS`")
	flags.Uint64Var(&o.MaxAddrs, "max-addresses", 0, "refuse scopes of more addresses than this `N` (default 65536)")
	flags.StringVar(&o.Ports, "ports", "dns", "ports: 53, 1-1024, T:53,U:53, dns, all, ssh")
	flags.StringVar(&o.Profile, "profile", "standard", "what the checks may send: safe, standard or intrusive")
	flags.StringSliceVar(&o.Only, "check", nil, "run only these `IDS`, opt-in ones included")
	flags.StringSliceVar(&o.Skip, "skip", nil, "do not run these `IDS`")
	flags.StringSliceVar(&o.Zones, "zone", nil, "test these `ZONES`, besides those of the target's own name and PTR")
	flags.StringVar(&o.Collector, "collector", "", "the `ZONE` that your collector serves (see reconshield collector)")
	flags.StringVar(&o.CollectorKey, "collector-key", "", "the `KEY` that the collector was started with")
	flags.BoolVar(&o.CollectorAnchored, "collector-anchored", false, "the resolvers hold the collector's key as a trust anchor (SEC-1 then needs no DS in the parent)")
	flags.StringVar(&o.StableName, "stable-name", "", "the well-known `NAME` to resolve when there is no collector (default a.root-servers.net)")
	flags.StringVar(&o.Control, "control", "", "an unused `ADDRESS` of the same network that may be asked too, to expose interception")
	flags.DurationVar(&o.Timeout, "timeout", 2*time.Second, "patience for one question, retries included")
	flags.IntVar(&o.Rate, "rate", app.DefaultRate, "at most this many `PACKETS` a second")
	flags.StringVar(&o.SourceIP, "source-ip", "", "send from this `ADDRESS`")
	flags.StringVar(&o.Interface, "interface", "", "send through this `INTERFACE` (Linux)")
	flags.StringVar(&o.Vantage, "vantage", "", "`NAME` of the place measured from, kept in the report")
	flags.StringVar(&o.Policy, "policy", "", "compare with the exposure policy in `FILE`, and recommend its firewall rules")
	flags.StringVar(&o.FromZone, "from-zone", "", "the `ZONE` of the policy in which this vantage stands (default wan)")
	flags.StringVar(&f.format, "format", "terminal", "the form of the report: terminal, json, jsonl, csv, html or sarif")
	flags.StringVarP(&f.output, "output", "o", "", "write the report to `FILE`")
	flags.StringVar(&f.failOn, "fail-on", "high", "exit 1 from this severity: critical, high, medium, low, info or none")
	flags.StringVar(&f.color, "color", "auto", "colours: auto, always or never")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress and no warnings on standard error")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "all ports, checks and evidence")
}

func runAssess(cmd *cobra.Command, f assessFlags) error {
	if err := refuseEmpty(cmd); err != nil {
		return err
	}
	format, err := report.ParseFormat(f.format)
	if err != nil {
		return fmt.Errorf("--format: %w", err)
	}
	failOn := exposure.Severity(f.failOn)
	if failOn.Rank() == 0 {
		return fmt.Errorf("--fail-on %q: critical, high, medium, low, info or none", f.failOn)
	}
	if f.color != "auto" && f.color != "always" && f.color != "never" {
		return fmt.Errorf("--color %q: auto, always or never", f.color)
	}
	if f.app.Rate < 1 { // 0 would mean the default further in
		return fmt.Errorf("--rate %d: at least 1 packet a second", f.app.Rate)
	}
	if f.app.Timeout <= 0 {
		return fmt.Errorf("--timeout %s: a positive duration such as 2s", f.app.Timeout)
	}
	f.app.Only, f.app.Skip = checkIDs(f.app.Only), checkIDs(f.app.Skip)
	if err := cmp.Or(knownChecks("--check", f.app.Only), knownChecks("--skip", f.app.Skip), readable(f.app.Ports, f.app.Exclude)); err != nil {
		return err
	}
	out, err := openOutput(cmd.OutOrStdout(), "--output", f.output)
	if err != nil {
		return err
	}
	defer out.abandon()
	f.app.Stdin, f.app.Version = cmd.InOrStdin(), version()

	a, err := assess(cmd, f)
	if err != nil {
		return policyFailure(cmd, err)
	}
	code := exitCode(a, failOn, len(f.app.Only) > 0)
	opts := appearance(out.w, f.color)
	opts.Verbose, opts.FailOn, opts.ExitCode = f.verbose, failOn, code
	if err := report.Write(out.w, format, a, opts); err != nil {
		return &app.FailureError{Err: err}
	}
	if err := out.commit(); err != nil {
		return &app.FailureError{Err: err}
	}
	if code != exitClean {
		return &exitError{code: code}
	}
	return nil
}

// refuseEmpty refuses options whose empty value would mean their default: in a
// script that is a variable which was not set, and a wider run than was meant.
func refuseEmpty(cmd *cobra.Command) error {
	for _, name := range []string{"check", "skip", "exclude", "ports", "zone", "targets-from", "collector", "policy", "from-zone"} {
		if f := cmd.Flags().Lookup(name); f.Changed && strings.Trim(f.Value.String(), "[], ") == "" {
			return fmt.Errorf("--%s is empty: give it a value or leave it out", name)
		}
	}
	if f := cmd.Flags().Lookup("max-addresses"); f.Changed && f.Value.String() == "0" {
		return errors.New("--max-addresses 0: at least 1 address")
	}
	return nil
}

// assess runs the assessment under a progress display that is gone before the
// report is written.
func assess(cmd *cobra.Command, f assessFlags) (*exposure.Assessment, error) {
	progress := progressOn(cmd.ErrOrStderr(), f.quiet)
	defer progress.Close()
	f.app.Progress = progress
	f.app.Reference = reference(cmd)
	run, err := app.New(cmd.Context(), f.app)
	if err != nil {
		return nil, err
	}
	return run.Run(cmd.Context())
}

// exitCode sums the assessment up. When checks were named and none of them
// could be carried out, what was asked could not be measured.
func exitCode(a *exposure.Assessment, failOn exposure.Severity, named bool) int {
	if worst := app.Worst(a); worst != "" && worst.Rank() >= failOn.Rank() {
		return exitFindings
	}
	if a.Partial || !app.Measured(a) || named && a.Totals.Checks[exposure.Pass]+a.Totals.Checks[exposure.Fail] == 0 {
		return exitUnmeasured
	}
	return exitClean
}

// appearance fits the report to where it goes.
func appearance(w io.Writer, color string) report.Options {
	var opts report.Options
	if f, ok := w.(*os.File); ok {
		opts = report.Detect(f, os.Getenv)
	}
	if color != "auto" {
		opts.Color = color == "always"
	}
	return opts
}

func progressOn(w io.Writer, quiet bool) report.Progress {
	if f, ok := w.(*os.File); ok {
		return report.NewProgress(f, quiet)
	}
	return report.Silent()
}

// output is standard output, or a file that appears whole or not at all.
type output struct {
	w    io.Writer
	file *os.File
	path string
}

func openOutput(stdout io.Writer, flag, path string) (*output, error) {
	if path == "" || path == "-" {
		return &output{w: stdout}, nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return openSpecial(flag, path, info)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".reconshield-*")
	if err != nil {
		if e, ok := errors.AsType[*os.PathError](err); ok {
			err = e.Err // the path in it is of a file that the user never named
		}
		return nil, fmt.Errorf("%s %s: cannot write there: %w", flag, path, err)
	}
	return &output{w: file, file: file, path: path}, nil
}

// openSpecial opens what must be written to in place: a device or a pipe.
func openSpecial(flag, path string, info os.FileInfo) (*output, error) {
	if info.IsDir() {
		return nil, fmt.Errorf("%s %s: is a directory", flag, path)
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return &output{w: file}, nil
}

func (o *output) commit() error {
	if o.file == nil {
		return nil
	}
	const ordinary = 0o644
	err := errors.Join(o.file.Chmod(ordinary), o.file.Close(), os.Rename(o.file.Name(), o.path))
	o.file = nil
	return err
}

// abandon removes an unfinished file.
func (o *output) abandon() {
	if o.file != nil {
		o.file.Close()           //nolint:errcheck // it is thrown away
		os.Remove(o.file.Name()) //nolint:errcheck // it is thrown away
	}
}

// checkIDs forgives a comma too many.
func checkIDs(ids []string) []string {
	return slices.DeleteFunc(upper(ids), func(id string) bool { return id == "" })
}

func upper(ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strings.ToUpper(strings.TrimSpace(id))
	}
	return out
}
