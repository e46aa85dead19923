//go:build !linux

package guard

import (
	"context"
	"errors"
)

var errUnsupported = errors.New("firewalls can be changed under guard on Linux only")

// Guard is a guard that was started; there is none on this system.
type Guard struct{ PID int }

// Main does nothing.
func Main() (code int, asked bool) { return 0, false }

// Arm fails on this system.
func Arm(string, Change) (*Guard, error) { return nil, errUnsupported }

// Begin fails on this system.
func (*Guard) Begin(Change) (Outcome, string, error) { return "", "", errUnsupported }

// Confirm fails on this system.
func (*Guard) Confirm() error { return errUnsupported }

// TakeBack fails on this system.
func (*Guard) TakeBack() error { return errUnsupported }

// Wait fails on this system.
func (*Guard) Wait() (Outcome, string, error) { return "", "", errUnsupported }

// Close does nothing.
func (*Guard) Close() error { return nil }

// Run fails on this system.
func Run(context.Context, Step) ([]byte, error) { return nil, errUnsupported }

// Confirm fails on this system.
func Confirm(string) (Outcome, string, error) { return "", "", errUnsupported }

// TakeBack fails on this system.
func TakeBack(string) (Outcome, string, error) { return "", "", errUnsupported }
