package guard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience is how long one program may take.
const patience = 60 * time.Second

// Run runs a step and gives what it wrote to standard output. The error is one
// line with what the program said.
func Run(ctx context.Context, s Step) ([]byte, error) { return run(ctx, s, 0) }

// run runs a step; death is the signal that the program gets when this one
// dies, 0 for none.
func run(ctx context.Context, s Step, death syscall.Signal) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.Path, s.Args...) //nolint:gosec // the programs that the app names
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(s.Input), &out, &said
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	// A signal to the group of the terminal is none of the program's business.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: death}
	if err := cmd.Run(); err != nil {
		text := strings.Join(strings.Fields(strings.ToValidUTF8(said.String(), "?")), " ")
		const most = 300
		if len(text) > most {
			text = text[:most]
		}
		name := filepath.Base(s.Path)
		if s.Of != "" {
			name = s.Of + ": " + name
		}
		return out.Bytes(), fmt.Errorf("%s: %w: %s", name, errors.Join(err, context.Cause(ctx)), text)
	}
	return out.Bytes(), nil
}

// makeChange runs the steps; none goes on when this program is killed, since what comes
// then is the restoring.
func makeChange(steps []Step) error {
	for _, s := range steps {
		if _, err := run(context.Background(), s, syscall.SIGKILL); err != nil {
			return err
		}
	}
	return nil
}

// restore runs the steps, each again when it fails: another program may be at
// work on the rules at the same time.
func restore(ctx context.Context, steps []Step, log func(string)) error {
	const attempts, pause = 10, 300 * time.Millisecond
	for _, s := range steps {
		var err error
		for n := range attempts {
			if n > 0 {
				timer := time.NewTimer(pause)
				<-timer.C
			}
			if _, err = Run(ctx, s); err == nil {
				break
			}
			log(err.Error())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
