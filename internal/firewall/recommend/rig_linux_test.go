package recommend_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/lab"
)

// rig is a host with its zones, each a network namespace:
//
//	wan 198.51.100.2 ── eth0 ┐
//	lan 10.0.0.2     ── eth1 ┤ host ├ inner: a container on docker0, or the asset on eth2
//	vpn 10.8.0.2     ── wg0  ┘
//
// lan holds the approved resolver and an address that is of no zone.
type rig struct {
	spaces   map[string]*lab.Namespace
	received sync.Map // payloads that any UDP server got
}

const (
	asset4, asset6         = "192.0.2.53", "2001:db8::53"
	container4, container6 = "172.17.0.2", "fd00:d::2"
	strangerInLAN          = "172.20.0.9"
	strangerInWAN          = "10.8.0.9" // forged: of the vpn's network
)

func newRig(t *testing.T, place firewall.Place) *rig {
	t.Helper()
	r := &rig{spaces: map[string]*lab.Namespace{}}
	for _, name := range []string{"host", "wan", "lan", "vpn", "inner"} {
		ns, err := lab.NewNamespace(name == "host")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(ns.Close)
		r.spaces[name] = ns
		// Forged sources shall fall to the rules, not to the kernel's own check.
		if err := ns.Sysctl(map[string]string{"ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0"}); err != nil {
			t.Fatal(err)
		}
	}
	own := []string{asset4 + "/32", asset6 + "/128"}
	inner, innerName, innerHost := []string{container4 + "/24", container6 + "/64"}, "docker0", []string{"172.17.0.1/24", "fd00:d::1/64"}
	if place == firewall.OnGateway {
		inner, innerName, innerHost, own = []string{asset4 + "/24", asset6 + "/64"}, "eth2", []string{"192.0.2.1/24", "2001:db8::1/64"}, nil
	}
	r.link(t, "eth0", append([]string{"198.51.100.1/24", "2001:db8:51::1/64"}, own...), "wan", []string{"198.51.100.2/24", "2001:db8:51::2/64", strangerInWAN + "/32"})
	r.link(t, "eth1", []string{"10.0.0.1/16", "fd00:10::1/48", "172.20.0.1/24"}, "lan", []string{"10.0.0.2/16", "fd00:10::2/48", "10.0.0.53/16", "fd00:10::53/48", strangerInLAN + "/24"})
	r.link(t, "wg0", []string{"10.8.0.1/24", "fd00:8::1/64"}, "vpn", []string{"10.8.0.2/24", "fd00:8::2/64"})
	r.link(t, innerName, innerHost, "inner", inner)
	return r
}

// link joins the host to a zone, which sends everything to the host.
func (r *rig) link(t *testing.T, name string, hostAddrs []string, zone string, addrs []string) {
	t.Helper()
	ns := r.spaces[zone]
	err := errors.Join(
		r.spaces["host"].Join(name, ns, "up"),
		r.spaces["host"].Configure(name, prefixes(hostAddrs)...),
		ns.Configure("up", prefixes(addrs)...),
	)
	if err != nil {
		t.Fatal(err)
	}
	r.run(t, zone, "", "ip", "route", "add", "default", "via", prefixes(hostAddrs)[0].Addr().String())
	r.run(t, zone, "", "ip", "-6", "route", "add", "default", "via", prefixes(hostAddrs)[1].Addr().String())
}

func prefixes(texts []string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// run starts a program in a namespace and waits for it; it must succeed.
func (r *rig) run(t *testing.T, space, stdin, name string, args ...string) string {
	t.Helper()
	cmd, err := r.spaces[space].Command(t.Context(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// serve answers on ports of addresses, over UDP and TCP, with the server's name.
func (r *rig) serve(t *testing.T, space, name string, addrs []string, ports []uint16) {
	t.Helper()
	err := r.spaces[space].Do(func() error {
		for _, addr := range addrs {
			for _, port := range ports {
				at := netip.AddrPortFrom(netip.MustParseAddr(addr), port)
				conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
				if err != nil {
					return err
				}
				listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
				if err != nil {
					return err
				}
				t.Cleanup(func() { _, _ = conn.Close(), listener.Close() })
				go r.answerUDP(conn, name)
				go answerTCP(listener, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) answerUDP(conn *net.UDPConn, name string) {
	buf := make([]byte, 512)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			r.received.Store(string(buf[:n]), name)
			_, _ = conn.WriteToUDPAddrPort([]byte(name), from)
		}
	}
}

func answerTCP(l *net.TCPListener, name string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte(name))
		_ = conn.Close()
	}
}

// probe is one attempt to open a conversation.
type probe struct {
	from   string // namespace
	source string // address; empty: the kernel's choice
	sport  int
	to     string
	port   uint16
	proto  exposure.Transport
	want   string // the server that answers; empty: none
	why    string
}

func (p probe) String() string {
	return fmt.Sprintf("%s %s:%d -> %s %d/%s %s", p.from, p.source, p.sport, p.to, p.port, p.proto, p.why)
}

// attempt all probes side by side and compare who answers.
func (r *rig) attempt(t *testing.T, probes []probe) {
	t.Helper()
	if len(probes) == 0 {
		t.Fatal("nothing to try")
	}
	got := make([]string, len(probes))
	var all sync.WaitGroup
	slots := make(chan struct{}, 256)
	for i, p := range probes {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			_ = r.spaces[p.from].Do(func() error {
				got[i] = p.ask(t.Context())
				return nil
			})
		})
	}
	all.Wait()
	open := 0
	for i, p := range probes {
		if got[i] != p.want {
			t.Errorf("%s: %q answered, want %q", p, got[i], p.want)
		}
		if p.want != "" {
			open++
		}
	}
	t.Logf("%d conversations tried, %d of them open", len(probes), open)
}

// ask gives the name that the server says, or nothing when none answers. A slow
// machine must not make an answer look like silence.
func (p probe) ask(ctx context.Context) string {
	wait := 300 * time.Millisecond
	if p.want != "" {
		wait = 5 * time.Second
	}
	dialer := net.Dialer{Timeout: wait}
	if p.source != "" || p.sport != 0 {
		at := netip.AddrPortFrom(netip.MustParseAddr(p.source), uint16(p.sport)) //nolint:gosec // a port
		dialer.LocalAddr = net.UDPAddrFromAddrPort(at)
		if p.proto == exposure.TCP {
			dialer.LocalAddr = net.TCPAddrFromAddrPort(at)
		}
	}
	conn, err := dialer.DialContext(ctx, string(p.proto), netip.AddrPortFrom(netip.MustParseAddr(p.to), p.port).String())
	if err != nil {
		return ""
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(wait))
	if p.proto == exposure.UDP {
		if _, err := conn.Write([]byte(p.String())); err != nil {
			return ""
		}
	}
	buf := make([]byte, 64)
	n, err := conn.Read(buf)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return string(buf[:n])
}
