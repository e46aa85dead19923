package rehearse

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Names under which the program is started again; no user's command line has
// them as the program's name.
const (
	stageName = "reconshield:stage"
	zoneName  = "reconshield:zone"
)

// Descriptors of a process started again: what it shall do, until whose end its
// parent lives, and what came of it.
const (
	requestFD = 3
	resultFD  = 4
)

// request is what a process started again shall do.
type request struct {
	Job Job
}

// result is what came of it.
type result struct {
	Output      []byte
	Failed      string
	Unavailable bool
	Load        *LoadError
}

func run(ctx context.Context, j Job) ([]byte, error) {
	// The parent-death signal follows the thread that forks, not the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	attr := &syscall.SysProcAttr{
		// A process namespace dies as a whole with its first process.
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	if !privileged() {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return again(ctx, stageName, request{Job: j}, attr)
}

// privileged reports whether the process may make namespaces and configure
// networks without a user namespace.
func privileged() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	const need = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN | 1<<unix.CAP_NET_RAW
	return data[0].Effective&need == need
}

// again starts the program under another name and waits for its result. The
// calling thread must stay what it is until again returns.
func again(ctx context.Context, name string, q request, attr *syscall.SysProcAttr) ([]byte, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = write.Close() }()
	from, to, err := os.Pipe()
	if err != nil {
		_ = read.Close()
		return nil, err
	}
	defer func() { _ = from.Close() }()
	var said bounded
	said.left = 16 << 10
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args = []string{name}
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.ExtraFiles = []*os.File{read, to}
	cmd.SysProcAttr = attr
	err = cmd.Start()
	_, _ = read.Close(), to.Close()
	if err != nil {
		return nil, refused("make namespaces", err)
	}
	var sending sync.WaitGroup
	// What goes wrong with it is told by the process, or by its death.
	sending.Go(func() { _ = gob.NewEncoder(write).Encode(q) })
	var r result
	decoded := gob.NewDecoder(from).Decode(&r)
	// The end of the request tells the process that nobody needs it any more.
	_ = write.Close()
	waited := cmd.Wait()
	sending.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case decoded != nil:
		return nil, fmt.Errorf("the process of the stage died (%w): %s", errors.Join(waited, noEOF(decoded)), strings.TrimSpace(said.String()))
	case r.Load != nil:
		return nil, r.Load
	case r.Unavailable:
		return nil, &UnavailableError{r.Failed}
	case r.Failed != "":
		return nil, errors.New(r.Failed)
	}
	return r.Output, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func main(t Tasks) (int, bool) {
	var do func(context.Context, request) ([]byte, error)
	switch {
	case len(os.Args) != 1:
		return 0, false
	case os.Args[0] == stageName:
		do = func(ctx context.Context, q request) ([]byte, error) { return onStage(ctx, t, q.Job) }
	case os.Args[0] == zoneName:
		do = func(ctx context.Context, q request) ([]byte, error) {
			if t.Zone == nil {
				return nil, errors.New("the program has no task for a zone")
			}
			return t.Zone(ctx, q.Job.Input)
		}
	default:
		return 0, false
	}
	if err := serve(do); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// serve reads the request, does it, and writes the result.
func serve(do func(context.Context, request) ([]byte, error)) error {
	unix.CloseOnExec(requestFD)
	unix.CloseOnExec(resultFD)
	in, out := os.NewFile(requestFD, "request"), os.NewFile(resultFD, "result")
	var q request
	if err := gob.NewDecoder(in).Decode(&q); err != nil {
		return fmt.Errorf("read what to do: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	go func() {
		_, _ = in.Read(make([]byte, 1))
		select {
		case <-done:
		default:
			// Between its start and its first instruction a process misses
			// the parent-death signal.
			os.Exit(1) //nolint:forbidigo // the parent is gone, and nobody is left to be told
		}
	}()
	output, err := do(ctx, q)
	r := result{Output: output}
	if err != nil {
		r.Failed = err.Error()
		var unavailable *UnavailableError
		r.Unavailable = errors.As(err, &unavailable)
		errors.As(err, &r.Load)
	}
	close(done)
	return gob.NewEncoder(out).Encode(r)
}

// onStage builds the stage and does the task on it.
func onStage(ctx context.Context, t Tasks, j Job) (output []byte, err error) {
	if t.Stage == nil {
		return nil, errors.New("the program has no task for a stage")
	}
	if err := seclude(); err != nil {
		return nil, err
	}
	s, err := Open(ctx, j.Scene)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Load(ctx, j.Rulesets...); err != nil {
		return nil, err
	}
	return t.Stage(ctx, s, j.Input)
}

// seclude gives the process files of its own where the tools keep state: the
// lock of iptables lies below /run.
func seclude() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return refused("make mounts private", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=755"); err != nil {
		return refused("mount a private /run", err)
	}
	// Refused where parts of /proc are masked; what is needed of it works anyway.
	_ = unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	return nil
}

// Zone starts the program again inside a zone's namespace, as a whole, and
// gives the output of Tasks.Zone: whatever it opens, from any goroutine, is in
// the zone. Several may run at once. The process dies with this one.
func (s *Stage) Zone(ctx context.Context, zone string, input []byte) ([]byte, error) {
	var output []byte
	err := s.In(zone, func() error {
		var err error
		output, err = again(ctx, zoneName, request{Job: Job{Input: input}}, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL})
		return err
	})
	return output, err
}
