//go:build linux

package rawsock

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"reconshield/internal/lab"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

func TestMain(m *testing.M) { lab.Main(m) }

// The rig's addresses: the scanner and its peer share a link; the peer answers
// for whole prefixes besides.
const (
	scanner4, scanner6 = "203.0.113.2", "2001:db8:1::2"
	peer4, peer6       = "203.0.113.1", "2001:db8:1::1"
	silent4, silent6   = "203.0.113.66", "2001:db8:1::66" // nobody has them
	far4, far6         = "192.0.2.0/24", "2001:db8:2::/64"
)

// rig is a veth pair: one end here, the other in a namespace of its own.
type rig struct {
	tb         testing.TB
	near       netlink.Link
	peer       netns.NsHandle
	peerMAC    net.HardwareAddr
	peerHandle *netlink.Handle
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func newRig(tb testing.TB) *rig {
	tb.Helper()
	r := &rig{tb: tb}
	onThread(tb, func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		r.peer, err = netns.Get()
		return err
	})
	tb.Cleanup(func() { _ = r.peer.Close() })
	var err error
	r.peerHandle, err = netlink.NewHandleAt(r.peer)
	must(tb, err)
	tb.Cleanup(r.peerHandle.Close)

	attributes := netlink.NewLinkAttrs()
	attributes.Name = "near0"
	must(tb, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: "far0", PeerNamespace: netlink.NsFd(r.peer)}))
	r.near, err = netlink.LinkByName("near0")
	must(tb, err)
	tb.Cleanup(func() { _ = netlink.LinkDel(r.near) })
	far, err := r.peerHandle.LinkByName("far0")
	must(tb, err)
	r.peerMAC = far.Attrs().HardwareAddr
	r.sysctl("ipv4/icmp_ratelimit", "0")
	r.sysctl("ipv4/icmp_msgs_per_sec", "1000000")
	r.sysctl("ipv6/icmp/ratelimit", "0")
	for _, a := range []string{scanner4 + "/24", scanner6 + "/64"} {
		must(tb, netlink.AddrAdd(r.near, address(tb, a)))
	}
	for _, a := range []string{peer4 + "/24", peer6 + "/64", "2001:db8:2::5/128"} {
		must(tb, r.peerHandle.AddrAdd(far, address(tb, a)))
	}
	lo, err := r.peerHandle.LinkByName("lo")
	must(tb, err)
	for _, link := range []netlink.Link{far, lo} {
		must(tb, r.peerHandle.LinkSetUp(link))
	}
	must(tb, netlink.LinkSetUp(r.near))
	for _, prefix := range []string{far4, far6} { // AnyIP
		_, dst, err := net.ParseCIDR(prefix)
		must(tb, err)
		must(tb, r.peerHandle.RouteAdd(&netlink.Route{
			LinkIndex: lo.Attrs().Index, Dst: dst, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: unix.RT_SCOPE_HOST,
		}))
	}
	return r
}

func address(tb testing.TB, text string) *netlink.Addr {
	tb.Helper()
	a, err := netlink.ParseAddr(text)
	must(tb, err)
	a.Flags = unix.IFA_F_NODAD
	return a
}

// onThread runs fn on a thread that is thrown away afterwards.
func onThread(tb testing.TB, fn func() error) {
	tb.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- fn()
	}()
	must(tb, <-done)
}

// inPeer runs fn in the peer's namespace; sockets opened there stay there.
func (r *rig) inPeer(fn func() error) {
	r.tb.Helper()
	onThread(r.tb, func() error {
		if err := netns.Set(r.peer); err != nil {
			return err
		}
		return fn()
	})
}

// sysctl writes a value below /proc/sys/net of the peer.
func (r *rig) sysctl(name, value string) {
	r.tb.Helper()
	r.inPeer(func() error { return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o600) })
}

// nft loads rules in the peer.
func (r *rig) nft(rules string) {
	r.tb.Helper()
	r.inPeer(func() error { return nft(rules) })
}

// nft loads rules in the namespace of the thread.
func nft(rules string) error {
	cmd := exec.CommandContext(context.Background(), "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft, of the Debian package nftables: %w\n%s", err, out)
	}
	return nil
}

// listen opens a TCP port of the peer on every address.
func (r *rig) listen(port int) {
	r.tb.Helper()
	r.inPeer(func() error {
		var config net.ListenConfig
		l, err := config.Listen(r.tb.Context(), "tcp", fmt.Sprintf(":%d", port))
		if err == nil {
			r.tb.Cleanup(func() { _ = l.Close() })
		}
		return err
	})
}

// paths lead over the pair: the near prefixes on the link, the far ones through
// the peer.
func (r *rig) paths() []probe.Path {
	base := probe.Path{
		Interface: r.near.Attrs().Index, Name: "near0", MTU: 1500, Hardware: r.near.Attrs().HardwareAddr,
	}
	path := func(prefix, source, gateway string) probe.Path {
		p := base
		p.From, p.To = ends(prefix)
		p.Source = netip.MustParseAddr(source)
		if gateway != "" {
			p.Gateway, p.NextHop = netip.MustParseAddr(gateway), r.peerMAC
		}
		return p
	}
	return []probe.Path{
		path(far4, scanner4, peer4), path("203.0.113.0/24", scanner4, ""),
		path("2001:db8:1::/120", scanner6, ""), path(far6, scanner6, peer6),
	}
}

// ends gives the first and the last address of a prefix.
func ends(text string) (from, to netip.Addr) {
	p := netip.MustParsePrefix(text)
	last := p.Addr().AsSlice()
	for i := p.Bits(); i < p.Addr().BitLen(); i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	to, _ = netip.AddrFromSlice(last)
	return p.Addr(), to
}

func open(tb testing.TB, cfg Config) *Wire {
	tb.Helper()
	if cfg.Payloads == nil {
		cfg.Payloads = payload.New()
	}
	if cfg.Key == (probe.Key{}) {
		cfg.Key = probe.NewKey(1)
	}
	w, err := Open(cfg)
	must(tb, err)
	tb.Cleanup(func() {
		if err := w.Close(); err != nil {
			tb.Error(err)
		}
	})
	return w
}
