package rehearse

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// settle waits until every link carries packets and every address takes them: the kernel sees to both in tasks of its own, and drops everything before.
func (s *Stage) settle(ctx context.Context, host *netlink.Handle) error {
	for _, in := range s.scene.Interfaces {
		var own []netip.Addr
		for _, p := range in.Addresses {
			own = append(own, p.Addr())
		}
		if in.Name == Loopback {
			if err := takes(ctx, host, Loopback, own); err != nil {
				return err
			}
			continue
		}
		inside, err := s.sides[in.Name].netlink(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		err = errors.Join(
			carries(ctx, inside, farName), carries(ctx, host, in.Name),
			takes(ctx, host, in.Name, append(own, hostLinkLocal())), takes(ctx, inside, farName, append(s.scene.behind(in.Name), sideLinkLocal())),
		)
		inside.Close()
		if err != nil {
			return fmt.Errorf("interface %s: %w", in.Name, err)
		}
	}
	return nil
}

// carries waits for a link's carrier.
func carries(ctx context.Context, handle *netlink.Handle, name string) error {
	return until(ctx, "the link does not come up", func() (bool, error) {
		link, err := handle.LinkByName(name)
		return err == nil && link.Attrs().OperState == netlink.OperUp, err
	})
}

// takes waits until the kernel takes packets to the IPv6 addresses of a link
// for its own. That is the last it does for a new address, after it has joined
// the group in which neighbours ask for it.
func takes(ctx context.Context, handle *netlink.Handle, name string, addrs []netip.Addr) error {
	link, err := handle.LinkByName(name)
	if err != nil {
		return err
	}
	local := &netlink.Route{Table: unix.RT_TABLE_LOCAL}
	return until(ctx, "the kernel does not take its IPv6 addresses", func() (bool, error) {
		routes, err := handle.RouteListFiltered(unix.AF_INET6, local, netlink.RT_FILTER_TABLE)
		if err != nil {
			return false, fmt.Errorf("list routes: %w", err)
		}
		ready := map[netip.Addr]bool{}
		for _, r := range routes {
			// Older kernels show them all on loopback.
			if r.Dst != nil && (r.LinkIndex == link.Attrs().Index || r.LinkIndex == loopbackLink) {
				a, _ := netip.AddrFromSlice(r.Dst.IP)
				ready[a] = true
			}
		}
		for _, a := range addrs {
			if a.Is6() && !ready[a] {
				return false, nil
			}
		}
		return true, nil
	})
}

// until polls, since the kernel sends no word of it.
func until(ctx context.Context, complaint string, done func() (bool, error)) error {
	const limit, pause = 20 * time.Second, time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", complaint, ctx.Err())
		}
	}
}
