package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"reconshield/internal/app"
	"reconshield/internal/exposure"
	"reconshield/internal/report"
	"reconshield/internal/report/portlist"
)

type scanFlags struct {
	app        app.ScanOptions
	seed       uint64
	noDiscover bool
	complete   float64 // per cent
	format     string
	output     string
	stats      string
	progress   string
	color      string
	quiet      bool
}

// scanExitHelp is shown by the help text: open ports are no failure of a scan.
const scanExitHelp = `Exit codes:
  0  measured, whether ports are open or not
  2  the command line or its input cannot be used; nothing was sent
  3  could not be measured, incomplete (see --min-completeness), interrupted
     before the end, or the results could not be written`

func newScanCommand() *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "scan TARGET ...",
		Short: "Find the open ports of your addresses",
		Long: `Asks the ports of every target, over TCP and UDP, as fast as the answers keep
coming, and reports what is open, when it is found. Without --ports these are
the 100 TCP ports that are exposed most. What does not answer is
asked again; how much was lost is measured and said at the end.

A TARGET is an address, a prefix, a range (192.0.2.1-9) or a host name. A file
of --targets-from may also be an earlier result of this program in JSON or
JSON Lines: the addresses with something open.

PORTS are numbers and ranges (53, 1-1024), over one transport (T:80,U:53 or
53/udp), groups (dns, top20, top100, all) and services by any usual or registered
name (ssh, U:snmp, ms-wbt-server), with commas between them. A number without a
transport means TCP and UDP.

A service with a question mark is only what the port is registered for; --service
finds out what listens.

Raw mode sends packets of its own making (Linux, root or cap_net_raw). Connect
mode uses ordinary sockets and needs no privileges. Auto takes raw mode where it
can. Both give the same verdicts.

A scan with --resume FILE keeps a checkpoint there. The same command goes on
where it was when the scan was interrupted or killed.

` + scanExitHelp,
		Example: `reconshield scan 192.0.2.0/28
reconshield scan 192.0.2.7 --ports T:all --service
reconshield scan 192.0.2.0/24 2001:db8::53 --ports dns,ntp,snmp --show maybe
reconshield scan 198.51.100.0/20 --ports all --resume big.scan --format jsonl -o big.jsonl
reconshield scan --targets-from big.jsonl --exclude 198.51.100.7 --ports U:top100
reconshield scan 10.0.0.0/8 --ports 443/tcp --rate 50000 --shard 3/16`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.app.Targets = args
			return runScan(cmd, f)
		},
	}
	f.register(cmd)
	f.complement(cmd)
	return cmd
}

func (f *scanFlags) register(cmd *cobra.Command) {
	o, flags := &f.app, cmd.Flags()
	flags.SortFlags = false
	flags.StringVarP(&o.Ports, "ports", "p", app.DefaultScanPorts, "`PORTS`: 53, 1-1024, T:80,U:53, dns, top100, all, ssh")
	flags.StringSliceVar(&o.TargetFiles, "targets-from", nil, "read targets from `FILE`, one a line, or an earlier result (- is standard input)")
	flags.StringSliceVar(&o.Exclude, "exclude", nil, "never send to these `TARGETS`")
	flags.StringSliceVar(&o.ExcludeFiles, "exclude-file", nil, "never send to the targets in `FILE`")
	flags.Uint64Var(&o.MaxAddrs, "max-addresses", 0, "refuse scopes of more addresses than `N`")
	flags.BoolVar(&o.Discover, "discover", false, "look first which hosts answer, and scan only those")
	flags.BoolVar(&f.noDiscover, "no-discover", false, "scan every address, whether it answers or not (the default)")
	flags.StringVar(&o.Show, "show", "open", "which verdicts to give: open, maybe (and open|filtered) or all")
	flags.BoolVar(&o.Prove, "prove", false, "talk to open TCP ports, and label tarpits and those behind which nothing proves to listen")
	flags.BoolVar(&o.Service, "service", false, "find what listens on every open port, UDP too (implies --prove)")

	flags.StringVarP(&f.format, "format", "f", "table", "the form of the results: table, jsonl, json, csv, xml or sqlite")
	flags.StringVarP(&f.output, "output", "o", "", "write the results to `FILE` (- is standard output)")
	flags.StringVar(&f.stats, "stats", "", "also write the summary to `FILE`, as JSON")
	flags.StringVar(&f.progress, "progress", "auto", "progress on standard error: auto, bar, plain, json or none")
	flags.StringVar(&f.color, "color", "auto", "colours: auto, always or never")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress and no notes on standard error")
	flags.StringVar(&o.Vantage, "vantage", "", "`NAME` of the place measured from, kept in the results")

	flags.StringVar(&o.Mode, "mode", "auto", "how to send: auto, raw or connect")
	flags.Float64Var(&o.Rate, "rate", 0, "at most this many `PACKETS` a second (default: as fast as answers keep coming)")
	flags.Float64Var(&o.PerHost, "max-rate-per-host", 0, "at most this many `PACKETS` a second to one address")
	flags.Float64Var(&o.PerNet, "max-rate-per-network", 0, "at most this many `PACKETS` a second to one /24 (IPv6: /64)")
	flags.IntVar(&o.Retries, "retries", -1, "ask what is silent `N` times more (default: as often as answers are being lost)")
	flags.Float64Var(&f.complete, "min-completeness", 99, "exit 3 when fewer than this `PERCENT` of the answers were heard")
	flags.StringVar(&o.Interface, "interface", "", "send through this `INTERFACE` (Linux)")
	flags.StringVar(&o.SourceIP, "source-ip", "", "send from this `ADDRESS`")
	flags.StringVar(&o.GatewayMAC, "gateway-mac", "", "raw mode: send every frame to this hardware `ADDRESS`")

	flags.StringVar(&o.Shard, "shard", "", "scan only part `I/N` of the targets, such as 3/16; all parts must have one seed")
	flags.Uint64Var(&f.seed, "seed", 0, fmt.Sprintf("`NUMBER` that decides the order (default: a random one; %d with --shard)", app.ShardSeed))
	flags.StringVar(&o.Resume, "resume", "", "keep a checkpoint in `FILE`, and go on from what it holds")
}

