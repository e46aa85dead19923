package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"reconshield/internal/lab"
)

func TestMain(m *testing.M) {
	if code, asked := startedAgain(); asked {
		os.Exit(code)
	}
	testscript.Main(inLab{m}, map[string]func(){"reconshield": main})
}

// inLab runs the tests in namespaces of their own, so that nothing they do can
// reach a real network. It does not return.
type inLab struct{ *testing.M }

func (l inLab) Run() int {
	withoutUpdates()
	lab.Main(l.M)
	return 0
}
