//go:build linux

package pair

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"os/exec"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
	"go4.org/netipx"
	"golang.org/x/sys/unix"

	"reconshield/internal/exposure"
	"reconshield/internal/lab"
)

// Addresses of the rig. Everything else is reached through Gateway4 and
// Gateway6, which are the peer, or the router when there is one.
const (
	Scanner4 = "203.0.113.2"
	Scanner6 = "2001:db8:1::2"
	Gateway4 = "203.0.113.1"
	Gateway6 = "2001:db8:1::1"
	// Peer4 and Peer6 are the peer's own behind a router; without one it has
	// the gateway's.
	Peer4 = "198.51.100.2"
	Peer6 = "2001:db8:2::2"

	// Interface is the scanner's, and also the peer's.
	Interface = "eth0"
)

// Options choose what differs from rig to rig.
type Options struct {
	// Routed puts a router between scanner and peer.
	Routed bool
	// KernelLimits leaves the peer's ICMP limits as the kernel has them; they
	// are lifted otherwise.
	KernelLimits bool
	// Sysctl is set in the peer last, below /proc/sys/net.
	Sysctl map[string]string
}

// Pair is one rig. Its methods end the test on failure, unless they return an
// error, and are called from the test's goroutine.
type Pair struct {
	Scanner, Peer *lab.Namespace
	Router        *lab.Namespace // nil when not routed

	tb       testing.TB
	tables   int // nft tables made so far
	local    *netipx.IPSet
	limited  bool            // Open was called
	tcp, udp map[uint16]bool // listeners
	mute     map[uint16]bool // UDP listeners that do not answer
	serving  sync.WaitGroup

	open, silent, prohibited map[exposure.Target]bool
}

// New makes a rig that is torn down when tb ends.
func New(tb testing.TB, opts Options) *Pair {
	tb.Helper()
	p := &Pair{
		tb: tb, local: &netipx.IPSet{},
		open: map[exposure.Target]bool{}, silent: map[exposure.Target]bool{}, prohibited: map[exposure.Target]bool{},
		tcp: map[uint16]bool{}, udp: map[uint16]bool{}, mute: map[uint16]bool{},
	}
	tb.Cleanup(p.serving.Wait)
	p.Scanner, p.Peer = p.namespace(false), p.namespace(false)
	p.must(p.Peer.Sysctl(peerSysctls(opts)))
	far := p.Peer
	if opts.Routed {
		p.Router = p.namespace(true)
		p.must(p.Router.Sysctl(lifted()))
		far = p.Router
	}
	p.must(p.Scanner.Join(Interface, far, p.farName()))
	if opts.Routed {
		p.must(p.Peer.Join(Interface, p.Router, "peer"))
	}
	p.must(p.pace(hurried))
	p.must(far.Configure(p.farName(), prefix(Gateway4, 24), prefix(Gateway6, 64)))
	p.must(p.Scanner.Configure(Interface, prefix(Scanner4, 24), prefix(Scanner6, 64)))
	p.route(p.Scanner, everything(), Gateway4, Gateway6)
	p.own(prefix(Gateway4, 32), prefix(Gateway6, 128))
	if !opts.Routed {
		// Without a route IPv6 would answer that there is none.
		p.must(p.discard())
	} else {
		p.must(p.Router.Configure("peer", prefix("198.51.100.1", 24), prefix("2001:db8:2::1", 64)))
		p.must(p.Peer.Configure(Interface, prefix(Peer4, 24), prefix(Peer6, 64)))
		p.route(p.Peer, everything(), "198.51.100.1", "2001:db8:2::1")
		p.route(p.Router, everything(), Peer4, Peer6)
		p.local = &netipx.IPSet{} // the gateway is the router's now
		p.own(prefix(Peer4, 32), prefix(Peer6, 128))
		p.must(awaitCarrier(p.Router, "peer", true))
	}
	for n, name := range map[*lab.Namespace]string{p.Scanner: Interface, p.Peer: Interface, far: p.farName()} {
		p.must(awaitCarrier(n, name, true))
	}
	peer4, peer6 := Gateway4, Gateway6
	if opts.Routed {
		peer4, peer6 = Peer4, Peer6
	}
	p.must(p.reach(peer4))
	p.must(p.reach(peer6))
	p.must(p.pace(usual))
	return p
}

// Paces of neighbour discovery, in milliseconds: the kernel's, and that while
// the rig is built.
const usual, hurried = "1000", "20"

// pace says after how long a neighbour is asked again.
func (p *Pair) pace(milliseconds string) error {
	err := errors.Join(
		p.Scanner.Sysctl(retransmission(Interface, milliseconds)),
		p.Peer.Sysctl(retransmission(Interface, milliseconds)))
	if p.Router != nil {
		err = errors.Join(err,
			p.Router.Sysctl(retransmission("scanner", milliseconds)),
			p.Router.Sysctl(retransmission("peer", milliseconds)))
	}
	return err
}

func retransmission(name, milliseconds string) map[string]string {
	return map[string]string{
		"ipv4/neigh/" + name + "/retrans_time_ms": milliseconds,
		"ipv6/neigh/" + name + "/retrans_time_ms": milliseconds,
	}
}

// farName is the interface at the other end of the scanner's link.
func (p *Pair) farName() string {
	if p.Router != nil {
		return "scanner"
	}
	return Interface
}

