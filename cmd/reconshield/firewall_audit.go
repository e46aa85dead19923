package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/exposure"
	"reconshield/internal/report/ruleset"
)

type firewallAuditFlags struct {
	app                       app.AuditOptions
	at, format, output, color string
	failOn                    string
	verbose                   bool
}

func newFirewallAuditCommand() *cobra.Command {
	var f firewallAuditFlags
	cmd := &cobra.Command{
		Use:   "audit RULESET ...",
		Short: "Tell exactly what a ruleset lets in",
		Long: `It reads the ruleset of a host or of a cloud network and tells for every port who
can start a conversation with it from each zone, by which rules, with a packet that
shows it, and where that departs from the policy. What cannot be known from the
ruleset is called undecided, with the rule responsible; nothing is passed over.

A RULESET is a file, or - for standard input, with the output of:
  iptables-save, ip6tables-save and ipset save (give all that there are)
  nft -j list ruleset, or nft list ruleset
  aws ec2 describe-security-groups, describe-network-acls
  az network nsg show
  gcloud compute firewall-rules list --format=json
  terraform show -json
  show running-config of Cisco ASA and IOS
  show configuration of Juniper SRX, also with | display set
  show (the whole configuration) of FortiGate
  ip -j address and ip -j route, which tell more of the host
Several files are of one and the same host or network.

` + auditExitHelp,
		Example: `reconshield firewall audit rules.v4 rules.v6 --policy policy.yaml
reconshield firewall audit rules.nft --policy policy.yaml --query "from wan to udp/53"
nft -j list ruleset | reconshield firewall audit - --local --zone wan=eth0 --zone lan=eth1=10.0.0.0/16
reconshield firewall audit new.nft --diff old.nft --policy policy.yaml
reconshield firewall audit groups.json --group sg-0123 --policy policy.yaml --format sarif -o audit.sarif`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.app.Rulesets = args
			return runFirewallAudit(cmd, f)
		},
	}
	f.register(cmd)
	return cmd
}

const auditExitHelp = `Exit codes:
  0  nothing at or above --fail-on was found
  1  findings at or above --fail-on
  2  the command line, the policy or a ruleset cannot be used
  3  a part of a ruleset was not understood, so that nothing is decided;
     interrupted before the end; or the report could not be written`

func (f *firewallAuditFlags) register(cmd *cobra.Command) {
	o, flags := &f.app, cmd.Flags()
	flags.StringVar(&o.Policy, "policy", "", "compare with the exposure policy in `FILE`")
	flags.StringVar(&o.Host, "host", "", "the `ASSET` of the policy that the ruleset was saved on (default found out)")
	flags.StringVar(&o.Query, "query", "", "ask only this `QUESTION`: \"from wan to udp/53\", \"from 192.0.2.0/24 to ns1 tcp/22\"")
	flags.BoolVar(&o.Local, "local", false, "no policy: ask about the host that the ruleset was saved on; everything counts as denied")
	flags.StringArrayVar(&o.Zones, "zone", nil, "with --local, a `ZONE` as NAME=INTERFACE or NAME=INTERFACE=PREFIX; may be repeated")
	flags.StringSliceVar(&o.Groups, "group", nil, "the `GROUPS`, lists or networks of a cloud that stand before the asset (default all)")
	flags.StringSliceVar(&o.Before, "diff", nil, "also tell what changed since the ruleset in these `FILES`")
	flags.StringVar(&f.at, "at", "", "as of this `DATE`, such as 2027-03-31: exceptions end (default today)")
	flags.StringVar(&f.format, "format", "text", "the form of the report: text, json, html, sarif or junit")
	flags.StringVarP(&f.output, "output", "o", "", "write the report to `FILE`")
	flags.StringVar(&f.failOn, "fail-on", "high", "exit 1 from this severity: critical, high, medium, low, info or none")
	flags.StringVar(&f.color, "color", "auto", "colours: auto, always or never")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "all ports, answers, rules and findings")
}

// check refuses what does not go together.
func (f *firewallAuditFlags) check(cmd *cobra.Command) error {
	o := f.app
	switch {
	case len(o.Rulesets) == 0:
		return errors.New("name a ruleset, such as the output of nft -j list ruleset, or - for standard input")
	case o.Local && o.Policy != "":
		return errors.New("--local is for a host without a policy; leave out one of --local and --policy (--host names the asset of a policy)")
	case !o.Local && o.Policy == "":
		return errors.New("give --policy FILE, or --local to ask about the host that the ruleset was saved on")
	case o.Local && o.Host != "":
		return errors.New("--host names an asset of a policy, and --local has none; leave out one of them")
	case !o.Local && len(o.Zones) > 0:
		return errors.New("--zone goes with --local; the zones of a policy stand in its file")
	}
	for _, name := range []string{"query", "diff", "group", "policy", "host"} {
		if flag := cmd.Flags().Lookup(name); flag.Changed && (flag.Value.String() == "" || flag.Value.String() == "[]") {
			return fmt.Errorf("--%s is empty: give it a value or leave it out", name)
		}
	}
	return colorError(f.color)
}

func runFirewallAudit(cmd *cobra.Command, f firewallAuditFlags) error {
	format, err := ruleset.ParseFormat(f.format)
	if err != nil {
		return fmt.Errorf("--format: %w", err)
	}
	failOn, err := parseFailOn(f.failOn)
	if err = cmp.Or(err, f.check(cmd)); err != nil {
		return err
	}
	if f.app.Before != nil && (format == ruleset.SARIF || format == ruleset.JUnit) {
		return fmt.Errorf("--diff is not told by --format %s; take text, json or html", format)
	}
	if f.app.At, err = parseDay(f.at); err != nil {
		return err
	}
	f.app.Stdin = cmd.InOrStdin()
	out, err := openOutput(cmd.OutOrStdout(), "--output", f.output)
	if err != nil {
		return err
	}
	defer out.abandon()
	defer spareMemory()()
	doc, err := app.AuditFirewall(cmd.Context(), f.app)
	if err != nil {
		return policyFailure(cmd, err)
	}
	code := auditExit(doc, failOn)
	opts := ruleset.Options{Options: appearance(out.w, f.color), Answers: f.app.Query != "", Tool: "reconshield " + version()}
	opts.Verbose, opts.FailOn, opts.ExitCode = f.verbose, failOn, code
	if err := cmp.Or(ruleset.Write(out.w, format, doc, opts), out.commit()); err != nil {
		return &app.FailureError{Err: err}
	}
	if code != exitClean {
		return &exitError{code: code}
	}
	return nil
}

// auditExit sums an audit up. What was not understood in full was not audited;
// findings are sorted, the worst first.
func auditExit(doc *ruleset.Document, failOn exposure.Severity) int {
	switch {
	case len(doc.Findings) > 0 && doc.Findings[0].Severity.Rank() >= failOn.Rank():
		return exitFindings
	case len(doc.Unparsed) > 0:
		return exitUnmeasured
	}
	return exitClean
}
