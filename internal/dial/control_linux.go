package dial

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// prepare sets the options of a fresh socket.
func prepare(fd uintptr, v6 bool, ifname string, hopLimit int) error {
	s := int(fd)
	if ifname != "" {
		if err := unix.BindToDevice(s, ifname); err != nil {
			return fmt.Errorf("bind to interface %s: %w", ifname, err)
		}
	}
	// Package net allows broadcasts; a scan must never send one.
	if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_BROADCAST, 0); err != nil {
		return os.NewSyscallError("setsockopt SO_BROADCAST", err)
	}
	level, recverr, ttl := unix.IPPROTO_IP, unix.IP_RECVERR, unix.IP_TTL
	if v6 {
		level, recverr, ttl = unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.IPV6_UNICAST_HOPS
	}
	if err := unix.SetsockoptInt(s, level, recverr, 1); err != nil {
		return os.NewSyscallError("setsockopt IP_RECVERR", err)
	}
	if hopLimit > 0 {
		if err := unix.SetsockoptInt(s, level, ttl, hopLimit); err != nil {
			return fmt.Errorf("set hop limit %d: %w", hopLimit, err)
		}
	}
	return nil
}
