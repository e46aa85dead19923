package route

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"reconshield/internal/probe"
)

const (
	// resolveLimit bounds the wait for gateways. The kernel itself gives up
	// after three questions a second apart (RFC 4861 section 10).
	resolveLimit = 5 * time.Second
	// resolveTurn is how long a cancelled context may go unseen.
	resolveTurn = 50 * time.Millisecond

	// known are the states in which the kernel sends to a neighbour.
	known = netlink.NUD_REACHABLE | netlink.NUD_STALE | netlink.NUD_DELAY | netlink.NUD_PROBE |
		netlink.NUD_PERMANENT | netlink.NUD_NOARP
)

// neighbour names a gateway.
type neighbour struct {
	link int
	addr netip.Addr
}

// nextHops fills Path.NextHop where frames need it and it is not for the wire
// to find out; a gateway that does not answer makes its paths unreachable.
func (k *kernel) nextHops(ctx context.Context, paths []probe.Path) error {
	missing := map[neighbour]*probe.Path{}
	for i := range paths {
		p := &paths[i]
		switch {
		case p.Unreachable != "" || p.Link != probe.Ethernet:
		case k.opts.NextHop != nil:
			p.NextHop = k.opts.NextHop
		case p.Gateway.IsValid() && p.NextHop == nil:
			missing[neighbour{p.Interface, p.Gateway}] = p
		}
	}
	if len(missing) == 0 {
		return nil
	}
	hardware, err := k.resolve(ctx, missing)
	if err != nil {
		return err
	}
	for i := range paths {
		p := &paths[i]
		n := neighbour{p.Interface, p.Gateway}
		if missing[n] == nil || p.Unreachable != "" {
			continue
		}
		if p.NextHop = hardware[n]; p.NextHop == nil {
			how := "ARP"
			if p.Gateway.Is6() {
				how = "neighbour solicitations"
			}
			p.Unreachable = fmt.Sprintf("gateway %s on %s does not answer %s", p.Gateway, p.Name, how)
		}
	}
	return nil
}

// resolve gives the hardware addresses of gateways, each with one of the paths
// behind it; one that does not answer is left out.
func (k *kernel) resolve(ctx context.Context, wanted map[neighbour]*probe.Path) (map[neighbour]net.HardwareAddr, error) {
	found := map[neighbour]net.HardwareAddr{}
	// The subscription stands before the table is read, so no change is missed.
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_NEIGH)
	if err != nil {
		return nil, fmt.Errorf("watch the neighbour table: %w", err)
	}
	defer socket.Close()
	turn := unix.NsecToTimeval(int64(resolveTurn))
	if err := socket.SetReceiveTimeout(&turn); err != nil {
		return nil, fmt.Errorf("watch the neighbour table: %w", err)
	}
	if err := k.readNeighbours(wanted, found); err != nil {
		return nil, err
	}
	open := map[neighbour]bool{}
	for n, p := range wanted {
		if found[n] != nil {
			continue
		}
		if err := k.stir(n, *p); err != nil {
			return nil, fmt.Errorf("have the kernel ask for gateway %s on %s: %w", n.addr, p.Name, err)
		}
		open[n] = true
	}
	for deadline := time.Now().Add(resolveLimit); len(open) > 0 && time.Now().Before(deadline); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := k.hear(socket, wanted, found, open); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// hear takes the next news of the neighbour table, or none for one turn.
func (k *kernel) hear(socket *nl.NetlinkSocket, wanted map[neighbour]*probe.Path,
	found map[neighbour]net.HardwareAddr, open map[neighbour]bool,
) error {
	messages, from, err := socket.Receive()
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case errors.Is(err, unix.ENOBUFS): // news were lost: read the table instead
		if err := k.readNeighbours(wanted, found); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("watch the neighbour table: %w", err)
	case from.Pid != nl.PidKernel:
		return nil
	}
	for _, m := range messages {
		if m.Header.Type != unix.RTM_NEWNEIGH {
			continue
		}
		entry, err := netlink.NeighDeserialize(m.Data)
		if err != nil {
			return fmt.Errorf("watch the neighbour table: %w", err)
		}
		n := note(*entry, wanted, found)
		if entry.State&netlink.NUD_FAILED != 0 {
			delete(open, n)
		}
	}
	for n := range found {
		delete(open, n)
	}
	return nil
}

// readNeighbours notes what the kernel knows already.
func (k *kernel) readNeighbours(wanted map[neighbour]*probe.Path, found map[neighbour]net.HardwareAddr) error {
	for _, v6 := range []bool{false, true} {
		entries, err := dump(func() ([]netlink.Neigh, error) { return k.handle.NeighList(0, family(v6)) })
		if err != nil {
			return fmt.Errorf("list neighbours: %w", err)
		}
		for _, entry := range entries {
			note(entry, wanted, found)
		}
	}
	return nil
}

// note keeps an entry that is wanted and usable.
func note(entry netlink.Neigh, wanted map[neighbour]*probe.Path, found map[neighbour]net.HardwareAddr) neighbour {
	addr, _ := netip.AddrFromSlice(entry.IP)
	n := neighbour{entry.LinkIndex, addr.Unmap()}
	if wanted[n] != nil && entry.State&known != 0 && len(entry.HardwareAddr) == 6 {
		found[n] = entry.HardwareAddr
	}
	return n
}

// stir makes the kernel look for a gateway.
func (k *kernel) stir(n neighbour, p probe.Path) error {
	err := k.handle.NeighSet(&netlink.Neigh{
		LinkIndex: n.link, Family: family(n.addr.Is6()), IP: n.addr.AsSlice(), Flags: netlink.NTF_USE,
	})
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return expire(p)
	}
	return err
}

// expire sends an empty datagram towards the path's first address, which is
// wanted itself, that no router passes on. Without the right to change the
// neighbour table this is how to make the kernel look for the gateway.
func expire(p probe.Path) error {
	domain, level, option := unix.AF_INET, unix.IPPROTO_IP, unix.IP_TTL
	var from, to unix.Sockaddr = &unix.SockaddrInet4{Addr: v4(p.Source)}, &unix.SockaddrInet4{Port: discard, Addr: v4(p.From)}
	if p.From.Is6() {
		domain, level, option = unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
		from = &unix.SockaddrInet6{Addr: p.Source.As16()}
		to = &unix.SockaddrInet6{Port: discard, Addr: p.From.As16()}
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	return errors.Join(
		unix.SetsockoptInt(fd, level, option, 1),
		unix.BindToDevice(fd, p.Name),
		unix.Bind(fd, from),
		unix.Sendto(fd, nil, 0, to),
	)
}

// discard is the port of RFC 863.
const discard = 9

func v4(addr netip.Addr) [4]byte {
	if addr.Is4() {
		return addr.As4()
	}
	return [4]byte{}
}
