//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package app

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFile keeps two runs from writing to one checkpoint. The lock ends with
// the process.
func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) //nolint:gosec // a descriptor
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return errors.New("another scan is writing to this checkpoint")
	case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOLCK):
		return nil // some network file systems cannot lock
	}
	return err
}
