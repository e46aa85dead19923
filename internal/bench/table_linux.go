package bench

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"
)

// Series is the runs of one trial, and why it was given up, if it was.
type Series struct {
	Runs   []Figures
	Failed error
}

// Median takes a figure's median over the runs; the lower of the middle two
// when they are even in number.
func (s Series) Median(figure func(Figures) float64) float64 {
	values := make([]float64, len(s.Runs))
	for i, run := range s.Runs {
		values[i] = figure(run)
	}
	return median(values)
}

// any reports whether something holds for one of the runs.
func (s Series) any(holds func(Figures) bool) bool { return slices.ContainsFunc(s.Runs, holds) }

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	return values[(len(values)-1)/2]
}

func rate(f Figures) float64 { return f.Rate }
func wall(f Figures) float64 { return f.Wall.Seconds() }

// writeMachine says where and when.
func writeMachine(w io.Writer, o Options) error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "machine: %d cores, %s, Linux %s, %s, descriptors %d/%d, load %s, %s; runs %d, medians shown\n",
		runtime.NumCPU(), processor(), unix.ByteSliceToString(name.Release[:]), runtime.Version(), limit.Cur, limit.Max, load(),
		time.Now().UTC().Format("2006-01-02 15:04 MST"), o.Runs)
	return err
}

// processor is the model name of the first processor.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// load is how busy the machine was in the minute before: figures taken on a
// busy one say little.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return minute
}

// writeTable writes one scene's figures, aligned.
func writeTable(w io.Writer, scene Scene, trials []Trial, results []Series) error {
	versus := "x rate"
	if scene.ByWall {
		versus = "x time"
	}
	rows := [][]string{{
		"tool", "setting", "k/s at the peer", "min-max", "own k/s", versus, "wall s", "CPU s", "CPU s/M", "machine s/M",
		"peak MiB", "packets", "answers", "recall %", "wrong", "says %",
	}}
	var notes strings.Builder
	for i, trial := range trials {
		if err := results[i].Failed; err != nil {
			rows = append(rows, append([]string{trial.Tool, trial.Setting, "failed"}, make([]string, len(rows[0])-3)...))
			fmt.Fprintf(&notes, "failed: %s %s: %v\n", trial.Tool, trial.Setting, err)
			continue
		}
		rows = append(rows, row(scene, trial, results[i], results[0]))
	}
	if _, err := fmt.Fprintf(w, "\n%s: %s\n", scene.Name, scene.Title); err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, cells := range rows {
		if _, err := io.WriteString(table, strings.Join(cells, "\t")+"\t\n"); err != nil {
			return err
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, notes.String())
	return err
}

// row is the cells of one trial; base is what it is compared to.
func row(scene Scene, trial Trial, s, base Series) []string {
	versus := "-"
	if by := base.Median(rate); !scene.ByWall && by > 0 {
		versus = fmt.Sprintf("%.2f", s.Median(rate)/by)
	}
	if by := base.Median(wall); scene.ByWall && by > 0 {
		versus = fmt.Sprintf("%.2f", s.Median(wall)/by)
	}
	rates := make([]float64, len(s.Runs))
	for i, run := range s.Runs {
		rates[i] = run.Rate
	}
	spread := ""
	if len(rates) > 1 {
		spread = fmt.Sprintf("%.0f-%.0f", slices.Min(rates)/1e3, slices.Max(rates)/1e3)
	}
	own := "-"
	if v := s.Median(func(f Figures) float64 { return f.Own }); v > 0 {
		own = fmt.Sprintf("%.0f", v/1e3)
	}
	seconds, cpu := fmt.Sprintf("%.2f", s.Median(cpu)), fmt.Sprintf("%.2f", s.Median(Figures.CPUPerMillion))
	peak := fmt.Sprintf("%.1f", s.Median(peakMiB))
	took := fmt.Sprintf("%.2f", s.Median(wall))
	if s.any(func(f Figures) bool { return f.Bounded }) {
		// What an ended process used is not known.
		took, seconds, cpu, peak = "> "+took+" (ended)", "-", "-", "-"
	}
	recall, wrong := s.verdicts()
	says := "-"
	if v := s.Median(func(f Figures) float64 { return f.Said }); v > 0 {
		says = percent(v)
	}
	return []string{
		trial.Tool, trial.Setting, fmt.Sprintf("%.1f", s.Median(rate)/1e3), spread, own, versus, took, seconds, cpu,
		fmt.Sprintf("%.2f", s.Median(Figures.BusyPerMillion)), peak,
		fmt.Sprintf("%.0f", s.Median(func(f Figures) float64 { return float64(f.Packets) })),
		fmt.Sprintf("%.0f", s.Median(func(f Figures) float64 { return float64(f.Answers) })),
		recall, wrong, says,
	}
}

func cpu(f Figures) float64     { return f.CPU.Seconds() }
func peakMiB(f Figures) float64 { return float64(f.PeakKiB) / 1024 }

// verdicts gives recall and wrong verdicts of the worst run: an average would
// hide a lost answer.
func (s Series) verdicts() (recall, wrong string) {
	if s.any(func(f Figures) bool { return f.NoResult }) {
		return "-", "-"
	}
	least, most := 1.0, 0
	for _, run := range s.Runs {
		least, most = min(least, run.Recall()), max(most, run.Wrong)
	}
	return percent(least), strconv.Itoa(most)
}

// percent never rounds up to 100.
func percent(share float64) string {
	if share == 1 {
		return "100"
	}
	return fmt.Sprintf("%.3f", min(99.999, share*100))
}
