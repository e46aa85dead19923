//go:build linux

package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// logTail is how much of a server's log a failing test shows, in bytes.
const logTail = 1500

// Process is a daemon running on a host of the lab.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
}

// Run starts a daemon in the foreground on the host. Its output goes to a log
// that is shown when the test fails; it is killed when tb ends. A program that
// is not installed ends the test with the name of its Debian package.
func (h *Host) Run(tb testing.TB, argv ...string) *Process {
	tb.Helper()
	p, err := h.run(argv...)
	if err != nil {
		tb.Fatal("lab:", err)
	}
	tb.Cleanup(func() {
		p.kill()
		p.wait()
		if tb.Failed() {
			tb.Logf("lab: end of the log of %s:\n%s", p.name, p.tail())
		}
	})
	return p
}

// Kill ends the process at once and waits until it is gone.
func (p *Process) Kill() {
	p.kill()
	p.wait()
}

// Log returns what the process has written so far.
func (p *Process) Log() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

func (h *Host) run(argv ...string) (*Process, error) {
	cmd, err := h.command(context.Background(), argv...)
	if err != nil {
		return nil, err
	}
	if confined() {
		if cmd.Path, err = unconfined(cmd.Path); err != nil {
			return nil, err
		}
		cmd.Args[0] = cmd.Path
	}
	log, err := os.CreateTemp(h.dir, filepath.Base(argv[0])+"-*.log")
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own, so that children of the daemon are killed with it.
	// What is left when the test process dies goes with the PID namespace,
	// which is why no parent-death signal is needed here: it would follow the
	// short-lived thread that forks.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &Process{name: h.Name + "/" + filepath.Base(argv[0]), log: log.Name(), cmd: cmd, done: make(chan struct{})}
	if err := h.ns.do(cmd.Start); err != nil {
		return nil, fmt.Errorf("host %s: %w", h.Name, err)
	}
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *Process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
}

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (p *Process) wait() { <-p.done }

func (p *Process) tail() string {
	file, err := os.Open(p.log)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.Size() > logTail {
		_, _ = file.Seek(-logTail, io.SeekEnd)
	}
	text, err := io.ReadAll(io.LimitReader(file, logTail))
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text))
}

// Unprivileged prepares a command that runs in the scanner's namespace with no
// capabilities and no way to gain any, as an unrelated user when the lab runs
// as real root. The program is copied to a place that user can reach.
func Unprivileged(tb testing.TB, argv ...string) *exec.Cmd {
	tb.Helper()
	setpriv, err := lookup("setpriv")
	if err != nil {
		tb.Fatal("lab:", err)
	}
	program, err := reachable(tb, argv[0])
	if err != nil {
		tb.Fatal("lab:", err)
	}
	args := []string{"--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"}
	if realRoot() {
		args = append(args, "--reuid=65534", "--regid=65534", "--clear-groups")
	}
	args = append(append(args, "--", program), argv[1:]...)
	cmd := exec.CommandContext(tb.Context(), setpriv, args...) //nolint:gosec // the test says what to run
	cmd.Dir = "/"
	return cmd
}

// reachable returns a path of the program that any user may execute.
func reachable(tb testing.TB, program string) (string, error) {
	tb.Helper()
	if !filepath.IsAbs(program) {
		return lookup(program)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(labRoot, "bin") //nolint:usetesting // must be reachable for another user
	if err != nil {
		return "", err
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // another user executes from it
		return "", err
	}
	file := filepath.Join(dir, filepath.Base(program))
	return file, os.WriteFile(file, content, 0o755) //nolint:gosec // another user executes it
}

// realRoot reports whether user 0 of this process is the machine's user 0 and
// others exist: in the lab's user namespace there is only one.
func realRoot() bool {
	mapping, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || os.Getuid() != 0 {
		return false
	}
	fields := strings.Fields(string(mapping))
	return len(fields) == 3 && fields[2] != "1"
}
