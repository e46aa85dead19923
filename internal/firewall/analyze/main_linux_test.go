package analyze_test

import (
	"testing"

	"reconshield/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }
