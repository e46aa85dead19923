package portlist

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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

// someState is a scan that goes on in the middle, where an earlier one stopped.
func someState() ProgressState {
	return ProgressState{
		Phase: "ports", Done: 655_359, Targets: 1_048_576, Rate: 812_345, Found: 17, Loss: new(0.00021),
		ETA: 96 * time.Second,
	}
}

func TestPlainProgress(t *testing.T) {
	var out bytes.Buffer
	clock := began
	p := newLineProgress(&out, plainEvery, plainLine, plainNote, func() time.Time { return clock })
	later := func(d time.Duration, s ProgressState) { clock = clock.Add(d); p.Update(s) }
	later(time.Second, ProgressState{}) // too soon
	later(4*time.Second, someState())
	p.Note("limits its errors\x1b[2J")
	limited := ProgressState{Done: 3, Targets: 65536, Rate: 1, Found: 1, ETA: 18*time.Hour + 11*time.Minute, Limit: "the host's limit of 1 ICMP error a second"}
	later(5*time.Second, limited)
	limited.Done += 4
	later(10*time.Second, limited)
	later(5*time.Second, ProgressState{Phase: "discovery\n", Done: 12, Rate: 100})
	later(time.Second, ProgressState{Phase: "ports", Done: 65536, Targets: 65536, Rate: 1234})
	p.Close()
	p.Close()
	p.Update(someState())
	p.Note("after the end")
	want := []string{
		"ports: 62.4 %, 655,359 of 1,048,576 targets, 17 open ports, 96 s left, 812 k probes/s, 0.02 % lost",
		`limits its errors\x1b[2J`,
		"scan: 62.5 %, 3 of 65,536 targets, 1 open port, time left unknown, 1 probes/s, at the host's limit of 1 ICMP error a second",
		"scan: 62.5 %, 7 of 65,536 targets, 1 open port, 46 h left, 1 probes/s, at the host's limit of 1 ICMP error a second",
		`discovery\n: 12 targets, 0 open ports, time left unknown, 100 probes/s`,
		"ports: 100 %, 65,536 of 65,536 targets, 0 open ports, 1.23 k probes/s",
		"",
	}
	if diff := cmp.Diff(want, strings.Split(out.String(), "\n")); diff != "" {
		t.Error(diff)
	}
}

