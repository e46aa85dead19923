package bench_test

import (
	"fmt"
	"os"
	"testing"

	"reconshield/internal/bench"
	"reconshield/internal/lab"
)

func TestMain(m *testing.M) {
	if asked, err := bench.FloodProcess(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // a process of its own
	} else if asked {
		return
	}
	lab.Main(m)
}
