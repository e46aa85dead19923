package dial

import (
	"net"

	"golang.org/x/sys/unix"
)

// bindInterface makes a socket use one interface only.
func bindInterface(s int, v6 bool, ifname string) error {
	ifi, err := net.InterfaceByName(ifname)
	if err != nil {
		return err
	}
	if v6 {
		return unix.SetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_BOUND_IF, ifi.Index)
	}
	return unix.SetsockoptInt(s, unix.IPPROTO_IP, unix.IP_BOUND_IF, ifi.Index)
}
