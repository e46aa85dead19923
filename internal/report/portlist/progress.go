package portlist

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"reconshield/internal/report"
)

// ProgressState is how far a scan is.
type ProgressState struct {
	Phase   string // what is done now, in a word or two: "ports", "discovery"
	Done    uint64 // targets with a verdict
	Targets uint64 // 0: not known
	Sent    uint64 // probes
	Rate    float64
	Found   uint64   // open ports
	Loss    *float64 // estimated share of probes lost, 0 to 1; nil when unknown
	// ETA is how long the rest will take; 0 or less when that is unknown.
	ETA time.Duration
	// Limit says what holds the scan back, if anything: "the host's limit of 1
	// ICMP error a second".
	Limit string
	// Until is the share of the whole run, 0 to 1, that is behind when this
	// phase ends; 0 means 1.
	Until float64

	shown   float64 // the share to show, once a meter has read the state
	metered bool
}

// Progress shows how far a scan is. Its methods may be called from several
// goroutines, also after Close, when they do nothing. Errors of the screen are
// dropped: progress that cannot be shown must not end a run.
type Progress interface {
	// Update replaces what is shown. It may be called often; not every state
	// is shown.
	Update(s ProgressState)
	// Note shows one line of text that stays, such as a warning.
	Note(text string)
	// Above returns a writer for whole lines on the terminal at w, which keeps
	// them apart from the bar. Without a bar it is w itself.
	Above(w io.Writer) io.Writer
	// Close shows the last state and removes the bar. It must be called before
	// anything else writes to the same terminal.
	Close()
}

// ProgressModes lists what NewProgress takes.
func ProgressModes() []string { return []string{"auto", "bar", "plain", "json", "none"} }

const (
	plainEvery = 5 * time.Second // between two plain lines
	jsonEvery  = time.Second     // between two lines of JSON
)

// NewProgress shows progress on w, usually os.Stderr. The modes: bar; plain
// lines every few seconds; one JSON object a second; none; auto, which is a
// bar on a terminal and plain lines elsewhere.
func NewProgress(w io.Writer, mode string) (Progress, error) {
	if mode == "" || mode == "auto" {
		mode = "plain"
		if f, ok := w.(*os.File); ok && report.IsTerminal(f) && os.Getenv("TERM") != "dumb" {
			mode = "bar"
		}
	}
	switch mode {
	case "bar":
		return newBar(w), nil
	case "plain":
		return newLineProgress(w, plainEvery, plainLine, plainNote, time.Now), nil
	case "json":
		return newLineProgress(w, jsonEvery, jsonLine, jsonNote, time.Now), nil
	case "none":
		return noProgress{}, nil
	}
	return nil, fmt.Errorf("unknown progress %q: use one of %s", mode, strings.Join(ProgressModes(), ", "))
}

type noProgress struct{}

func (noProgress) Update(ProgressState)        {}
func (noProgress) Note(string)                 {}
func (noProgress) Above(w io.Writer) io.Writer { return w }
func (noProgress) Close()                      {}

// lineProgress writes a line now and then.
type lineProgress struct {
	w     io.Writer
	every time.Duration
	line  func(s ProgressState, now time.Time) string
	note  func(text string, now time.Time) string
	now   func() time.Time

	mu     sync.Mutex
	meter  meter
	last   time.Time // of the last line
	state  ProgressState
	unseen bool // state is newer than the last line
	closed bool
}

func newLineProgress(w io.Writer, every time.Duration, line func(ProgressState, time.Time) string,
	note func(string, time.Time) string, now func() time.Time,
) *lineProgress {
	return &lineProgress{w: w, every: every, line: line, note: note, now: now, last: now()}
}

func (p *lineProgress) Update(s ProgressState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	now := p.now()
	p.state, p.unseen = p.meter.read(s, now), true
	if now.Sub(p.last) >= p.every {
		p.show(now)
	}
}

func (p *lineProgress) show(now time.Time) {
	p.last, p.unseen = now, false
	_, _ = io.WriteString(p.w, p.line(p.state, now)+"\n")
}

func (p *lineProgress) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		_, _ = io.WriteString(p.w, p.note(text, p.now())+"\n")
	}
}

func (*lineProgress) Above(w io.Writer) io.Writer { return w }

func (p *lineProgress) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed && p.unseen {
		p.show(p.now())
	}
	p.closed = true
}

