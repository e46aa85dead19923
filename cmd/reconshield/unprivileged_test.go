//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/lab"
)

// Nobody needs privileges: an ordinary user gets the verdicts that root gets.
func TestUnprivilegedVerdicts(t *testing.T) {
	program := filepath.Join(t.TempDir(), "reconshield")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l := lab.New(t, lab.Options{})
	kinds := []string{"bind-auth-abused", "unbound-abused", "ssh53", "silent", "prohibited", "fwd-transparent"}
	hosts := l.StartAll(t, kinds...)
	args := []string{"assess", "--format", "json", "--quiet", "--zone", "example.test", "--ports", "53"}
	for _, kind := range kinds {
		args = append(args, hosts[kind].V4.String(), hosts[kind].V6.String())
	}
	root := verdicts(t, exec.CommandContext(t.Context(), program, args...))
	user := verdicts(t, lab.Unprivileged(t, append([]string{program}, args...)...))
	if diff := cmp.Diff(root, user); diff != "" {
		t.Errorf("root and an ordinary user differ:\n%s", diff)
	}
	const least = 6 * 2 * 20
	if len(root) < least {
		t.Errorf("only %d verdicts", len(root))
	}
}

// verdicts runs an assessment and gives its port states and check results.
func verdicts(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != exitFindings) {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	var report struct {
		Assets []struct {
			Address string
			Ports   []struct {
				Port             int
				Transport, State string
				Reason           string
			}
			Checks []struct{ ID, Status, Transport, Subject string }
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var lines []string
	for _, a := range report.Assets {
		for _, p := range a.Ports {
			lines = append(lines, fmt.Sprintf("%s %s/%d %s %s", a.Address, p.Transport, p.Port, p.State, p.Reason))
		}
		for _, c := range a.Checks {
			lines = append(lines, strings.Join([]string{a.Address, c.ID, c.Transport, c.Subject, c.Status}, " "))
		}
	}
	slices.Sort(lines)
	return lines
}
