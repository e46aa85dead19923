//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	// envOuter carries the identity of the network namespace the test binary
	// was started in, so that the second start knows that it has moved.
	envOuter = "RECONSHIELD_LAB_OUTER"
	// envInside tells children (fuzz workers) that the namespaces are set up.
	envInside = "RECONSHIELD_LAB_INSIDE"

	// labRoot holds every file of the lab. /run is a private tmpfs, so the files
	// vanish with the namespaces and paths stay short enough for sockets.
	labRoot = "/run/lab"
)

// Main runs the tests of a package inside fresh mount, PID and network
// namespaces (and a user namespace when the caller may not make the others)
// and exits with their result. Call it from TestMain and nowhere else.
//
// It starts the test binary a second time; that second process is process 1
// of its PID namespace, so everything it starts dies with it.
func Main(m *testing.M) {
	os.Exit(run(m)) //nolint:forbidigo // the contract of TestMain
}

func run(m *testing.M) int {
	switch outer := os.Getenv(envOuter); {
	case os.Getenv(envInside) != "" && outer != "" && outer != ownNetwork():
		return m.Run()
	case outer != "" && outer != ownNetwork():
		if err := enter(); err != nil {
			fmt.Fprintln(os.Stderr, "lab:", err)
			return 1
		}
		return m.Run()
	}
	code, err := restart()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		return 1
	}
	return code
}

func ownNetwork() string {
	id, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return ""
	}
	return id
}

// restart runs the test binary again in new namespaces and waits for it.
func restart() (int, error) {
	// The parent-death signal follows the thread that forks, not the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	cmd := exec.CommandContext(context.Background(), "/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), envOuter+"="+ownNetwork())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	if !privileged() {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer signal.Stop(signals)

	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("cannot make namespaces, run the tests as root or allow unprivileged user namespaces "+
			"(sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0): %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = cmd.Process.Signal(s)
		case err := <-done:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return 0, fmt.Errorf("wait for the tests: %w", err)
			}
			if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
				return 128 + int(status.Signal()), nil
			}
			return cmd.ProcessState.ExitCode(), nil
		}
	}
}

// privileged reports whether the process may make namespaces and configure
// networks without a user namespace.
func privileged() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	const need = 1<<unix.CAP_SYS_ADMIN | 1<<unix.CAP_NET_ADMIN
	return data[0].Effective&need == need
}

// enter finishes the new namespaces: private mounts, an empty /run, a lab
// certificate authority, a resolv.conf inside the lab, and loopback.
func enter() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	// Refused where parts of /proc are masked; /proc/thread-self works anyway.
	_ = unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount a private /run: %w", err)
	}
	if err := os.MkdirAll(labRoot, 0o755); err != nil {
		return err
	}
	if err := replaceResolvConf(); err != nil {
		return err
	}
	if err := newAuthority(); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"SSL_CERT_FILE": authorityFile,
		"SSL_CERT_DIR":  filepath.Join(labRoot, "none"),
		envInside:       "1",
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return loopbackUp(nil)
}

// replaceResolvConf points the system resolver at the lab's router, which
// refuses at once until a resolver of the lab runs. See [Lab.Start].
func replaceResolvConf() error {
	file := filepath.Join(labRoot, "resolv.conf")
	text := fmt.Sprintf("nameserver %s\noptions timeout:1 attempts:1\n", routerOutside4)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil { //nolint:gosec // read by daemons of any user
		return err
	}
	const system = "/etc/resolv.conf"
	target := system
	if link, err := os.Readlink(system); err == nil {
		// The usual link leads into /run, which is empty by now.
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(system), link)
		}
		target = link
		if _, err := os.Stat(target); err != nil {
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			return os.Symlink(file, target)
		}
	}
	if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) {
		return nil // lookups fail on loopback at once
	}
	if err := unix.Mount(file, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("replace %s: %w", target, err)
	}
	return nil
}

// loopbackUp brings lo up in the given namespace, nil being the own one.
func loopbackUp(ns *namespace) error {
	handle, err := ns.netlink()
	if err != nil {
		return err
	}
	defer handle.Close()
	lo, err := handle.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find loopback: %w", err)
	}
	if err := handle.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring loopback up: %w", err)
	}
	return nil
}
