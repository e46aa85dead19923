package route

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"go4.org/netipx"
	"golang.org/x/sys/unix"

	"reconshield/internal/lab"
	"reconshield/internal/probe"
)

func TestMain(m *testing.M) { lab.Main(m) }

// crossroads is a namespace with eth0 and eth1, each with a neighbour, and
// routes of every kind.
func crossroads(t *testing.T) *lab.Namespace {
	t.Helper()
	here, left, right := namespace(t), namespace(t), namespace(t)
	for i, far := range []*lab.Namespace{left, right} {
		if err := here.Join(fmt.Sprintf("eth%d", i), far, "far"); err != nil {
			t.Fatal(err)
		}
	}
	ip(t, left, `link set far address 02:00:00:00:00:01 up
		addr add 203.0.113.1/24 dev far
		addr add 2001:db8:113::1/64 dev far nodad
		addr add fe80::1/64 dev far nodad`)
	ip(t, right, `link set far address 02:00:00:00:00:02 up
		addr add 198.51.100.1/24 dev far
		addr add 2001:db8:51::1/64 dev far nodad`)
	ip(t, here, `link set eth0 up
		link set eth1 up
		addr add 203.0.113.2/24 dev eth0
		addr add 203.0.113.3/24 dev eth0
		addr add 198.51.100.2/24 broadcast 198.51.100.255 dev eth1
		addr add 2001:db8:113::2/64 dev eth0 nodad
		addr add fd00:113::2/64 dev eth0 nodad
		addr add 2001:db8:51::2/64 dev eth1 nodad
		route add default via 203.0.113.1
		route add 10.0.0.0/8 via 198.51.100.1
		route add blackhole 10.1.0.0/16
		route add unreachable 10.2.0.0/16
		route add prohibit 10.3.0.0/16
		route add throw 10.4.0.0/16
		route add 10.5.0.0/16 dev eth1
		route add 10.6.0.0/16 via 192.0.2.77 dev eth0 onlink
		route add 10.7.0.0/16 via inet6 fe80::1 dev eth0
		route add 10.8.0.0/16 nexthop via 203.0.113.1 nexthop via 198.51.100.1
		route add 10.9.0.0/16 via 203.0.113.1 src 203.0.113.3
		route add 10.10.0.0/16 via 203.0.113.1 mtu 1300
		rule add to 10.11.0.0/16 lookup 100
		route add default via 203.0.113.1 table 100
		route add 10.12.0.0/16 via 203.0.113.1 src 203.0.113.3
		rule add from 203.0.113.3 to 10.12.0.0/16 lookup 101
		route add default via 198.51.100.1 table 101
		route add local 10.13.0.0/16 dev lo
		-6 route add default via fe80::1 dev eth0
		-6 route add 2001:db8:a::/48 via 2001:db8:51::1
		-6 route add blackhole 2001:db8:b::/48
		-6 route add unreachable 2001:db8:c::/48
		-6 route add prohibit 2001:db8:d::/48
		-6 route add 2001:db8:e::/48 via fe80::1 dev eth0 src fd00:113::2
		-6 rule add from fd00:113::2 to 2001:db8:e::/48 lookup 101
		-6 route add default via 2001:db8:51::1 table 101
		-6 route add 2001:db8:f::/48 via 2001:db8:51::77`)
	return here
}

func ip(t *testing.T, space *lab.Namespace, lines string) {
	t.Helper()
	for line := range strings.Lines(lines) {
		enter(t, space, func() {
			out, err := exec.CommandContext(t.Context(), "ip", strings.Fields(line)...).CombinedOutput()
			if errors.Is(err, exec.ErrNotFound) {
				t.Fatal("ip is not installed: install the Debian package iproute2")
			}
			if err != nil {
				t.Fatalf("ip %s: %v: %s", strings.TrimSpace(line), err, out)
			}
		})
	}
}

