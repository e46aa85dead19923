package dial

import (
	"net"
	"net/netip"
	"slices"
)

// OnLink reports whether addr is one of this host's own or in the prefix of
// one of its interfaces, so that no router stands between. It is false when
// the system does not tell.
func (d *Dialer) OnLink(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.IsLoopback() || addr.IsLinkLocalUnicast() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Contains(addr) {
			return true
		}
	}
	return false
}

// localDetail words why nothing could be sent to addr. The system refuses
// broadcasts in several ways, none of which says so.
func localDetail(addr netip.Addr, err error) string {
	if isBroadcast(addr) {
		return "broadcast address"
	}
	return err.Error()
}

// isBroadcast reports the limited broadcast address and those of the networks
// that this host is connected to (RFC 919 section 7).
func isBroadcast(addr netip.Addr) bool {
	if !addr.Is4() {
		return false
	}
	if addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(addrs, func(a net.Addr) bool {
		p, err := netip.ParsePrefix(a.String())
		return err == nil && isLast(addr, p)
	})
}

// isLast reports the last address of an IPv4 network, which is its broadcast
// address unless the network has two addresses at most (RFC 3021).
func isLast(addr netip.Addr, network netip.Prefix) bool {
	const pointToPoint = 31
	return network.Bits() < pointToPoint && network.Contains(addr) && !network.Contains(addr.Next())
}
