package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/policy"
)

// The page for users says what the code does.
func TestDocumentation(t *testing.T) {
	page := string(read(t, "../../docs/policy.md"))
	_, rest, _ := strings.Cut(page, "```yaml\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/policy.md has no example")
	}
	if diff := cmp.Diff(string(read(t, "testdata/good/issue.yaml")), example); diff != "" {
		t.Errorf("the example differs: %s", diff)
	}
	var table strings.Builder
	for _, a := range policy.AdminPorts() {
		fmt.Fprintf(&table, "| %s | %s |\n", a.Ports, a.What)
	}
	if !strings.Contains(page, "| ports | what |\n| --- | --- |\n"+table.String()+"\n") {
		t.Errorf("the table of administration ports differs; it is\n%s", table.String())
	}
	for _, r := range policy.Roles() {
		if !strings.Contains(page, "\n| `"+string(r)+"` | ") {
			t.Errorf("role %s is not in the table", r)
		}
	}
}