// show gives a path as the tables below write it.
func show(p probe.Path) string {
	span := netipx.IPRangeFrom(p.From, p.To).String()
	if p.Unreachable != "" {
		return span + ": " + p.Unreachable
	}
	kind := [...]string{"ether", "loop", "bare"}[p.Link]
	text := fmt.Sprintf("%s %s %s src %s", span, p.Name, kind, p.Source)
	if p.Gateway.IsValid() {
		text += " via " + p.Gateway.String()
	}
	if p.NextHop != nil {
		text += " at " + net.HardwareAddr(p.NextHop).String()[15:]
	}
	if p.MTU != 1500 {
		text += fmt.Sprint(" mtu ", p.MTU)
	}
	return text
}

func ask(t *testing.T, space *lab.Namespace, wanted string, opts Options) (string, error) {
	t.Helper()
	var ranges []netipx.IPRange
	for w := range strings.FieldsSeq(wanted) {
		if p, err := netip.ParsePrefix(w); err == nil {
			ranges = append(ranges, netipx.RangeOfPrefix(p))
		} else {
			ranges = append(ranges, netipx.MustParseIPRange(w))
		}
	}
	var found []probe.Path
	var failed error
	enter(t, space, func() { found, failed = Paths(t.Context(), ranges, opts) })
	var lines []string
	for _, p := range found {
		lines = append(lines, show(p))
		if p.Unreachable == "" && (p.Interface == 0 || p.Link == probe.Ethernet && len(p.Hardware) != 6) {
			t.Errorf("path lacks the interface: %+v", p)
		}
	}
	return strings.Join(lines, "\n"), failed
}

