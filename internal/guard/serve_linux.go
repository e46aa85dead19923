package guard

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Main must be called early by every program that uses Arm, tests included. In a
// process that Arm has started it is the guard, and the program then exits with
// the code. Everywhere else it does nothing and asked is false.
func Main() (code int, asked bool) {
	if len(os.Args) != 2 || os.Args[0] != guardName {
		return 0, false
	}
	unix.CloseOnExec(lockFD)
	unix.CloseOnExec(armedFD)
	// Of all programs this one should not go when memory is short (proc(5)).
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0) // only root may
	ready := os.NewFile(armedFD, "armed")
	w, err := newWatch(os.Args[1])
	if err != nil {
		_, _ = fmt.Fprintln(ready, err)
		_ = ready.Close()
		return 1, true
	}
	_, err = io.WriteString(ready, "ready")
	_ = ready.Close()
	if err != nil { // nobody waits for a guard any more
		_ = forget(w.dir)
		return 1, true
	}
	return w.watch(), true
}

// watch is the guard at work.
type watch struct {
	clock    func() time.Duration // of the machine since it started, asleep or not
	dir      string
	state    *state
	listener net.Listener
	orders   chan order
	signals  chan os.Signal
}

// order is a line that somebody said.
type order struct {
	word  string // empty: hung up
	conn  net.Conn
	armed bool // by who makes the change
}

func newWatch(dir string) (*watch, error) {
	s, err := load(dir)
	if err != nil {
		return nil, err
	}
	w := &watch{clock: sinceBoot, dir: dir, state: s, orders: make(chan order), signals: make(chan os.Signal, 1)}
	// The terminal may go, and whoever reads may go: the guard stays. Whoever
	// wants it to end gets the rules back at once.
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	signal.Notify(w.signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	path := filepath.Join(dir, socketFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var config net.ListenConfig
	w.listener, err = config.Listen(context.Background(), "unix", path)
	return w, err
}

// watch waits for the end of the change and gives the exit code.
func (w *watch) watch() int {
	go w.accept()
	w.log("on watch for %s, at most %s", w.state.Made, w.state.Within)
	// A timer does not run while the machine sleeps.
	look := time.NewTicker(time.Second)
	defer look.Stop()
	var timer <-chan time.Time
	var end time.Duration
	var talking []net.Conn
	unarmed := time.After(answerTime) // who started the guard may have died since
	for {
		select {
		case o := <-w.orders:
			talking = append(talking, o.conn)
			switch {
			case o.word == "arm":
				unarmed = nil
				_, _ = fmt.Fprintln(o.conn, "armed")
			case o.word == "begin":
				w.state.Began = time.Now()
				if err := w.state.store(w.dir); err != nil {
					return w.end(talking, Failed, errors.Join(err, forget(w.dir)))
				}
				w.log("the change begins")
				if err := makeChange(w.state.Load); err != nil {
					return w.back(talking, true, err.Error())
				}
				timer, end = time.After(w.state.Within), w.clock()+w.state.Within
				_, _ = fmt.Fprintln(o.conn, "begun")
			case o.word == "confirm" && timer == nil:
				_, _ = fmt.Fprintln(o.conn, "failed: nothing has been changed yet")
			case o.word == "confirm":
				return w.end(talking, Kept, forget(w.dir))
			case o.word == "restore", o.word == "" && o.armed && timer == nil:
				return w.back(talking, timer != nil, "")
			}
		case <-timer:
			return w.back(talking, true, "")
		case <-look.C:
			if timer != nil && w.clock() > end {
				return w.back(talking, true, "")
			}
		case <-unarmed:
			return w.back(talking, false, "nobody armed it")
		case s := <-w.signals:
			return w.back(talking, timer != nil, "the guard was told to end ("+s.String()+")")
		}
	}
}

// back takes the change back, if it began.
func (w *watch) back(talking []net.Conn, began bool, why string) int {
	if !began {
		return w.end(talking, Withdrawn, forget(w.dir))
	}
	w.log("taking the change back: %s", cmp.Or(why, "it was not confirmed"))
	err := restore(context.Background(), w.state.Restore, func(text string) { w.log("%s", text) })
	if err == nil {
		err = forget(w.dir)
	}
	if why != "" {
		return w.end(talking, Restored+Outcome(": "+why), err)
	}
	return w.end(talking, Restored, err)
}

// end tells everybody how it ended. After a failure the state stays, and with it
// what is needed to try again.
func (w *watch) end(talking []net.Conn, o Outcome, err error) int {
	text, code := string(o), 0
	if err != nil {
		text, code = fmt.Sprintf("%s: %v", Failed, err), 1
	}
	w.log("%s", text)
	_ = w.listener.Close()
	for waiting := true; waiting; { // who came while the rules were restored
		select {
		case o := <-w.orders:
			talking = append(talking, o.conn)
		default:
			waiting = false
		}
	}
	for i, c := range talking {
		told := false
		for _, before := range talking[:i] {
			told = told || before == c
		}
		if !told {
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = fmt.Fprintln(c, strings.Join(strings.Fields(text), " "))
		}
	}
	return code
}

// sinceBoot runs on while the machine sleeps, and does not care for what
// somebody sets the time of day to (clock_gettime(2), CLOCK_BOOTTIME).
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0 // the timer is there all the same
	}
	return time.Duration(t.Nano())
}

func (w *watch) accept() {
	for {
		conn, err := w.listener.Accept()
		if err != nil {
			return
		}
		go w.hear(conn)
	}
}

// hear passes on what somebody says, and that he hung up.
func (w *watch) hear(conn net.Conn) {
	armed := false
	in := bufio.NewScanner(io.LimitReader(conn, 1<<12)) //nolint:mnd // orders are short
	for in.Scan() {
		armed = armed || in.Text() == "arm"
		w.orders <- order{in.Text(), conn, armed}
	}
	w.orders <- order{"", conn, armed}
}

func (w *watch) log(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stderr, "%s guard[%d]: %s\n", time.Now().UTC().Format(time.RFC3339), os.Getpid(), fmt.Sprintf(format, args...))
}
