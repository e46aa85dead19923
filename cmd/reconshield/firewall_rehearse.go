package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/report"
	"reconshield/internal/report/rehearsal"
)

type firewallRehearseFlags struct {
	app                       app.RehearseOptions
	at, format, output, color string
	verbose                   bool
}

func newFirewallRehearseCommand() *cobra.Command {
	var f firewallRehearseFlags
	cmd := &cobra.Command{
		Use:   "rehearse RULESET ...",
		Short: "Load a ruleset into a kernel of its own and try it from every zone",
		Long: `It builds the host and the zones of the policy as network namespaces, loads the
ruleset there with the real tools, listens on the policy's ports and a sample of
others, and tries each of them from every zone over TCP and UDP, IPv4 and IPv6:
by single packets, by conversations, and by a scan. Then it tells where that is
not what the policy says, with the rule that decided.

The rules of this machine are never read or touched, and nothing is left behind.
No privileges are needed where the system lets users make namespaces.

A RULESET is a file, or - for standard input, with the output of nft list ruleset
(text or JSON), a script for nft, or the output of iptables-save, ip6tables-save
or ipset save. Several files are of one and the same host.

` + rehearseExitHelp,
		Example: `reconshield firewall rehearse rules.nft --policy policy.yaml
reconshield firewall rehearse rules.v4 rules.v6 --policy policy.yaml --host ns1
reconshield firewall recommend --policy policy.yaml --asset ns1 --for nftables | reconshield firewall rehearse - --policy policy.yaml
reconshield firewall rehearse rules.nft --policy policy.yaml --ports 1-1024 --format junit -o rehearsal.xml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.app.Rulesets = args
			return runFirewallRehearse(cmd, f)
		},
	}
	o, flags := &f.app, cmd.Flags()
	flags.StringVar(&o.Policy, "policy", "", "compare with the exposure policy in `FILE`")
	flags.StringVar(&o.Host, "host", "", "the `ASSET` of the policy that the ruleset is for (default its only one, or its gateway)")
	flags.StringSliceVar(&o.Assets, "asset", nil, "only try packets to these `ASSETS` (default the host and, of a gateway, all behind it)")
	flags.StringVar(&o.Ports, "ports", "", "also try these `PORTS`, such as 1-1024 or U:5353,T:8080")
	flags.DurationVar(&o.Timeout, "timeout", app.DefaultRehearsal, "give up after this `TIME`")
	flags.BoolVar(&o.NoScan, "no-scan", false, "single packets and conversations only, no scan from the zones")
	flags.StringVar(&f.at, "at", "", "as of this `DATE`, such as 2027-03-31: exceptions end (default today)")
	flags.StringVar(&f.format, "format", "text", "the form of the report: text, json, html, junit or sarif")
	flags.StringVarP(&f.output, "output", "o", "", "write the report to `FILE`")
	flags.StringVar(&f.color, "color", "auto", "colours: auto, always or never")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "all ports and differences")
	return cmd
}

const rehearseExitHelp = `Exit codes:
  0  the ruleset does what the policy says
  1  there is a difference
  2  the command line, the policy or a ruleset cannot be used
  3  this machine cannot rehearse, nobody could send from a zone, interrupted, or
     the report could not be written`

func runFirewallRehearse(cmd *cobra.Command, f firewallRehearseFlags) error {
	switch {
	case len(f.app.Rulesets) == 0:
		return errors.New("name a ruleset, such as the output of nft list ruleset, or - for standard input")
	case f.app.Policy == "":
		return errors.New("--policy: name the policy that the ruleset is compared with")
	case f.app.Timeout <= 0:
		return fmt.Errorf("--timeout %s: longer than nothing, such as 2m", f.app.Timeout)
	}
	day, err := parseDay(f.at)
	if err != nil {
		return err
	}
	f.app.At, f.app.Stdin = day, cmd.InOrStdin()
	sheet := comparisonSheet{format: f.format, output: f.output, color: f.color, verbose: f.verbose}
	return sheet.write(cmd, func() (*rehearsal.Document, error) {
		screen, ok := cmd.ErrOrStderr().(*os.File)
		progress := progressOn(cmd.ErrOrStderr(), !ok || !report.IsTerminal(screen)) // it takes a second or two
		defer progress.Close()
		progress.Stage("rehearsing", 0)
		return app.RehearseFirewall(cmd.Context(), f.app)
	})
}

// comparisonSheet is how a rehearsal or a verification is shown.
type comparisonSheet struct {
	format, output, color string
	verbose               bool
	unknown               bool // what could not be measured is told by the exit code
}

// write checks how the report is wanted, makes it, writes it, and gives the
// exit code.
func (s comparisonSheet) write(cmd *cobra.Command, do func() (*rehearsal.Document, error)) error {
	format, err := rehearsal.ParseFormat(s.format)
	if err != nil {
		return fmt.Errorf("--format: %w", err)
	}
	if err := colorError(s.color); err != nil {
		return err
	}
	out, err := openOutput(cmd.OutOrStdout(), "--output", s.output)
	if err != nil {
		return err
	}
	defer out.abandon()
	doc, err := do()
	if err != nil {
		return policyFailure(cmd, err)
	}
	code := exitClean
	switch {
	case len(doc.Differences()) > 0:
		code = exitFindings
	case len(doc.Untried) > 0, s.unknown && doc.Count(rehearsal.Unmeasured) > 0:
		code = exitUnmeasured
	}
	opts := rehearsal.Options{Options: appearance(out.w, s.color), Tool: "reconshield " + version()}
	opts.Verbose, opts.ExitCode = s.verbose, code
	if err := cmp.Or(rehearsal.Write(out.w, format, doc, opts), out.commit()); err != nil {
		return &app.FailureError{Err: err}
	}
	if code != exitClean {
		return &exitError{code: code}
	}
	return nil
}
