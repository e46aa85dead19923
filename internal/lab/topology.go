//go:build linux

package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Addresses of the topology. The scanner sits behind a router, so every host
// is off-link to it, as in real life.
const (
	scannerOutside4 = "203.0.113.2"
	scannerOutside6 = "2001:db8:113::2"
	routerOutside4  = "203.0.113.1"
	routerOutside6  = "2001:db8:113::1"
	rootServer4     = "198.41.0.4"
	rootServer6     = "2001:503:ba3e::2:30"
)

// Segments of the topology, for scopes of tests.
const (
	// Servers4 and Servers6 hold the catalogue; the router is .1 and ::1.
	Servers4 = "192.0.2.0/24"
	Servers6 = "2001:db8:2::/64"
	// Intercepted4 and Intercepted6 lie behind a middlebox that answers port
	// 53 for every address, once a host there has been started.
	Intercepted4 = "198.51.100.0/24"
	Intercepted6 = "2001:db8:51::/64"
)

// segment is one of the router's bridges.
type segment struct {
	bridge string
	v4, v6 string // prefixes with a verb for the host part
}

func servers() segment {
	return segment{bridge: "servers", v4: "192.0.2.%d", v6: "2001:db8:2::%d"}
}

func intercepted() segment {
	return segment{bridge: "intercepted", v4: "198.51.100.%d", v6: "2001:db8:51::%d"}
}

// address returns the n-th host's addresses; the IPv6 one repeats the decimal
// digits of the IPv4 one's last octet.
func (s segment) address(n int) (v4, v6 netip.Addr) {
	return netip.MustParseAddr(fmt.Sprintf(s.v4, n)), netip.MustParseAddr(fmt.Sprintf(s.v6, n))
}

// buildRouter makes the router with its bridges and the scanner's link to it.
func buildRouter() (*namespace, error) {
	router, err := newNamespace()
	if err != nil {
		return nil, err
	}
	if err := prepareNamespace(router, true); err != nil {
		return router, err
	}
	inside, err := router.netlink()
	if err != nil {
		return router, err
	}
	defer inside.Close()

	snooping := false
	for i, s := range []segment{servers(), intercepted()} {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = s.bridge
		// Left alone, a bridge takes the lowest address of its ports and so
		// changes it while hosts still remember the old one.
		attrs.HardwareAddr = net.HardwareAddr{2, 0, 0, 0, 0, byte(i + 1)}
		v4, v6 := s.address(1)
		if err := inside.LinkAdd(&netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping}); err != nil {
			return router, fmt.Errorf("add bridge %s: %w", s.bridge, err)
		}
		if err := configureLink(inside, s.bridge, v4, v6); err != nil {
			return router, err
		}
	}
	outside, err := (*namespace)(nil).netlink()
	if err != nil {
		return router, err
	}
	defer outside.Close()
	if err := addVeth(outside, "lab0", router, "scanner"); err != nil {
		return router, err
	}
	return router, errors.Join(
		configureLink(inside, "scanner", netip.MustParseAddr(routerOutside4), netip.MustParseAddr(routerOutside6)),
		configureLink(outside, "lab0", netip.MustParseAddr(scannerOutside4), netip.MustParseAddr(scannerOutside6)),
		defaultRoutes(outside, "lab0", netip.MustParseAddr(routerOutside4), netip.MustParseAddr(routerOutside6)),
	)
}

// removeScannerLink undoes what buildRouter did to the process's own namespace.
func removeScannerLink() error {
	handle, err := (*namespace)(nil).netlink()
	if err != nil {
		return err
	}
	defer handle.Close()
	link, err := handle.LinkByName("lab0")
	if err != nil {
		return err
	}
	return handle.LinkDel(link)
}

