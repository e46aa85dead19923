package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/report/portlist"
	"reconshield/internal/report/rehearsal"
)

const verifyExitHelp = `Exit codes:
  0  what was measured is what the policy says
  1  there is a difference
  2  the command line, the policy or a ruleset cannot be used; nothing was sent
  3  something could not be measured, interrupted, or the report could not be
     written`

func newFirewallVerifyCommand() *cobra.Command {
	var o app.VerifyOptions
	var at string
	s := comparisonSheet{unknown: true}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Scan from here, and compare with the policy",
		Long: `It scans the addresses of the policy's assets, and no others, from where this machine
stands, and tells where that is not what the policy says: exposed though denied,
or out of reach though allowed. With --audit it also tells where the ruleset says
something else than the network: what the ruleset blocks and what answers all the
same is the worst that can be found.

What could not be measured is said and never passed. Silence over UDP proves
nothing, and is called so.

` + verifyExitHelp,
		Example: `reconshield firewall verify --policy policy.yaml --zone wan
reconshield firewall verify --policy policy.yaml --zone wan --asset ns1 --audit rules.nft
reconshield firewall verify --policy policy.yaml --zone lan --ports 1-1024 --format sarif -o verify.sarif`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("firewall verify takes no argument, not %q; it scans the assets of --policy, or those of --asset", args[0])
			}
			return runFirewallVerify(cmd, o, at, s)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Policy, "policy", "", "compare with the exposure policy in `FILE`, and scan its assets")
	flags.StringVar(&o.Zone, "zone", "", "the `ZONE` of the policy in which this machine stands (default found out, else wan)")
	flags.StringSliceVar(&o.Assets, "asset", nil, "only these `ASSETS` of the policy (default all)")
	flags.StringSliceVar(&o.Rulesets, "audit", nil, "compare with the rulesets in these `FILES`, too")
	flags.StringVar(&o.Host, "host", "", "the `ASSET` that these rulesets were saved on (default found out)")
	flags.StringVar(&o.Ports, "ports", "", "also scan these `PORTS`, such as 1-1024 or U:5353,T:8080")
	flags.StringVar(&o.Mode, "mode", "auto", "how to send: auto, raw or connect")
	flags.StringVar(&at, "at", "", "as of this `DATE`, such as 2027-03-31: exceptions end (default today)")
	flags.StringVar(&s.format, "format", "text", "the form of the report: text, json, html, junit or sarif")
	flags.StringVarP(&s.output, "output", "o", "", "write the report to `FILE`")
	flags.StringVar(&s.color, "color", "auto", "colours: auto, always or never")
	flags.BoolVarP(&s.verbose, "verbose", "v", false, "all ports and differences")
	return cmd
}

func runFirewallVerify(cmd *cobra.Command, o app.VerifyOptions, at string, s comparisonSheet) error {
	if o.Policy == "" {
		return errors.New("--policy: name the policy whose assets are scanned")
	}
	day, err := parseDay(at)
	if err != nil {
		return err
	}
	o.At, o.Stdin = day, cmd.InOrStdin()
	return s.write(cmd, func() (*rehearsal.Document, error) {
		progress := progressOn(cmd.ErrOrStderr(), false)
		defer progress.Close()
		progress.Stage("scanning", 0)
		o.Progress = func(p portlist.ProgressState) {
			progress.Note(fmt.Sprintf("%d of %d ports, %d open", p.Done, p.Targets, p.Found))
		}
		return app.VerifyFirewall(cmd.Context(), o)
	})
}
