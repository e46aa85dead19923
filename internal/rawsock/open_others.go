//go:build !linux

package rawsock

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"time"

	"reconshield/internal/probe"
)

var errLinux = errors.New("raw mode needs Linux") //nolint:gochecknoglobals // a constant error

// Available reports that raw mode needs Linux.
func Available() error { return errLinux }

// Wire cannot be opened on this system.
type Wire struct{}

// Open reports that raw mode needs Linux.
func Open(Config) (*Wire, error) { return nil, errLinux }

// Send always fails.
func (*Wire) Send([]probe.Probe) (int, error) { return 0, errLinux }

// Receive always fails.
func (*Wire) Receive([]probe.Reply, time.Duration) (int, error) { return 0, errLinux }

// Resolve always fails.
func (*Wire) Resolve(context.Context, iter.Seq[netip.Addr], int) error { return errLinux }

// Account is always zero.
func (*Wire) Account() probe.Account { return probe.Account{} }

// Close does nothing.
func (*Wire) Close() error { return nil }
