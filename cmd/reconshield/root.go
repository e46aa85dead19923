package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"charm.land/fang/v2"
	"github.com/spf13/cobra"

	"reconshield/internal/report"
)

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := fang.Execute(ctx, root, fang.WithVersion(version()), fang.WithoutManpage(),
		fang.WithErrorHandler(func(w io.Writer, _ fang.Styles, err error) {
			if e, ok := errors.AsType[*exitError](err); ok && e.err == nil {
				return
			}
			_, _ = fmt.Fprintf(w, "reconshield: %s\n", report.Sanitize(oneLine(err)))
		}))
	return codeOf(err)
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "reconshield",
		Short: "See what your ports expose, whether it can be abused, and how to close it",
		Long: `ReconShield measures the exposure of network ports that you own, port 53
(DNS over UDP and TCP) first and deepest: what answers, what really listens,
how it can be abused, and the exact lines that close it.

Only scan addresses that you are authorised to scan.`,
		Example: `reconshield assess 127.0.0.1
reconshield assess ns1.example.net 192.0.2.0/28 2001:db8::53 --format json
reconshield checks REC-1`,
		SilenceUsage: true,
	}
	root.AddCommand(newAssessCommand(), newChecksCommand(), newCollectorCommand())
	return root
}

// version is the module's version as the Go toolchain recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
