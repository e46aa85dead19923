package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/policy"
	"reconshield/internal/report"
)

func newPolicyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Write and check the exposure policy",
		Long: `The exposure policy is one YAML file: the zones of the network (wan, lan, vpn),
the assets with their role and owner, and what each may expose to which zone.
Whatever it does not allow is denied. Firewall rules are made from it, and
rulesets and scans are compared with it.`,
		Example: `reconshield policy init -o policy.yaml
reconshield policy check policy.yaml
reconshield policy schema > policy.schema.json
reconshield policy explain policy.yaml --from wan --to ns1 tcp/22`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownSub(cmd, args[0])
		},
	}
	cmd.AddCommand(newPolicyInitCommand(), newPolicyCheckCommand(), newPolicySchemaCommand(), newPolicyExplainCommand())
	return cmd
}

// unknownSub names the commands below one, and the nearest.
func unknownSub(cmd *cobra.Command, name string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	hint := ""
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q for %q%s (it knows %s)", name, cmd.CommandPath(), hint, strings.Join(names, ", "))
}

type policyInitFlags struct {
	app    app.PolicyDraft
	output string
	force  bool
}

func newPolicyInitCommand() *cobra.Command {
	var f policyInitFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a first policy with comments",
		Long: `It writes a policy with comments: a skeleton, or with --from what an assessment
found. It allows what the roles of the assets need and what is ordinarily public;
everything else that was found open stands there in comments, for a person to
decide. A file that is there already is replaced with --force only.`,
		Example: `reconshield policy init
reconshield policy init --detect -o policy.yaml
reconshield assess 192.0.2.53 --format json | reconshield policy init --from - -o policy.yaml
reconshield policy init --interface eth0 --interface eth1=10.0.0.0/16 --interface wg0=10.8.0.0/24`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runPolicyInit(cmd, args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.app.From, "from", "", "begin with the assessment in `FILE`, of assess --format json (- is standard input)")
	flags.StringVar(&f.app.Zone, "zone", policy.WAN, "the `ZONE` from which the assessment was made")
	flags.StringArrayVar(&f.app.Interfaces, "interface", nil, "an interface of the firewall and its networks, as `NAME=PREFIX`; may be repeated")
	flags.BoolVar(&f.app.Detect, "detect", false, "take the interfaces of this machine")
	flags.StringVarP(&f.output, "output", "o", "", "write the policy to `FILE`")
	flags.BoolVar(&f.force, "force", false, "replace a file that is there already")
	return cmd
}

func runPolicyInit(cmd *cobra.Command, args []string, f policyInitFlags) error {
	if len(args) > 0 {
		return fmt.Errorf("policy init takes no argument, not %q; name the assessment with --from and the file to write with -o", args[0])
	}
	if f.output != "" && f.output != "-" && !f.force {
		if _, err := os.Lstat(f.output); err == nil {
			return fmt.Errorf("--output %s: is there already; choose another name, or replace it with --force", f.output)
		}
	}
	f.app.Stdin, f.app.At = cmd.InOrStdin(), time.Now()
	text, err := app.DraftPolicy(f.app)
	if err != nil {
		return err
	}
	out, err := openOutput(cmd.OutOrStdout(), "--output", f.output)
	if err != nil {
		return err
	}
	defer out.abandon()
	if _, err := io.WriteString(out.w, text); err != nil {
		return unwritten(err)
	}
	if err := out.commit(); err != nil {
		return unwritten(err)
	}
	if f.output != "" && f.output != "-" {
		name := report.Sanitize(f.output)
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "wrote %s; review every line, then: reconshield policy check %s\n", name, name) // the file is what counts
	}
	return nil
}

func newPolicyCheckCommand() *cobra.Command {
	var format, at string
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a policy for mistakes",
		Long: `It tells everything that is wrong with a policy, each with file, line, column and
what to do about it, and exits with 2. Of a good policy it tells what deserves a
look, such as exceptions about to end, and exits with 0.`,
		Example: `reconshield policy check policy.yaml
reconshield policy check policy.yaml --format json
reconshield policy check policy.yaml --at 2027-04-01`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runPolicyCheck(cmd, args, format, at)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "the form: text or json")
	cmd.Flags().StringVar(&at, "at", "", "as of this `DATE`, such as 2027-03-31 (default today)")
	return cmd
}

