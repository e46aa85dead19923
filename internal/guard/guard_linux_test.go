package guard_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"reconshield/internal/guard"
)

// envArm makes the test program arm a guard in a directory and stay.
const envArm = "RECONSHIELD_GUARD_TEST"

func TestMain(m *testing.M) {
	if code, asked := guard.Main(); asked {
		os.Exit(code) //nolint:forbidigo // the contract of Main
	}
	if dir := os.Getenv(envArm); dir != "" {
		if err := armAndStay(dir, os.Getenv(envArm+"_BEGIN") != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // a process of its own
		}
	}
	os.Exit(m.Run()) //nolint:forbidigo // the contract of TestMain
}

func armAndStay(dir string, begin bool) error {
	c := change(dir, time.Second)
	g, err := guard.Arm(dir, c)
	if err == nil && begin {
		err = begun(g, c)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "..", "changed"), []byte(fmt.Sprint(g.PID)), 0o600)
	}
	if err == nil {
		select {} // until somebody kills it
	}
	return err
}

func begun(g *guard.Guard, c guard.Change) error {
	if o, text, err := g.Begin(c); err != nil || o != "" {
		return fmt.Errorf("%q %q %w", o, text, err)
	}
	return nil
}

// change takes itself back by writing a file beside the directory.
func change(dir string, within time.Duration) guard.Change {
	out := filepath.Join(dir, "..", "restored")
	return guard.Change{
		Within: within, Made: "a test",
		Restore: []guard.Step{{Path: "/bin/sh", Args: []string{"-c", `cat >> "$0"`, out}, Input: []byte("the rules before\n")}},
	}
}

func arm(t *testing.T, dir string, c guard.Change) *guard.Guard {
	t.Helper()
	g, err := guard.Arm(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(g.PID, syscall.SIGKILL) })
	return g
}

func restored(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "..", "restored"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// eventually polls: what is waited for happens in other processes.
func eventually(t *testing.T, complaint string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(20 * time.Second)
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal(complaint)
		}
	}
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func stateDir(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "s")
}

const saved = "the rules before\n"

func TestOutcomes(t *testing.T) {
	cases := []struct {
		name   string
		within time.Duration
		begin  bool
		do     func(dir string, g *guard.Guard) error
		want   guard.Outcome
		file   string
	}{
		{"confirmed by who armed", time.Minute, true, func(_ string, g *guard.Guard) error { return g.Confirm() }, guard.Kept, ""},
		{"taken back by who armed", time.Minute, true, func(_ string, g *guard.Guard) error { return g.TakeBack() }, guard.Restored, saved},
		{"taken back before it began", time.Minute, false, func(_ string, g *guard.Guard) error { return g.TakeBack() }, guard.Withdrawn, ""},
		{"confirmed before it began", time.Minute, false, func(_ string, g *guard.Guard) error { return g.Confirm() }, guard.Failed, ""},
		{"time is over", 50 * time.Millisecond, true, func(string, *guard.Guard) error { return nil }, guard.Restored, saved},
		{"told to end", time.Minute, true, func(_ string, g *guard.Guard) error { return syscall.Kill(g.PID, syscall.SIGTERM) }, guard.Restored, saved},
		{"hung up and then over", 300 * time.Millisecond, true, func(_ string, g *guard.Guard) error { return syscall.Kill(g.PID, syscall.SIGHUP) }, guard.Restored, saved},
		{"confirmed by another", time.Minute, true, func(dir string, _ *guard.Guard) error { return settled(guard.Confirm, dir, guard.Kept) }, guard.Kept, ""},
		{"taken back by another", time.Minute, true, func(dir string, _ *guard.Guard) error { return settled(guard.TakeBack, dir, guard.Restored) }, guard.Restored, saved},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := stateDir(t)
			g := arm(t, dir, change(dir, c.within))
			if c.begin {
				if err := begun(g, change(dir, c.within)); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.do(dir, g); err != nil {
				t.Fatal(err)
			}
			got, text, err := g.Wait()
			if got != c.want || err != nil || restored(t, dir) != c.file {
				t.Errorf("%q %q %v, and restored %q; want %q and %q", got, text, err, restored(t, dir), c.want, c.file)
			}
			if c.want == guard.Failed {
				return
			}
			eventually(t, "the guard is still there", func() bool { return gone(g.PID) })
			if _, _, err := guard.Confirm(dir); !errors.Is(err, guard.ErrNothing) {
				t.Errorf("afterwards a change still waits: %v", err)
			}
		})
	}
}

func settled(do func(string) (guard.Outcome, string, error), dir string, want guard.Outcome) error {
	if got, text, err := do(dir); got != want || err != nil {
		return fmt.Errorf("%q %q %w", got, text, err)
	}
	return nil
}

