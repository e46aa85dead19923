package portlist

import (
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"reconshield/internal/report"
)

const (
	barColumns  = 24
	barSteps    = 10_000 // of the bar; targets are too many for some
	refreshRate = 150 * time.Millisecond
)

// barProgress draws one bar with facts behind it. The facts that do not fit
// the terminal are left out, the last first.
type barProgress struct {
	out    *mpb.Progress
	bar    *mpb.Bar
	screen io.Writer
	state  atomic.Pointer[ProgressState] // read while the bar is drawn

	mu     sync.Mutex
	meter  meter
	closed bool
}

// newBar draws on w, which must be a terminal unless more options say otherwise.
func newBar(w io.Writer, more ...mpb.ContainerOption) *barProgress {
	options := append([]mpb.ContainerOption{
		mpb.WithOutput(w), mpb.WithWidth(barColumns), mpb.WithRefreshRate(refreshRate),
	}, more...)
	b := &barProgress{out: mpb.New(options...), screen: w}
	b.state.Store(&ProgressState{})
	style := mpb.BarStyle().Lbound("").Filler("━").Tip("━").Padding("─").Rbound("")
	b.bar = b.out.New(barSteps, style, mpb.BarFillerTrim(), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return b.head() })),
		mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string { return b.text(s.AvailableWidth) })))
	return b
}

func (b *barProgress) head() string {
	s := b.state.Load()
	p, known := s.percent()
	if !known {
		p = grouped(s.Done) + " done"
	}
	name := ansi.Truncate(report.Sanitize(orElse(s.Phase, "scan")), 16, "…")
	return name + strings.Repeat(" ", max(7-len(p), 0)) + " " + p + " "
}

// text is the facts that fit into the columns beside the bar.
func (b *barProgress) text(available int) string {
	width := available - barColumns - 1
	line := ""
	for _, fact := range b.state.Load().facts() {
		next := line + " · " + fact
		if line == "" {
			next = " " + fact
		}
		if ansi.StringWidth(next) > width {
			break
		}
		line = next
	}
	return line
}

func (b *barProgress) Update(s ProgressState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	s = b.meter.read(s, time.Now())
	b.state.Store(&s)
	// A full bar would be taken off the screen, and the scan may go on.
	b.bar.SetCurrent(int64(math.Min(s.share(), 1) * (barSteps - 1)))
}

func (b *barProgress) Note(text string) {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if !closed {
		_, _ = io.WriteString(b.Above(b.screen), report.Sanitize(text)+"\n")
	}
}

// Above is a Progress's: the bar's goroutine writes the lines, then the bar.
func (b *barProgress) Above(w io.Writer) io.Writer { return above{b, w} }

type above struct {
	bar *barProgress
	w   io.Writer
}

// Write writes above the bar, or to the writer itself when there is none.
func (a above) Write(text []byte) (int, error) {
	a.bar.mu.Lock()
	defer a.bar.mu.Unlock()
	if !a.bar.closed {
		if n, err := a.bar.out.Write(text); err == nil {
			return n, nil
		}
	}
	return a.w.Write(text)
}

// Close is a Progress's. Lines given to Above before are on the screen then.
func (b *barProgress) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	b.bar.Abort(true)
	b.out.Wait()
}