// policyFault is an error or a warning in the JSON of policy check.
type policyFault struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
	Hint   string `json:"hint,omitempty"`
}

func runPolicyCheck(cmd *cobra.Command, args []string, format, at string) error {
	if len(args) != 1 {
		return errors.New("name one policy file: reconshield policy check FILE")
	}
	if format != "text" && format != "json" {
		return fmt.Errorf("--format %q: text or json", format)
	}
	day, err := parseDay(at)
	if err != nil {
		return err
	}
	p, err := app.LoadPolicy(args[0], cmd.InOrStdin())
	if format == "json" {
		return policyCheckJSON(cmd.OutOrStdout(), p, err, day)
	}
	if err != nil {
		return policyFailure(cmd, err)
	}
	warnings := app.PolicyWarnings(p, day)
	for _, w := range warnings {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: warning: %s\n", report.Sanitize(w.Position.String()), report.Sanitize(w.Text)); err != nil {
			return unwritten(err)
		}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: good: %s, %s, %s, %s\n", report.Sanitize(cmp.Or(p.File, "policy")),
		counted(len(p.Zones), "zone"), counted(len(p.Assets), "asset"), counted(len(p.Exceptions), "exception"), counted(len(warnings), "warning"))
	return unwritten(err)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// policyFailure writes each mistake of a policy on a line of its own. Other
// errors stay as they are.
func policyFailure(cmd *cobra.Command, err error) error {
	faults, ok := errors.AsType[policy.Errors](err)
	if !ok || len(faults) < 2 {
		return err
	}
	for _, f := range faults {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "reconshield: %s\n", report.Sanitize(f.Error()))
	}
	return &exitError{code: exitUsage}
}

func policyCheckJSON(w io.Writer, p *policy.Policy, failed error, at time.Time) error {
	doc := struct {
		Valid    bool          `json:"valid"`
		Errors   []policyFault `json:"errors"`
		Warnings []policyFault `json:"warnings"`
	}{failed == nil, []policyFault{}, []policyFault{}}
	faults, ok := errors.AsType[policy.Errors](failed)
	if failed != nil && !ok { // it could not be read at all
		return failed
	}
	for _, f := range faults {
		doc.Errors = append(doc.Errors, policyFault{f.File, f.Line, f.Column, f.Text, f.Hint})
	}
	if failed == nil {
		for _, w := range app.PolicyWarnings(p, at) {
			doc.Warnings = append(doc.Warnings, policyFault{w.File, w.Line, w.Column, w.Text, ""})
		}
	}
	if err := writeIndented(w, doc); err != nil {
		return err
	}
	if failed != nil {
		return &exitError{code: exitUsage}
	}
	return nil
}

// writeIndented writes a document as JSON for machines and people.
func writeIndented(w io.Writer, doc any) error {
	text, err := report.EncodeJSON(doc)
	if err != nil {
		return unwritten(err)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return unwritten(enc.Encode(json.RawMessage(text)))
}

// parseDay reads the value of --at; an empty one is now.
func parseDay(text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, fmt.Errorf("--at %q: a date such as 2027-03-31", text)
	}
	return day, nil
}

func newPolicySchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of policies, for editors",
		Long: `It prints the JSON Schema (draft 2020-12) of policy files. Editors complete and
check a policy with it.`,
		Example: "reconshield policy schema > policy.schema.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("policy schema takes no argument, not %q", args[0])
			}
			_, err := cmd.OutOrStdout().Write(policy.Schema())
			return unwritten(err)
		},
	}
}

// sortedZones names the zones of a policy.
func sortedZones(p *policy.Policy) string {
	names := make([]string, len(p.Zones))
	for i := range p.Zones {
		names[i] = p.Zones[i].Name
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
