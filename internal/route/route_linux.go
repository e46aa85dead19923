package route

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"go4.org/netipx"
	"golang.org/x/sys/unix"

	"reconshield/internal/probe"
)

// kernel is one conversation with the kernel of the caller's network
// namespace; it lives for one call of Paths and starts no goroutine.
type kernel struct {
	opts   Options
	handle *netlink.Handle
	oif    int // index of opts.Interface; 0 for any
	links  map[int]probe.Path
	lo     int // index of the loopback interface; 0 when there is none
	tables map[bool]table
}

// table is what of the routing tables of one family matters.
type table struct {
	starts   []netip.Addr // where answers may change
	bySource bool         // the source address may change the answer
}

func paths(ctx context.Context, ranges []netipx.IPRange, opts Options) ([]probe.Path, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("ask the kernel for routes: %w", err)
	}
	defer handle.Close()
	k := &kernel{opts: opts, handle: handle, links: map[int]probe.Path{}, tables: map[bool]table{}}
	if err := k.prepare(); err != nil {
		return nil, err
	}
	var found []probe.Path
	for _, r := range ranges {
		t, err := k.table(r.From().Is6())
		if err != nil {
			return nil, err
		}
		for _, piece := range split(r, t.starts) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			p, err := k.ask(piece.From(), t.bySource)
			if err != nil {
				return nil, err
			}
			p.From, p.To = piece.From(), piece.To()
			found = extend(found, p)
		}
	}
	if err := k.nextHops(ctx, found); err != nil {
		return nil, err
	}
	return found, nil
}

// prepare reads the interfaces and checks the options.
func (k *kernel) prepare() error {
	links, err := dump(func() ([]netlink.Link, error) { return k.handle.LinkList() })
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	for _, link := range links {
		p := describe(link.Attrs())
		k.links[p.Interface] = p
		if p.Link == probe.Loopback && p.Unreachable == "" && k.lo == 0 {
			k.lo = p.Interface
		}
		if p.Name == k.opts.Interface {
			k.oif = p.Interface
		}
	}
	if k.opts.Interface != "" && k.oif == 0 {
		return fmt.Errorf("there is no interface %q, \"ip link\" lists them", k.opts.Interface)
	}
	source := k.opts.Source
	if !source.IsValid() {
		return nil
	}
	// Link-local addresses are known on their interface only, so the routes
	// to all of them are searched, not one asked for.
	routes, err := k.routes(source.Is6())
	if err != nil {
		return err
	}
	for _, r := range routes {
		if r.kind == unix.RTN_LOCAL && r.prefix.Contains(source) {
			return nil
		}
	}
	return fmt.Errorf("source address %s is not an address of this machine", source)
}

// dump repeats a listing that a change has interrupted.
func dump[T any](list func() ([]T, error)) ([]T, error) {
	for range 8 {
		all, err := list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return nil, errors.New("the kernel's tables change too fast to be read, try again")
}

// routed is what matters of a route before it is asked for.
type routed struct {
	prefix netip.Prefix
	kind   int // unix.RTN_…
}

// routes lists the routes of all tables of a family.
func (k *kernel) routes(v6 bool) ([]routed, error) {
	all, err := dump(func() ([]routed, error) {
		var all []routed
		every := &netlink.Route{Table: unix.RT_TABLE_UNSPEC}
		err := k.handle.RouteListFilteredIter(family(v6), every, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
			if p, ok := prefix(r.Dst); ok && p.Addr().Is6() == v6 {
				all = append(all, routed{prefix: p, kind: r.Type})
			}
			return true
		})
		return all, err
	})
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	return all, nil
}

// table reads the tables and rules of a family, once.
func (k *kernel) table(v6 bool) (table, error) {
	if t, ok := k.tables[v6]; ok {
		return t, nil
	}
	prefixes := special(v6)
	routes, err := k.routes(v6)
	if err != nil {
		return table{}, err
	}
	for _, r := range routes {
		prefixes = append(prefixes, r.prefix)
	}
	// Routes of IPv6 may depend on the source without any rule.
	t := table{bySource: v6}
	rules, err := dump(func() ([]netlink.Rule, error) { return k.handle.RuleList(family(v6)) })
	if err != nil {
		return table{}, fmt.Errorf("list routing rules: %w", err)
	}
	for _, rule := range rules {
		if p, ok := prefix(rule.Dst); ok {
			prefixes = append(prefixes, p)
		}
		t.bySource = t.bySource || rule.Src != nil
	}
	if v6 && !k.opts.Source.IsValid() {
		choice, err := k.sourceChoice()
		if err != nil {
			return table{}, err
		}
		prefixes = append(prefixes, choice...)
	}
	t.starts = boundaries(prefixes)
	k.tables[v6] = t
	return t, nil
}

// sourceChoice gives the prefixes on which the kernel's choice among several
// IPv6 addresses of ours depends.
func (k *kernel) sourceChoice() ([]netip.Prefix, error) {
	addrs, err := dump(func() ([]netlink.Addr, error) { return k.handle.AddrList(nil, netlink.FAMILY_V6) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	prefixes := labels()
	for _, a := range addrs {
		if p, ok := prefix(a.IPNet); ok && !p.Addr().IsLinkLocalUnicast() && !p.Addr().IsLoopback() {
			prefixes = append(prefixes, nests(p)...)
		}
	}
	return prefixes, nil
}

// prefix keeps the host bits; ok is false for nil.
func prefix(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	return netipx.FromStdIPNet(n)
}

func family(v6 bool) int {
	if v6 {
		return netlink.FAMILY_V6
	}
	return netlink.FAMILY_V4
}
