package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// envFlood makes the test binary the bare loop; see [FloodProcess].
const envFlood = "RECONSHIELD_BENCH_FLOOD"

// Options says what is compared. Paths must be absolute.
type Options struct {
	Ours   string // the reconshield binary; "" leaves it out
	Self   string // a binary that calls [FloodProcess] first
	Dir    string // an empty folder for output files
	Runs   int
	Size   Size
	Scenes []string // by name; all when empty
	Tools  []string // by name; all when empty
	Lines  bool     // write the command lines, too
}

// Compare runs the scenes and writes a table for each to w. Runs of different
// trials take turns, so that a slow hour of the machine is shared by all.
func Compare(ctx context.Context, o Options, w io.Writer) error {
	for _, name := range []string{"ip", "nft", "/usr/bin/time", toolMasscan, toolZmap, toolNmap} {
		if _, err := program(name); err != nil {
			return err
		}
	}
	empty := filepath.Join(o.Dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		return err
	}
	start := time.Now()
	if err := writeMachine(w, o); err != nil {
		return err
	}
	for _, scene := range Scenes(o.Size) {
		if len(o.Scenes) > 0 && !slices.Contains(o.Scenes, scene.Name) {
			continue
		}
		if err := o.play(ctx, scene, empty, w); err != nil {
			return fmt.Errorf("scene %s: %w", scene.Name, err)
		}
	}
	_, err := fmt.Fprintf(w, "\nall took %.0f s\n", time.Since(start).Seconds())
	return err
}

// play runs the trials of one scene.
func (o Options) play(ctx context.Context, scene Scene, empty string, w io.Writer) (err error) {
	stage, err := NewStage(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if failed := stage.Close(); err == nil {
			err = failed
		}
	}()
	truth, err := scene.Set(ctx, stage)
	if err != nil {
		return err
	}
	if err := stage.Nudge(); err != nil {
		return err
	}
	kit := Kit{Ours: o.Ours, Self: o.Self, Empty: empty, stage: stage, scene: scene}
	trials := slices.DeleteFunc(scene.Trials(kit), func(t Trial) bool {
		return len(o.Tools) > 0 && !slices.Contains(o.Tools, t.Tool)
	})
	results := make([]Series, len(trials))
	for run := range o.Runs {
		for i, trial := range trials {
			if run > 0 && (trial.Once || results[i].Failed != nil) {
				continue
			}
			figures, err := stage.run(ctx, scene, trial, truth, o.Dir)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				results[i].Failed = err // the others are worth their figures
				continue
			}
			results[i].Runs = append(results[i].Runs, figures)
		}
	}
	if err := writeTable(w, scene, trials, results); err != nil || !o.Lines {
		return err
	}
	for _, trial := range trials {
		if _, err := fmt.Fprintln(w, "  "+strings.Join(append(trial.Env, trial.Command...), " ")); err != nil {
			return err
		}
	}
	return nil
}
