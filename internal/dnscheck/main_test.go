//go:build linux

package dnscheck_test

import (
	"testing"

	"reconshield/internal/lab"
)

// TestMain moves the package's tests into the lab's namespaces.
func TestMain(m *testing.M) { lab.Main(m) }
