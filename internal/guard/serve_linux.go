package guard

import (
	"bufio"
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
	w := &watch{dir: dir, state: s, orders: make(chan order), signals: make(chan os.Signal, 1)}
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
	// Of a machine that slept only the wall clock tells.
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	var timer <-chan time.Time
	var talking []net.Conn
	for {
		select {
		case o := <-w.orders:
			talking = append(talking, o.conn)
			switch {
			case o.word == "arm":
				_, _ = fmt.Fprintln(o.conn, "armed")
			case o.word == "begin":
				w.state.Began = time.Now()
				if err := w.state.store(w.dir); err != nil {
					w.log("%v", err)
				}
				timer = time.After(w.state.Within)
				w.log("the change begins")
				_, _ = fmt.Fprintln(o.conn, "begun")
			case o.word == "confirm" && timer == nil:
				_, _ = fmt.Fprintln(o.conn, "failed: nothing has been changed yet")
			case o.word == "confirm":
				return w.end(talking, Kept, forget(w.dir))
			case o.word == "restore", o.word == "" && o.armed && timer == nil:
				return w.back(talking, timer != nil, "asked to")
			}
		case <-timer:
			return w.back(talking, true, "nobody confirmed in time")
		case now := <-clock.C:
			if timer != nil && now.Round(0).After(w.state.Began.Round(0).Add(w.state.Within)) {
				return w.back(talking, true, "nobody confirmed in time")
			}
		case s := <-w.signals:
			return w.back(talking, timer != nil, s.String())
		}
	}
}

// back takes the change back, if it began.
func (w *watch) back(talking []net.Conn, began bool, why string) int {
	if !began {
		return w.end(talking, Withdrawn, forget(w.dir))
	}
	w.log("taking the change back: %s", why)
	err := restore(context.Background(), w.state.Restore, func(text string) { w.log("%s", text) })
	if err == nil {
		err = forget(w.dir)
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