// complement tells the shell what the flags take.
func (f *scanFlags) complement(cmd *cobra.Command) {
	formats := make([]string, 0, len(portlist.Formats()))
	for _, format := range portlist.Formats() {
		formats = append(formats, string(format))
	}
	for flag, words := range map[string][]string{
		"mode": app.ScanModes(), "show": app.ScanShows(), "format": formats, "progress": portlist.ProgressModes(),
		"color": {"auto", "always", "never"}, "ports": {"top20", "top100", "dns", "all", "T:all", "U:top100"},
	} {
		// It fails only for a flag that is not there, or twice.
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}

func runScan(cmd *cobra.Command, f scanFlags) error {
	format, err := f.check(cmd)
	if err != nil {
		return err
	}
	stats, err := openStats(f.stats)
	if err != nil {
		return err
	}
	defer stats.abandon()
	f.app.Atlas = registry(cmd)
	s, err := app.NewScan(cmd.Context(), f.app)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // what matters was reported before

	progress, err := portlist.NewProgress(cmd.ErrOrStderr(), f.progress)
	if err != nil {
		return fmt.Errorf("--progress: %w", err)
	}
	defer progress.Close()
	out, err := f.open(cmd.OutOrStdout(), format, s, progress)
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // End has told
	f.note(cmd.ErrOrStderr(), progress, s.Notes())
	// What cannot be written is told by End.
	show, done := f.staged(progress.Update)
	sum, failed := s.Run(cmd.Context(), func(o exposure.Observation) { _ = out.Port(o) }, show)
	if failed == nil && !sum.Partial {
		done()
	}
	progress.Close()
	written := out.End(sum)
	if closed := out.Close(); written == nil { // else it says the same
		written = closed
	}
	err = errors.Join(failed, written, stats.write(sum))
	return scanResult(sum, failed != nil && cmd.Context().Err() != nil, err)
}

// staged tells with each state how much of the run is behind when its phase
// ends; done shows that nothing is left, also where there was nothing to prove.
func (f *scanFlags) staged(update func(portlist.ProgressState)) (show func(portlist.ProgressState), done func()) {
	const found, asked = 0.1, 0.9
	var last portlist.ProgressState
	show = func(s portlist.ProgressState) {
		switch {
		case strings.HasPrefix(s.Phase, "discovery"):
			s.Until = found
		case strings.HasPrefix(s.Phase, "ports") && (f.app.Prove || f.app.Service) && s.Found > 0:
			s.Until = asked
		}
		last = s
		update(s)
	}
	return show, func() {
		if last.Until > 0 && last.Targets > 0 {
			last.Until, last.Done, last.ETA, last.Limit = 0, last.Targets, 0, ""
			update(last)
		}
	}
}

// note says beforehand what there is to say.
func (f *scanFlags) note(stderr io.Writer, progress portlist.Progress, notes []string) {
	for _, note := range notes {
		switch {
		case f.quiet:
		case f.progress == "none":
			_, _ = fmt.Fprintf(stderr, "note: %s\n", report.Sanitize(note))
		default:
			progress.Note("note: " + note)
		}
	}
}

// check validates what only concerns the output.
func (f *scanFlags) check(cmd *cobra.Command) (portlist.Format, error) {
	flags := cmd.Flags()
	for _, name := range []string{
		"ports", "targets-from", "exclude", "exclude-file", "shard", "resume", "stats",
		"source-ip", "interface", "gateway-mac", "mode", "show",
	} {
		if flag := flags.Lookup(name); flag.Changed && strings.Trim(flag.Value.String(), "[], ") == "" {
			return "", fmt.Errorf("--%s is empty: give it a value or leave it out", name)
		}
	}
	if err := distinct(namedFile{"--output", f.output}, namedFile{"--stats", f.stats}, namedFile{"--resume", f.app.Resume}); err != nil {
		return "", err
	}
	if err := f.checkValues(flags); err != nil {
		return "", err
	}
	if flags.Changed("seed") {
		f.app.Seed = &f.seed
	}
	if f.quiet && !flags.Changed("progress") {
		f.progress = "none"
	}
	if !slices.Contains(portlist.ProgressModes(), f.progress) {
		return "", fmt.Errorf("--progress %q: use one of %s", f.progress, strings.Join(portlist.ProgressModes(), ", "))
	}
	f.app.MinCompleteness = f.complete / 100 //nolint:mnd // per cent
	f.app.Stdin, f.app.Version = cmd.InOrStdin(), version()
	format, err := portlist.ParseFormat(f.format)
	if err != nil {
		return "", fmt.Errorf("--format: %w", err)
	}
	if format == portlist.SQLite && (f.output == "" || f.output == "-") {
		return "", errors.New("--format sqlite writes a file: name it with --output")
	}
	return format, nil
}

// checkValues validates values that would be misread further in, or complained
// of without the name of their flag.
func (f *scanFlags) checkValues(flags *pflag.FlagSet) error {
	switch {
	case flags.Changed("max-addresses") && f.app.MaxAddrs == 0:
		return errors.New("--max-addresses 0: at least 1 address")
	case f.app.Retries < -1:
		return fmt.Errorf("--retries %d: %s", f.app.Retries, allowed(flags.Lookup("retries")))
	case !(f.complete >= 0 && f.complete <= 100): // NaN is neither
		return fmt.Errorf("--min-completeness %v: %s", f.complete, allowed(flags.Lookup("min-completeness")))
	case f.app.Discover && f.noDiscover:
		return errors.New("--discover and --no-discover contradict each other: give one of them")
	case f.color != "auto" && f.color != "always" && f.color != "never":
		return fmt.Errorf("--color %q: auto, always or never", f.color)
	}
	return readable(f.app.Ports, f.app.Exclude)
}

// open opens the output. A table on the terminal that shows the progress stands
// above it.
func (f *scanFlags) open(stdout io.Writer, format portlist.Format, s *app.Scan, progress portlist.Progress) (portlist.Writer, error) {
	opts := portlist.Options{Args: os.Args}
	s.Describe(&opts)
	if f.output != "" && f.output != "-" {
		out, err := portlist.Open(format, f.output, opts)
		if err != nil {
			return nil, fmt.Errorf("--output: %w", err)
		}
		return out, nil
	}
	look := appearance(stdout, f.color)
	opts.Width, opts.Color, opts.ASCII = look.Width, look.Color, look.ASCII
	if file, ok := stdout.(*os.File); ok && report.IsTerminal(file) {
		stdout = progress.Above(file)
	}
	return portlist.New(format, stdout, opts)
}

// scanResult turns the end of a scan into its exit code, and says why it is
// not 0.
func scanResult(sum portlist.Summary, interrupted bool, err error) error {
	switch {
	case interrupted:
		return &exitError{code: exitUnmeasured, err: errors.New("interrupted: the results are part of what was asked for")}
	case err != nil:
		return &exitError{code: exitUnmeasured, err: err}
	case sum.Completeness != nil && *sum.Completeness < sum.MinCompleteness:
		return &exitError{code: exitUnmeasured, err: fmt.Errorf(
			"incomplete: an estimated %.2f %% of the answers were heard, fewer than --min-completeness %g",
			*sum.Completeness*100, sum.MinCompleteness*100)} //nolint:mnd // per cent
	case sum.Partial:
		return &exitError{code: exitUnmeasured, err: errors.New("stopped before the end: " + strings.Join(sum.Notes, "; "))}
	}
	return nil
}

// statsFile is the file of --stats; nil writes nothing.
type statsFile struct{ *output }

// openStats makes sure that the summary can be written when it is there.
func openStats(path string) (statsFile, error) {
	if path == "" {
		return statsFile{&output{}}, nil
	}
	if path == "-" {
		return statsFile{}, errors.New("--stats -: name a file; the summary is part of the results anyway")
	}
	out, err := openOutput(nil, "--stats", path)
	return statsFile{out}, err
}

func (f statsFile) write(sum portlist.Summary) error {
	if f.w == nil {
		return nil
	}
	if _, err := f.w.Write(append(sum.MarshalLine(), '\n')); err != nil {
		return fmt.Errorf("--stats: %w", err)
	}
	if err := f.commit(); err != nil {
		return fmt.Errorf("--stats: %w", err)
	}
	return nil
}
