package report_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"reconshield/internal/exposure"
	"reconshield/internal/report"
)

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	ids := map[string]string{}
	for _, file := range []string{"assessment.schema.json", "assessment-line.schema.json"} {
		raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "schema", file))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		id, _ := doc.(map[string]any)["$id"].(string)
		ids[file] = id
		if err := c.AddResource(id, doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile(ids[name])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decode(t *testing.T, text string) any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestJSONFollowsItsSchema(t *testing.T) {
	s := schema(t, "assessment.schema.json")
	for name, a := range map[string]*exposure.Assessment{"rich": rich(), "clean": clean(), "empty": empty()} {
		if err := s.Validate(decode(t, render(t, report.JSON, a, report.Options{}))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefuses: each change to a good document must be noticed.
func TestSchemaRefuses(t *testing.T) {
	s := schema(t, "assessment.schema.json")
	text := render(t, report.JSON, rich(), report.Options{})
	for _, c := range []struct{ name, old, next string }{
		{"another version", `"reconshield.assessment/1"`, `"reconshield.assessment/2"`},
		{"an unknown member", `"partial": true`, `"partial": true, "extra": 1`},
		{"a word for a truth", `"partial": true`, `"partial": "yes"`},
		{"a state that does not exist", `"state": "closed"`, `"state": "shut"`},
		{"a severity that does not exist", `"severity": "high"`, `"severity": "grave"`},
		{"a status that does not exist", `"status": "pass"`, `"status": "ok"`},
		{"a port too high", `"port": 5353`, `"port": 65536`},
		{"a renamed member", `"rtt_ms"`, `"rtt"`},
		{"null for an array", `"findings": []`, `"findings": null`},
		{"a fingerprint of another form", exposure.Fingerprint("REC-1", bindAddr, 53, ""), "REC-1"},
		{"a time of another form", `"2026-03-14T09:26:53Z"`, `"14 March"`},
		{"a negative count", `"assets": 5`, `"assets": -5`},
	} {
		broken := strings.Replace(text, c.old, c.next, 1)
		if broken == text {
			t.Errorf("%s: %s is not in the document", c.name, c.old)
			continue
		}
		if s.Validate(decode(t, broken)) == nil {
			t.Errorf("%s: accepted", c.name)
		}
	}
}

func TestJSONNeverSaysNullForAnArray(t *testing.T) {
	a := empty()
	a.Assets = []exposure.Asset{{Address: bindAddr, Findings: []exposure.Finding{{ID: "REC-1", Address: bindAddr}}}}
	for _, f := range []report.Format{report.JSON, report.JSONL} {
		if out := render(t, f, a, report.Options{}); strings.Contains(out, "null") {
			t.Errorf("%s has a null:\n%s", f, out)
		}
	}
}

// TestJSONKeepsTextVerbatim: what is escaped for the eye comes back as it was,
// but for bytes that no JSON string can hold.
func TestJSONKeepsTextVerbatim(t *testing.T) {
	var got struct {
		Assets []struct {
			Ports []struct {
				Service *struct{ Banner string }
			}
		}
	}
	if err := json.Unmarshal([]byte(render(t, report.JSON, rich(), report.Options{})), &got); err != nil {
		t.Fatal(err)
	}
	want := strings.ToValidUTF8(strings.Replace(hostile, "\xff\xfe", "\ufffd\ufffd", 1), "")
	for _, a := range got.Assets {
		for _, p := range a.Ports {
			if p.Service != nil && strings.HasPrefix(p.Service.Banner, "=cmd") {
				if diff := cmp.Diff(want, p.Service.Banner); diff != "" {
					t.Error(diff)
				}
				return
			}
		}
	}
	t.Error("the banner is gone")
}

func TestJSONLFollowsItsSchema(t *testing.T) {
	s := schema(t, "assessment-line.schema.json")
	counts := map[string]int{}
	var last string
	for line := range strings.Lines(render(t, report.JSONL, rich(), report.Options{})) {
		doc := decode(t, line)
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s%v", line, err)
		}
		last, _ = doc.(map[string]any)["type"].(string)
		counts[last]++
	}
	want := map[string]int{"asset": 5, "port": 52, "check": 36, "finding": 7, "quiet": 3, "unmeasured": 2, "summary": 1}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Error(diff)
	}
	if last != "summary" {
		t.Errorf("the last line is of type %q", last)
	}
	for _, broken := range []string{`{}`, `{"type":"host"}`, `{"type":"asset"}`, `{"type":"summary","partial":true}`} {
		if s.Validate(decode(t, broken)) == nil {
			t.Errorf("%s: accepted", broken)
		}
	}
}
