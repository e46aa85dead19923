package report

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Progress shows how far a run is. All methods may be called from several
// goroutines, in any order, also after Close, when they do nothing.
type Progress interface {
	// Stage ends the stage before and begins another of total steps; a total
	// of 0 or less is unknown.
	Stage(name string, total int)
	// Add says that n more steps of the stage are done.
	Add(n int)
	// Note replaces the text beside the progress, such as what was found.
	Note(text string)
	// Close removes what is on the screen; no half bar stays behind. It must
	// be called before anything else writes to the same terminal.
	Close()
}

// Silent returns a Progress that shows nothing.
func Silent() Progress { return silent{} }

type silent struct{}

func (silent) Stage(string, int) {}
func (silent) Add(int)           {}
func (silent) Note(string)       {}
func (silent) Close()            {}

// PlainEvery is the time between two lines of one stage.
const PlainEvery = 5 * time.Second

// Plain returns a Progress of plain lines for logs and pipes: one when a stage
// begins, one every few seconds while steps are done, one when it ends. now is
// time.Now, or a test's clock.
func Plain(w io.Writer, now func() time.Time) Progress {
	return &plainProgress{w: w, now: now}
}

type plainProgress struct {
	mu      sync.Mutex
	w       io.Writer
	now     func() time.Time
	name    string
	note    string
	total   int
	done    int
	started time.Time
	last    time.Time
	closed  bool
}

func (p *plainProgress) Stage(name string, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.end("done")
	p.name, p.total, p.done, p.note = Sanitize(name), total, 0, ""
	p.started = p.now()
	p.last = p.started
	if total > 0 {
		p.print(fmt.Sprintf("%s: %d to do", p.name, total))
	} else {
		p.print(p.name)
	}
}

func (p *plainProgress) Add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.name == "" {
		return
	}
	p.done += n
	now := p.now()
	if now.Sub(p.last) < PlainEvery {
		return
	}
	p.last = now
	text := fmt.Sprintf("%s: %d", p.name, p.done)
	if p.total > 0 {
		text = fmt.Sprintf("%s: %d of %d (%d%%)", p.name, p.done, p.total, percent(p.done, p.total))
		if left := remaining(p.done, p.total, now.Sub(p.started)); left > 0 {
			text += fmt.Sprintf(", about %s left", left)
		}
	}
	p.print(p.noted(text))
}

func (p *plainProgress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note = Sanitize(text)
}

func (p *plainProgress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	word := "done"
	if p.total > 0 && p.done < p.total {
		word = fmt.Sprintf("stopped at %d of %d", p.done, p.total)
	}
	p.end(word)
	p.closed = true
}

func (p *plainProgress) end(word string) {
	if p.name == "" {
		return
	}
	p.print(p.noted(fmt.Sprintf("%s: %s in %.1f s", p.name, word, p.now().Sub(p.started).Seconds())))
	p.name = ""
}

func (p *plainProgress) noted(text string) string {
	if p.note != "" {
		text += ", " + p.note
	}
	return text
}

// print drops the error: progress that cannot be shown must not end a run.
func (p *plainProgress) print(text string) {
	_, _ = fmt.Fprintln(p.w, text)
}

func percent(done, total int) int {
	return min(done*100/max(total, 1), 100)
}

// remaining is how long the rest takes at the pace so far, in whole seconds;
// 0 when nothing can be said yet.
func remaining(done, total int, spent time.Duration) time.Duration {
	if done <= 0 || done >= total || spent <= 0 {
		return 0
	}
	left := time.Duration(float64(spent) * float64(total-done) / float64(done))
	return left.Round(time.Second)
}
