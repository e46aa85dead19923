package dial

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// defaultPorts is the size of Linux's default range of ephemeral ports, used
// when the setting cannot be read.
const defaultPorts = 60999 - 32768 + 1

// readLimits asks the system. What it does not tell is 0, but the ports.
func readLimits() limits {
	l := limits{portsFrom: "net.ipv4.ip_local_port_range", trackedKey: "net.netfilter.nf_conntrack_max"}
	l.ports = parsePortRange(readSetting("/proc/sys/net/ipv4/ip_local_port_range"))
	if l.ports == 0 {
		l.ports = defaultPorts
	}
	l.maxTracked = parseCount(readSetting("/proc/sys/net/netfilter/nf_conntrack_max"))
	l.tracked = parseCount(readSetting("/proc/sys/net/netfilter/nf_conntrack_count"))
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil {
		l.descriptors = limit.Cur
	}
	return l
}

// readSetting reads a small file; "" when it cannot be read.
func readSetting(name string) string {
	f, err := os.Open(name) //nolint:gosec // one of the names above
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // it was only read
	const enough = 256
	b, err := io.ReadAll(io.LimitReader(f, enough))
	if err != nil {
		return ""
	}
	return string(b)
}
