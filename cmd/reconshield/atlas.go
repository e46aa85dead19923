package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/report"
	"reconshield/internal/report/atlassite"
)

type atlasFlags struct {
	baseURL, format string
	force, quiet    bool
}

func newAtlasCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "atlas",
		Short: "Publish the reference of ports",
		Long:  `The reference of all ports, which "reconshield port" shows one by one, as a whole.`,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return fmt.Errorf("unknown command %q for \"reconshield atlas\"; it knows: export DIR", args[0])
		},
	}
	cmd.AddCommand(newAtlasExportCommand())
	return cmd
}

func newAtlasExportCommand() *cobra.Command {
	var f atlasFlags
	cmd := &cobra.Command{
		Use:   "export DIR",
		Short: "Write the reference as a static web site",
		Long: `It writes a web site into DIR: a page for each port of which something is known
(ports/53/), one for each range of the others, lists, sources and licences, and
a sitemap. The pages need no JavaScript and load nothing from elsewhere, so any
web server can serve them.

The site is written beside DIR and then takes its place. What an earlier export
wrote is replaced; other files in DIR stay. Into a folder that holds only other
files it is written with --force.

Without --base-url the pages can also be read from the disk: open index.html.`,
		Example: `reconshield atlas export site
reconshield atlas export /srv/www/ports --base-url https://ports.example.net/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runAtlasExport(cmd, args, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.baseURL, "base-url", "", "the `URL` under which the site is going to be served, for canonical links and the sitemap")
	flags.BoolVar(&f.force, "force", false, "also write among files that no export wrote; they stay")
	flags.StringVar(&f.format, "format", "text", "the form of the summary: text or json")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress on standard error")
	return cmd
}

func runAtlasExport(cmd *cobra.Command, args []string, f atlasFlags) error {
	switch {
	case len(args) == 0:
		return errors.New("name the folder to write to: reconshield atlas export DIR")
	case len(args) > 1:
		return fmt.Errorf("one folder, not %d: reconshield atlas export DIR", len(args))
	case f.format != "text" && f.format != "json":
		return fmt.Errorf("--format %q: text or json", f.format)
	case cmd.Flags().Changed("base-url"):
		if _, err := atlassite.ParseBaseURL(f.baseURL); err != nil {
			return fmt.Errorf("--base-url %w", err)
		}
	}
	progress := report.Silent()
	if file, ok := cmd.ErrOrStderr().(*os.File); ok && report.IsTerminal(file) {
		progress = report.NewProgress(file, f.quiet)
	}
	sum, err := app.ExportAtlas(cmd.Context(), reference(cmd), app.AtlasExport{
		Dir: args[0], BaseURL: f.baseURL, Version: version(), Force: f.force, Progress: progress,
	})
	progress.Close()
	if err != nil {
		return err
	}
	return writeAtlasSummary(cmd.OutOrStdout(), sum, f.format)
}

func writeAtlasSummary(w io.Writer, sum atlassite.Summary, format string) error {
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(sum)
	}
	const megabyte = 1e6
	text := fmt.Sprintf("%s: %d pages (%d ports, %d of them written by hand; %d ranges), %d files, %.1f MB\n",
		report.Sanitize(sum.Dir), sum.Pages, sum.Ports, sum.Handwritten, sum.Ranges, sum.Files, float64(sum.Bytes)/megabyte)
	if sum.BaseURL == "" {
		text += "no --base-url was given: the sitemap holds paths only, and there are no canonical links\n"
	}
	_, err := io.WriteString(w, text)
	return err
}
