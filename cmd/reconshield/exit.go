package main

import (
	"errors"
	"fmt"
	"strings"

	"reconshield/internal/app"
)

// Exit codes of every command.
const (
	exitClean      = 0 // nothing at or above --fail-on
	exitFindings   = 1 // findings at or above --fail-on
	exitUsage      = 2 // the command line or its input cannot be used; nothing was sent
	exitUnmeasured = 3 // it could not be measured, or was interrupted before the end
)

// exitHelp is shown by help texts.
const exitHelp = `Exit codes:
  0  nothing at or above --fail-on was found
  1  findings at or above --fail-on, even if the run was interrupted
  2  the command line or its input cannot be used; nothing was sent
  3  could not be measured, interrupted before the end, or the report
     could not be written`

// exitError carries an exit code through cobra. A nil err prints nothing.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// codeOf is the exit code for what a command returned. Whatever cobra itself
// complains of is usage.
func codeOf(err error) int {
	if err == nil {
		return exitClean
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if _, ok := errors.AsType[*app.FailureError](err); ok {
		return exitUnmeasured
	}
	return exitUsage
}

// oneLine is the error as one line. What cobra suggests stands on lines of its
// own below the error.
func oneLine(err error) string {
	text, suggested, ok := strings.Cut(err.Error(), "Did you mean this?")
	if ok {
		text = strings.TrimSpace(text) + "; did you mean " + strings.Join(strings.Fields(suggested), " or ") + "?"
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "\n", "; ")), " ")
}
