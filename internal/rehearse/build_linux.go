package rehearse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// farName is what the interface towards the host is called in every side.
	farName = "eth0"
	// table and rule of the sides: whatever comes in is for this side itself.
	everythingLocal = 100
	rulePriority    = 10
)

// build makes the namespaces and joins them.
func (s *Stage) build(ctx context.Context) error {
	var err error
	if s.host, err = newNamespace(); err != nil {
		return err
	}
	s.sides[Loopback] = s.host
	if err := s.host.do(prepareHost); err != nil {
		return err
	}
	handle, err := s.host.netlink(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer handle.Close()
	if err := up(handle, Loopback); err != nil {
		return err
	}
	for i, in := range s.scene.Interfaces {
		if in.Name == Loopback {
			err = addresses(handle, in)
		} else {
			err = s.join(handle, in, i)
		}
		if err != nil {
			return fmt.Errorf("interface %s: %w", in.Name, err)
		}
	}
	if err := s.routes(handle); err != nil {
		return err
	}
	return s.settle(ctx, handle)
}

// prepareHost makes the namespace a router that answers every packet, since
// limits on ICMP errors would look like filters.
func prepareHost() error {
	err := errors.Join(quiet(),
		sysctl("ipv4/ip_forward", "1"),
		sysctl("ipv6/conf/all/forwarding", "1"),
		sysctl("ipv4/conf/all/send_redirects", "0"),
		sysctl("ipv4/conf/default/send_redirects", "0"),
		sysctl("ipv4/icmp_ratemask", "0"),
		sysctl("ipv6/icmp/ratelimit", "0"),
	)
	return err
}

// prepareSide makes the namespace take any address for its own.
func prepareSide() error {
	return errors.Join(quiet(),
		sysctl("ipv4/ip_nonlocal_bind", "1"),
		sysctl("ipv6/ip_nonlocal_bind", "1"),
		sysctl("ipv4/conf/all/accept_local", "1"),
		sysctl("ipv4/icmp_ratemask", "0"),
		sysctl("ipv6/icmp/ratelimit", "0"),
	)
}

// quiet switches off what delays or sends packets of its own accord.
func quiet() error {
	var all []error
	for _, which := range []string{"all", "default"} {
		all = append(all,
			sysctl("ipv4/conf/"+which+"/rp_filter", "0"),
			sysctl("ipv6/conf/"+which+"/accept_dad", "0"),
			sysctl("ipv6/conf/"+which+"/accept_ra", "0"),
			sysctl("ipv6/conf/"+which+"/router_solicitations", "0"),
		)
	}
	// Mirrors of packets to other processors would lose their order.
	_ = os.WriteFile("/proc/sys/net/core/rps_default_mask", []byte("0"), 0o644) //nolint:gosec // a sysctl; not on every kernel
	return errors.Join(all...)
}

// join makes the n-th interface of the host and what is behind it.
func (s *Stage) join(host *netlink.Handle, in Interface, n int) error {
	side, err := newNamespace()
	if err != nil {
		return err
	}
	s.sides[in.Name] = side
	if err := side.do(prepareSide); err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = in.Name
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: farName, PeerNamespace: netlink.NsFd(side.file.Fd())}
	veth.HardwareAddr = net.HardwareAddr{2, 0, 0, 0, 0, byte(2*n + 1)}
	veth.PeerHardwareAddr = net.HardwareAddr{2, 0, 0, 0, 0, byte(2*n + 2)}
	if s.scene.Static {
		// On a link without ARP the kernel sends everything to the hardware
		// address of its own end.
		veth.PeerHardwareAddr = veth.HardwareAddr
	}
	if err := host.LinkAdd(veth); err != nil {
		return fmt.Errorf("make a pair of links: %w", err)
	}
	inside, err := side.netlink(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer inside.Close()
	if s.scene.Static {
		if err := errors.Join(withoutARP(host, in.Name), withoutARP(inside, farName)); err != nil {
			return err
		}
	}
	if err := errors.Join(up(inside, Loopback), up(inside, farName), up(host, in.Name)); err != nil {
		return err
	}
	if err := addresses(host, in); err != nil {
		return err
	}
	return s.furnish(inside, veth.HardwareAddr, in)
}

// furnish gives a side its addresses and the way to the host's end of the link.
func (s *Stage) furnish(inside *netlink.Handle, end net.HardwareAddr, in Interface) error {
	link, err := inside.LinkByName(farName)
	if err != nil {
		return err
	}
	if err := add(inside, link, netip.PrefixFrom(sideLinkLocal(), 64)); err != nil {
		return err
	}
	for _, a := range s.scene.behind(in.Name) {
		if err := add(inside, link, netip.PrefixFrom(a, a.BitLen())); err != nil {
			return err
		}
	}
	lo, err := inside.LinkByName(Loopback)
	if err != nil {
		return err
	}
	for _, anywhere := range []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")} {
		local := &netlink.Route{Dst: ipnet(anywhere), Table: everythingLocal, Type: unix.RTN_LOCAL, LinkIndex: lo.Attrs().Index, Scope: unix.RT_SCOPE_HOST}
		if err := inside.RouteAdd(local); err != nil {
			return fmt.Errorf("route %s to itself: %w", anywhere, err)
		}
		rule := netlink.NewRule()
		rule.Family, rule.IifName, rule.Table, rule.Priority = family(anywhere.Addr()), farName, everythingLocal, rulePriority
		if err := inside.RuleAdd(rule); err != nil {
			return fmt.Errorf("rule for what comes in: %w", err)
		}
		if err := s.wayHome(inside, link, end, in, anywhere); err != nil {
			return err
		}
	}
	return nil
}