// attach plugs a new namespace into a segment as eth0 with default routes.
func attach(router, host *namespace, s segment, n int) error {
	if err := prepareNamespace(host, false); err != nil {
		return err
	}
	inside, err := host.netlink()
	if err != nil {
		return err
	}
	defer inside.Close()
	port := fmt.Sprintf("%.4s%d", s.bridge, n)
	if err := addVeth(inside, "eth0", router, port); err != nil {
		return err
	}
	v4, v6 := s.address(n)
	if err := configureLink(inside, "eth0", v4, v6); err != nil {
		return err
	}
	handle, err := router.netlink()
	if err != nil {
		return err
	}
	defer handle.Close()
	bridge, err := handle.LinkByName(s.bridge)
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", s.bridge, err)
	}
	link, err := handle.LinkByName(port)
	if err != nil {
		return fmt.Errorf("find bridge port %s: %w", port, err)
	}
	if err := handle.LinkSetMaster(link, bridge); err != nil {
		return fmt.Errorf("plug %s into %s: %w", port, s.bridge, err)
	}
	if err := handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring %s up: %w", port, err)
	}
	gateway4, gateway6 := s.address(1)
	return defaultRoutes(inside, "eth0", gateway4, gateway6)
}

// addAlias gives a host further addresses and has the router route them to it.
func addAlias(router *namespace, h *Host, addrs ...netip.Addr) error {
	inside, err := h.ns.netlink()
	if err != nil {
		return err
	}
	defer inside.Close()
	outside, err := router.netlink()
	if err != nil {
		return err
	}
	defer outside.Close()
	link, err := inside.LinkByName("eth0")
	if err != nil {
		return err
	}
	for _, addr := range addrs {
		single := network(addr, addr.BitLen())
		if err := inside.AddrAdd(link, &netlink.Addr{IPNet: single, Flags: unix.IFA_F_NODAD}); err != nil {
			return fmt.Errorf("add address %s: %w", addr, err)
		}
		via := h.V4
		if addr.Is6() {
			via = h.V6
		}
		if err := outside.RouteAdd(&netlink.Route{Dst: single, Gw: via.AsSlice()}); err != nil {
			return fmt.Errorf("route %s via %s: %w", addr, via, err)
		}
	}
	return nil
}

// prepareNamespace brings lo up and switches off what makes IPv6 slow to
// start; forwarding turns the namespace into a router.
func prepareNamespace(ns *namespace, forwarding bool) error {
	values := map[string]string{
		"ipv6/conf/default/accept_dad": "0",
		"ipv6/conf/all/accept_dad":     "0",
		"ipv6/conf/default/accept_ra":  "0",
	}
	if forwarding {
		values["ipv4/ip_forward"] = "1"
		values["ipv4/conf/all/send_redirects"] = "0"
		values["ipv4/conf/default/send_redirects"] = "0"
		values["ipv6/conf/all/forwarding"] = "1"
	}
	if err := ns.sysctl(values); err != nil {
		return err
	}
	return loopbackUp(ns)
}

func addVeth(inside *netlink.Handle, name string, peer *namespace, peerName string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: peerName, PeerNamespace: netlink.NsFd(peer.file.Fd())}
	if err := inside.LinkAdd(veth); err != nil {
		return fmt.Errorf("add veth %s-%s: %w", name, peerName, err)
	}
	return nil
}

func configureLink(handle *netlink.Handle, name string, v4, v6 netip.Addr) error {
	link, err := handle.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find link %s: %w", name, err)
	}
	if err := handle.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring %s up: %w", name, err)
	}
	if err := handle.AddrAdd(link, &netlink.Addr{IPNet: network(v4, 24)}); err != nil {
		return fmt.Errorf("add address %s: %w", v4, err)
	}
	if err := handle.AddrAdd(link, &netlink.Addr{IPNet: network(v6, 64), Flags: unix.IFA_F_NODAD}); err != nil {
		return fmt.Errorf("add address %s: %w", v6, err)
	}
	return nil
}

func defaultRoutes(handle *netlink.Handle, name string, gateways ...netip.Addr) error {
	link, err := handle.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find link %s: %w", name, err)
	}
	for _, gw := range gateways {
		everything := network(netip.IPv4Unspecified(), 0)
		if gw.Is6() {
			everything = network(netip.IPv6Unspecified(), 0)
		}
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: everything, Gw: gw.AsSlice()}
		if err := handle.RouteAdd(route); err != nil {
			return fmt.Errorf("default route via %s: %w", gw, err)
		}
	}
	return nil
}

func network(addr netip.Addr, bits int) *net.IPNet {
	return &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(bits, addr.BitLen())}
}
