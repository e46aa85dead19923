package scan

import (
	"time"

	"reconshield/internal/probe"
)

// Wire carries probes and brings their answers. A sweep calls it from one
// goroutine.
type Wire interface {
	// Send begins probes, in order, and reports how many of them it took. It
	// does not wait for answers. Fewer than all with a nil error means that no
	// more can be held open for now. probe.ErrBusy and probe.ErrDown pass;
	// any other error ends the sweep. A failure that concerns one target only
	// is a Reply, not an error. It must not keep the slice.
	Send(probes []probe.Probe) (int, error)
	// Receive gives answers, each proven to belong to a probe that was sent.
	// It waits for the first for at most the given time; 0 does not wait.
	// Duplicates may come.
	Receive(into []probe.Reply, wait time.Duration) (int, error)
	// Account tells what was lost on this side so far.
	Account() probe.Account
	// Close stops and releases everything; no goroutine is left.
	Close() error
}
