package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"reconshield/internal/dnscheck"
	"reconshield/internal/report"
)

//go:generate sh -c "go run . checks --format markdown > ../../docs/checks.md"

func newChecksCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "checks [ID ...]",
		Short: "List the checks, or explain some of them",
		Long: `Without arguments it lists the catalogue of checks. With ids it explains them:
what each finds and how that is proven, why it matters, its severity and the
reason for it, what it sends, the fix for each product, and the references.`,
		Example: "reconshield checks\nreconshield checks XFR-1 UPD-1\nreconshield checks --format json",
		RunE: func(cmd *cobra.Command, ids []string) error {
			checks := dnscheck.Catalogue()
			if len(ids) > 0 {
				var err error
				if checks, err = dnscheck.Select(checks, dnscheck.Intrusive, upper(ids), nil); err != nil {
					return err
				}
			}
			return writeChecks(cmd.OutOrStdout(), checks, format, len(ids) > 0)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "the form: text, markdown or json")
	return cmd
}

func writeChecks(w io.Writer, checks []dnscheck.Check, format string, whole bool) error {
	switch {
	case format == "json":
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(dnscheck.Describe(checks))
	case format == "markdown" && !whole:
		_, err := io.WriteString(w, dnscheck.CatalogueMarkdown())
		return err
	case format == "markdown" || format == "text" && whole:
		_, err := io.WriteString(w, dnscheck.Markdown(checks))
		return err
	case format != "text":
		return fmt.Errorf("--format %q: text, markdown or json", format)
	}
	for _, c := range checks {
		mode := string(c.Safety)
		if c.OptIn {
			mode = "by name"
		}
		if _, err := fmt.Fprintf(w, "%-7s %-9s %-10s %s\n", c.ID, c.Severity, mode, report.Sanitize(c.Title)); err != nil {
			return err
		}
	}
	return nil
}
