package route

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func readLimits() Limits {
	var l Limits
	const root = "/proc/sys/net/"
	// A value that cannot be read is one that is not known, see Limits.
	if text, err := os.ReadFile(root + "ipv4/ip_local_port_range"); err == nil {
		l.EphemeralFrom, l.EphemeralTo = portRange(string(text))
	}
	if text, err := os.ReadFile(root + "netfilter/nf_conntrack_count"); err == nil {
		l.ConntrackCount = number(string(text))
	}
	if text, err := os.ReadFile(root + "netfilter/nf_conntrack_max"); err == nil {
		l.ConntrackMax = number(string(text))
	}
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) == nil {
		l.Descriptors, l.DescriptorsMax = files.Cur, files.Max
	}
	return l
}

// portRange reads "32768\t60999"; anything else is 0, 0.
func portRange(text string) (from, to uint16) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return 0, 0
	}
	a, errA := strconv.ParseUint(fields[0], 10, 16)
	b, errB := strconv.ParseUint(fields[1], 10, 16)
	if errA != nil || errB != nil || a > b {
		return 0, 0
	}
	return uint16(a), uint16(b)
}

// number reads one decimal number; anything else is 0.
func number(text string) uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
