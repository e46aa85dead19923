package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// publishedSchema compiles one of the published schemas.
func publishedSchema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, part := range []string{"scan", "scan-line", "scan-progress", "port", "audit", "recommendation", "rehearsal"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", "schema", part+".schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource("urn:reconshield:schema:"+part+":1", doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("urn:reconshield:schema:" + name + ":1")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid validates a text.
func valid(t *testing.T, s *jsonschema.Schema, text, what string) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v in %s", what, err, text)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s: %v in %s", what, err, text)
	}
}

// greeting opens a port of this machine that greets and hangs up.
func greeting(t *testing.T, text string) (port string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(text))
			c.Close()
		}
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// What the command writes for machines is what the published schemas say.
func TestScanOutputIsValid(t *testing.T) {
	line, whole, progress := publishedSchema(t, "scan-line"), publishedSchema(t, "scan"), publishedSchema(t, "scan-progress")
	ports := "T:1-20," + greeting(t, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n") + "," + greeting(t, "") + ",U:53"
	for _, args := range [][]string{
		{"--show", "all", "--service", "--vantage", "here", "--mode", "connect"},
		{"--show", "all", "--prove", "--seed", "18446744073709551615"},
		{"--shard", "1/2", "--show", "all"},
		{"--discover", "--min-completeness", "0"},
		{"--retries", "0", "--rate", "5000", "--exclude", "127.0.0.2"},
	} {
		name := strings.Join(args, " ")
		stats := filepath.Join(t.TempDir(), "stats.json")
		args = append([]string{"scan", "127.0.0.1", "--ports", ports, "--stats", stats, "--progress", "json"}, args...)
		var out, notes bytes.Buffer
		if code := run(t.Context(), append(args, "--format", "jsonl"), nil, &out, &notes); code != exitClean {
			t.Fatalf("%s: exit code %d\n%s", name, code, &notes)
		}
		for text := range strings.Lines(out.String()) {
			valid(t, line, text, name)
		}
		for text := range strings.Lines(notes.String()) {
			valid(t, progress, text, name)
		}
		if n := strings.Count(out.String(), `"type":"port"`); n == 0 || !strings.Contains(notes.String(), `"type":"progress"`) {
			t.Errorf("%s: %d ports, progress %s", name, n, &notes)
		}
		text, err := os.ReadFile(stats)
		if err != nil {
			t.Fatal(err)
		}
		valid(t, line, string(text), name)
		if !strings.HasSuffix(out.String(), string(text)) {
			t.Errorf("%s: --stats is not the summary: %s", name, text)
		}
		out.Reset()
		if code := run(t.Context(), append(args, "--format", "json"), nil, &out, &notes); code != exitClean {
			t.Fatalf("%s: exit code %d\n%s", name, code, &notes)
		}
		valid(t, whole, out.String(), name)
	}
}
