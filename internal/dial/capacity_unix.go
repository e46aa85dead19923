//go:build !windows

package dial

import (
	"os"
	"syscall"
)

// Capacity is how many exchanges and connections this process can have open at
// once, with some descriptors left for everything else. It raises the soft
// descriptor limit to the hard one first, as the Go runtime also does.
func (d *Dialer) Capacity() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return usable(defaultDescriptors, openDescriptors())
	}
	if limit.Cur < limit.Max {
		raised := syscall.Rlimit{Cur: limit.Max, Max: limit.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err == nil {
			limit = raised
		}
	}
	return usable(uint64(limit.Cur), openDescriptors()) //nolint:unconvert // signed on some systems
}

func openDescriptors() int {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
