package route

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"reconshield/internal/probe"
)

// unreachable is a path on which nothing can be sent.
func unreachable(why string) probe.Path { return probe.Path{Unreachable: why} }

// ask gives the path to one address, without From, To and NextHop. The error
// is of the conversation; what the kernel denies is in Path.Unreachable.
func (k *kernel) ask(addr netip.Addr, bySource bool) (probe.Path, error) {
	if addr.IsLinkLocalUnicast() && addr.Is6() && k.oif == 0 {
		return unreachable("a link-local address: name the interface to use"), nil
	}
	source := k.opts.Source
	if source.IsValid() && source.Is6() != addr.Is6() {
		return unreachable(fmt.Sprintf("source address %s is of the other IP version", source)), nil
	}
	r, why, err := k.lookup(addr, source, false)
	if err != nil || why != "" {
		return unreachable(why), err
	}
	if !source.IsValid() {
		if source, _ = netip.AddrFromSlice(r.Src); source.Is4In6() {
			source = source.Unmap()
		}
		// Connecting does the same: the second question carries the answer to
		// the first, and rules on the source may now decide otherwise.
		if bySource && source.IsValid() && r.Type != unix.RTN_LOCAL {
			if r, why, err = k.lookup(addr, source, false); err != nil || why != "" {
				return unreachable(why), err
			}
		}
	}
	// IPv4 takes anything for on-link when the interface is given; asking for
	// the route itself tells.
	if k.oif != 0 && addr.Is4() && k.opts.NextHop == nil && r.Type == unix.RTN_UNICAST {
		if _, why, err := k.lookup(addr, source, true); err != nil || why != "" {
			return unreachable("no route to the address through " + k.opts.Interface), err
		}
	}
	return k.path(addr, source, r), nil
}

// lookup asks the kernel for the route to addr; why is not empty when there
// is none. The route entry itself is given instead of the outcome when
// entry is set.
func (k *kernel) lookup(addr, source netip.Addr, entry bool) (r netlink.Route, why string, err error) {
	opts := &netlink.RouteGetOptions{OifIndex: k.oif, FIBMatch: entry}
	if source.IsValid() {
		opts.SrcAddr = source.AsSlice()
	}
	routes, err := k.handle.RouteGetWithOptions(addr.AsSlice(), opts)
	switch {
	case errors.Is(err, unix.ENETUNREACH):
		return r, "no route to the address", nil
	case errors.Is(err, unix.EHOSTUNREACH):
		return r, "a route declares the address unreachable", nil
	case errors.Is(err, unix.EACCES):
		return r, "a route prohibits the address", nil
	case errors.Is(err, unix.EINVAL):
		return r, "a blackhole route takes the address, or it is no valid destination", nil
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.EADDRNOTAVAIL):
		return r, "no usable route to the address: " + err.Error(), nil
	case err != nil:
		return r, "", fmt.Errorf("ask the kernel for the route to %s: %w", addr, err)
	case len(routes) == 0:
		return r, "no route to the address", nil
	}
	return routes[0], "", nil
}

// path turns the kernel's answer into ours.
func (k *kernel) path(addr, source netip.Addr, r netlink.Route) probe.Path {
	switch r.Type {
	case unix.RTN_UNICAST:
	case unix.RTN_LOCAL, unix.RTN_ANYCAST:
		p := k.links[k.lo]
		if k.lo == 0 {
			return unreachable("an address of this machine, which has no loopback interface")
		}
		if p.Source = source; !source.IsValid() {
			p.Source = addr
		}
		return p
	case unix.RTN_BROADCAST:
		return unreachable("is a broadcast address")
	case unix.RTN_MULTICAST:
		return unreachable("is a multicast address")
	case unix.RTN_BLACKHOLE, unix.RTN_UNREACHABLE, unix.RTN_PROHIBIT, unix.RTN_THROW:
		return unreachable("a route declares the address unreachable")
	default:
		return unreachable(fmt.Sprintf("a route of a kind that is not known (%d)", r.Type))
	}
	p, ok := k.links[r.LinkIndex]
	switch {
	case !ok:
		return unreachable(fmt.Sprintf("interface %d has vanished, try again", r.LinkIndex))
	case p.Unreachable != "":
		return unreachable(p.Unreachable)
	case r.Encap != nil:
		return unreachable("the route through " + p.Name + " encapsulates packets, use connect mode")
	case !source.IsValid():
		return unreachable("no source address on " + p.Name)
	}
	p.Source, p.Gateway = source, gateway(r)
	if r.MTU > 0 && r.MTU < p.MTU {
		p.MTU = r.MTU
	}
	return p
}

// gateway is the zero Addr when the route has none. An IPv4 route may have
// one of IPv6 (RFC 5549).
func gateway(r netlink.Route) netip.Addr {
	ip := r.Gw
	if via, ok := r.Via.(*netlink.Via); ok && len(ip) == 0 {
		ip = via.Addr
	}
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

// describe gives the part of a path that belongs to the interface;
// Unreachable is set when packets cannot be written to it.
func describe(a *netlink.LinkAttrs) probe.Path {
	p := probe.Path{Interface: a.Index, Name: a.Name, MTU: a.MTU}
	if len(a.HardwareAddr) > 0 {
		p.Hardware = a.HardwareAddr
	}
	switch a.EncapType { // the name of ARPHRD_…
	case "ether":
		p.Link = probe.Ethernet
		if len(p.Hardware) != 6 {
			p.Unreachable = a.Name + " has no Ethernet address"
		}
		// The kernel asks nobody on such links and addresses frames to itself.
		if a.RawFlags&unix.IFF_NOARP != 0 {
			p.NextHop = p.Hardware
		}
	case "loopback":
		p.Link, p.Hardware = probe.Loopback, nil
	case "none", "void", "ppp", "ipip", "tunnel6", "sit", "gre", "unknown519", "unknown823": // the last: raw IP, GRE over IPv6
		p.Link, p.Hardware = probe.Bare, nil // the "hardware" address of a tunnel is its end's IP address
	default:
		p.Unreachable = fmt.Sprintf("%s is a link of kind %s, which raw mode cannot use: try connect mode", a.Name, a.EncapType)
	}
	return p
}
