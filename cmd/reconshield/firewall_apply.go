package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/guard"
	"reconshield/internal/report"
	"reconshield/internal/report/rehearsal"
)

const applyExitHelp = `Exit codes:
  0  the rules are loaded and confirmed; or --dry-run
  1  nothing was loaded since the rules are not what the policy says, or
     everything was taken back
  2  the command line, the policy or a file cannot be used, or you are not root;
     nothing was loaded
  3  this machine cannot do it, or taking the rules back failed`

func newFirewallApplyCommand() *cobra.Command {
	var o app.ApplyOptions
	var at, color, format string
	cmd := &cobra.Command{
		Use:   "apply FILE ...",
		Short: "Load rules that are taken back unless you confirm them",
		Long: `It audits and rehearses rules for nftables or iptables, saves those that are loaded
now, starts a guard, loads the new ones in one transaction and waits. Unless
somebody confirms them in time, the guard restores the saved rules: also when this
program, the shell or the connection has died.

Confirm from a NEW session to the machine: the old one lives on by the rule that
accepts established connections, and tells nothing of whether you can come in again.
In this terminal the word confirm does the same.

` + applyExitHelp,
		Example: `sudo reconshield firewall apply rules.nft --policy policy.yaml --confirm-within 60s
sudo reconshield firewall confirm
reconshield firewall apply rules.v4 rules.v6 --policy policy.yaml --dry-run
sudo reconshield firewall apply rules.nft --policy policy.yaml --format json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Files = args
			return runFirewallApply(cmd, o, at, color, format)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Policy, "policy", "", "check the rules against the exposure policy in `FILE`")
	flags.StringVar(&o.Host, "host", "", "the `ASSET` of the policy that this machine is (default its only one, or its gateway)")
	flags.StringSliceVar(&o.Assets, "asset", nil, "only audit and rehearse packets to these `ASSETS` (default the host and, of a gateway, all behind it)")
	flags.DurationVar(&o.ConfirmWithin, "confirm-within", time.Minute, "take everything back after this `TIME`")
	flags.BoolVar(&o.DryRun, "dry-run", false, "show every step and do none")
	flags.BoolVar(&o.NoRehearsal, "no-rehearse", false, "neither audit nor rehearse the rules, only load them into a kernel of their own first")
	flags.StringVar(&o.StateDir, "state-dir", guard.DefaultDir, "where the guard keeps its state: a private `DIRECTORY`")
	flags.StringVar(&at, "at", "", "as of this `DATE`, such as 2027-03-31: exceptions end (default today)")
	flags.StringVar(&color, "color", "auto", "colours: auto, always or never")
	flags.StringVar(&format, "format", "text", "the form: text, or json with a line for each step and one for the result")
	return cmd
}

func newFirewallConfirmCommand() *cobra.Command {
	var dir string
	var takeBack bool
	cmd := &cobra.Command{
		Use:   "confirm",
		Short: "Keep the rules that firewall apply has loaded",
		Long: `It tells the guard that the rules which firewall apply has loaded shall stay. Run it
from a new session to the machine, which proves that you can still come in.

Exit codes:
  0  the rules stay; with --take-back: those before are back
  1  it came too late: the rules before are back
  3  there is nothing to confirm, or it failed`,
		Example: `sudo reconshield firewall confirm
sudo reconshield firewall confirm --take-back`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("firewall confirm takes no argument, not %q", args[0])
			}
			return runFirewallConfirm(cmd, dir, takeBack)
		},
	}
	cmd.Flags().BoolVar(&takeBack, "take-back", false, "restore the rules before at once instead")
	cmd.Flags().StringVar(&dir, "state-dir", guard.DefaultDir, "where the guard keeps its state: the `DIRECTORY` that was given to apply")
	return cmd
}

func runFirewallConfirm(cmd *cobra.Command, dir string, takeBack bool) error {
	outcome, text, err := app.SettleFirewall(dir, takeBack)
	if err != nil {
		return err
	}
	say := func(text string) { _, _ = fmt.Fprintln(cmd.OutOrStdout(), text) }
	switch {
	case outcome == guard.Kept && !takeBack:
		say("confirmed: the rules stay")
		return nil
	case outcome == guard.Restored && takeBack:
		say("taken back: the rules before are loaded again")
		return nil
	case outcome == guard.Restored, outcome == guard.Kept:
		return &exitError{code: exitFindings, err: fmt.Errorf("too late: the rules were %s before", outcome)}
	}
	return &app.FailureError{Err: fmt.Errorf("%s: %s", outcome, cmp.Or(text, "the guard says no more"))}
}

func runFirewallApply(cmd *cobra.Command, o app.ApplyOptions, at, color, format string) error {
	if len(o.Files) == 0 {
		return errors.New("name a file with rules for nft, iptables-restore or ip6tables-restore")
	}
	if err := colorError(color); err != nil {
		return err
	}
	if format != "text" && format != "json" {
		return fmt.Errorf("--format %q: text or json", format)
	}
	var err error
	if o.At, err = parseDay(at); err != nil {
		return err
	}
	o.Stdin = cmd.InOrStdin()
	look := appearance(cmd.OutOrStdout(), color)
	sheet := report.NewSheet(cmd.OutOrStdout(), look)
	o.Say = sayer(sheet, o.DryRun)
	if format == "json" {
		o.Say = applyLines(cmd.OutOrStdout(), o.DryRun)
	}
	if !o.DryRun {
		o.Confirmed = confirmations(cmd.InOrStdin())
	}
	res, err := app.ApplyFirewall(cmd.Context(), o)
	if err != nil {
		return policyFailure(cmd, err)
	}
	if format == "json" {
		if err := applyResult(cmd.OutOrStdout(), o.DryRun, res); err != nil {
			return &app.FailureError{Err: err}
		}
		if o.DryRun || res.Outcome == guard.Kept {
			return nil
		}
		return applyFailure(res)
	}
	if o.DryRun {
		sheet.Line("")
		sheet.Para(0, sheet.Faint, "nothing was done: --dry-run")
		return unwritten(sheet.Err())
	}
	return applyEnd(cmd, sheet, look, res)
}

// applyEnd tells how it ended.
func applyEnd(cmd *cobra.Command, sheet *report.Sheet, look report.Options, res app.ApplyResult) error {
	if res.Rehearsal != nil && len(res.Rehearsal.Differences()) > 0 {
		opts := rehearsal.Options{Options: look, Tool: "reconshield " + version()}
		opts.ExitCode = exitFindings
		if err := rehearsal.Write(cmd.OutOrStdout(), rehearsal.Text, res.Rehearsal, opts); err != nil {
			return &app.FailureError{Err: err}
		}
	}
	if res.Outcome == guard.Kept {
		sheet.Hanging(0, sheet.Good(sheet.Tick+" confirmed")+"  ", report.Uncoloured, "the rules stay until the machine starts anew; make them permanent where your system keeps them")
		return unwritten(sheet.Err())
	}
	return applyFailure(res)
}

// applyFailure is the error of a change that was not kept.
func applyFailure(res app.ApplyResult) error {
	switch res.Outcome {
	case guard.Failed:
		return &app.FailureError{Err: fmt.Errorf("TAKING THE RULES BACK FAILED: %s; try again with reconshield firewall confirm --take-back", res.Why)}
	case guard.Restored:
		return &exitError{code: exitFindings, err: fmt.Errorf("the rules were taken back: %s", cmp.Or(res.Why, "they were not confirmed"))}
	case guard.Withdrawn, guard.Kept:
	}
	return &exitError{code: exitFindings, err: errors.New(cmp.Or(res.Why, "nothing was loaded"))}
}

// sayer shows steps: what is done, and what came of it.
func sayer(sheet *report.Sheet, dry bool) func(app.ApplyStep) {
	n := 0
	return func(s app.ApplyStep) {
		text := report.Sanitize(s.Text)
		switch {
		case dry:
			n++
			sheet.Hanging(0, sheet.Strong(fmt.Sprintf("%2d ", n)), report.Uncoloured, text)
		case s.Code != "" && strings.Contains(s.Code, "confirm"):
			sheet.Hanging(0, sheet.Warn(sheet.Alert+" "), sheet.Strong, text)
		case s.Mind:
			sheet.Hanging(0, sheet.Warn(sheet.Alert+" "), sheet.Warn, text)
		case s.Done:
			sheet.Hanging(0, sheet.Good(sheet.Tick+" "), report.Uncoloured, text)
		default:
			sheet.Hanging(0, sheet.Faint(sheet.Dot+" "), sheet.Faint, text)
		}
		if s.Code != "" && (dry || strings.Contains(s.Code, "confirm")) {
			sheet.Code(5, []string{report.Sanitize(s.Code)}) //nolint:mnd // under the text
		}
	}
}

// confirmations tells when somebody at a terminal types the word. What comes
// through a pipe was written before anybody could see how it went.
func confirmations(in io.Reader) <-chan struct{} {
	f, ok := in.(*os.File)
	if !ok || !report.IsTerminal(f) {
		return nil
	}
	typed := make(chan struct{}, 1)
	go func() {
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if strings.EqualFold(strings.TrimSpace(lines.Text()), "confirm") {
				select {
				case typed <- struct{}{}:
				default: // once is enough
				}
			}
		}
	}()
	return typed
}