func TestJSONProgress(t *testing.T) {
	var out bytes.Buffer
	clock := began
	p := newLineProgress(&out, jsonEvery, jsonLine, jsonNote, func() time.Time { return clock })
	clock = clock.Add(jsonEvery)
	p.Update(someState())
	p.Note("x\x1b\"")
	p.Update(ProgressState{Loss: new(0.0)})
	p.Close()
	want := `{"type":"progress","percent":62.49,"rate":812345,"found":17,"loss":0.00021,"eta_s":96,"sent":0,"done":655359,"targets":1048576,"phase":"ports","time":"2026-05-04T12:00:01.000000Z"}
{"type":"note","text":"x\u001b\"","time":"2026-05-04T12:00:01.000000Z"}
{"type":"progress","percent":null,"rate":0,"found":0,"loss":0,"eta_s":null,"sent":0,"done":0,"targets":0,"time":"2026-05-04T12:00:01.000000Z"}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	for line := range strings.Lines(out.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestWordsOfTime(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Millisecond: "<1 s", 99 * time.Second: "99 s", 100 * time.Second: "2 min", 99 * time.Minute: "99 min",
		100 * time.Minute: "2 h", 65536 * time.Second: "18 h", 80 * time.Hour: "3 days", 1 << 62: "years",
	} {
		if got := etaText(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	for s, want := range map[float64]string{
		0: "0 ms", 0.0431: "43 ms", 0.431: "0.43 s", 43.1: "43.1 s", 100: "1 min 40 s", 3599.7: "1 h 0 min", 1e6: "11 d 13 h",
	} {
		if got := durationText(s); got != want {
			t.Errorf("%v: %q, want %q", s, got, want)
		}
	}
	for f, want := range map[float64]string{0: "0.00 %", 0.9998: "99.98 %", 0.999999: "99.99 %", 1: "100 %", -1: "0.00 %"} {
		if got := percentText(f); got != want {
			t.Errorf("%v: %q, want %q", f, got, want)
		}
	}
	for f, want := range map[float64]string{0: "0 %", 1e-9: "<0.01 %", 0.0123: "1.23 %", 0.5: "50 %", 7: "100 %"} {
		if got := lossText(f); got != want {
			t.Errorf("%v: %q, want %q", f, got, want)
		}
	}
	for f, want := range map[float64]string{0: "0", 999: "999", 1000: "1.00 k", 12_345: "12.3 k", 999_499: "999 k", 999_500: "1.00 M", 1_310_000: "1.31 M"} {
		if got := rateText(f); got != want {
			t.Errorf("%v: %q, want %q", f, got, want)
		}
	}
}

// screen collects what a bar writes from its own goroutine.
type screen struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	drawn chan struct{} // closed when the text was drawn
	until string
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := strings.Contains(s.buf.String(), s.until)
	n, err := s.buf.Write(b)
	if !before && strings.Contains(s.buf.String(), s.until) {
		close(s.drawn)
	}
	return n, err
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

var cleared = regexp.MustCompile("\x1b\\[[0-9]*A\x1b\\[J")

// TestBar: rows stand above the bar in order, the bar shows the state, and
// nothing of it stays.
func TestBar(t *testing.T) {
	defer goleak.VerifyNone(t)
	s := &screen{drawn: make(chan struct{}), until: "62.4 %"}
	p := newBar(s, mpb.WithAutoRefresh())
	var stdout bytes.Buffer
	w, err := New(Table, p.Above(&stdout), Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.Update(someState())
	for _, o := range sampleRows() {
		if err := w.Port(o); err != nil {
			t.Fatal(err)
		}
	}
	p.Note("a note\x1b[2J")
	<-s.drawn
	p.Update(ProgressState{Phase: "ports", Done: 9, Targets: 9})
	p.Close()
	p.Close()
	p.Update(someState())
	if err := w.End(sampleSummary()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	screen := s.text()
	frames := cleared.Split(screen, -1)
	if last := frames[len(frames)-1]; strings.Contains(last, "━") || strings.Contains(last, "%") {
		t.Errorf("left behind: %q", last)
	}
	all := cleared.ReplaceAllString(screen, "") + stdout.String()
	if n := strings.Count(all, "192.0.2.200"); n != 1 {
		t.Errorf("a row was shown %d times:\n%s", n, all)
	}
	if !strings.Contains(all, `a note\x1b[2J`) || !strings.Contains(stdout.String(), "Result") {
		t.Errorf("the note or the result is missing:\n%s", all)
	}
}

// TestBarFits: the bar's line is never wider than the terminal.
func TestBarFits(t *testing.T) {
	p := &barProgress{}
	s := someState()
	s.Limit = "the host's limit of 1 ICMP error a second"
	p.state.Store(&s)
	for columns := range 200 {
		if n := len([]rune(p.text(columns))); n > max(columns-barColumns, 0) {
			t.Errorf("%d columns beside a bar in %d", n, columns)
		}
	}
	if got := p.text(200); !strings.HasSuffix(got, s.Limit) {
		t.Errorf("a wide terminal shows %q", got)
	}
}

func TestNewProgress(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, c := range []struct{ mode, want string }{
		{"auto", "*portlist.lineProgress"},
		{"", "*portlist.lineProgress"},
		{"plain", "*portlist.lineProgress"},
		{"json", "*portlist.lineProgress"},
		{"bar", "*portlist.barProgress"},
		{"none", "portlist.noProgress"},
	} {
		p, err := NewProgress(io.Discard, c.mode)
		if err != nil {
			t.Fatal(err)
		}
		p.Update(someState())
		p.Close()
		if got := fmt.Sprintf("%T", p); got != c.want {
			t.Errorf("%q: %s, want %s", c.mode, got, c.want)
		}
	}
	if _, err := NewProgress(os.Stderr, "loud"); err == nil || !strings.Contains(err.Error(), "json") {
		t.Errorf("an unknown mode: %v", err)
	}
}
