package dial

import (
	"net"
	"net/netip"
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
