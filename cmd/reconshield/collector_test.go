package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCollectorServesUntilItIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "queries.jsonl")
	ctx, interrupt := context.WithCancel(t.Context())
	out, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{
			"collector", "--zone", "probe.example.net", "--listen", "127.0.0.1:0", "--listen", "[::1]:0",
			"--dnssec-key", filepath.Join(dir, "key.pem"), "--log", log,
		}, strings.NewReader(""), io.Discard, stderr)
		_ = stderr.Close()
	}()
	lines := bufio.NewScanner(out)
	for _, want := range []string{"serving probe.example.net on 127.0.0.1:0, UDP and TCP", "serving probe.example.net on [::1]:0, UDP and TCP"} {
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("%q, want %q", lines.Text(), want)
		}
	}
	interrupt()
	if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
		t.Errorf("further output %q, %v", rest, err)
	}
	if got := <-code; got != exitClean {
		t.Errorf("exit code %d, want %d", got, exitClean)
	}
	if _, err := os.Stat(log); err != nil {
		t.Error(err)
	}
}
