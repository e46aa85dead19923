package portpage

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"reconshield/internal/atlas"
	"reconshield/internal/intel"
	"reconshield/internal/report"
)

var update = flag.Bool("update", false, "write the golden files")

func entry(port uint16, transport string) atlas.Entry {
	return atlas.Default().Entry(port, transport, atlas.Knowledge{
		Threats: intel.DefaultThreats(), Vulnerabilities: intel.DefaultTable(),
	})
}

// small is a page with one of everything.
func small() atlas.Entry {
	return atlas.Entry{
		Port: 4567, Class: atlas.User, Title: "Port 4567: tram",
		Registrations: []atlas.Registration{{First: 4567, Last: 4567, Transport: "tcp", Name: "tram", Description: "TRAM"}},
		Sections: atlas.Sections{
			Understanding: "One paragraph with `code`, **strong** and *emphasis*, long enough to be wrapped where the terminal is narrow, CVE-2020-1350 and [a link](https://www.example.org/).\n\n- an item whose text goes on for so long that it has to continue on the next line\n- a second one\n\nThe end.",
			Security:      "A rule:\n\n```\ntable inet t {\n  chain c { }\n}\n```",
			Defence:       "Close it.", WhyScan: "1. first\n2. second", ThreatIntelligence: "- [T1571](https://attack.mitre.org/techniques/T1571/) Non-Standard Port",
			Vulnerabilities: "None.\\_escaped\\_ and &lt;b&gt;",
		},
		FAQ:      []atlas.Question{{Question: "Is it?", Answer: "It is."}},
		Related:  []atlas.Related{{Port: 4568, Transport: "tcp", Name: "bmc", Relation: "next to it"}},
		Adjacent: []atlas.Neighbour{{Port: 4566, Name: "kwtc", Relation: "one below"}},
		Sources:  []atlas.Source{{Title: "A book"}, {Title: "A page", URL: "https://www.example.org/page"}},
	}
}

func TestTerminalGolden(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts report.Options
	}{
		{"plain-80", report.Options{Width: 80}},
		{"plain-40", report.Options{Width: 40}},
		{"ascii-80", report.Options{Width: 80, ASCII: true}},
		{"color-80", report.Options{Width: 80, Color: true}},
	} {
		e := small()
		var b bytes.Buffer
		if err := Terminal(&b, &e, tt.opts); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", tt.name+".txt")
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.name, diff)
		}
	}
}

// TestTerminalFits: prose is never wider than the terminal. Code is not wrapped:
// it is there to be copied.
func TestTerminalFits(t *testing.T) {
	for _, width := range []int{40, 60, 80, 200} {
		for _, port := range []uint16{53, 22, 4567, 50001, 0, 6000} {
			e := entry(port, "")
			var b bytes.Buffer
			if err := Terminal(&b, &e, report.Options{Width: width, Color: true}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				line = strings.TrimRight(line, "\n")
				if strings.HasPrefix(ansi.Strip(line), "    ") { // code
					continue
				}
				if w := ansi.StringWidth(line); w > width {
					t.Errorf("port %d at %d columns: a line of %d: %q", port, width, w, line)
				}
			}
		}
	}
}

// TestTerminalKeepsWords: the terminal shows the same words as Markdown.
func TestTerminalKeepsWords(t *testing.T) {
	e := entry(53, "")
	var b bytes.Buffer
	if err := Terminal(&b, &e, report.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	shown := strings.Join(strings.Fields(b.String()), " ")
	for _, q := range e.FAQ {
		words := strings.Fields(strings.NewReplacer("`", "", "**", "", "*", "").Replace(q.Answer))
		if text := strings.Join(words, " "); !strings.Contains(text, "](") && !strings.Contains(shown, text) {
			t.Errorf("the answer is not shown: %s", text)
		}
	}
}

// TestContract holds the JSON against the keys that programs rely on.
func TestContract(t *testing.T) {
	for _, port := range []uint16{0, 53, 4567, 50001, 65535} {
		e := entry(port, "")
		var b bytes.Buffer
		if err := JSON(&b, &e); err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || bytes.Count(b.Bytes(), []byte("\n")) != 1 {
			t.Fatalf("%d: %v, %d lines", port, err, bytes.Count(b.Bytes(), []byte("\n")))
		}
		for _, key := range []string{"registrations", "malware", "techniques", "cves", "faq", "adjacent", "related"} {
			if _, ok := got[key].([]any); !ok {
				t.Errorf("%d: %s is no list: %v", port, key, got[key])
			}
		}
		sections, ok := got["sections"].(map[string]any)
		if !ok || len(sections) != 6 {
			t.Fatalf("%d: sections are %v", port, got["sections"])
		}
		for key, text := range sections {
			if s, ok := text.(string); !ok || s == "" {
				t.Errorf("%d: section %s is %v", port, key, text)
			}
		}
		if got["handwritten"] != (port == 53) || got["port"] != float64(port) || got["class"] == "" {
			t.Errorf("%d: handwritten %v, port %v, class %v", port, got["handwritten"], got["port"], got["class"])
		}
	}
}

func TestTableFits(t *testing.T) {
	for _, width := range []int{40, 80, 120} {
		var b bytes.Buffer
		table := NewTable(&b, report.Options{Width: width})
		for port := range uint16(300) {
			e := entry(port, "")
			if err := table.Row(&e); err != nil {
				t.Fatal(err)
			}
		}
		for line := range strings.Lines(b.String()) {
			if w := ansi.StringWidth(strings.TrimRight(line, "\n")); w > width {
				t.Errorf("at %d columns: a line of %d: %q", width, w, line)
			}
		}
	}
}
