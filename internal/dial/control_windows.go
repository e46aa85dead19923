package dial

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
)

// IPV6_UNICAST_HOPS of ws2ipdef.h, which x/sys does not name.
const ipv6UnicastHops = 4

// prepare sets the options of a fresh socket.
func prepare(fd uintptr, v6 bool, ifname string, hopLimit int) error {
	if ifname != "" {
		return errors.New("choosing an interface is not possible on this system; give a source address instead")
	}
	// Package net allows broadcasts; a scan must never send one. TCP sockets
	// do not know the option, and need not.
	_ = windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_BROADCAST, 0)
	if hopLimit <= 0 {
		return nil
	}
	level, option := windows.IPPROTO_IP, windows.IP_TTL
	if v6 {
		level, option = windows.IPPROTO_IPV6, ipv6UnicastHops
	}
	if err := windows.SetsockoptInt(windows.Handle(fd), level, option, hopLimit); err != nil {
		return fmt.Errorf("set hop limit %d: %w", hopLimit, err)
	}
	return nil
}
