package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/firewall"
	"reconshield/internal/report"
)

type firewallRecommendFlags struct {
	app                         app.RecommendOptions
	place, egress, at           string
	format, output, file, color string
	quiet                       bool
}

func newFirewallRecommendCommand() *cobra.Command {
	var f firewallRecommendFlags
	cmd := &cobra.Command{
		Use:   "recommend",
		Short: "Write the rules that close what the policy denies",
		Long: `It writes the complete configuration of a firewall for one asset of the exposure
policy: whatever the policy allows is let in and everything else dropped, over IPv4
and IPv6, and outgoing DNS goes to the approved resolvers only. With it come the
steps to check it, apply it, take it back and verify it. Nothing is loaded.

On a terminal everything is shown. Into a pipe goes the configuration alone, and the
steps go to standard error. What a format cannot express is an error that names it;
nothing is left out.

Exit codes:
  0  the configuration was written
  2  the command line or the policy cannot be used, or the format cannot express it
  3  it could not be written`,
		Example: `reconshield firewall recommend --policy policy.yaml --asset ns1 --for nftables
reconshield firewall recommend --policy policy.yaml --asset ns1 --for nftables > ns1.nft
reconshield firewall recommend --policy policy.yaml --asset ns1 --for iptables -o rules
reconshield firewall recommend --policy policy.yaml --asset ns1 --for pf --place gateway --rate-limit 200
reconshield firewall formats`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runFirewallRecommend(cmd, args, f)
		},
	}
	o, flags := &f.app, cmd.Flags()
	flags.StringVar(&o.Policy, "policy", "", "the exposure policy in `FILE` (- is standard input)")
	flags.StringVar(&o.Asset, "asset", "", "the `ASSET` by its name in the policy (default the only one)")
	flags.StringVar(&o.For, "for", "", "the `FORMAT`, see reconshield firewall formats (default what the policy names for the asset)")
	flags.StringVar(&f.place, "place", "host", "where the rules stand: host (on the asset) or gateway (in front of it)")
	flags.StringVar(&f.egress, "dns-egress", "approved", "whom the asset may ask over DNS: approved (the policy's resolvers only) or free")
	flags.BoolVar(&o.Redirect, "redirect-dns", false, "send DNS that others ask elsewhere to the approved resolver")
	flags.IntVar(&o.RateLimit, "rate-limit", 0, "let a source begin at most `N` DNS conversations a second; forged sources can shut others out")
	flags.BoolVar(&o.Docker, "docker", false, "containers with published ports run on the asset")
	flags.StringVar(&f.at, "at", "", "as of this `DATE`, such as 2027-03-31: exceptions end (default today)")
	flags.StringVar(&f.format, "format", "auto", "the form: auto, text (everything), config (the file alone) or json")
	flags.StringVar(&f.file, "file", "", "of a format with several files, only the one with this `NAME`")
	flags.StringVarP(&f.output, "output", "o", "", "write the files into the folder `DIR`")
	flags.StringVar(&f.color, "color", "auto", "colours: auto, always or never")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no steps on standard error")
	return cmd
}

// settle reads the flags that are words.
func (f *firewallRecommendFlags) settle(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) > 0:
		return fmt.Errorf("firewall recommend takes no argument, not %q; name the asset with --asset", args[0])
	case f.app.Policy == "":
		return errors.New("give the exposure policy with --policy FILE (reconshield policy init writes one)")
	case f.place != "host" && f.place != "gateway":
		return fmt.Errorf("--place %q: host or gateway", f.place)
	case f.egress != "approved" && f.egress != "free":
		return fmt.Errorf("--dns-egress %q: approved or free", f.egress)
	case f.egress == "free" && f.app.Redirect:
		return errors.New("--redirect-dns sends DNS to the approved resolver, and --dns-egress free lets it go anywhere; leave out one of them")
	case cmd.Flags().Changed("rate-limit") && f.app.RateLimit < 1:
		return fmt.Errorf("--rate-limit %d: 1 or more conversations a second", f.app.RateLimit)
	case f.output != "" && (f.file != "" || cmd.Flags().Changed("format")):
		return errors.New("--output writes all files as they are; leave out --format and --file")
	}
	for _, name := range []string{"asset", "for", "file", "output"} {
		if flag := cmd.Flags().Lookup(name); flag.Changed && flag.Value.String() == "" {
			return fmt.Errorf("--%s is empty: give it a value or leave it out", name)
		}
	}
	f.app.Gateway, f.app.DNSFree, f.app.Stdin = f.place == "gateway", f.egress == "free", cmd.InOrStdin()
	var err error
	f.app.At, err = parseDay(f.at)
	return cmp.Or(err, colorError(f.color))
}

