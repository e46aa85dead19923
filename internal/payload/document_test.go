package payload_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/payload"
)

var update = flag.Bool("update", false, "write docs/payloads.md anew")

func TestDocument(t *testing.T) {
	const file = "../../docs/payloads.md"
	text := payload.New().Document()
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(kept), text); diff != "" {
		t.Errorf("%s is not what the code says; run make docs (-file +code):\n%s", file, diff)
	}
}
