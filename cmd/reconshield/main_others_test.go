//go:build !linux

package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	withoutUpdates()
	testscript.Main(m, map[string]func(){"reconshield": main})
}