// hostLinkLocal is on every interface of the host, for sides of interfaces
// without an address of the wanted version.
func hostLinkLocal() netip.Addr { return netip.MustParseAddr("fe80::1") }

// sideLinkLocal is where every side asks for neighbours from.
func sideLinkLocal() netip.Addr { return netip.MustParseAddr("fe80::2") }

// hostUnasked stands for the host where it has no address of IPv4 on an interface:
// whoever sends knows its hardware address.
func hostUnasked() netip.Addr { return netip.MustParseAddr("fe80::4") }

// wayHome routes everything to the host, by its own address on the interface,
// whose hardware address is end.
func (s *Stage) wayHome(inside *netlink.Handle, link netlink.Link, end net.HardwareAddr, in Interface, anywhere netip.Prefix) error {
	route := &netlink.Route{Dst: ipnet(anywhere), LinkIndex: link.Attrs().Index, Scope: unix.RT_SCOPE_LINK}
	if !s.scene.Static {
		route.Scope, route.Flags = unix.RT_SCOPE_UNIVERSE, unix.RTNH_F_ONLINK
		for _, p := range in.Addresses {
			if p.Addr().Is4() == anywhere.Addr().Is4() {
				route.Gw = p.Addr().AsSlice()
				break
			}
		}
		known := route.Gw
		if route.Gw == nil && anywhere.Addr().Is6() {
			route.Gw = hostLinkLocal().AsSlice()
			known = route.Gw
		} else if route.Gw == nil {
			known = hostUnasked().AsSlice()
			route.Via = &netlink.Via{AddrFamily: unix.AF_INET6, Addr: known}
		}
		// Who stands in a zone has met the host before. Rules that drop neighbour
		// discovery keep no packet out, they only lose the answers; and they must
		// not break IPv4.
		neighbour := &netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: known, HardwareAddr: end}
		if err := inside.NeighSet(neighbour); err != nil {
			return fmt.Errorf("tell where the host is: %w", err)
		}
	}
	if err := inside.RouteAdd(route); err != nil {
		return fmt.Errorf("route %s to the host: %w", anywhere, err)
	}
	return nil
}

// routes tells the host who is where.
func (s *Stage) routes(handle *netlink.Handle) error {
	for _, in := range s.scene.Interfaces {
		if in.Name == Loopback {
			continue
		}
		for _, a := range s.scene.behind(in.Name) {
			if err := routeTo(handle, in.Name, netip.PrefixFrom(a, a.BitLen())); err != nil {
				return err
			}
		}
	}
	for _, z := range s.scene.Zones {
		for _, p := range z.Routes {
			if z.Interface == Loopback {
				return fmt.Errorf("zone %s: there is no route through %s", z.Name, Loopback)
			}
			if err := routeTo(handle, z.Interface, p.Masked()); err != nil {
				return err
			}
		}
	}
	return nil
}

// routeTo keeps the route that is there already.
func routeTo(handle *netlink.Handle, name string, p netip.Prefix) error {
	link, err := handle.LinkByName(name)
	if err != nil {
		return err
	}
	err = handle.RouteAdd(&netlink.Route{Dst: ipnet(p), LinkIndex: link.Attrs().Index, Scope: unix.RT_SCOPE_LINK})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("route %s through %s: %w", p, name, err)
	}
	return nil
}

func addresses(handle *netlink.Handle, in Interface) error {
	link, err := handle.LinkByName(in.Name)
	if err != nil {
		return err
	}
	all := in.Addresses
	if in.Name != Loopback {
		all = append([]netip.Prefix{netip.PrefixFrom(hostLinkLocal(), 64)}, all...)
	}
	for _, p := range all {
		if err := add(handle, link, p); err != nil {
			return err
		}
	}
	return nil
}

// add gives a link an address; one that it has already is no error.
func add(handle *netlink.Handle, link netlink.Link, p netip.Prefix) error {
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
	if p.Addr().Is6() {
		addr.Flags = unix.IFA_F_NODAD
	}
	if err := handle.AddrAdd(link, addr); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add address %s: %w", p, err)
	}
	return nil
}

func up(handle *netlink.Handle, name string) error {
	link, err := handle.LinkByName(name)
	if err != nil {
		return err
	}
	return handle.LinkSetUp(link)
}

func withoutARP(handle *netlink.Handle, name string) error {
	link, err := handle.LinkByName(name)
	if err != nil {
		return err
	}
	return handle.LinkSetARPOff(link)
}

func ipnet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func family(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
