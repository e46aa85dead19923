//go:build linux

package main

import (
	"bufio"
	"bytes"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/lab/pair"
)

// A scan that was killed goes on where it was, a finished one sends nothing.
func resumes(t *testing.T, program, mode string) {
	t.Helper()
	const rate = 2000
	p := pair.New(t, pair.Options{})
	p.Addresses("192.0.2.0/29")
	targets := collect([]string{"192.0.2.0/29"}, exposure.TCP, 1, 1000)
	open := pair.Random(7, "192.0.2.0/29", exposure.TCP, []uint16{7, 99, 400, 812}, 9)
	p.Open(open...)
	checkpoint := filepath.Join(t.TempDir(), "scan.checkpoint")
	args := []string{
		"scan", "192.0.2.0/29", "--ports", "T:1-1000", "--show", "all", "--rate", strconv.Itoa(rate), "--mode", mode,
		"--format", "jsonl", "--progress", "none", "--resume", checkpoint,
	}
	first := p.Count("ip daddr 192.0.2.0/29 tcp flags & (syn|ack) == syn")
	killed(t, p.Command(program, args...), len(targets)/2)
	before := first.Packets()
	second := p.Count("ip daddr 192.0.2.0/29 tcp flags & (syn|ack) == syn")
	got := scanWith(t, p.Command(program, args...))
	if diff := cmp.Diff(want(p, targets...), got.states); diff != "" || got.code != 0 {
		t.Errorf("exit code %d\n%s", got.code, diff)
	}
	// The last second may be asked again, and some more to measure the loss.
	after := second.Packets()
	if most := uint64(len(targets)) - before + rate*3/2 + 200; before < uint64(len(targets))/3 || after > most {
		t.Errorf("%d probes before the kill and %d after it, at most %d", before, after, most)
	}
	third := p.Count("ip daddr 192.0.2.0/29")
	again := scanWith(t, p.Command(program, args...))
	if diff := cmp.Diff(got.states, again.states); diff != "" || again.code != 0 {
		t.Errorf("a finished scan, exit code %d\n%s", again.code, diff)
	}
	if n := third.Packets(); n != 0 {
		t.Errorf("a finished scan sent %d packets", n)
	}
	other := p.Command(program, append(args, "--exclude", "192.0.2.3")...)
	if out, err := other.CombinedOutput(); other.ProcessState.ExitCode() != exitUsage || !bytes.Contains(out, []byte("belongs to a scan of other targets")) {
		t.Errorf("a checkpoint of other targets: %v\n%s", err, out)
	}
}

// killed starts a scan and kills it after so many rows.
func killed(t *testing.T, cmd *exec.Cmd, rows int) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range rows {
		if !lines.Scan() {
			t.Fatal("the scan ended before it was to be killed")
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what was under way
	}
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Fatalf("not killed: %v", err)
	}
}