func TestPaths(t *testing.T) {
	here := crossroads(t)
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	addr := netip.MustParseAddr
	const left, right = "via 203.0.113.1 at 01", "via 198.51.100.1 at 02"
	tests := []struct {
		name, wanted string
		opts         Options
		want         string
	}{
		{"default route", "192.0.2.0/24", Options{}, "192.0.2.0-192.0.2.255 eth0 ether src 203.0.113.2 " + left},
		{"more specific route", "10.20.0.0/16", Options{}, "10.20.0.0-10.20.255.255 eth1 ether src 198.51.100.2 " + right},
		{"blackhole", "10.1.2.0/24", Options{}, "10.1.2.0-10.1.2.255: a blackhole route takes the address, or it is no valid destination"},
		{"unreachable", "10.2.0.0/32", Options{}, "10.2.0.0-10.2.0.0: a route declares the address unreachable"},
		{"prohibit", "10.3.0.0/24", Options{}, "10.3.0.0-10.3.0.255: a route prohibits the address"},
		{"throw", "10.4.0.0/24", Options{}, "10.4.0.0-10.4.0.255: no route to the address"},
		{"on link by route", "10.5.0.0/24", Options{}, "10.5.0.0-10.5.0.255 eth1 ether src 198.51.100.2"},
		{"silent gateway, onlink", "10.6.0.0/24", Options{}, "10.6.0.0-10.6.0.255: gateway 192.0.2.77 on eth0 does not answer ARP"},
		{"IPv4 via IPv6", "10.7.0.0/24", Options{}, "10.7.0.0-10.7.0.255 eth0 ether src 203.0.113.2 via fe80::1 at 01"},
		{"preferred source", "10.9.0.0/24", Options{}, "10.9.0.0-10.9.0.255 eth0 ether src 203.0.113.3 " + left},
		{"MTU of the route", "10.10.0.0/24", Options{}, "10.10.0.0-10.10.0.255 eth0 ether src 203.0.113.2 " + left + " mtu 1300"},
		{"rule on the destination", "10.11.0.0/24", Options{}, "10.11.0.0-10.11.0.255 eth0 ether src 203.0.113.2 " + left},
		{"rule on the source the kernel chose", "10.12.0.0/24", Options{}, "10.12.0.0-10.12.0.255 eth1 ether src 203.0.113.3 " + right},
		{"any address of a local prefix", "10.13.1.0/24", Options{}, "10.13.1.0-10.13.1.255 lo loop src 10.13.1.0 mtu 65536"},
		{"own address", "198.51.100.2/32", Options{}, "198.51.100.2-198.51.100.2 lo loop src 198.51.100.2 mtu 65536"},
		{"loopback", "127.0.0.5/32", Options{}, "127.0.0.5-127.0.0.5 lo loop src 127.0.0.1 mtu 65536"},
		{"on link with everything in it", "198.51.100.0-198.51.101.5", Options{}, lines(
			"198.51.100.0-198.51.100.1 eth1 ether src 198.51.100.2",
			"198.51.100.2-198.51.100.2 lo loop src 198.51.100.2 mtu 65536",
			"198.51.100.3-198.51.100.254 eth1 ether src 198.51.100.2",
			"198.51.100.255-198.51.100.255: is a broadcast address",
			"198.51.101.0-198.51.101.5 eth0 ether src 203.0.113.2 "+left)},
		{"multicast and limited broadcast", "224.0.0.0/4 255.255.255.254/31", Options{}, lines(
			"224.0.0.0-239.255.255.255: is a multicast address",
			"255.255.255.254-255.255.255.254 eth0 ether src 203.0.113.2 "+left,
			"255.255.255.255-255.255.255.255: is a broadcast address")},
		{"pieces merge over equal answers", "10.0.0.0/15 10.254.0.0-11.0.0.0", Options{}, lines(
			"10.0.0.0-10.0.255.255 eth1 ether src 198.51.100.2 "+right,
			"10.1.0.0-10.1.255.255: a blackhole route takes the address, or it is no valid destination",
			"10.254.0.0-10.255.255.255 eth1 ether src 198.51.100.2 "+right,
			"11.0.0.0-11.0.0.0 eth0 ether src 203.0.113.2 "+left)},
		{"a rule of equal outcome leaves no seam", "10.10.255.0-10.12.0.0", Options{Source: addr("203.0.113.2"), Interface: "eth0", NextHop: mac}, lines(
			"10.10.255.0-10.10.255.255 eth0 ether src 203.0.113.2 via 203.0.113.1 at 09 mtu 1300",
			"10.11.0.0-10.12.0.0 eth0 ether src 203.0.113.2 via 203.0.113.1 at 09")},
		{"overlapping ranges", "192.0.2.0/25 192.0.2.64/26 192.0.2.128/25", Options{}, "192.0.2.0-192.0.2.255 eth0 ether src 203.0.113.2 " + left},

		{"source given", "192.0.2.0/24", Options{Source: addr("203.0.113.3")}, "192.0.2.0-192.0.2.255 eth0 ether src 203.0.113.3 " + left},
		{"source given, mapped", "192.0.2.0/24", Options{Source: addr("::ffff:203.0.113.3")}, "192.0.2.0-192.0.2.255 eth0 ether src 203.0.113.3 " + left},
		{"source of a local prefix", "192.0.2.0/24", Options{Source: addr("10.13.7.7")}, "192.0.2.0-192.0.2.255 eth0 ether src 10.13.7.7 " + left},
		{"source and rule", "10.12.0.0/24", Options{Source: addr("203.0.113.2")}, "10.12.0.0-10.12.0.255 eth0 ether src 203.0.113.2 " + left},
		{"source of the other version", "2001:db8:1::/64", Options{Source: addr("203.0.113.2")}, "2001:db8:1::-2001:db8:1:0:ffff:ffff:ffff:ffff: source address 203.0.113.2 is of the other IP version"},
		{"interface given", "10.20.0.0/24", Options{Interface: "eth0"}, "10.20.0.0-10.20.0.255 eth0 ether src 203.0.113.2 " + left},
		{"interface without a route", "192.0.2.0/24", Options{Interface: "eth1"}, "192.0.2.0-192.0.2.255: no route to the address through eth1"},
		{"interface without a route, next hop given", "192.0.2.0/24", Options{Interface: "eth1", NextHop: mac}, "192.0.2.0-192.0.2.255 eth1 ether src 198.51.100.2 at 09"},
		{"interface and foreign source", "203.0.113.9/32", Options{Interface: "eth0", Source: addr("198.51.100.2")}, "203.0.113.9-203.0.113.9 eth0 ether src 198.51.100.2"},
		{"interface, local address", "203.0.113.2/32", Options{Interface: "eth0"}, "203.0.113.2-203.0.113.2 lo loop src 203.0.113.2 mtu 65536"},
		{"next hop given, on link", "203.0.113.9/32", Options{NextHop: mac}, "203.0.113.9-203.0.113.9 eth0 ether src 203.0.113.2 at 09"},
		{"next hop given, gateway", "10.6.0.0/24", Options{NextHop: mac}, "10.6.0.0-10.6.0.255 eth0 ether src 203.0.113.2 via 192.0.2.77 at 09"},

		{"IPv6 default via link-local", "2001:db8:99::/64", Options{}, "2001:db8:99::-2001:db8:99:0:ffff:ffff:ffff:ffff eth0 ether src 2001:db8:113::2 via fe80::1 at 01"},
		{"IPv6 source by label", "fd99::/64", Options{}, "fd99::-fd99::ffff:ffff:ffff:ffff eth0 ether src fd00:113::2 via fe80::1 at 01"},
		{"IPv6 source changes with the destination", "fbff:ffff::-fc00::1", Options{}, lines(
			"fbff:ffff::-fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff eth0 ether src 2001:db8:113::2 via fe80::1 at 01",
			"fc00::-fc00::1 eth0 ether src fd00:113::2 via fe80::1 at 01")},
		{"IPv6 gateway", "2001:db8:a::/48", Options{}, "2001:db8:a::-2001:db8:a:ffff:ffff:ffff:ffff:ffff eth1 ether src 2001:db8:51::2 via 2001:db8:51::1 at 02"},
		{"IPv6 on link", "2001:db8:51::5-2001:db8:51::6", Options{}, "2001:db8:51::5-2001:db8:51::6 eth1 ether src 2001:db8:51::2"},
		{"IPv6 own address", "2001:db8:51::1-2001:db8:51::3", Options{}, lines(
			"2001:db8:51::1-2001:db8:51::1 eth1 ether src 2001:db8:51::2",
			"2001:db8:51::2-2001:db8:51::2 lo loop src 2001:db8:51::2 mtu 65536",
			"2001:db8:51::3-2001:db8:51::3 eth1 ether src 2001:db8:51::2")},
		{"IPv6 loopback", "::1/128", Options{}, "::1-::1 lo loop src ::1 mtu 65536"},
		{"IPv6 blackhole", "2001:db8:b::/64", Options{}, "2001:db8:b::-2001:db8:b:0:ffff:ffff:ffff:ffff: a blackhole route takes the address, or it is no valid destination"},
		{"IPv6 unreachable", "2001:db8:c::/128", Options{}, "2001:db8:c::-2001:db8:c::: a route declares the address unreachable"},
		{"IPv6 prohibit", "2001:db8:d::/128", Options{}, "2001:db8:d::-2001:db8:d::: a route prohibits the address"},
		{"IPv6 rule on the chosen source", "2001:db8:e::/128", Options{}, "2001:db8:e::-2001:db8:e:: eth1 ether src fd00:113::2 via 2001:db8:51::1 at 02"},
		{"IPv6 silent gateway", "2001:db8:f::/128", Options{}, "2001:db8:f::-2001:db8:f::: gateway 2001:db8:51::77 on eth1 does not answer neighbour solicitations"},
		{"IPv6 link-local", "fe80::1/128", Options{}, "fe80::1-fe80::1: a link-local address: name the interface to use"},
		{"IPv6 multicast", "ff02::1/128", Options{Interface: "eth0"}, "ff02::1-ff02::1: is a multicast address"},
		{"IPv6 interface without a route", "2001:db8:99::/128", Options{Interface: "eth1"}, "2001:db8:99::-2001:db8:99::: no route to the address"},
		{"both versions", "192.0.2.1/32 2001:db8:a::1/128", Options{}, lines(
			"192.0.2.1-192.0.2.1 eth0 ether src 203.0.113.2 "+left,
			"2001:db8:a::1-2001:db8:a::1 eth1 ether src 2001:db8:51::2 via 2001:db8:51::1 at 02")},
		{"nothing", "", Options{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			got, err := ask(t, here, tt.wanted, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func lines(all ...string) string { return strings.Join(all, "\n") }

// It needs access to /dev/net/tun.
func TestTunnel(t *testing.T) {
	here := namespace(t)
	ip(t, here, `tuntap add tun0 mode tun
		link set tun0 up mtu 1400
		addr add 10.14.0.1/32 dev tun0
		route add 10.14.0.0/16 dev tun0
		route add 10.15.0.0/16 via 10.14.0.9 dev tun0 onlink`)
	tests := []struct {
		wanted string
		opts   Options
		want   string
	}{
		{"10.14.1.0/24", Options{}, "10.14.1.0-10.14.1.255 tun0 bare src 10.14.0.1 mtu 1400"},
		{"10.14.1.0/24", Options{NextHop: net.HardwareAddr{2, 0, 0, 0, 0, 9}}, "10.14.1.0-10.14.1.255 tun0 bare src 10.14.0.1 mtu 1400"},
		{"10.15.1.0/24", Options{}, "10.15.1.0-10.15.1.255 tun0 bare src 10.14.0.1 via 10.14.0.9 mtu 1400"},
	}
	for _, tt := range tests {
		if got, err := ask(t, here, tt.wanted, tt.opts); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.wanted, got, err, tt.want)
		}
	}
}

// The kernel may choose either way; the answer must be one of them, whole.
func TestMultipath(t *testing.T) {
	here := crossroads(t)
	got, err := ask(t, here, "10.8.0.0/16", Options{})
	if err != nil {
		t.Fatal(err)
	}
	const left = "10.8.0.0-10.8.255.255 eth0 ether src 203.0.113.2 via 203.0.113.1 at 01"
	const right = "10.8.0.0-10.8.255.255 eth1 ether src 198.51.100.2 via 198.51.100.1 at 02"
	if got != left && got != right {
		t.Errorf("got %q, want %q or %q", got, left, right)
	}
}

func TestLinkLocalTarget(t *testing.T) {
	here := crossroads(t)
	got, err := ask(t, here, "fe80::1/128", Options{Interface: "eth0"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got, "fe80::1-fe80::1 eth0 ether src fe80::") || strings.Contains(got, "via") {
		t.Errorf("got %q, want it on link with a link-local source", got)
	}
}

func TestWrongOptions(t *testing.T) {
	here := crossroads(t)
	tests := []struct {
		name string
		opts Options
		want string
	}{
		{"no such interface", Options{Interface: "eth7"}, `there is no interface "eth7", "ip link" lists them`},
		{"foreign source", Options{Source: netip.MustParseAddr("192.0.2.1")}, "source address 192.0.2.1 is not an address of this machine"},
		{"foreign IPv6 source", Options{Source: netip.MustParseAddr("2001:db8:51::1")}, "source address 2001:db8:51::1 is not an address of this machine"},
		{"broadcast source", Options{Source: netip.MustParseAddr("198.51.100.255")}, "source address 198.51.100.255 is not an address of this machine"},
	}
	for _, tt := range tests {
		if got, err := ask(t, here, "192.0.2.0/24", tt.opts); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %q, %v, want error %q", tt.name, got, err, tt.want)
		}
	}
}

func TestNoSourceAddress(t *testing.T) {
	here, far := namespace(t), namespace(t)
	if err := here.Join("eth0", far, "far"); err != nil {
		t.Fatal(err)
	}
	ip(t, here, "link set eth0 up\nroute add default dev eth0")
	const want = "192.0.2.0-192.0.2.255: no source address on eth0"
	if got, err := ask(t, here, "192.0.2.0/24", Options{}); err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if got, err := ask(t, namespace(t), "192.0.2.1/32 2001:db8::1/128", Options{}); err != nil ||
		got != "192.0.2.1-192.0.2.1: no route to the address\n2001:db8::1-2001:db8::1: no route to the address" {
		t.Errorf("without any route: %q, %v", got, err)
	}
}

// Frames over a link without ARP go to the interface's own address.
func TestNoARP(t *testing.T) {
	here, far := namespace(t), namespace(t)
	if err := here.Join("eth0", far, "far"); err != nil {
		t.Fatal(err)
	}
	ip(t, here, "link set eth0 address 02:00:00:00:00:07 arp off up\naddr add 203.0.113.2/24 dev eth0\nroute add default via 203.0.113.1")
	const want = "203.0.113.9-203.0.113.9 eth0 ether src 203.0.113.2 at 07\n203.0.114.0-203.0.114.0 eth0 ether src 203.0.113.2 via 203.0.113.1 at 07"
	if got, err := ask(t, here, "203.0.113.9/32 203.0.114.0/32", Options{}); err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

// Without the right to change the neighbour table a datagram that dies at the
// gateway makes the kernel ask.
func TestUnprivileged(t *testing.T) {
	tests := []struct{ wanted, want string }{
		{"192.0.2.0/24", "192.0.2.0-192.0.2.255 eth0 ether src 203.0.113.2 via 203.0.113.1 at 01"},
		{"10.7.0.0/24", "10.7.0.0-10.7.0.255 eth0 ether src 203.0.113.2 via fe80::1 at 01"},
		{"2001:db8:a::/127", "2001:db8:a::-2001:db8:a::1 eth1 ether src 2001:db8:51::2 via 2001:db8:51::1 at 02"},
		{"2001:db8:f::/127", "2001:db8:f::-2001:db8:f::1: gateway 2001:db8:51::77 on eth1 does not answer neighbour solicitations"},
	}
	for _, tt := range tests {
		here := crossroads(t)
		enter(t, here, func() {
			defer without(t, unix.CAP_NET_ADMIN)()
			handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
			if err != nil {
				t.Fatal(err)
			}
			defer handle.Close()
			if err := handle.RouteDel(&netlink.Route{Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}}); !errors.Is(err, unix.EPERM) {
				t.Fatalf("the thread may still change routes: %v", err)
			}
			p := netipx.RangeOfPrefix(netip.MustParsePrefix(tt.wanted))
			found, err := Paths(t.Context(), []netipx.IPRange{p}, Options{})
			if err != nil || len(found) != 1 || show(found[0]) != tt.want {
				t.Errorf("%v, %v, want %s", found, err, tt.want)
			}
		})
	}
}

// without takes a capability from the calling thread until the returned
// function is called.
func without(t *testing.T, capability int) (back func()) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var all [2]unix.CapUserData
	if err := unix.Capget(&header, &all[0]); err != nil {
		t.Fatal(err)
	}
	less := all
	less[capability/32].Effective &^= 1 << (capability % 32)
	if err := unix.Capset(&header, &less[0]); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Capset(&header, &all[0]); err != nil {
			t.Error(err)
		}
	}
}

func TestCancelled(t *testing.T) {
	here := crossroads(t)
	tests := map[string]time.Duration{"192.0.2.0-192.0.2.255": 0, "10.6.0.0-10.6.0.255": 100 * time.Millisecond}
	for wanted, after := range tests {
		enter(t, here, func() {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			if got, err := Paths(ctx, []netipx.IPRange{netipx.MustParseIPRange(wanted)}, Options{}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v, %v, want the deadline's error", wanted, got, err)
			}
		})
	}
}

// One default route before a /8, and a /8 cut by thousands of routes.
func BenchmarkPaths(b *testing.B) {
	for _, routes := range []int{0, 4096} {
		b.Run(fmt.Sprint(routes, "-routes"), func(b *testing.B) {
			here, err := lab.NewNamespace(false)
			if err != nil {
				b.Fatal(err)
			}
			defer here.Close()
			err = here.Do(func() error {
				handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
				if err != nil {
					return err
				}
				defer handle.Close()
				lo, err := handle.LinkByName("lo")
				if err != nil {
					return err
				}
				for i := range routes {
					dst := &net.IPNet{IP: net.IPv4(10, byte(i>>4), byte(i<<4), 0), Mask: net.CIDRMask(24, 32)}
					route := &netlink.Route{LinkIndex: lo.Attrs().Index, Dst: dst, Src: net.IPv4(127, 0, 0, byte(1+i%2))}
					if err := handle.RouteAdd(route); err != nil {
						return err
					}
				}
				wanted := []netipx.IPRange{netipx.RangeOfPrefix(netip.MustParsePrefix("10.0.0.0/8"))}
				for b.Loop() {
					if _, err := Paths(b.Context(), wanted, Options{}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
