package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"reconshield/internal/firewall/recommend"
)

// What an audit of any ruleset writes for machines is what the published schema
// says, and every form can be written.
func TestAuditOutputIsValid(t *testing.T) {
	schema := publishedSchema(t, "audit")
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

// What is recommended in any format is what the published schema says. Formats
// that cannot say what the role needs refuse.
func TestRecommendationIsValid(t *testing.T) {
	schema := publishedSchema(t, "recommendation")
	for _, place := range []string{"host", "gateway"} {
		written := 0
		for _, f := range recommend.Formats() {
			var out, errs bytes.Buffer
			args := []string{"firewall", "recommend", "--policy", "testdata/schema-policy.yaml", "--asset", "ns1", "--place", place, "--for", f.Name, "--format", "json"}
			switch code := run(t.Context(), args, strings.NewReader(""), &out, &errs); {
			case code == exitClean:
				written++
				valid(t, schema, out.String(), f.Name)
			case code != exitUsage || !strings.Contains(errs.String(), " cannot express ") || strings.Count(errs.String(), "\n") != 1:
				t.Errorf("%s on %s: exit code %d: %s", f.Name, place, code, &errs)
			}
		}
		if written < 15 {
			t.Errorf("%s: only %d formats were written", place, written)
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
