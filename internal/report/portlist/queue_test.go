package portlist

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"reconshield/internal/exposure"
)

var errFull = errors.New("no space left on device")

// fullAfter takes so many bytes.
type fullAfter struct {
	room int
	got  bytes.Buffer
}

func (f *fullAfter) Write(b []byte) (int, error) {
	n := min(len(b), f.room)
	f.room -= n
	f.got.Write(b[:n])
	if n < len(b) {
		return n, errFull
	}
	return n, nil
}

// TestFullDisk: the failure is told from then on, with what is missing, and
// nothing is written after it.
func TestFullDisk(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, format := range []Format{Table, JSONL, JSON, CSV, XML} {
		full := &fullAfter{room: 9000}
		w, err := New(format, full, sampleOptions())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range many(40_000) {
			err = w.Port(o)
		}
		end := w.End(sampleSummary())
		closing := w.Close()
		for _, err := range []error{err, end, closing} {
			if !errors.Is(err, errFull) || !strings.Contains(err.Error(), "verdicts are missing") {
				t.Errorf("%s: %v", format, err)
			}
		}
		if full.room != 0 || full.got.Len() != 9000 {
			t.Errorf("%s: %d bytes written", format, full.got.Len())
		}
	}
}

// TestFullDevice: the same by the kernel, as a file opened by name.
func TestFullDevice(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has /dev/full")
	}
	for _, format := range []Format{Table, JSONL, CSV} {
		w, err := Open(format, "/dev/full", sampleOptions())
		if err == nil {
			_ = w.Port(sampleRows()[0])
			err = errors.Join(w.End(sampleSummary()), w.Close())
		}
		if err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// stuck blocks until it is let go.
type stuck struct {
	entered chan struct{}
	release chan struct{}
	once    sync.Once
	n       int
}

func (s *stuck) rows(batch []exposure.Observation) error {
	s.once.Do(func() { close(s.entered) })
	<-s.release
	s.n += len(batch)
	return nil
}

func (s *stuck) end(Summary) error { return nil }
func (s *stuck) close() error      { return nil }

// TestSlowOutput: the scan goes on beside a slow output until thousands of
// verdicts wait, then it is held, and nothing is lost.
func TestSlowOutput(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := &stuck{entered: make(chan struct{}), release: make(chan struct{})}
	q := newQueue("x", s)
	for range queueLimit { // returns although nothing is written
		if err := q.Port(exposure.Observation{}); err != nil {
			t.Fatal(err)
		}
	}
	<-s.entered
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range queueLimit {
				_ = q.Port(exposure.Observation{})
			}
		})
	}
	close(s.release)
	wg.Wait()
	if err := q.End(Summary{}); err != nil {
		t.Fatal(err)
	}
	if s.n != 5*queueLimit {
		t.Errorf("%d rows of %d", s.n, 5*queueLimit)
	}
}

// TestAfterTheEnd: nothing is taken, and nothing breaks.
func TestAfterTheEnd(t *testing.T) {
	defer goleak.VerifyNone(t)
	w, err := New(JSONL, io.Discard, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.End(Summary{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Port(exposure.Observation{}); err == nil {
		t.Error("a verdict was taken after the end")
	}
	if err := w.End(Summary{}); err == nil {
		t.Error("a second end was taken")
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestErrorsOfOpening(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing", "out")
	for _, format := range Formats() {
		if _, err := Open(format, missing, Options{}); err == nil || !strings.Contains(err.Error(), "missing") {
			t.Errorf("%s: %v", format, err)
		}
	}
	if _, err := Open("yaml", filepath.Join(dir, "out"), Options{}); err == nil || !strings.Contains(err.Error(), "jsonl") {
		t.Errorf("an unknown format: %v", err)
	}
	if _, err := New(SQLite, os.Stdout, Options{}); err == nil || !strings.Contains(err.Error(), "--output") {
		t.Errorf("a database on a stream: %v", err)
	}
	if _, err := New(JSON, nil, Options{}); err == nil {
		t.Error("no writer was taken")
	}
	if f, err := ParseFormat(" JSONL "); f != JSONL || err != nil {
		t.Error(f, err)
	}
}
