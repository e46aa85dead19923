package main

import (
	"cmp"
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
	root.SetFlagErrorFunc(flagError)
	var failed error
	setAside(root, &failed)
	err := fang.Execute(ctx, root, fang.WithVersion(version()),
		fang.WithErrorHandler(func(io.Writer, fang.Styles, error) {}))
	err = cmp.Or(err, failed)
	complain(stderr, err)
	return codeOf(err)
}

// setAside keeps the error of each command in failed and returns none. Fang
// asks the terminal for its colours before it shows an error, and waits seconds
// for a terminal that does not tell; findings are no error to show.
func setAside(cmd *cobra.Command, failed *error) {
	if do := cmd.RunE; do != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*failed = do(cmd, args)
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		setAside(sub, failed)
	}
}

// complain writes what went wrong, if there is anything to say, as one line.
func complain(w io.Writer, err error) {
	if err == nil {
		return
	}
	if e, ok := errors.AsType[*exitError](err); ok && e.err == nil {
		return
	}
	_, _ = fmt.Fprintf(w, "reconshield: %s\n", report.Sanitize(oneLine(err)))
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
reconshield assess ns1.example.net 192.0.2.0/28 --format json
reconshield scan 192.0.2.0/28 --service
reconshield checks REC-1`,
		SilenceUsage: true,
	}
	root.AddCommand(newAssessCommand(), newScanCommand(), newChecksCommand(), newCollectorCommand(), newPortCommand(), newAtlasCommand(), newIntelCommand(), newPolicyCommand(), newFirewallCommand())
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Short = "Write the completion script of a shell"
	}
	fitHelp(root)
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
