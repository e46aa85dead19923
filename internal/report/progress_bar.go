package report

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// NewProgress chooses for f: nothing when quiet, a bar on a terminal, plain
// lines otherwise. f is usually os.Stderr.
func NewProgress(f *os.File, quiet bool) Progress {
	switch {
	case quiet || f == nil:
		return Silent()
	case IsTerminal(f) && os.Getenv("TERM") != "dumb":
		return newBar(f)
	}
	return Plain(f, time.Now)
}

const (
	barWidth    = 24 // columns
	barNote     = 28 // columns at most for the text beside it
	leastName   = 12 // columns
	mostName    = 28 // columns
	refreshRate = 120 * time.Millisecond
)

// barProgress draws one bar, the stage's; a stage that ends leaves no line.
type barProgress struct {
	mu     sync.Mutex
	out    *mpb.Progress
	bar    *mpb.Bar
	closed bool
	// note has no lock of its own: it is read while the bar is drawn, and mu
	// may then be held by one who waits for that drawing.
	note atomic.Pointer[string]
}

// newBar draws on w, which must be a terminal unless more options say otherwise.
func newBar(w io.Writer, more ...mpb.ContainerOption) *barProgress {
	options := append([]mpb.ContainerOption{
		mpb.WithOutput(w), mpb.WithWidth(barWidth), mpb.WithRefreshRate(refreshRate),
	}, more...)
	return &barProgress{out: mpb.New(options...)}
}

func (b *barProgress) Stage(name string, total int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.drop()
	b.note.Store(nil)
	name = pad(ansi.Truncate(Sanitize(name), mostName, "…"), leastName)
	options := []mpb.BarOption{mpb.BarFillerTrim(), mpb.BarRemoveOnComplete()}
	note := decor.Any(func(decor.Statistics) string { return b.noteText() })
	if total <= 0 {
		options = append(options,
			mpb.PrependDecorators(decor.Name(name+" ")),
			mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_GO, decor.WC{C: decor.DextraSpace}), note))
		b.bar = b.out.New(0, mpb.SpinnerStyle().PositionLeft(), options...)
		return
	}
	options = append(options,
		mpb.PrependDecorators(decor.Name(name+" "), decor.Percentage(decor.WC{W: 5})),
		mpb.AppendDecorators(
			decor.CountersNoUnit("%d/%d"),
			decor.AverageETA(decor.ET_STYLE_GO, decor.WC{C: decor.DextraSpace}), note))
	style := mpb.BarStyle().Lbound(" ").Filler("━").Tip("━").Padding("─").Rbound(" ")
	b.bar = b.out.New(int64(total), style, options...)
}

func (b *barProgress) Add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		b.bar.IncrBy(n)
	}
}

func (b *barProgress) Note(text string) {
	text = ansi.Truncate(Sanitize(text), barNote, "…")
	b.note.Store(&text)
}

func (b *barProgress) noteText() string {
	if text := b.note.Load(); text != nil && *text != "" {
		return " " + *text
	}
	return ""
}

func (b *barProgress) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	b.drop()
	b.out.Wait()
}

// drop takes the bar off the screen, whether it is full or not.
func (b *barProgress) drop() {
	if b.bar != nil {
		b.bar.Abort(true)
		b.bar = nil
	}
}