func (p *Pair) far() *lab.Namespace {
	if p.Router != nil {
		return p.Router
	}
	return p.Peer
}

func (p *Pair) namespace(router bool) *lab.Namespace {
	p.tb.Helper()
	n, err := lab.NewNamespace(router)
	p.must(err)
	p.tb.Cleanup(n.Close)
	// Addresses outlive a link that goes down and comes back.
	p.must(n.Sysctl(map[string]string{"ipv6/conf/default/keep_addr_on_down": "1"}))
	return n
}

// lifted lifts the kernel's limits on ICMP errors, resets and queues.
func lifted() map[string]string {
	return map[string]string{
		"ipv4/icmp_ratelimit":         "0",
		"ipv4/icmp_msgs_per_sec":      "1000000000",
		"ipv4/icmp_msgs_burst":        "1000000000",
		"ipv6/icmp/ratelimit":         "0",
		"ipv4/tcp_invalid_ratelimit":  "0",
		"ipv4/conf/all/rp_filter":     "0",
		"ipv4/conf/default/rp_filter": "0",
	}
}

func peerSysctls(opts Options) map[string]string {
	values := map[string]string{
		"core/somaxconn":           "65535",
		"ipv4/tcp_max_syn_backlog": "65535",
		"ipv4/tcp_syncookies":      "1",
		"ipv6/ip_nonlocal_bind":    "1", // to answer from any address of Addresses
	}
	if !opts.KernelLimits {
		maps.Copy(values, lifted())
	}
	maps.Copy(values, opts.Sysctl)
	return values
}

// Addresses makes the peer own every address of the prefixes. Those inside the
// scanner's own network are on link: the peer answers ARP for IPv4 ones, and
// IPv6 ones, of which there may be 1024, are configured one by one.
func (p *Pair) Addresses(prefixes ...string) {
	p.tb.Helper()
	handle, err := p.Peer.Netlink()
	p.must(err)
	defer handle.Close()
	for _, text := range prefixes {
		own, err := netip.ParsePrefix(text)
		p.must(err)
		p.own(own)
		if own.Addr().Is6() && prefix(Scanner6, 64).Contains(own.Addr()) {
			if own.Bits() < 118 {
				p.tb.Fatalf("pair: %s has more addresses than can be configured on link", own)
			}
			for a := own.Masked().Addr(); own.Contains(a); a = a.Next() {
				if a.String() != Gateway6 {
					p.must(p.Peer.Configure(Interface, netip.PrefixFrom(a, 128)))
				}
			}
			continue
		}
		lo, err := handle.LinkByName("lo")
		p.must(err)
		p.must(handle.RouteAdd(&netlink.Route{
			LinkIndex: lo.Attrs().Index, Dst: netipx.PrefixIPNet(own.Masked()),
			Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST,
		}))
	}
}

// own notes that the peer has the addresses.
func (p *Pair) own(prefixes ...netip.Prefix) {
	p.tb.Helper()
	var b netipx.IPSetBuilder
	b.AddSet(p.local)
	for _, own := range prefixes {
		b.AddPrefix(own)
	}
	set, err := b.IPSet()
	p.must(err)
	p.local = set
}

func (p *Pair) route(n *lab.Namespace, to []netip.Prefix, gateways ...string) {
	p.tb.Helper()
	handle, err := n.Netlink()
	p.must(err)
	defer handle.Close()
	for i, gateway := range gateways {
		p.must(handle.RouteAdd(&netlink.Route{Dst: netipx.PrefixIPNet(to[i]), Gw: netip.MustParseAddr(gateway).AsSlice()}))
	}
}

// discard makes the peer drop what it does not own, as it does for IPv4.
func (p *Pair) discard() error {
	handle, err := p.Peer.Netlink()
	if err != nil {
		return err
	}
	defer handle.Close()
	return handle.RouteAdd(&netlink.Route{Dst: netipx.PrefixIPNet(everything()[1]), Type: unix.RTN_BLACKHOLE})
}

func everything() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
}

func prefix(addr string, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.MustParseAddr(addr), bits)
}

// InScanner runs fn on a thread inside the scanner's namespace. Sockets that
// fn itself opens belong there; goroutines it starts do not.
func (p *Pair) InScanner(fn func() error) error { return p.Scanner.Do(fn) }

// InPeer is InScanner for the peer.
func (p *Pair) InPeer(fn func() error) error { return p.Peer.Do(fn) }

// Command prepares a program to run in the scanner's namespace, killed when
// the test's context ends.
func (p *Pair) Command(name string, args ...string) *exec.Cmd {
	p.tb.Helper()
	return p.command(p.Scanner, name, args...)
}

// PeerCommand is Command for the peer.
func (p *Pair) PeerCommand(name string, args ...string) *exec.Cmd {
	p.tb.Helper()
	return p.command(p.Peer, name, args...)
}

func (p *Pair) command(n *lab.Namespace, name string, args ...string) *exec.Cmd {
	p.tb.Helper()
	cmd, err := n.Command(p.context(), name, args...)
	p.must(err)
	return cmd
}

func (p *Pair) context() context.Context { return p.tb.Context() }

func (p *Pair) must(err error) {
	p.tb.Helper()
	if err != nil {
		p.tb.Fatal("pair: ", err)
	}
}
