package fabrictest

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"testing"

	"reconshield/internal/firewall"
)

// Disk is how goldens are read and, when Write is not nil, written anew:
// os.ReadFile and os.WriteFile.
type Disk struct {
	Read  func(name string) ([]byte, error)
	Write func(name string, data []byte, mode fs.FileMode) error
}

// Golden compares all of a configuration, steps and notes included, with
// testdata/render/NAME.txt.
func (d Disk) Golden(t *testing.T, name string, c firewall.Config) {
	t.Helper()
	file := path.Join("testdata", "render", name+".txt")
	got := Text(c)
	if d.Write != nil {
		if err := d.Write(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := d.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	want, have := strings.Split(string(text), "\n"), strings.Split(got, "\n")
	for i := range max(len(want), len(have)) {
		if i >= len(want) || i >= len(have) || want[i] != have[i] {
			t.Fatalf("%s differs from line %d on: want\n%s\ngot\n%s", file, i+1,
				strings.Join(want[min(i, len(want)):min(i+5, len(want))], "\n"), strings.Join(have[min(i, len(have)):min(i+5, len(have))], "\n"))
		}
	}
}

// Text writes out a configuration.
func Text(c firewall.Config) string {
	var b strings.Builder
	for _, f := range c.Files {
		fmt.Fprintf(&b, "==== file %s\n%s", f.Name, f.Text)
	}
	for _, s := range []struct {
		name  string
		steps []firewall.Step
	}{{"check", c.Check}, {"apply", c.Apply}, {"rollback", c.Rollback}, {"verify", c.Verify}} {
		fmt.Fprintf(&b, "==== %s\n", s.name)
		for _, step := range s.steps {
			fmt.Fprintf(&b, "- %s\n%s\n", step.Text, step.Command)
		}
	}
	b.WriteString("==== notes\n")
	for _, n := range c.Notes {
		b.WriteString("- " + n + "\n")
	}
	return b.String()
}

// Complete fails when a part of a configuration is missing, or rendering twice
// gives two texts.
func Complete(t *testing.T, format string, p firewall.Plan, render func(firewall.Plan) (firewall.Config, error)) firewall.Config {
	t.Helper()
	c, err := render(p)
	if err != nil {
		t.Fatal(err)
	}
	if c.Format != format || len(c.Files) == 0 || len(c.Check) == 0 || len(c.Apply) == 0 || len(c.Rollback) == 0 || len(c.Verify) == 0 || len(c.Notes) == 0 {
		t.Errorf("%s: format %q; a part is missing in\n%s", format, c.Format, Text(c))
	}
	again, err := render(p)
	if err != nil {
		t.Fatal(err)
	}
	if Text(c) != Text(again) {
		t.Errorf("rendered twice:\n%s\n%s", Text(c), Text(again))
	}
	return c
}

// Named gives one of Plans; the test fails when there is none.
func Named(t *testing.T, name string) firewall.Plan {
	t.Helper()
	for _, c := range Plans() {
		if c.Name == name {
			return c.Plan
		}
	}
	t.Fatalf("no plan %q", name)
	return firewall.Plan{}
}
