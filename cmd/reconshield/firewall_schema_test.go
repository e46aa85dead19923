package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What an audit of any ruleset writes for machines is what the published schema
// says, and every form can be written.
func TestAuditOutputIsValid(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "schema", "audit.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:reconshield:schema:audit:1", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("urn:reconshield:schema:audit:1")
	if err != nil {
		t.Fatal(err)
	}
	files := rulesets(t)
	for i, file := range files {
		args := []string{"firewall", "audit", file, "--local", "--zone", "wan=eth0", "--zone", "lan=eth1=10.0.0.0/16", "--diff", files[(i+1)%len(files)]}
		var out, errs bytes.Buffer
		code := run(t.Context(), append(args, "--format", "json"), strings.NewReader(""), &out, &errs)
		if code == exitUsage {
			t.Fatalf("%s: %s", file, &errs)
		}
		valid(t, schema, out.String(), filepath.Base(file))
		for _, format := range []string{"text", "html", "sarif", "junit"} {
			if format == "sarif" { // neither it nor junit tells differences
				args = args[:len(args)-2]
			}
			out.Reset()
			errs.Reset()
			if got := run(t.Context(), append(args, "--format", format), strings.NewReader(""), &out, &errs); got != code || out.Len() == 0 {
				t.Errorf("%s as %s: exit code %d, not %d: %s", file, format, got, code, &errs)
			}
		}
	}
}

// rulesets are those that the dialects are tested with.
func rulesets(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"iptables/testdata/*.save", "nft/testdata/*.nft", "aws/testdata/*.json", "gcp/testdata/*.json"} {
		found, err := filepath.Glob(filepath.Join("..", "..", "internal", "firewall", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		out = append(out, found...)
	}
	return out
}
