package guard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// guardName is the name under which the program is started again.
const guardName = "reconshield:guard"

// Descriptors of the guard.
const (
	lockFD  = 3
	armedFD = 4
)

// Guard is a guard that was started, from the side of who makes the change. It
// is for one goroutine, except for Wait.
type Guard struct {
	conn  net.Conn
	lines *bufio.Reader
	PID   int
}

// Arm starts a guard, which is on watch when Arm returns, and does nothing until
// Begin. When the Guard is closed before, or its process dies, the guard goes
// away. A *BusyError means that another change waits, a *StaleError that an
// earlier one has to be settled first.
func Arm(dir string, c Change) (*Guard, error) {
	if err := prepare(dir); err != nil {
		return nil, err
	}
	held, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer held.Close() //nolint:errcheck // the guard has its copy
	path := filepath.Join(dir, stateFile)
	switch old, err := load(dir); {
	case err == nil && !old.Began.IsZero():
		return nil, &StaleError{path}
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	s := &state{Change: c}
	if err := s.store(dir); err != nil {
		return nil, fmt.Errorf("keep what is needed to restore: %w", err)
	}
	pid, err := start(dir, held)
	if err != nil {
		return nil, errors.Join(err, forget(dir))
	}
	conn, err := call(dir)
	if err != nil {
		return nil, err
	}
	g := &Guard{conn: conn, lines: bufio.NewReader(conn), PID: pid}
	if said, err := g.order("arm", answerTime); err != nil || said != "armed" {
		return nil, errors.Join(fmt.Errorf("the guard did not arm: %q", said), err, conn.Close())
	}
	return g, nil
}

// start starts the guard's process and waits until it listens.
func start(dir string, held *os.File) (pid int, err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer read.Close() //nolint:errcheck // it was only read
	log, err := os.OpenFile(filepath.Join(dir, logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		_ = write.Close()
		return 0, err
	}
	defer log.Close()                     //nolint:errcheck // the guard has its copy
	cmd := exec.Command("/proc/self/exe") //nolint:noctx // it outlives every context
	cmd.Args = []string{guardName, dir}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{held, write}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = write.Close()
	if err != nil {
		return 0, fmt.Errorf("start the guard: %w", err)
	}
	// It is never waited for on purpose; this only keeps it from being a zombie.
	go cmd.Wait() //nolint:errcheck // its outcome comes over the socket
	said, _ := io.ReadAll(io.LimitReader(read, 1<<10))
	if string(said) != "ready" {
		return 0, fmt.Errorf("the guard did not start: %s; see %s", strings.TrimSpace(string(said)), log.Name())
	}
	return cmd.Process.Pid, nil
}

func call(dir string) (net.Conn, error) {
	var d net.Dialer
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	return d.DialContext(ctx, "unix", filepath.Join(dir, socketFile))
}

// answerTime is how long a guard may think about an order.
const answerTime = 5 * time.Second

// order gives an order and its answer.
func (g *Guard) order(word string, patience time.Duration) (string, error) {
	if err := g.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	defer g.conn.SetDeadline(time.Time{}) //nolint:errcheck // the next use tells
	if err := g.send(word); err != nil {
		return "", fmt.Errorf("the guard is gone: %w", err)
	}
	line, err := g.lines.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the guard is gone: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// Begin lets the guard make the change. The time runs from the end of it, and
// from now on the guard stays when the caller dies. An outcome says that the
// change was not made, or taken back at once, and the text why; an error that the
// guard has gone, and how far it came is not known.
func (g *Guard) Begin(c Change) (Outcome, string, error) {
	const attempts = 20 // of restoring, after a failure
	line, err := g.order("begin", patience*time.Duration(len(c.Load)+attempts*len(c.Restore)+1))
	if err != nil || line == "begun" {
		return "", "", err
	}
	o, text := parseOutcome(line)
	return o, text, nil
}

// Confirm keeps the change; Wait tells whether it came in time.
func (g *Guard) Confirm() error { return g.send("confirm") }

// TakeBack takes the change back at once; Wait tells how that went.
func (g *Guard) TakeBack() error { return g.send("restore") }

func (g *Guard) send(word string) error {
	_, err := fmt.Fprintln(g.conn, word)
	return err
}

// Wait waits for the outcome. The text tells more of a failure.
func (g *Guard) Wait() (Outcome, string, error) {
	line, err := g.lines.ReadString('\n')
	if err != nil {
		return "", "", fmt.Errorf("the guard is gone: %w", err)
	}
	o, text := parseOutcome(line)
	return o, text, nil
}

// Close lets go of the guard. Before Begin it goes away and nothing happens;
// afterwards it goes on.
func (g *Guard) Close() error { return g.conn.Close() }

func parseOutcome(line string) (Outcome, string) {
	word, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
	return Outcome(word), text
}

// Confirm keeps the change that waits. Outcomes other than Kept mean that it came
// too late. ErrNothing says that none waits.
func Confirm(dir string) (Outcome, string, error) {
	return settle(dir, "confirm", func(*state) error { return forget(dir) })
}

// TakeBack takes the change that waits back at once.
func TakeBack(dir string) (Outcome, string, error) {
	return settle(dir, "restore", func(s *state) error {
		if err := restore(context.Background(), s.Restore, func(string) {}); err != nil {
			return err
		}
		return forget(dir)
	})
}

func mine(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}

// inherit takes the lock of a guard that was killed: the kernel closes its
// socket before its files, so the lock may come a moment later.
func inherit(dir string) (*os.File, error) {
	const pause = 10 * time.Millisecond
	for end := time.Now().Add(answerTime); ; time.Sleep(pause) {
		held, err := lock(dir)
		if busy := (*BusyError)(nil); !errors.As(err, &busy) || time.Now().After(end) {
			return held, err
		}
	}
}

// settle gives an order to the guard; when it was killed, alone does it.
func settle(dir, word string, alone func(*state) error) (Outcome, string, error) {
	if _, err := os.Lstat(filepath.Join(dir, stateFile)); errors.Is(err, os.ErrNotExist) {
		return "", "", ErrNothing
	}
	if info, err := os.Lstat(dir); errors.Is(err, os.ErrPermission) || err == nil && os.Geteuid() != 0 && !mine(info) {
		return "", "", errors.New("only who made the change may settle it: run it with sudo")
	}
	if err := prepare(dir); err != nil {
		return "", "", err
	}
	conn, err := call(dir)
	if err == nil {
		defer conn.Close() //nolint:errcheck // what counts has been read
		g := &Guard{conn: conn, lines: bufio.NewReader(conn)}
		err := g.send(word)
		var o Outcome
		var text string
		if err == nil {
			o, text, err = g.Wait()
		}
		if err != nil {
			return "", "", fmt.Errorf("%w; how it ended stands in %s", err, filepath.Join(dir, logFile))
		}
		return o, text, nil
	}
	held, err := inherit(dir)
	if err != nil {
		return "", "", err
	}
	defer held.Close() //nolint:errcheck // the lock ends with it
	s, err := load(dir)
	if errors.Is(err, os.ErrNotExist) {
		return "", "", ErrNothing
	}
	if err == nil {
		err = alone(s)
	}
	if err != nil {
		return Failed, err.Error(), nil
	}
	if word == "confirm" {
		return Kept, "", nil
	}
	return Restored, "", nil
}
