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
  1  findings at or above --fail-on
  2  the command line or its input cannot be used; nothing was sent
  3  could not be measured, or interrupted before the end`

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

// oneLine is the error as one line.
func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
}
