//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespace is a network namespace kept alive by an open file. A nil
// namespace stands for the process's own.
type namespace struct {
	file *os.File
}

// newNamespace makes an empty network namespace without moving the caller.
func newNamespace() (*namespace, error) {
	ns := &namespace{}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		ns.file = file
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ns, nil
}

// do runs fn on a thread inside the namespace. Sockets opened and processes
// started by fn itself belong there; goroutines it starts do not.
func (n *namespace) do(fn func() error) error {
	if n == nil {
		return fn()
	}
	return onThread(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return fn()
	})
}

// onThread runs fn on an OS thread of its own and puts that thread back into
// the process's namespace. A thread that cannot be put back is thrown away.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		// What stands if fn ends its goroutine, as FailNow of a test does.
		result := errors.New("a function ended its goroutine inside a network namespace")
		defer func() { done <- result }()
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			result = err
			return
		}
		defer func() { _ = home.Close() }()
		result = fn()
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return <-done
}

// netlink opens a netlink socket in the namespace.
func (n *namespace) netlink() (*netlink.Handle, error) {
	if n == nil {
		return netlink.NewHandle(unix.NETLINK_ROUTE)
	}
	handle, err := netlink.NewHandleAt(netns.NsHandle(n.file.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("netlink in namespace: %w", err)
	}
	return handle, nil
}

// sysctl writes values below /proc/sys/net of the namespace.
func (n *namespace) sysctl(values map[string]string) error {
	return n.do(func() error {
		for name, value := range values {
			if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil { //nolint:gosec // a sysctl
				return fmt.Errorf("set sysctl: %w", err)
			}
		}
		return nil
	})
}

func (n *namespace) close() {
	if n != nil {
		_ = n.file.Close()
	}
}
