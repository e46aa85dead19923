package report

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vbauerster/mpb/v8"
	"go.uber.org/goleak"
)

func TestPlainProgress(t *testing.T) {
	var out bytes.Buffer
	clock := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := Plain(&out, func() time.Time { return clock })
	after := func(d time.Duration, f func()) { clock = clock.Add(d); f() }

	p.Add(1) // no stage yet: nothing to say
	p.Stage("ports", 200)
	after(time.Second, func() { p.Add(10) }) // too soon for a line
	after(4*time.Second, func() { p.Note("3 open\x1b[2J"); p.Add(40) })
	after(time.Second, func() { p.Add(150) })
	p.Stage("checks", 0)
	after(6*time.Second, func() { p.Add(7) })
	p.Stage("late", 10)
	after(time.Second, func() { p.Add(4) })
	p.Close()
	p.Close()
	p.Stage("after the end", 1)
	p.Add(1)

	want := []string{
		"ports: 200 to do",
		`ports: 50 of 200 (25%), about 15s left, 3 open\x1b[2J`,
		`ports: done in 6.0 s, 3 open\x1b[2J`,
		"checks",
		"checks: 7",
		"checks: done in 6.0 s",
		"late: 10 to do",
		"late: stopped at 4 of 10 in 1.0 s",
		"",
	}
	if diff := cmp.Diff(want, strings.Split(out.String(), "\n")); diff != "" {
		t.Error(diff)
	}
}

// screen collects what the bar writes; the bar writes from its own goroutine.
type screen struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	drawn chan struct{} // closed by the first frame
}

func newScreen() *screen { return &screen{drawn: make(chan struct{})} }

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buf.Len() == 0 && len(b) > 0 {
		close(s.drawn)
	}
	return s.buf.Write(b)
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// frames are what the screen showed last and before: the writer moves the
// cursor up and clears before it draws anew.
func (s *screen) lastFrame() string {
	parts := regexp.MustCompile("\x1b\\[[0-9]*A\x1b\\[J").Split(s.text(), -1)
	return parts[len(parts)-1]
}

// TestBarLeavesNothing: however it ends, nothing of the bar stays and no
// goroutine either.
func TestBarLeavesNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(p Progress)
		wait bool // for the first frame
	}{
		{"in the middle", func(p Progress) { p.Stage("ports", 100); p.Add(40); p.Note("2 open") }, true},
		{"before the first frame", func(p Progress) { p.Stage("ports", 100); p.Add(40) }, false},
		{"at the end", func(p Progress) { p.Stage("ports", 10); p.Add(10) }, false},
		{"beyond the end", func(p Progress) { p.Stage("ports", 10); p.Add(30) }, false},
		{"several stages", func(p Progress) { p.Stage("ports", 10); p.Add(1); p.Stage("checks", 10); p.Add(2) }, true},
		{"unknown total", func(p Progress) { p.Stage("names", 0); p.Add(2) }, true},
		{"no stage", func(Progress) {}, false},
		{"hostile", func(p Progress) { p.Stage("\x1b[2J", 10); p.Note("\x1b]0;x\a"); p.Add(1) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			out := newScreen()
			p := newBar(out, mpb.WithAutoRefresh())
			c.run(p)
			if c.wait {
				<-out.drawn
			}
			p.Close()
			p.Close()
			p.Stage("after the end", 3)
			p.Add(1)
			if last := out.lastFrame(); strings.TrimSpace(last) != "" {
				t.Errorf("left behind: %q", last)
			}
			if strings.Contains(out.text(), "\x1b[2J") || strings.Contains(out.text(), "\x1b]0;") {
				t.Error("an escape sequence got through")
			}
		})
	}
}

// TestBarFromManyGoroutines fails by the race detector or by never ending.
func TestBarFromManyGoroutines(t *testing.T) {
	defer goleak.VerifyNone(t)
	p := newBar(newScreen(), mpb.WithAutoRefresh(), mpb.WithRefreshRate(time.Millisecond))
	p.Stage("ports", 4000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 500 {
				p.Add(1)
				if i%50 == 0 {
					p.Note("some open")
				}
			}
		})
	}
	p.Stage("checks", 10)
	wg.Wait()
	p.Close()
}

func TestNewProgressChooses(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		name  string
		file  *os.File
		quiet bool
		want  Progress
	}{
		{"quiet", file, true, silent{}},
		{"no file", nil, false, silent{}},
		{"a file", file, false, &plainProgress{}},
	} {
		got := NewProgress(c.file, c.quiet)
		got.Close()
		if a, b := typeName(got), typeName(c.want); a != b {
			t.Errorf("%s: %s, want %s", c.name, a, b)
		}
	}
}

func typeName(p Progress) string {
	switch p.(type) {
	case silent:
		return "silent"
	case *plainProgress:
		return "plain"
	case *barProgress:
		return "bar"
	}
	return "other"
}

func TestSilentSaysNothingAndBreaksNothing(t *testing.T) {
	p := Silent()
	p.Stage("x", 1)
	p.Add(1)
	p.Note("y")
	p.Close()
	if got := typeName(p); got != "silent" {
		t.Errorf("Silent is %s", got)
	}
}
