//go:build !linux && !windows

package dial

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// prepare sets the options of a fresh socket.
func prepare(fd uintptr, v6 bool, ifname string, hopLimit int) error {
	s := int(fd)
	if ifname != "" {
		if err := bindInterface(s, v6, ifname); err != nil {
			return fmt.Errorf("bind to interface %s: %w", ifname, err)
		}
	}
	// Package net allows broadcasts; a scan must never send one.
	if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_BROADCAST, 0); err != nil {
		return fmt.Errorf("forbid broadcasts: %w", err)
	}
	if hopLimit <= 0 {
		return nil
	}
	var err error
	if v6 {
		err = unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, hopLimit)
	} else {
		err = unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_TTL, hopLimit)
	}
	if err != nil {
		return fmt.Errorf("set hop limit %d: %w", hopLimit, err)
	}
	return nil
}
