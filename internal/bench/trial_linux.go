package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Trial is one process to be measured on a stage.
type Trial struct {
	Tool    string
	Setting string        // what distinguishes it from other trials of the tool
	Command []string      // output and stats stand for files of the trial's own
	Env     []string      // in addition to the caller's
	Bound   time.Duration // when it is ended; it is then said to be bounded
	Once    bool          // too long to be repeated
	Read    func(output []byte) (*Result, error)
	Own     func(stderr, stats []byte) float64 // the rate the tool gives for itself; nil when none
	Said    func(stats []byte) float64         // the completeness that it claims; nil when it claims none
}

// Placeholders in Trial.Command.
const (
	outputFile = "{output}"
	statsFile  = "{stats}"
)

// Figures is what one run of a trial measured.
type Figures struct {
	Rate     float64       // probes a second at the peer, see [Rate]
	Own      float64       // the same as the tool says, 0 when it does not
	Said     float64       // the completeness it claims, 0 when it claims none
	Wall     time.Duration // the whole process
	CPU      time.Duration // user and system of the process
	Busy     float64       // seconds of work of the whole machine meanwhile
	Probes   uint64        // counted at the peer, see [Count.Probes]
	Packets  uint64        // received by the peer
	Answers  uint64        // sent by the peer
	PeakKiB  int           // of memory
	Open     int           // truly open targets that were reported open
	OpenAll  int           // truly open targets
	Wrong    int           // verdicts that are not true; see [Truth.Judge]
	Bounded  bool          // it was ended before it was done
	NoResult bool          // nothing to judge
}

// CPUPerMillion is seconds of the process's processor time for a million probes.
func (f Figures) CPUPerMillion() float64 { return f.CPU.Seconds() / max(1, float64(f.Probes)) * 1e6 }

// BusyPerMillion is seconds of the whole machine's processor time for a
// million probes.
func (f Figures) BusyPerMillion() float64 { return f.Busy / max(1, float64(f.Probes)) * 1e6 }

// Recall is the share of the truly open targets that were reported.
func (f Figures) Recall() float64 {
	if f.OpenAll == 0 {
		return 0
	}
	return float64(f.Open) / float64(f.OpenAll)
}

// run measures the trial once. Files go to dir.
func (s *Stage) run(ctx context.Context, scene Scene, trial Trial, truth *Truth, dir string) (Figures, error) {
	output, stats, peak := filepath.Join(dir, "output"), filepath.Join(dir, "stats"), filepath.Join(dir, "peak")
	for _, file := range []string{output, stats, peak} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return Figures{}, err
		}
	}
	// GNU time forks the process from its own small image; a child of this
	// process would inherit this process's peak memory.
	words := []string{"/usr/bin/time", "-f", "%M", "-o", peak}
	tool, err := program(trial.Command[0])
	if err != nil {
		return Figures{}, err
	}
	words = append(words, tool)
	for _, word := range trial.Command[1:] {
		words = append(words, strings.NewReplacer(outputFile, output, statsFile, stats).Replace(word))
	}
	bounded, cancel := context.WithTimeout(ctx, trial.Bound)
	defer cancel()
	cmd := exec.CommandContext(bounded, words[0], words[1:]...)
	cmd.Env = append(os.Environ(), trial.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stderr, &stderr

	m := s.startMeter()
	busy, start := machineBusy(), time.Now()
	failed := cmd.Run()
	figures := Figures{Wall: time.Since(start), Busy: machineBusy() - busy, Bounded: bounded.Err() != nil}
	if figures.Bounded {
		// What GNU time started does not always end with it.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	samples, err := m.stop(s)
	if err != nil {
		return Figures{}, err
	}
	if ctx.Err() != nil {
		return Figures{}, ctx.Err()
	}
	if failed != nil && !figures.Bounded && !verdict(failed) {
		return Figures{}, fmt.Errorf("%s: %w\n%s", strings.Join(words[5:], " "), failed, tail(stderr.Bytes(), 800))
	}
	figures.count(samples, scene.Answered)
	figures.cost(cmd.ProcessState, peak)
	summary, _ := os.ReadFile(stats) // a tool that writes none gives no figures of its own
	if trial.Own != nil {
		figures.Own = trial.Own(stderr.Bytes(), summary)
	}
	if trial.Said != nil {
		figures.Said = trial.Said(summary)
	}
	return figures, figures.judge(trial, truth, output)
}

// verdict reports that a process ended with the code of ours that tells of an
// incomplete run. Its result is measured like any other.
func verdict(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == 3
}

func (f *Figures) count(samples []Count, answered bool) {
	first, last := samples[0], samples[len(samples)-1]
	f.Rate, f.Probes = Rate(samples, answered), last.Probes(answered)-first.Probes(answered)
	f.Packets, f.Answers = last.Received-first.Received, last.Sent-first.Sent
}

// cost reads what the process used. state may be nil.
func (f *Figures) cost(state *os.ProcessState, peak string) {
	if state != nil {
		f.CPU = state.UserTime() + state.SystemTime() // GNU time's own children included
	}
	text, _ := os.ReadFile(peak)
	lines := strings.Fields(string(text))
	if len(lines) > 0 {
		f.PeakKiB, _ = strconv.Atoi(lines[len(lines)-1])
	}
}

// judge holds the trial's result against the truth.
func (f *Figures) judge(trial Trial, truth *Truth, output string) error {
	if truth == nil || trial.Read == nil {
		f.NoResult = true
		return nil
	}
	text, err := os.ReadFile(output)
	if errors.Is(err, os.ErrNotExist) {
		text, err = nil, nil // nothing found and so nothing written
	}
	if err != nil {
		return err
	}
	result, err := trial.Read(text)
	if err != nil && f.Bounded {
		f.NoResult = true // cut short in the middle of its file
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", trial.Tool, err)
	}
	truth.Judge(result, f)
	return nil
}

func tail(text []byte, n int) string {
	text = bytes.TrimSpace(text)
	return string(text[max(0, len(text)-n):])
}
