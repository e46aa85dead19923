//go:build linux

package rawsock

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"reconshield/internal/packet"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

func TestResolve(t *testing.T) {
	noLeak(t)
	r := newRig(t)
	tests := []struct {
		name  string
		addr  string
		known bool
	}{
		{"on the link, IPv4", peer4, true},
		{"on the link, IPv6", peer6, true},
		{"nobody, IPv4", silent4, false},
		{"nobody, IPv6", silent6, false},
		{"behind a gateway that is known", "192.0.2.5", false},
		{"nowhere", "10.9.9.9", false},
	}
	var all []netip.Addr
	for _, tt := range tests {
		a := netip.MustParseAddr(tt.addr)
		all = append(all, a, a)
	}
	w := open(t, Config{Paths: r.paths()})
	start := time.Now()
	must(t, w.Resolve(t.Context(), slices.Values(all), 0))
	if took, least := time.Since(start), solicitTries*solicitWait; took < least {
		t.Errorf("the silent were given up after %v, before %v", took, least)
	}
	for _, tt := range tests {
		mac, known := w.neighbours.find(netip.MustParseAddr(tt.addr))
		if known != tt.known || known && !slices.Equal(mac[:], r.peerMAC) {
			t.Errorf("%s: %v %v", tt.name, mac, known)
		}
	}
	start = time.Now()
	must(t, w.Resolve(t.Context(), slices.Values(all[:4]), 0))
	if took := time.Since(start); took > solicitWait {
		t.Errorf("what is known took %v", took)
	}
}

func TestResolveGateway(t *testing.T) {
	r := newRig(t)
	paths := r.paths()
	for i := range paths {
		paths[i].NextHop = nil
	}
	w := open(t, Config{Paths: paths})
	must(t, w.Resolve(t.Context(), slices.Values([]netip.Addr{netip.MustParseAddr("192.0.2.77")}), 0))
	p := tcp("192.0.2.5", 79)
	want := map[probe.Probe][]said{p: {{probe.Reset, "192.0.2.5", ""}}}
	if diff := cmp.Diff(want, ask(t, w, 1, p)); diff != "" {
		t.Error(diff)
	}
}

func TestResolveIsCancelled(t *testing.T) {
	r := newRig(t)
	w := open(t, Config{Paths: r.paths()})
	ctx, cancel := context.WithCancel(t.Context())
	endless := func(yield func(netip.Addr) bool) {
		for a := netip.MustParseAddr(silent4); yield(a); a = netip.MustParseAddr(silent6) {
			cancel()
		}
	}
	if err := w.Resolve(ctx, endless, 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A lie about an address that was not asked for, or is not asked for any more,
// is not believed, nor is the second answer.
func TestNeighbourLies(t *testing.T) {
	asked, other := netip.MustParseAddr(peer4), netip.MustParseAddr(silent4)
	good, bad := packet.MAC{2, 0, 0, 0, 0, 1}, packet.MAC{2, 0, 0, 0, 0, 2}
	n := newNeighbours(8)
	n.asked[keyOf(asked)] = 3
	say := func(ifindex int, target netip.Addr, mac packet.MAC) {
		n.answer(ifindex, &packet.Decoded{What: packet.Neighbour, Target: target, Hardware: mac})
	}
	say(3, other, bad)
	say(4, asked, bad)
	say(3, asked, good)
	say(3, asked, bad)
	want := map[key]packet.MAC{keyOf(asked): good}
	if diff := cmp.Diff(want, n.table); diff != "" {
		t.Error(diff)
	}
}

func TestNeighboursAreBounded(t *testing.T) {
	n := newNeighbours(2)
	a := netip.MustParseAddr(peer4)
	for range 5 {
		n.asked[keyOf(a)] = 1
		n.answer(1, &packet.Decoded{What: packet.Neighbour, Target: a, Hardware: packet.MAC{2}})
		a = a.Next()
	}
	if len(n.table) != 2 || len(n.asked) != 0 {
		t.Errorf("%d known, %d asked", len(n.table), len(n.asked))
	}
}

// A link that is down, or whose other end is, is told and comes back.
func TestLinkDown(t *testing.T) {
	r := newRig(t)
	far, err := r.peerHandle.LinkByName("far0")
	must(t, err)
	p := tcp("192.0.2.5", 79)
	for _, tt := range []struct {
		name     string
		plain    bool
		down, up func(netlink.Link) error
		link     netlink.Link
	}{
		{"ours/xdp", false, netlink.LinkSetDown, netlink.LinkSetUp, r.near},
		{"ours/sendmmsg", true, netlink.LinkSetDown, netlink.LinkSetUp, r.near},
		{"carrier/xdp", false, r.peerHandle.LinkSetDown, r.peerHandle.LinkSetUp, far},
		{"carrier/sendmmsg", true, r.peerHandle.LinkSetDown, r.peerHandle.LinkSetUp, far},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := open(t, Config{Paths: r.paths()[:2], Plain: tt.plain})
			want := map[probe.Probe][]said{p: {{probe.Reset, "192.0.2.5", ""}}}
			if diff := cmp.Diff(want, ask(t, w, 1, p)); diff != "" {
				t.Error(diff)
			}
			must(t, tt.down(tt.link))
			wait(t, func() bool {
				_, err := w.Send([]probe.Probe{p})
				return errors.Is(err, probe.ErrDown)
			})
			if n, err := w.Send([]probe.Probe{p}); !errors.Is(err, probe.ErrDown) {
				t.Errorf("%d, %v while the link is down", n, err)
			}
			if n, err := w.Send([]probe.Probe{p}); n != 0 || !errors.Is(err, probe.ErrDown) {
				t.Errorf("%d, %v with a packet waiting for the link", n, err)
			}
			must(t, tt.up(tt.link))
			wait(t, func() bool {
				n, err := w.Send([]probe.Probe{p})
				if err != nil && !errors.Is(err, probe.ErrDown) && !errors.Is(err, probe.ErrBusy) {
					t.Fatal(err)
				}
				return n == 1 && err == nil
			})
			if got := gather(t, w, 1); len(got[p]) == 0 || got[p][0] != want[p][0] {
				t.Errorf("after the link came back: %v", got)
			}
		})
	}
}

// An interface that is taken away is a link that is down, and nothing spins or
// hangs because of it.
func TestInterfaceGone(t *testing.T) {
	for name, plain := range map[string]bool{"xdp": false, "sendmmsg": true} {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			r := newRig(t)
			w := open(t, Config{Paths: r.paths(), Plain: plain})
			must(t, netlink.LinkDel(r.near))
			wait(t, func() bool {
				_, err := w.Send([]probe.Probe{tcp("192.0.2.5", 79)})
				return errors.Is(err, probe.ErrDown)
			})
			var replies [1]probe.Reply
			n, err := w.Receive(replies[:], time.Millisecond)
			must(t, err)
			if n != 0 {
				t.Errorf("%+v", replies)
			}
		})
	}
}

// tunnel opens a link without a header and its other end, a file.
func tunnel(t *testing.T) (netlink.Link, *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatalf("open /dev/net/tun (the kernel module tun): %v", err)
	}
	request, err := unix.NewIfreq("tun0")
	must(t, err)
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	must(t, unix.IoctlIfreq(fd, unix.TUNSETIFF, request))
	file := os.NewFile(uintptr(fd), "tun")
	t.Cleanup(func() { _ = file.Close() })
	link, err := netlink.LinkByName("tun0")
	must(t, err)
	must(t, netlink.LinkSetUp(link))
	return link, file
}

func TestBare(t *testing.T) {
	link, file := tunnel(t)
	must(t, netlink.AddrAdd(link, address(t, "198.51.100.1/32")))
	must(t, netlink.AddrAdd(link, address(t, "2001:db8:3::1/128")))
	path := func(prefix, source string) probe.Path {
		p := probe.Path{
			Link: probe.Bare, Interface: link.Attrs().Index, Name: "tun0", MTU: 1500, Source: netip.MustParseAddr(source),
		}
		p.From, p.To = ends(prefix)
		return p
	}
	w := open(t, Config{Paths: []probe.Path{path("198.51.100.128/25", "198.51.100.1"), path("2001:db8:3::/64", "2001:db8:3::1")}})
	probes := []probe.Probe{tcp("198.51.100.200", 80), tcp("2001:db8:3::200", 80)}
	want := map[probe.Probe][]said{
		probes[0]: {{probe.SynAck, "198.51.100.200", ""}},
		probes[1]: {{probe.Reset, "2001:db8:3::200", ""}},
	}
	_, err := w.Send(probes)
	must(t, err)
	must(t, file.SetReadDeadline(time.Now().Add(patience)))
	buffer := make([]byte, 2048)
	for answered := 0; answered < len(probes); {
		n, err := file.Read(buffer)
		must(t, err)
		reply := answerBare(buffer[:n])
		if reply == nil {
			continue // the kernel's own
		}
		answered++
		_, err = file.Write(reply)
		must(t, err)
	}
	if diff := cmp.Diff(want, gather(t, w, len(want))); diff != "" {
		t.Error(diff)
	}
}

// answerBare turns a SYN without a link header around: a SYN-ACK over IPv4, a
// reset over IPv6; nil when it is no SYN.
func answerBare(p []byte) []byte {
	at, length, address, flags, proto := 20, 4, 12, byte(synAck), 9
	if p[0]>>4 == 6 {
		at, length, address, flags, proto = 40, 16, 8, rstAck, 6
	}
	if p[proto] != unix.IPPROTO_TCP || p[at+13] != 0x02 {
		return nil
	}
	f := slices.Clone(p)
	copy(f[address:], p[address+length:address+2*length])
	copy(f[address+length:], p[address:address+length])
	copy(f[at:], p[at+2:at+4])
	copy(f[at+2:], p[at:at+2])
	binary.BigEndian.PutUint32(f[at+8:], binary.BigEndian.Uint32(p[at+4:])+1)
	f[at+13] = flags
	return f
}

// A link that takes no more frames is told of, and takes the rest later.
func TestBusy(t *testing.T) {
	link, file := tunnel(t)
	must(t, netlink.AddrAdd(link, address(t, "198.51.100.1/32")))
	p := probe.Path{Link: probe.Bare, Interface: link.Attrs().Index, Name: "tun0", MTU: 1500, Source: netip.MustParseAddr("198.51.100.1")}
	p.From, p.To = ends("198.51.100.128/25")
	w := open(t, Config{Paths: []probe.Path{p}})
	question := tcp("198.51.100.200", 0)
	taken := 0
	wait(t, func() bool {
		question.Port++
		n, err := w.Send([]probe.Probe{question})
		taken += n
		return errors.Is(err, probe.ErrBusy)
	})
	must(t, file.SetReadDeadline(time.Now().Add(patience)))
	buffer := make([]byte, 2048)
	for seen := 0; seen < taken; {
		n, err := file.Read(buffer)
		must(t, err)
		if answerBare(buffer[:n]) != nil {
			seen++
			_, err = w.Receive(make([]probe.Reply, 1), 0) // gives the rest its chance
			must(t, err)
		}
	}
}

// The interface's queue for AF_XDP is for one only; the second does without.
func TestTwoWires(t *testing.T) {
	r := newRig(t)
	first, second := open(t, Config{Paths: r.paths()}), open(t, Config{Paths: r.paths(), Key: probe.NewKey(2)})
	if _, ok := first.outlets[0].(*xdp); !ok {
		t.Errorf("the first sends by %T", first.outlets[0])
	}
	if _, ok := second.outlets[0].(*mmsg); !ok {
		t.Errorf("the second sends by %T", second.outlets[0])
	}
	p := tcp("192.0.2.5", 79)
	for _, w := range []*Wire{first, second} {
		want := map[probe.Probe][]said{p: {{probe.Reset, "192.0.2.5", ""}}}
		if diff := cmp.Diff(want, ask(t, w, 1, p)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	r := newRig(t)
	good := r.paths()
	sourceless := r.paths()[:1]
	sourceless[0].Source = netip.Addr{}
	gone := r.paths()[:1]
	gone[0].Interface = 4711
	for name, paths := range map[string][]probe.Path{
		"overlap":      {good[0], good[0]},
		"not sorted":   {good[1], good[0]},
		"no source":    sourceless,
		"no interface": gone,
	} {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			if w, err := Open(Config{Paths: paths, Payloads: payload.New()}); err == nil {
				_ = w.Close()
				t.Error("no error")
			}
		})
	}
}

func TestUnreachablePath(t *testing.T) {
	w := open(t, Config{Paths: []probe.Path{{
		From: netip.MustParseAddr("10.0.0.0"), To: netip.MustParseAddr("10.0.0.255"), Unreachable: "no route to 10.0.0.0/24",
	}}})
	p := tcp("10.0.0.7", 80)
	_, err := w.Send([]probe.Probe{p})
	must(t, err)
	var replies [2]probe.Reply
	n, err := w.Receive(replies[:], 0)
	must(t, err)
	if n != 1 || replies[0].Probe != p || replies[0].Answer != probe.NoRoute || replies[0].Detail != "no route to 10.0.0.0/24" {
		t.Errorf("%+v", replies[:n])
	}
}