func runFirewallRecommend(cmd *cobra.Command, args []string, f firewallRecommendFlags) error {
	if err := f.settle(cmd, args); err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	if f.format == "auto" {
		f.format = "config"
		if file, ok := w.(*os.File); ok && report.IsTerminal(file) {
			f.format = "text"
		}
	}
	if f.format != "text" && f.format != "config" && f.format != "json" {
		return fmt.Errorf("--format %q: auto, text, config or json", f.format)
	}
	c, err := app.Recommend(f.app)
	if err != nil {
		return policyFailure(cmd, err)
	}
	if f.file != "" {
		if c.Files, err = onlyFile(c, f.file); err != nil {
			return err
		}
	}
	switch {
	case f.output != "":
		return writeConfigFiles(cmd, c, f)
	case f.format == "json":
		return writeIndented(w, configJSON(c))
	case f.format == "text":
		return unwritten(showConfig(w, c, appearance(w, f.color), true))
	case len(c.Files) != 1:
		return fmt.Errorf("%s has %d files (%s): write them with -o DIR, choose one with --file, or show all with --format text", c.Format, len(c.Files), fileNames(c))
	}
	if _, err := io.WriteString(w, c.Files[0].Text); err != nil {
		return unwritten(err)
	}
	if !f.quiet {
		c.Files = nil
		_ = showConfig(cmd.ErrOrStderr(), c, appearance(cmd.ErrOrStderr(), f.color), false) // the configuration is what counts
	}
	return nil
}

func fileNames(c firewall.Config) string {
	names := make([]string, len(c.Files))
	for i, file := range c.Files {
		names[i] = file.Name
	}
	return strings.Join(names, ", ")
}

func onlyFile(c firewall.Config, name string) ([]firewall.File, error) {
	for _, file := range c.Files {
		if file.Name == name {
			return []firewall.File{file}, nil
		}
	}
	return nil, fmt.Errorf("--file %q: %s has %s", name, c.Format, fileNames(c))
}

// writeConfigFiles writes every file whole or not at all, then tells what to do
// with them.
func writeConfigFiles(cmd *cobra.Command, c firewall.Config, f firewallRecommendFlags) error {
	const ordinary = 0o755
	if err := os.MkdirAll(f.output, ordinary); err != nil {
		return fmt.Errorf("--output %s: cannot be made: %w", f.output, errors.Unwrap(err))
	}
	var outs []*output
	for _, file := range c.Files {
		out, err := openOutput(nil, "--output", filepath.Join(f.output, filepath.Base(file.Name)))
		if err != nil {
			return err
		}
		defer out.abandon()
		if _, err := io.WriteString(out.w, file.Text); err != nil {
			return unwritten(err)
		}
		outs = append(outs, out)
	}
	for _, out := range outs {
		if err := out.commit(); err != nil {
			return unwritten(err)
		}
	}
	w := cmd.OutOrStdout()
	for _, file := range c.Files {
		if _, err := fmt.Fprintf(w, "wrote %s\n", report.Sanitize(filepath.Join(f.output, filepath.Base(file.Name)))); err != nil {
			return unwritten(err)
		}
	}
	if f.quiet {
		return nil
	}
	c.Files = nil
	return unwritten(showConfig(w, c, appearance(w, f.color), false))
}
