package recommend_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/recommend"
)

var update = flag.Bool("update", false, "write the golden files anew")

// linux are the formats whose goldens stand here; the others have theirs beside
// their renderers.
func linux() []string { return []string{"nftables", "iptables", "ufw", "firewalld"} }

func TestGolden(t *testing.T) {
	all := plans(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, format := range linux() {
			t.Run(name+"/"+format, func(t *testing.T) {
				got := text(render(t, format, all[name]))
				path := filepath.Join("testdata", "golden", name+"."+format+".txt")
				if *update {
					if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o750), os.WriteFile(path, []byte(got), 0o600)); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("the text changed (-want +got); run with -update if that is meant:\n%s", diff)
				}
			})
		}
	}
}

// render gives the configuration, or the error as a configuration's only note.
func render(t *testing.T, format string, p firewall.Plan) firewall.Config {
	t.Helper()
	f, err := recommend.Find(format)
	if err != nil {
		t.Fatal(err)
	}
	c, err := f.Render(p)
	if lacks, ok := errors.AsType[*firewall.UnsupportedError](err); ok {
		return firewall.Config{Format: format, Notes: []string{lacks.Error()}}
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func text(c firewall.Config) string {
	var b strings.Builder
	for _, f := range c.Files {
		fmt.Fprintf(&b, "=== %s\n%s", f.Name, f.Text)
	}
	for _, part := range []struct {
		name  string
		steps []firewall.Step
	}{{"check", c.Check}, {"apply", c.Apply}, {"rollback", c.Rollback}, {"verify", c.Verify}} {
		fmt.Fprintf(&b, "=== %s\n", part.name)
		for _, s := range part.steps {
			fmt.Fprintf(&b, "%s\n    %s\n", s.Text, strings.ReplaceAll(s.Command, "\n", "\n    "))
		}
	}
	fmt.Fprintf(&b, "=== notes\n%s\n", strings.Join(c.Notes, "\n"))
	return b.String()
}
