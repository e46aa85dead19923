//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package feeds

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile locks until the file is closed or the process ends. It does not wait.
func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // a descriptor
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return errLocked
	case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOLCK):
		return nil // some network file systems cannot lock
	}
	return err
}
