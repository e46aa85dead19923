package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"reconshield/internal/app"
	"reconshield/internal/atlas"
	"reconshield/internal/report"
)

// reference is what is known of ports: the embedded data with those over them
// that "intel update" keeps.
func reference(cmd *cobra.Command) *app.Reference {
	in := app.OpenIntel("")
	defer warnOf(cmd, in)
	return in.Reference()
}

// registry is the part of it that names ports.
func registry(cmd *cobra.Command) *atlas.Atlas {
	in := app.OpenIntel("")
	defer warnOf(cmd, in)
	return in.Atlas()
}

// warnOf tells what of the kept data is damaged and was not used.
func warnOf(cmd *cobra.Command, in *app.Intel) {
	for _, text := range in.Warnings() {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "reconshield: warning: %s\n", report.Sanitize(text))
	}
}
