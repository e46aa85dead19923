//go:build linux

// Package wirelab_test runs the wire of ordinary sockets against real network
// stacks, routers and packet filters. It stands beside package dial because
// lab servers do not go with the race detector, under which dial is tested.
package wirelab_test

import (
	"testing"

	"reconshield/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }
