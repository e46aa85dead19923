//go:build linux

package wirelab_test

import (
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"reconshield/internal/dial"
	"reconshield/internal/lab"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

// patience is waited out where silence is the point. It is longer than a router
// looks for a neighbour.
const patience = 4 * time.Second

func openWire(tb testing.TB) *dial.Wire {
	tb.Helper()
	w, err := dial.New(dial.Options{}).OpenWire(payload.New())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := w.Close(); err != nil {
			tb.Error(err)
		}
	})
	return w
}

// askAll sends every probe once and collects replies until all have one or the
// patience of the last is over.
func askAll(tb testing.TB, w *dial.Wire, probes []probe.Probe) map[probe.Probe][]probe.Reply {
	tb.Helper()
	seen := map[probe.Probe][]probe.Reply{}
	into := make([]probe.Reply, 256)
	left := probes
	for end := time.Now().Add(patience); len(seen) < len(probes) && time.Now().Before(end); {
		n, err := w.Send(left[:min(64, len(left))])
		if err != nil {
			tb.Fatal(err)
		}
		if left = left[n:]; n > 0 {
			end = time.Now().Add(patience)
		}
		wait := time.Duration(0)
		if n == 0 {
			wait = time.Until(end)
		}
		n, err = w.Receive(into, wait)
		if err != nil {
			tb.Fatal(err)
		}
		for _, r := range into[:n] {
			seen[r.Probe] = append(seen[r.Probe], r)
		}
	}
	return seen
}

func setting(tb testing.TB, name, value string) {
	tb.Helper()
	file := "/proc/sys/net/" + name
	before, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.WriteFile(file, before, 0o600) })
}

// route adds a route of a kind to the scanner.
func route(tb testing.TB, to string, kind int) {
	tb.Helper()
	dst, err := netlink.ParseIPNet(to)
	if err != nil {
		tb.Fatal(err)
	}
	if err := netlink.RouteAdd(&netlink.Route{Dst: dst, Type: kind}); err != nil {
		tb.Fatalf("route to %s: %v", to, err)
	}
	tb.Cleanup(func() { netlink.RouteDel(&netlink.Route{Dst: dst, Type: kind}) })
}

func TestVerdicts(t *testing.T) {
	l := lab.New(t, lab.Options{})
	h := l.StartAll(t, "closed", "silent", "prohibited", "short-refuser", "fwd-transparent", "acceptall")
	rejector := l.Host(t, "rejector")
	rejector.NFT(t, "table inet f {\nchain i {\ntype filter hook input priority 0\nmeta l4proto tcp reject with icmpx type port-unreachable\nmeta l4proto udp reject with icmpx type host-unreachable\n}\n}\n")
	router := &lab.Host{V4: netip.MustParseAddr("192.0.2.1"), V6: netip.MustParseAddr("2001:db8:2::1")}
	near := &lab.Host{V4: netip.MustParseAddr("203.0.113.1"), V6: netip.MustParseAddr("2001:db8:113::1")}
	host := func(v4, v6 string) *lab.Host {
		return &lab.Host{V4: netip.MustParseAddr(v4), V6: netip.MustParseAddr(v6)}
	}
	nowhere := host("10.99.99.99", "2001:db8:dead::1") // the router has no route
	dead := host("203.0.113.77", "2001:db8:113::77")   // nobody on this link
	behind := host("192.0.2.77", "2001:db8:2::77")     // nobody on the router's link
	unreachable := host("198.18.0.1", "2001:db8:18::1")
	for _, name := range []string{"ipv4/neigh/lab0/retrans_time_ms", "ipv6/neigh/lab0/retrans_time_ms"} {
		setting(t, name, "100")
	}
	route(t, "198.18.0.0/24", unix.RTN_UNREACHABLE)
	route(t, "2001:db8:18::/64", unix.RTN_UNREACHABLE)
	elsewhere := host(h["fwd-transparent"].V4.String(), h["fwd-transparent"].V6.String())
	tests := []struct {
		name     string
		host     *lab.Host
		kind     probe.Kind
		answer   probe.Answer // Nothing: no reply
		from     *lab.Host    // who says so; nil: nobody
		protocol string
	}{
		{"open", h["acceptall"], probe.TCP, probe.SynAck, h["acceptall"], ""},
		{"closed", h["closed"], probe.TCP, probe.Reset, h["closed"], ""},
		{"dropped", h["silent"], probe.TCP, probe.Nothing, nil, ""},
		{"prohibited", h["prohibited"], probe.TCP, probe.AdminProhibited, h["prohibited"], ""},
		{"rejected", rejector, probe.TCP, probe.PortUnreachable, rejector, ""},
		{"no route there", nowhere, probe.TCP, probe.NetUnreachable, near, ""},
		{"no neighbour", dead, probe.TCP, probe.NoNeighbour, nil, ""},
		{"no neighbour of the router's", behind, probe.TCP, probe.HostUnreachable, near, ""},
		{"no route here", unreachable, probe.TCP, probe.NoRoute, nil, ""},
		{"the router", router, probe.TCP, probe.Reset, router, ""},
		{"udp open", h["short-refuser"], probe.UDP, probe.Datagram, h["short-refuser"], "dns"},
		{"udp closed", h["closed"], probe.UDP, probe.PortUnreachable, h["closed"], ""},
		{"udp dropped", h["silent"], probe.UDP, probe.Nothing, nil, ""},
		{"udp prohibited", h["prohibited"], probe.UDP, probe.AdminProhibited, h["prohibited"], ""},
		{"udp rejected", rejector, probe.UDP, probe.HostUnreachable, rejector, ""},
		{"udp no route there", nowhere, probe.UDP, probe.NetUnreachable, near, ""},
		{"udp no neighbour", dead, probe.UDP, probe.NoNeighbour, nil, ""},
		{"udp no route here", unreachable, probe.UDP, probe.NoRoute, nil, ""},
		{"udp answered from elsewhere", elsewhere, probe.UDP, probe.Datagram, host("0.0.0.0", "::"), "dns"},
	}
	w := openWire(t)
	var probes []probe.Probe
	for _, tt := range tests {
		for _, addr := range []netip.Addr{tt.host.V4, tt.host.V6} {
			probes = append(probes, probe.Probe{Addr: addr, Port: 53, Kind: tt.kind, Attempt: 3, Patience: 5 * time.Second})
		}
	}
	seen := askAll(t, w, probes)
	for i, tt := range tests {
		for j := range 2 {
			p := probes[2*i+j]
			p.Patience = 0
			from := netip.Addr{}
			if tt.from != nil {
				from = []netip.Addr{tt.from.V4, tt.from.V6}[j]
			}
			check(t, tt.name, seen[p], probe.Reply{Probe: p, Answer: tt.answer, From: from, Protocol: tt.protocol})
		}
	}
}

// check compares the replies to a probe with the only one wanted. From may be
// unspecified: any other than the one that was asked.
func check(t *testing.T, name string, got []probe.Reply, want probe.Reply) {
	t.Helper()
	if want.Answer == probe.Nothing {
		if len(got) > 0 {
			t.Errorf("%s %s: %+v, want none", name, want.Addr, got)
		}
		return
	}
	if len(got) != 1 {
		t.Errorf("%s %s: %d replies, want 1: %+v", name, want.Addr, len(got), got)
		return
	}
	r := got[0]
	fromOther := want.From.IsValid() && want.From.IsUnspecified() && r.From.IsValid() && r.From != want.Addr
	if r.Answer != want.Answer || r.From != want.From && !fromOther || r.Protocol != want.Protocol {
		t.Errorf("%s %s: %s from %s %q (%s), want %s from %s %q", name, want.Addr,
			r.Answer.Reason(""), r.From, r.Protocol, r.Detail, want.Answer.Reason(""), want.From, want.Protocol)
	}
	if want.Answer == probe.NoRoute && r.Detail == "" {
		t.Errorf("%s %s: no detail", name, want.Addr)
	}
}

func TestEcho(t *testing.T) {
	h := lab.New(t, lab.Options{}).StartAll(t, "closed", "silent")
	for _, name := range []string{"ipv4/neigh/lab0/retrans_time_ms", "ipv6/neigh/lab0/retrans_time_ms"} {
		setting(t, name, "100")
	}
	echo := func(a netip.Addr) probe.Probe {
		return probe.Probe{Addr: a, Kind: probe.Echo, Attempt: 7, Patience: 2 * time.Second}
	}
	probes := []probe.Probe{
		echo(h["closed"].V4), echo(h["closed"].V6),
		echo(netip.MustParseAddr("203.0.113.77")), echo(netip.MustParseAddr("2001:db8:113::77")),
		echo(netip.MustParseAddr("10.99.99.99")), echo(netip.MustParseAddr("2001:db8:dead::1")),
		echo(netip.MustParseAddr("127.0.0.1")), echo(netip.MustParseAddr("::1")),
	}
	setting(t, "ipv4/ping_group_range", "1 0")
	for _, replies := range askAll(t, openWire(t), probes) {
		if len(replies) != 1 || replies[0].Answer != probe.LocalError || !strings.Contains(replies[0].Detail, "ping_group_range") {
			t.Errorf("without permission: %+v", replies)
		}
	}
	setting(t, "ipv4/ping_group_range", "0 0")
	want := []probe.Answer{
		probe.EchoReply, probe.EchoReply, probe.NoNeighbour, probe.NoNeighbour,
		probe.NetUnreachable, probe.NetUnreachable, probe.EchoReply, probe.EchoReply,
	}
	seen := askAll(t, openWire(t), probes)
	for i, p := range probes {
		p.Patience = 0
		if got := seen[p]; len(got) != 1 || got[0].Answer != want[i] {
			t.Errorf("%s: %+v, want %s", p.Addr, got, want[i].Reason(""))
		}
	}
}

// Every port of a host behind a router, some of them open: once, and right.
func TestAllPorts(t *testing.T) {
	h := lab.New(t, lab.Options{}).StartAll(t, "closed")["closed"]
	for _, addr := range []netip.Addr{h.V4, h.V6} {
		var open []uint16
		for len(open) < 30 {
			port := uint16(1 + rand.IntN(65535))
			if slices.Contains(open, port) {
				continue
			}
			listener, err := h.Listen("tcp", netip.AddrPortFrom(addr, port).String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { listener.Close() })
			go discard(listener)
			open = append(open, port)
		}
		probes := make([]probe.Probe, 1<<16)
		for i, port := range rand.Perm(len(probes)) {
			probes[i] = probe.Probe{Addr: addr, Port: uint16(port), Kind: probe.TCP, Patience: patience}
		}
		start := time.Now()
		seen := askAll(t, openWire(t), probes)
		took := time.Since(start)
		wrong := 0
		for p, replies := range seen {
			want := probe.Reset
			if slices.Contains(open, p.Port) {
				want = probe.SynAck
			}
			if len(replies) != 1 || replies[0].Answer != want {
				wrong++
			}
		}
		t.Logf("%s: %d ports in %s", addr, len(seen), took)
		if len(seen) != len(probes) || wrong > 0 {
			t.Errorf("%s: %d of %d answered, %d wrong", addr, len(seen), len(probes), wrong)
		}
	}
}

func discard(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		io.Copy(io.Discard, c)
		c.Close()
	}
}

// With few ports to connect from, a connection to one of them often meets
// itself, and a datagram another of our own sockets. Neither may read as open.
func TestOwnPorts(t *testing.T) {
	lab.New(t, lab.Options{}) // the setting is the lab's own
	const first, ports = 40000, 64
	setting(t, "ipv4/ip_local_port_range", strconv.Itoa(first)+" "+strconv.Itoa(first+ports-1))
	for _, kind := range []probe.Kind{probe.TCP, probe.UDP} {
		for _, addr := range []string{"127.0.0.1", "::1", "203.0.113.2"} {
			w := openWire(t)
			closed := 0
			for attempt := range uint8(probe.Attempts) {
				var probes []probe.Probe
				for port := range uint16(ports) {
					probes = append(probes, probe.Probe{Addr: netip.MustParseAddr(addr), Port: first + port, Kind: kind, Attempt: attempt, Patience: patience})
				}
				for p, replies := range askAll(t, w, probes) {
					for _, r := range replies {
						switch r.Answer {
						case probe.Reset, probe.PortUnreachable:
							closed++
						case probe.LocalError:
						default:
							t.Errorf("%s %s port %d: %s %q", kind.Transport(), addr, p.Port, r.Answer.Reason(""), r.Protocol)
						}
					}
				}
			}
			if closed < ports*probe.Attempts*9/10 {
				t.Errorf("%s %s: %d of %d closed", kind.Transport(), addr, closed, ports*probe.Attempts)
			}
		}
	}
}
