package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// What the command writes of each port is what the published schema says.
func TestPortSchema(t *testing.T) {
	schema := publishedSchema(t, "port")
	for _, ports := range []string{"0-1100", "3380-3390", "31800-31810", "50000-50010", "65530-65535", "53/udp", "22/tcp"} {
		var out, errs bytes.Buffer
		if code := run(context.Background(), []string{"port", ports, "--format", "jsonl"}, strings.NewReader(""), &out, &errs); code != exitClean {
			t.Fatalf("port %s: exit code %d: %s", ports, code, errs.String())
		}
		for line := range strings.Lines(out.String()) {
			valid(t, schema, line, line[:min(len(line), 60)])
		}
	}
}
