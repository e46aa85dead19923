package route

import (
	"testing"

	"reconshield/internal/lab"
)

func namespace(t *testing.T) *lab.Namespace {
	t.Helper()
	space, err := lab.NewNamespace(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(space.Close)
	return space
}

func enter(t *testing.T, space *lab.Namespace, fn func()) {
	t.Helper()
	if err := space.Do(func() error { fn(); return nil }); err != nil {
		t.Fatal(err)
	}
}
