//go:build linux

package rawsock

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"

	"reconshield/internal/probe"
)

// said is an answer as the tests compare it.
type said struct {
	Answer   probe.Answer
	From     string
	Protocol string
}

// patience is how long the tests wait for answers that must come; silence is
// only concluded after a later probe was answered.
const patience = 5 * time.Second

// ask sends the probes and gathers what comes back until all of the expected
// number of probes have an answer. Duplicates count.
func ask(tb testing.TB, w *Wire, expect int, probes ...probe.Probe) map[probe.Probe][]said {
	tb.Helper()
	for rest := probes; len(rest) > 0; {
		n, err := w.Send(rest)
		if err != nil && !errors.Is(err, probe.ErrBusy) {
			tb.Fatal(err)
		}
		rest = rest[n:]
	}
	return gather(tb, w, expect)
}

func gather(tb testing.TB, w *Wire, expect int) map[probe.Probe][]said {
	tb.Helper()
	got := map[probe.Probe][]said{}
	var replies [16]probe.Reply
	for end := time.Now().Add(patience); len(got) < expect && time.Now().Before(end); {
		n, err := w.Receive(replies[:], time.Until(end))
		must(tb, err)
		for _, r := range replies[:n] {
			s := said{Answer: r.Answer, Protocol: r.Protocol}
			if r.From.IsValid() {
				s.From = r.From.String()
			}
			if age := time.Since(r.At); age < 0 || age > patience {
				tb.Errorf("%v arrived %v ago", r.Probe, age)
			}
			got[r.Probe] = append(got[r.Probe], s)
		}
	}
	return got
}

func tcp(addr string, port uint16) probe.Probe {
	return probe.Probe{Addr: netip.MustParseAddr(addr), Port: port, Kind: probe.TCP}
}

func udp(addr string, port uint16) probe.Probe {
	return probe.Probe{Addr: netip.MustParseAddr(addr), Port: port, Kind: probe.UDP, Attempt: 3}
}

func echo(addr string) probe.Probe {
	return probe.Probe{Addr: netip.MustParseAddr(addr), Kind: probe.Echo, Attempt: 7}
}

// rules make the peer's ports differ: 81 says nothing, 82 to 86 are rejected.
const rules = `table inet t { chain in { type filter hook input priority 0;
	meta l4proto {tcp,udp} th dport 81 drop
	tcp dport 82 reject with icmpx admin-prohibited
	udp dport 82 reject with icmpx admin-prohibited
	tcp dport 83 reject with icmpx host-unreachable
	tcp dport 84 reject with icmpx port-unreachable
	tcp dport 85 reject with icmpx no-route
	udp dport 86 reject with icmpx host-unreachable
	}
}
`

// dnsServer answers every question of the peer's port 53 with REFUSED.
func (r *rig) dnsServer() {
	r.tb.Helper()
	for _, host := range []string{"192.0.2.5", peer4, "2001:db8:2::5", peer6} {
		r.inPeer(func() error {
			var config net.ListenConfig
			c, err := config.ListenPacket(r.tb.Context(), "udp", net.JoinHostPort(host, "53"))
			if err == nil {
				r.serve(c, refused)
			}
			return err
		})
	}
}

func refused(question []byte) []byte {
	if len(question) < 12 {
		return nil
	}
	question[2] |= 0x80
	question[3] = 5
	return question
}

func (r *rig) serve(c net.PacketConn, answer func([]byte) []byte) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(buffer)
			if err != nil {
				return
			}
			if out := answer(buffer[:n]); out != nil {
				_, _ = c.WriteTo(out, from)
			}
		}
	}()
	r.tb.Cleanup(func() { _ = c.Close(); <-done })
}

