//go:build unix

package portlist

import (
	"os"

	"golang.org/x/sys/unix"
)

// appends reports whether f was opened with O_APPEND, as by ">>".
func appends(f *os.File) bool {
	conn, err := f.SyscallConn()
	if err != nil {
		return true
	}
	flags := unix.O_APPEND
	err = conn.Control(func(fd uintptr) {
		if got, err := unix.FcntlInt(fd, unix.F_GETFL, 0); err == nil {
			flags = got
		}
	})
	return err != nil || flags&unix.O_APPEND != 0
}