// TestDeathOfTheCaller kills who armed, before and after the change began.
func TestDeathOfTheCaller(t *testing.T) {
	for begin, want := range map[string]string{"": "", "1": saved} {
		t.Run("begun "+begin, func(t *testing.T) {
			t.Parallel()
			dir := stateDir(t)
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), envArm+"="+dir, envArm+"_BEGIN="+begin)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pid := 0
			eventually(t, "no guard was armed", func() bool {
				text, err := os.ReadFile(filepath.Join(dir, "..", "changed"))
				_, scanned := fmt.Sscan(string(text), &pid)
				return err == nil && scanned == nil
			})
			// The whole session goes, as with a terminal.
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGHUP)
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			_ = cmd.Wait()
			eventually(t, "the guard did not end", func() bool {
				_, err := os.Stat(filepath.Join(dir, "change.json"))
				return errors.Is(err, os.ErrNotExist)
			})
			if got := restored(t, dir); got != want {
				t.Errorf("restored %q, want %q", got, want)
			}
		})
	}
}

func TestOneAtATime(t *testing.T) {
	dir := stateDir(t)
	g := arm(t, dir, change(dir, time.Minute))
	_, err := guard.Arm(dir, change(dir, time.Minute))
	if _, ok := errors.AsType[*guard.BusyError](err); !ok {
		t.Errorf("got %v, want a BusyError", err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the guard is still there", func() bool { return gone(g.PID) })
	arm(t, dir, change(dir, time.Minute))
}

// TestGuardKilled leaves a change that nobody watches, which is settled by hand.
func TestGuardKilled(t *testing.T) {
	for _, c := range []struct {
		do   func(string) (guard.Outcome, string, error)
		want guard.Outcome
		file string
	}{{guard.Confirm, guard.Kept, ""}, {guard.TakeBack, guard.Restored, saved}} {
		dir := stateDir(t)
		g := arm(t, dir, change(dir, time.Minute))
		if err := begun(g, change(dir, time.Minute)); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(g.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if _, _, err := g.Wait(); err == nil {
			t.Error("a dead guard told how it ended")
		}
		eventually(t, "the guard is still there", func() bool { return gone(g.PID) })
		_, err := guard.Arm(dir, change(dir, time.Minute))
		if _, ok := errors.AsType[*guard.StaleError](err); !ok {
			t.Errorf("got %v, want a StaleError", err)
		}
		if err := settled(c.do, dir, c.want); err != nil || restored(t, dir) != c.file {
			t.Errorf("%v, restored %q", err, restored(t, dir))
		}
	}
}

// TestRestoreFails keeps what is needed to try again.
func TestRestoreFails(t *testing.T) {
	dir := stateDir(t)
	c := change(dir, time.Minute)
	c.Restore = []guard.Step{{Path: "/bin/sh", Args: []string{"-c", "echo no such table >&2; exit 1"}}}
	g := arm(t, dir, c)
	if err := begun(g, c); err != nil {
		t.Fatal(err)
	}
	if err := g.TakeBack(); err != nil {
		t.Fatal(err)
	}
	got, text, err := g.Wait()
	if got != guard.Failed || !strings.Contains(text, "no such table") || err != nil {
		t.Errorf("%q %q %v", got, text, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "change.json")); err != nil {
		t.Error(err)
	}
	if log, err := os.ReadFile(filepath.Join(dir, "guard.log")); err != nil || !strings.Contains(string(log), "no such table") {
		t.Errorf("%v: %s", err, log)
	}
}

func TestPrivate(t *testing.T) {
	dir := stateDir(t)
	g := arm(t, dir, change(dir, time.Minute))
	for name, want := range map[string]os.FileMode{"": 0o700, "change.json": 0o600, "lock": 0o600, "guard.log": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v %v, want %v", name, err, info.Mode(), want)
		}
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	open := t.TempDir()
	if err := os.Chmod(open, 0o755); err != nil { //nolint:gosec // that is the case
		t.Fatal(err)
	}
	if _, err := guard.Arm(open, change(open, time.Minute)); err == nil || !strings.Contains(err.Error(), "mode 0700") {
		t.Errorf("a directory that others can read: %v", err)
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if _, err := guard.Arm(long, change(long, time.Minute)); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("a name that is too long: %v", err)
	}
}

// TestLoad lets the guard make the change: however long that takes, the time runs
// from its end, and a change that fails is taken back at once.
func TestLoad(t *testing.T) {
	for _, c := range []struct {
		name, script string
		outcome      guard.Outcome
		text         string
	}{
		{"slow", "sleep 0.5; echo new >> \"$0\"", "", ""},
		{"fails", "echo half >> \"$0\"; echo no such chain >&2; exit 1", guard.Restored, "rules.nft: sh: exit status 1: no such chain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := stateDir(t)
			change := change(dir, 100*time.Millisecond)
			change.Load = []guard.Step{{Path: "/bin/sh", Args: []string{"-c", c.script, filepath.Join(dir, "..", "restored")}, Of: "rules.nft"}}
			g := arm(t, dir, change)
			o, text, err := g.Begin(change)
			if o != c.outcome || text != c.text || err != nil {
				t.Errorf("%q %q %v", o, text, err)
			}
			if o == "" {
				o, text, err = g.Wait()
			}
			if got := restored(t, dir); o != guard.Restored || err != nil || !strings.HasSuffix(got, "\n"+saved) {
				t.Errorf("%q %q %v, at last %q", o, text, err, got)
			}
		})
	}
}

// TestNobodyArms starts a guard whose caller has died before it could arm it.
func TestNobodyArms(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "change.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Args = []string{"reconshield:guard", dir}
	cmd.ExtraFiles = []*os.File{write, write}
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "change.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left its state: %v", err)
	}
}
