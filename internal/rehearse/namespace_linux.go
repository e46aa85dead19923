package rehearse

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name. It lives as long as the
// file is open, or something is inside.
type namespace struct{ file *os.File }

func newNamespace() (*namespace, error) {
	n := &namespace{}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return refused("make a network namespace", err)
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		n.file = file
		return err
	})
	if err != nil {
		return nil, err
	}
	return n, nil
}

// do runs fn on a thread of its own inside the namespace.
func (n *namespace) do(fn func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter a network namespace: %w", err)
		}
		return fn()
	})
}

// onThread runs fn on a thread that ends with it, since fn may have moved it.
func onThread(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		// What stands if fn ends its goroutine, as FailNow of a test does.
		result := errors.New("a function ended its goroutine inside a network namespace")
		defer func() { done <- result }()
		runtime.LockOSThread() // never unlocked: the thread is not used again
		result = fn()
	}()
	return <-done
}

// netlink opens a netlink socket in the namespace.
func (n *namespace) netlink(families ...int) (*netlink.Handle, error) {
	var handle *netlink.Handle
	// NewHandleAt would look into /proc for what may not be there: the
	// process's number in its own namespace.
	err := n.do(func() error {
		var err error
		handle, err = netlink.NewHandle(families...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("netlink in a namespace: %w", err)
	}
	return handle, nil
}

// sysctl writes a value below /proc/sys/net of the namespace that the calling
// thread is in.
func sysctl(name, value string) error {
	if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil { //nolint:gosec // a sysctl
		return fmt.Errorf("set a sysctl: %w", err)
	}
	return nil
}

func (n *namespace) close() error {
	if n == nil || n.file == nil {
		return nil
	}
	return n.file.Close()
}

// refused makes of what the kernel denies an error that says what to do.
func refused(what string, err error) error {
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EUSERS) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return &UnavailableError{fmt.Sprintf("cannot %s (%v): %s", what, err, remedy())}
}

// remedy says why this system may not let users make namespaces.
func remedy() string {
	const alternative = ", or run this as root"
	for _, c := range []struct{ file, bad, text string }{
		{"/proc/sys/kernel/unprivileged_userns_clone", "0\n", "user namespaces are switched off: `sudo sysctl kernel.unprivileged_userns_clone=1`"},
		{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", "AppArmor keeps user namespaces from programs without a profile: " +
			"`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`"},
		{"/proc/sys/user/max_user_namespaces", "0\n", "user namespaces are switched off: `sudo sysctl user.max_user_namespaces=10000`"},
	} {
		if text, err := os.ReadFile(c.file); err == nil && string(text) == c.bad {
			return c.text + alternative
		}
	}
	return "this system lets users make no namespaces, as most containers do: run it outside of the container" + alternative
}
