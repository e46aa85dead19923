package guard

import (
	"bufio"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// TestClock lets the machine sleep through the deadline: timers stand still, the
// clock since its start does not. The time of day has no say in either.
func TestClock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	if err := prepare(dir); err != nil {
		t.Fatal(err)
	}
	change := Change{Within: time.Hour, Made: "a test"}
	if err := (&state{Change: change}).store(dir); err != nil {
		t.Fatal(err)
	}
	w, err := newWatch(dir)
	if err != nil {
		t.Fatal(err)
	}
	var now atomic.Int64
	w.clock = func() time.Duration { return time.Duration(now.Load()) }
	ended := make(chan int, 1)
	go func() { ended <- w.watch() }()
	conn, err := call(dir)
	if err != nil {
		t.Fatal(err)
	}
	g := &Guard{conn: conn, lines: bufio.NewReader(conn)}
	said, err := g.order("arm", answerTime)
	o, text, begun := g.Begin(change)
	if said != "armed" || o != "" || errors.Join(err, begun) != nil {
		t.Fatalf("%q %v %q %q %v", said, err, o, text, begun)
	}
	now.Store(int64(2 * time.Hour))
	if o, text, err := g.Wait(); o != Restored || err != nil {
		t.Errorf("%q %q %v", o, text, err)
	}
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
}
