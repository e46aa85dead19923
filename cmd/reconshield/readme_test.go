//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"reconshield/internal/lab"
)

// Every command that the README shows is run as shown, against real servers
// that bear the names and addresses of the examples.
func TestReadmeExamples(t *testing.T) {
	examples := readmeCommands(t)
	const least = 6
	if len(examples) < least {
		t.Fatalf("only %d commands found in the README: %q", len(examples), examples)
	}
	l := lab.New(t, lab.Options{})
	ns1 := nameserver(t, l)
	named(t, map[string]string{"ns1.example.net": ns1.V4.String()})
	t.Chdir(t.TempDir())
	const rules = "*filter\n:INPUT DROP [0:0]\n-A INPUT -p udp -m udp --dport 53 -j ACCEPT\nCOMMIT\n"
	for name, text := range map[string]string{"mine.txt": ns1.V4.String() + " # ns1\n", "rules.v4": rules, "rules.v6": rules} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range examples {
		t.Run(line, func(t *testing.T) {
			line, file, redirected := strings.Cut(line, " > ")
			args := strings.Fields(line)
			if args[0] == "collector" {
				runCollectorExample(t, args)
				return
			}
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
			if code != exitClean && code != exitFindings {
				t.Errorf("exit code %d\n%s\n%s", code, &stdout, &stderr)
			}
			if redirected {
				if err := os.WriteFile(file, stdout.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// nameserver runs BIND with the zone of the examples.
func nameserver(t *testing.T, l *lab.Lab) *lab.Host {
	t.Helper()
	h := l.Host(t, "readme")
	files := map[string]string{
		"named.conf": fmt.Sprintf("options { directory %q; pid-file none; recursion no; allow-transfer { none; }; };\n"+
			"controls {};\nzone \"example.net\" { type primary; file \"zone\"; };\n", h.Dir()),
		"zone": "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 300\n@ NS ns1\nns1 A " + h.V4.String() + "\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(h.Dir(), name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	named := h.Run(t, "named", "-g", "-c", filepath.Join(h.Dir(), "named.conf"))
	for !answers(t.Context(), net.JoinHostPort(h.V4.String(), "53")) {
		select {
		case <-named.Done():
			t.Fatalf("named ended:\n%s", named.Log())
		default:
		}
	}
	return h
}

// runCollectorExample starts the server, sees that it answers and stops it.
func runCollectorExample(t *testing.T, args []string) {
	t.Helper()
	const patience = 20 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	done := make(chan int, 1)
	go func() { done <- run(ctx, args, strings.NewReader(""), &stdout, &stderr) }()
	for !answers(ctx, net.JoinHostPort(scanner, "53")) {
		select {
		case code := <-done:
			t.Fatalf("ended with exit code %d before it answered: %s", code, &stderr)
		default:
		}
	}
	cancel()
	if code := <-done; code != exitClean {
		t.Errorf("exit code %d after it was stopped: %s", code, &stderr)
	}
}

// scanner is the test process's own address in the lab.
const scanner = "203.0.113.2"

func answers(ctx context.Context, address string) bool {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// readmeCommands are the command lines of the README's shell blocks, without
// the program's name and comments.
func readmeCommands(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	shell := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			shell = line == "```sh"
			continue
		}
		line, _, _ = strings.Cut(line, " #")
		for _, program := range []string{"reconshield ", "go run ./cmd/reconshield "} {
			if rest, ok := strings.CutPrefix(line, program); ok && shell {
				out = append(out, strings.TrimSpace(rest))
			}
		}
	}
	return out
}

// named lets the system's resolver know names, in this mount namespace only.
func named(t *testing.T, hosts map[string]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hosts")
	text := "127.0.0.1 localhost\n"
	for name, addr := range hosts {
		text += fmt.Sprintf("%s %s\n", addr, name)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(file, "/etc/hosts", "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount("/etc/hosts", 0); err != nil {
			t.Error(err)
		}
	})
}
