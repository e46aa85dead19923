// Command reconshield assesses the exposure of network ports, DNS first. This
// package is flags, signals and exit codes; internal/app does the work.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"reconshield/internal/app"
	"reconshield/internal/guard"
	"reconshield/internal/rehearse"
)

func main() {
	if code, asked := startedAgain(); asked {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// startedAgain does what the program has started itself for, if it has.
func startedAgain() (code int, asked bool) {
	if code, asked = guard.Main(); asked {
		return code, true
	}
	return rehearse.Main(app.RehearsalTasks())
}
