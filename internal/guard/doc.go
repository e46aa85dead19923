// Package guard takes a change of the firewall back unless somebody confirms it
// in time. The guard is a process of its own, in a session of its own, that was
// started before the change: it does its work also when the program that made
// the change has died, or the connection of the administrator with it.
//
// The guard makes the change, too, so that the two never meet: whoever dies, the
// change is made before the time runs, and taken back after it was made.
//
// It knows no firewall: what is to be run to take the change back is told to it
// beforehand and kept in a private file. It works on Linux only.
package guard

import (
	"errors"
	"fmt"
	"time"
)

// DefaultDir is where guards keep their state; it does not survive a restart of
// the machine, and neither do rules that nobody made permanent.
const DefaultDir = "/run/reconshield"

// Step is a program to run.
type Step struct {
	Path  string // absolute
	Args  []string
	Input []byte
	Of    string // for errors: whose input it is; may be empty
}

// Change is what a guard watches over.
type Change struct {
	Within  time.Duration // from the end of Load on
	Load    []Step        // that make the change, in order; the guard runs them
	Restore []Step        // that take the change back, in order
	Made    string        // by whom, one line for messages
}

// Outcome is how a change ended.
type Outcome string

// Outcomes.
const (
	Kept      Outcome = "kept"      // confirmed in time
	Restored  Outcome = "restored"  // taken back
	Withdrawn Outcome = "withdrawn" // nothing had been changed
	Failed    Outcome = "failed"    // taking it back failed
)

// BusyError says that another change waits to be confirmed.
type BusyError struct{ Dir string }

// Error is one line.
func (*BusyError) Error() string {
	return "another change waits to be confirmed or taken back; see: reconshield firewall confirm --help"
}

// StaleError says that a guard died before its time, and the change stands.
type StaleError struct{ File string }

// Error is one line.
func (e *StaleError) Error() string {
	return fmt.Sprintf("an earlier change was neither confirmed nor taken back, since its guard was killed (%s): "+
		"keep it with reconshield firewall confirm, or take it back with reconshield firewall confirm --take-back", e.File)
}

// ErrNothing reports that no change waits.
var ErrNothing = errors.New("no change waits to be confirmed: it was confirmed or taken back before, or none was made")