func TestAnswers(t *testing.T) {
	noLeak(t)
	r := newRig(t)
	r.nft(rules)
	r.listen(80)
	r.dnsServer()
	for _, plain := range []bool{false, true} {
		for _, host := range []struct{ addr, from, silent string }{
			{"192.0.2.5", "192.0.2.5", silent4},
			{"2001:db8:2::5", "2001:db8:2::5", silent6},
			{peer4, peer4, silent4},
			{peer6, peer6, silent6},
		} {
			t.Run(fmt.Sprintf("plain=%v/%s", plain, host.addr), func(t *testing.T) {
				w := open(t, Config{Paths: r.paths(), Plain: plain})
				near := []netip.Addr{netip.MustParseAddr(peer4), netip.MustParseAddr(peer6)}
				must(t, w.Resolve(t.Context(), slices.Values(near), 0))
				want := map[probe.Probe][]said{
					tcp(host.addr, 80):   {{probe.SynAck, host.from, ""}},
					tcp(host.addr, 79):   {{probe.Reset, host.from, ""}},
					tcp(host.addr, 0):    {{probe.Reset, host.from, ""}},
					tcp(host.addr, 82):   {{probe.AdminProhibited, host.from, ""}},
					tcp(host.addr, 83):   {{probe.HostUnreachable, host.from, ""}},
					tcp(host.addr, 84):   {{probe.PortUnreachable, host.from, ""}},
					tcp(host.addr, 85):   {{probe.NetUnreachable, host.from, ""}},
					udp(host.addr, 53):   {{probe.Datagram, host.from, "dns"}},
					udp(host.addr, 79):   {{probe.PortUnreachable, host.from, ""}},
					udp(host.addr, 443):  {{probe.PortUnreachable, host.from, ""}},
					udp(host.addr, 82):   {{probe.AdminProhibited, host.from, ""}},
					udp(host.addr, 86):   {{probe.HostUnreachable, host.from, ""}},
					echo(host.addr):      {{probe.EchoReply, host.from, ""}},
					tcp(host.silent, 80): {{Answer: probe.NoNeighbour}},
					tcp("10.9.9.9", 80):  {{Answer: probe.NoRoute}},
				}
				probes := append(slices.Collect(maps.Keys(want)), tcp(host.addr, 81), udp(host.addr, 81))
				got := ask(t, w, len(want), probes...)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if a := w.Account(); a != (probe.Account{}) {
					t.Errorf("account: %+v", a)
				}
			})
		}
	}
}

// noLeak fails the test when a goroutine outlives it. Call it first.
func noLeak(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func TestLoopback(t *testing.T) {
	noLeak(t)
	r := newRig(t)
	lo, err := netlink.LinkByName("lo")
	must(t, err)
	must(t, nft(rules))
	t.Cleanup(func() { _ = nft("flush ruleset\n") })
	path := func(addr string) probe.Path {
		a := netip.MustParseAddr(addr)
		return probe.Path{
			From: a, To: a, Source: a, Link: probe.Loopback, Interface: lo.Attrs().Index, Name: "lo", MTU: 65536,
		}
	}
	own := path(scanner4)
	own.Interface, own.Name, own.MTU = r.near.Attrs().Index, "near0", 1500
	const local6 = "fe80::77"
	must(t, netlink.AddrAdd(r.near, address(t, local6+"/64")))
	linkLocal := path(local6)
	linkLocal.Interface, linkLocal.Name = own.Interface, own.Name
	w := open(t, Config{Paths: []probe.Path{path("127.0.0.1"), own, path("::1"), path(scanner6), linkLocal}})
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", ":0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	openPort := uint16(l.Addr().(*net.TCPAddr).Port)

	want := map[probe.Probe][]said{}
	var silent []probe.Probe
	for _, a := range []string{"127.0.0.1", scanner4, "::1", scanner6, local6} {
		maps.Copy(want, map[probe.Probe][]said{
			tcp(a, openPort): {{probe.SynAck, a, ""}},
			tcp(a, 79):       {{probe.Reset, a, ""}},
			udp(a, 79):       {{probe.PortUnreachable, a, ""}},
			udp(a, 82):       {{probe.AdminProhibited, a, ""}},
			echo(a):          {{probe.EchoReply, a, ""}},
		})
		silent = append(silent, tcp(a, 81))
	}
	got := ask(t, w, len(want), append(slices.Collect(maps.Keys(want)), silent...)...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if a := w.Account(); a != (probe.Account{}) {
		t.Errorf("account: %+v", a)
	}
}
