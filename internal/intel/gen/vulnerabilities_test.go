package main

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/intel"
)

// What is embedded must be what the sources give.
func TestEmbeddedDataAreCurrent(t *testing.T) {
	vulnerable, err := vulnerabilities("../sources")
	if err != nil {
		t.Fatal(err)
	}
	exploited, err := catalogue("../sources")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{"vulnerabilities": vulnerable, "kev": exploited} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != unpacked(t, name) {
			t.Errorf("%s: the embedded data are not what the sources give: go generate ./internal/intel", name)
		}
	}
}

func unpacked(t *testing.T, name string) string {
	t.Helper()
	file, err := os.Open(filepath.Join("../data", name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCorrections(t *testing.T) {
	rows := func() []intel.Affected {
		return []intel.Affected{
			{ID: "CVE-2000-0001", Product: exposure.BIND, Title: "a", Ranges: []intel.Range{{Fixed: "9.9.9"}}, Confidence: exposure.High},
			{ID: "CVE-2000-0002", Product: exposure.BIND, Title: "b", Ranges: []intel.Range{{Fixed: "9.9.9"}}, Confidence: exposure.High},
		}
	}
	tests := []struct {
		name string
		c    correction
		want []string // id, product, end of the first range
		err  string
	}{
		{"dropped", correction{ID: "CVE-2000-0001", Product: exposure.BIND, Why: "x", Drop: true}, []string{"CVE-2000-0002 bind 9.9.9"}, ""},
		{"other ranges", correction{ID: "CVE-2000-0001", Product: exposure.BIND, Why: "x", Ranges: []intel.Range{{Introduced: "0", Fixed: "9.8.8"}}}, []string{"CVE-2000-0001 bind 9.8.8", "CVE-2000-0002 bind 9.9.9"}, ""},
		{"no reason", correction{ID: "CVE-2000-0001", Product: exposure.BIND}, nil, "does not say why"},
		{"no such row", correction{ID: "CVE-2000-0003", Product: exposure.BIND, Why: "x"}, nil, "fits no row"},
		{"another product", correction{ID: "CVE-2000-0001", Product: exposure.NSD, Why: "x"}, nil, "fits no row"},
	}
	for _, tt := range tests {
		got, err := correct(rows(), []correction{tt.c})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: got %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		var short []string
		for _, a := range got {
			short = append(short, a.ID+" "+string(a.Product)+" "+a.Ranges[0].Fixed)
		}
		if diff := cmp.Diff(tt.want, short); diff != "" || err != nil {
			t.Errorf("%s: %s, %v", tt.name, diff, err)
		}
	}
}

func TestUnusableRowsAreErrors(t *testing.T) {
	good := intel.Affected{ID: "CVE-2000-0001", Product: exposure.BIND, Title: "a", Ranges: []intel.Range{{Fixed: "9.9.9"}}}
	tests := []struct {
		name   string
		change func(*intel.Affected)
		want   string
	}{
		{"a title cut off", func(a *intel.Affected) { a.Title = "it was…" }, "titles.tsv"},
		{"no title", func(a *intel.Affected) { a.Title = "" }, "titles.tsv"},
		{"no end", func(a *intel.Affected) { a.Ranges = []intel.Range{{Introduced: "9.9.0"}} }, "without an end"},
		{"an end that no release has", func(a *intel.Affected) { a.Ranges = []intel.Range{{Fixed: "9.11.0.a20151215"}} }, "9.11.0.a20151215"},
		{"a fix that no release is", func(a *intel.Affected) { a.FixedIn = []string{"soon"} }, "soon"},
	}
	if found := problems([]intel.Affected{good}); found != nil {
		t.Errorf("a good row: %v", found)
	}
	if found := problems([]intel.Affected{good, good}); len(found) != 1 {
		t.Errorf("the same row twice: %v", found)
	}
	for _, tt := range tests {
		a := good
		tt.change(&a)
		if found := problems([]intel.Affected{a}); len(found) != 1 || !strings.Contains(found[0].Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, found)
		}
	}
}

func TestTitles(t *testing.T) {
	for text, want := range map[string]string{
		"CVE-2000-0001\tVR\ta title\n# a comment\n\n": "",
		"CVE-2000-0001\tVR\n":                         "three fields",
		"CVE-2000-0001\tZ\ta title\n":                 "three fields",
		"CVE-2000-0001\t-\ta\nCVE-2000-0001\t-\tb\n":  "twice",
	} {
		path := filepath.Join(t.TempDir(), "titles.tsv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := readTitles(path)
		switch {
		case want == "" && (err != nil || got["CVE-2000-0001"] != told{"VR", "a title"}):
			t.Errorf("%q: %v, %v", text, got, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