func plainLine(s ProgressState, _ time.Time) string {
	line := report.Sanitize(orElse(s.Phase, "scan")) + ": "
	if p, known := s.percent(); known {
		line += fmt.Sprintf("%s, %s of %s targets", p, grouped(s.Done), grouped(s.Targets))
	} else {
		line += grouped(s.Done) + " targets"
	}
	return line + ", " + strings.Join(s.facts(), ", ")
}

func plainNote(text string, _ time.Time) string { return report.Sanitize(text) }

func jsonLine(s ProgressState, now time.Time) string {
	line := struct {
		Type    string   `json:"type"`
		Percent *float64 `json:"percent"`
		Rate    float64  `json:"rate"`
		Found   uint64   `json:"found"`
		Loss    *float64 `json:"loss"`
		ETA     *float64 `json:"eta_s"`
		Sent    uint64   `json:"sent"`
		Done    uint64   `json:"done"`
		Targets uint64   `json:"targets"`
		Phase   string   `json:"phase,omitempty"`
		Limit   string   `json:"limit,omitempty"`
		Time    string   `json:"time"`
	}{
		Type: "progress", Found: s.Found, Sent: s.Sent, Done: s.Done, Targets: s.Targets,
		Phase: s.Phase, Limit: s.Limit, Time: string(appendTime(nil, now)),
	}
	if s.Targets > 0 {
		p := math.Floor(min(s.share(), 1)*10000+rounding) / 100
		line.Percent = &p
	}
	if finite(s.Rate) {
		line.Rate = math.Round(s.Rate*10) / 10
	}
	if s.Loss != nil && finite(*s.Loss) {
		line.Loss = s.Loss
	}
	if s.ETA > 0 {
		eta := math.Round(s.ETA.Seconds()*10) / 10
		line.ETA = &eta
	}
	return string(appendValue(nil, line))
}

func jsonNote(text string, now time.Time) string {
	return string(appendValue(nil, struct {
		Type string `json:"type"`
		Text string `json:"text"`
		Time string `json:"time"`
	}{"note", text, string(appendTime(nil, now))}))
}

// share is how much of the run is behind, 0 to 1.
func (s ProgressState) share() float64 {
	if s.metered {
		return s.shown
	}
	return float64(s.Done) / float64(max(s.Targets, 1))
}

// complete reports the end of a phase. While silent targets are asked again, all
// have a verdict, and time is left.
func (s ProgressState) complete() bool { return s.Targets > 0 && s.Done >= s.Targets && s.ETA <= 0 }

// phase is what is done now, without how often.
func (s ProgressState) phase() string {
	name, _, _ := strings.Cut(s.Phase, ",")
	return name
}

// percent never says 100 before the end.
func (s ProgressState) percent() (text string, known bool) {
	if s.Targets == 0 {
		return "", false
	}
	if s.complete() && s.share() >= 1 {
		return "100 %", true
	}
	const most = 99.9
	return fmt.Sprintf("%.1f %%", min(math.Floor(s.share()*1000+rounding)/10, most)), true
}

// facts are the rest of a line, the most telling first.
func (s ProgressState) facts() []string {
	facts := []string{plural(s.Found, "open port")}
	switch {
	case s.complete():
	case s.ETA > 0:
		facts = append(facts, etaText(s.ETA)+" left")
	default:
		facts = append(facts, "time left unknown")
	}
	facts = append(facts, rateText(s.Rate)+" probes/s")
	if s.Loss != nil {
		facts = append(facts, lossText(*s.Loss)+" lost")
	}
	if s.Limit != "" {
		facts = append(facts, "at "+report.Sanitize(s.Limit))
	}
	return facts
}

// rounding forgives what a share loses as a sum of small parts.
const rounding = 1e-6

// lossText never rounds a loss down to nothing.
func lossText(share float64) string {
	switch {
	case !finite(share) || share <= 0:
		return "0 %"
	case share < 0.0001:
		return "<0.01 %"
	case share < 0.1:
		return fmt.Sprintf("%.2f %%", share*100)
	}
	return fmt.Sprintf("%.0f %%", min(share, 1)*100)
}

// etaText is a time to come: of no more precision than a guess has.
func etaText(d time.Duration) string {
	switch s := int64(d.Round(time.Second).Seconds()); {
	case s < 1:
		return "<1 s"
	case s < 100:
		return fmt.Sprintf("%d s", s)
	case s < 100*60:
		return fmt.Sprintf("%d min", (s+30)/60)
	case s < 72*3600:
		return fmt.Sprintf("%d h", (s+1800)/3600)
	case s < 730*86400:
		return fmt.Sprintf("%d days", (s+43200)/86400)
	}
	return "years"
}
