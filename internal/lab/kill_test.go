//go:build linux

package lab

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// envServe makes TestServe wait; see TestNothingSurvivesAKill.
const envServe = "RECONSHIELD_LAB_SERVE"

const servingLine = "lab is serving"

// TestNothingSurvivesAKill starts a lab in a test process of its own, kills
// the outermost process with no chance to clean up, and looks for survivors.
func TestNothingSurvivesAKill(t *testing.T) {
	if left := processes("nsd"); len(left) != 0 {
		t.Fatalf("before: %v", left)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestServe$")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, envInside+"=") || strings.HasPrefix(v, envOuter+"=")
	})
	cmd.Env = append(cmd.Env, envServe+"=1")
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(output); lines.Scan(); {
		said = append(said, lines.Text())
		if lines.Text() == servingLine {
			break
		}
	}
	running := processes("nsd")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if len(running) == 0 {
		t.Fatalf("the inner lab ran no server:\n%s", strings.Join(said, "\n"))
	}
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	deadline := time.After(10 * time.Second)
	for left := running; len(left) != 0; left = processes("nsd") {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("still running: %v", left)
		}
	}
}

// TestServe is the inner lab of TestNothingSurvivesAKill; on its own it only
// checks that the server starts.
func TestServe(t *testing.T) {
	l := New(t, Options{})
	l.Start(t, "nsd-safe")
	if os.Getenv(envServe) == "" {
		return
	}
	_, _ = fmt.Fprintln(os.Stdout, servingLine)
	<-t.Context().Done()
}

// processes lists those of the given program that are alive.
func processes(program string) []string {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil
	}
	var found []string
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if name, _, _ := strings.Cut(string(line), "\x00"); filepath.Base(name) == program {
			found = append(found, file)
		}
	}
	return found
}
