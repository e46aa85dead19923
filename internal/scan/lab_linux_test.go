package scan_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"reconshield/internal/dial"
	"reconshield/internal/exposure"
	"reconshield/internal/lab"
	"reconshield/internal/payload"
	"reconshield/internal/scan"
)

// survey sweeps with real sockets.
func survey(t *testing.T, s scan.Survey) (map[exposure.Target]exposure.Observation, scan.Summary) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	seen := map[exposure.Target]exposure.Observation{}
	wire, err := dial.New(dial.Options{}).OpenWire(payload.New())
	if err != nil {
		t.Fatal(err)
	}
	s.Want, s.Retries = scan.WantAll, -1
	summary, err := scan.Sweep(t.Context(), wire, s, func(o exposure.Observation) { seen[o.Target] = o })
	if err != nil {
		t.Fatal(err)
	}
	if err := wire.Close(); err != nil {
		t.Error(err)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	return seen, summary
}

func TestRealHosts(t *testing.T) {
	l := lab.New(t, lab.Options{})
	hosts := l.StartAll(t, "closed", "silent", "prohibited", "short-refuser", "fwd-transparent", "acceptall", "bind-auth-safe", "ssh53")
	rejector := l.Host(t, "rejector")
	rejector.NFT(t, "table inet f {\nchain i {\ntype filter hook input priority 0\nmeta l4proto tcp reject with icmpx type port-unreachable\n}\n}\n")
	hosts["rejector"] = rejector
	nobody := &lab.Host{V4: netip.MustParseAddr("10.99.99.99"), V6: netip.MustParseAddr("2001:db8:dead::1")}
	hosts["nobody"] = nobody
	type verdict struct {
		state  exposure.State
		reason exposure.Reason
	}
	tests := []struct {
		host     string
		udp, tcp verdict
		detail   string // of UDP
	}{
		{"closed", verdict{exposure.Closed, exposure.ReasonPortUnreachable}, verdict{exposure.Closed, exposure.ReasonReset}, ""},
		{"silent", verdict{exposure.OpenFiltered, exposure.ReasonTimeout}, verdict{exposure.Filtered, exposure.ReasonTimeout}, ""},
		{"prohibited", verdict{exposure.Filtered, exposure.ReasonAdminProhibited}, verdict{exposure.Filtered, exposure.ReasonAdminProhibited}, ""},
		{"rejector", verdict{exposure.Closed, exposure.ReasonPortUnreachable}, verdict{exposure.Filtered, exposure.ReasonPortUnreachable}, ""},
		{"short-refuser", verdict{exposure.Open, exposure.ReasonDNSResponse}, verdict{exposure.Open, exposure.ReasonSynAck}, ""},
		{"bind-auth-safe", verdict{exposure.Open, exposure.ReasonDNSResponse}, verdict{exposure.Open, exposure.ReasonSynAck}, ""},
		{"fwd-transparent", verdict{exposure.Open, exposure.ReasonDNSResponse}, verdict{exposure.Closed, exposure.ReasonReset}, "the answer came from"},
		{"ssh53", verdict{exposure.Closed, exposure.ReasonPortUnreachable}, verdict{exposure.Open, exposure.ReasonSynAck}, ""},
		{"acceptall", verdict{exposure.Closed, exposure.ReasonPortUnreachable}, verdict{exposure.Open, exposure.ReasonSynAck}, ""},
		{"nobody", verdict{exposure.Filtered, exposure.ReasonNetUnreachable}, verdict{exposure.Filtered, exposure.ReasonNetUnreachable}, ""},
	}
	var addrs []netip.Addr
	for _, h := range hosts {
		addrs = append(addrs, h.V4, h.V6)
	}
	seen, summary := survey(t, scan.Survey{Addresses: some(addrs), Ports: ports(t, "53")})
	t.Logf("%d targets in %s", summary.Targets, summary.Duration)
	for _, tt := range tests {
		for _, addr := range []netip.Addr{hosts[tt.host].V4, hosts[tt.host].V6} {
			udp := seen[exposure.Target{Addr: addr, Transport: exposure.UDP, Port: 53}]
			tcp := seen[exposure.Target{Addr: addr, Transport: exposure.TCP, Port: 53}]
			if udp.State != tt.udp.state || udp.Reason != tt.udp.reason || !strings.Contains(udp.Detail, tt.detail) {
				t.Errorf("%s %s: %s %s (%s)", tt.host, udp, udp.State, udp.Reason, udp.Detail)
			}
			if tcp.State != tt.tcp.state || tcp.Reason != tt.tcp.reason {
				t.Errorf("%s %s: %s %s (%s)", tt.host, tcp, tcp.State, tcp.Reason, tcp.Detail)
			}
		}
	}
	testControls(t, hosts)
}

// Linux says only so often that a port is closed, and remembers the scan before:
// eight ports take ten seconds when all that it says was used up.
func TestRealClosedAgainAndAgain(t *testing.T) {
	h := lab.New(t, lab.Options{}).StartAll(t, "closed")["closed"]
	for i := range 3 {
		start := time.Now()
		seen, summary := survey(t, scan.Survey{Addresses: some{h.V4, h.V6}, Ports: ports(t, "dns"), Rate: 4000})
		if len(seen) != 2*len(ports(t, "dns")) || summary.Targets != uint64(len(seen)) || time.Since(start) > 15*time.Second {
			t.Errorf("run %d: %d verdicts in %s", i, len(seen), time.Since(start))
		}
		t.Logf("run %d: %s", i, summary.Duration)
		for _, addr := range []netip.Addr{h.V4, h.V6} {
			for _, port := range []uint16{53, 853, 5353} {
				o := seen[exposure.Target{Addr: addr, Transport: exposure.UDP, Port: port}]
				if o.State != exposure.Closed || o.Reason != exposure.ReasonPortUnreachable {
					t.Errorf("run %d: %s: %s %s after %d attempts (%s)", i, o, o.State, o.Reason, o.Attempts, o.Detail)
				}
			}
		}
	}
}

func testControls(t *testing.T, hosts map[string]*lab.Host) {
	t.Helper()
	d := dial.New(dial.Options{})
	c := scan.Controls{Prober: d, OnLink: d.OnLink}
	for kind, want := range map[string]scan.Verdict{"acceptall": scan.Detected, "closed": scan.None, "bind-auth-safe": scan.None, "silent": scan.None} {
		for _, addr := range []netip.Addr{hosts[kind].V4, hosts[kind].V6} {
			if got := c.AcceptsEverything(t.Context(), addr); got.Verdict != want {
				t.Errorf("%s %s accepts everything: %s: %s", kind, addr, got.Verdict, got.Text)
			}
		}
	}
	// The path to a real server: one router, which says when packets die there.
	for _, addr := range []netip.Addr{hosts["bind-auth-safe"].V4, hosts["bind-auth-safe"].V6} {
		got := c.Intercept(t.Context(), scan.Suspect{Addr: addr})
		died := slices.ContainsFunc(got.Evidence, func(e exposure.Evidence) bool {
			return e.Response == string(exposure.ReasonTimeExceeded)
		})
		if got.Verdict != scan.None || !strings.Contains(got.Text, "2 hops") || !died {
			t.Errorf("%s intercepted: %s: %s %+v", addr, got.Verdict, got.Text, got.Evidence)
		}
	}
	router := netip.MustParseAddr("203.0.113.1")
	if got := c.Intercept(t.Context(), scan.Suspect{Addr: router}); got.Verdict != scan.None || len(got.Evidence) != 0 {
		t.Errorf("the router on this link: %s: %s", got.Verdict, got.Text)
	}
}

func TestRealInterception(t *testing.T) {
	l := lab.New(t, lab.Options{})
	h := l.StartAll(t, "intercepted-a", "intercepted-b", "nsd-safe")
	d := dial.New(dial.Options{})
	in4, in6 := netip.MustParsePrefix(lab.Intercepted4), netip.MustParsePrefix(lab.Intercepted6)
	c := scan.Controls{Prober: d, OnLink: d.OnLink, InScope: func(a netip.Addr) bool { return in4.Contains(a) || in6.Contains(a) }}
	quiet := func(addrs ...string) []netip.Addr {
		var out []netip.Addr
		for _, a := range addrs {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	tests := []struct {
		name string
		s    scan.Suspect
		want scan.Verdict
	}{
		{"quiet neighbours", scan.Suspect{Addr: h["intercepted-b"].V4, Quiet: quiet("198.51.100.100", "198.51.100.120", "198.51.100.140", "198.51.100.160")}, scan.Detected},
		{"the network's base address", scan.Suspect{Addr: h["intercepted-b"].V4, Quiet: quiet("198.51.100.0")}, scan.Detected},
		{"quiet neighbours v6", scan.Suspect{Addr: h["intercepted-b"].V6, Quiet: quiet("2001:db8:51::100", "2001:db8:51::101", "2001:db8:51::102", "2001:db8:51::103")}, scan.Detected},
		{"a control address", scan.Suspect{Addr: h["intercepted-b"].V4, Control: netip.MustParseAddr("198.51.100.99")}, scan.Detected},
		{"a control address where nothing is redirected", scan.Suspect{Addr: h["nsd-safe"].V4, Control: netip.MustParseAddr("192.0.2.1")}, scan.None},
	}
	for _, tt := range tests {
		if got := c.Intercept(t.Context(), tt.s); got.Verdict != tt.want {
			t.Errorf("%s: %s: %s %+v", tt.name, got.Verdict, got.Text, got.Evidence)
		}
	}
}

// Something before the target answers DNS in its stead: here the scanner's own
// packet filter, as a captive network or a router at home would do.
func TestRealNearerAnswer(t *testing.T) {
	h := lab.New(t, lab.Options{}).StartAll(t, "nsd-safe")["nsd-safe"]
	pc, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if n >= 12 {
				pc.WriteTo(append([]byte{buf[0], buf[1], 0x80, 5}, make([]byte, 8)...), from)
			}
		}
	}()
	port := netip.MustParseAddrPort(pc.LocalAddr().String()).Port()
	c := scan.Controls{Prober: dial.New(dial.Options{})}
	closed := func(a netip.Addr) exposure.Target { return exposure.Target{Addr: a, Transport: exposure.TCP, Port: 22} }
	for _, addr := range []netip.Addr{h.V4, h.V6} {
		if got := c.Intercept(t.Context(), scan.Suspect{Addr: addr, Reference: closed(addr)}); got.Verdict != scan.None {
			t.Errorf("%s before: %s: %s %+v", addr, got.Verdict, got.Text, got.Evidence)
		}
	}
	cmd := exec.CommandContext(t.Context(), "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(fmt.Sprintf("table inet near {\nchain o {\ntype nat hook output priority -100\nudp dport 53 redirect to :%d\n}\n}\n", port))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft (package nftables): %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("nft", "delete", "table", "inet", "near").Run() })
	for _, addr := range []netip.Addr{h.V4, h.V6} {
		for _, reference := range []exposure.Target{{}, closed(addr)} {
			got := c.Intercept(t.Context(), scan.Suspect{Addr: addr, Reference: reference})
			if got.Verdict != scan.Detected || !strings.Contains(got.Text, "itself is 2 hops away") {
				t.Errorf("%s by %s: %s: %s %+v", addr, reference, got.Verdict, got.Text, got.Evidence)
			}
		}
	}
}

// A whole network, most of it silent: every target gets its verdict.
func TestNetworkIsComplete(t *testing.T) {
	l := lab.New(t, lab.Options{})
	l.StartAll(t, "closed", "short-refuser", "silent", "acceptall")
	seen, summary := survey(t, scan.Survey{Addresses: block(lab.Servers4), Ports: ports(t, "dns"), Rate: 4000})
	if want := 256 * len(ports(t, "dns")); len(seen) != want {
		t.Errorf("%d verdicts of %d", len(seen), want)
	}
	t.Logf("%d verdicts in %s, %d packets", len(seen), summary.Duration, summary.Sent)
}

// With few ports to connect from, a connection to one of them often meets
// itself and succeeds. That must not read as open.
func TestConnectionToItselfIsNotOpen(t *testing.T) {
	const setting = "/proc/sys/net/ipv4/ip_local_port_range"
	before, err := os.ReadFile(setting)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(setting, []byte("40000 40003"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(setting, before, 0o600)
	d := dial.New(dial.Options{})
	for _, host := range []string{"127.0.0.1", "::1"} {
		closed := 0
		for i := range 400 {
			o := d.Connect(t.Context(), exposure.Target{
				Addr: netip.MustParseAddr(host), Transport: exposure.TCP, Port: uint16(40000 + i%4),
			}, time.Second)
			if o.State == exposure.Open {
				t.Fatalf("%s is open", o)
			}
			if o.State == exposure.Closed {
				closed++
			}
		}
		if closed < 300 {
			t.Errorf("%d of 400 closed ports of %s were recognised", closed, host)
		}
	}
}

// BenchmarkConnectSweep measures 256 addresses of which all answer, most by a
// refusal: the cost of the sweep over ordinary sockets.
func BenchmarkConnectSweep(b *testing.B) {
	survey := scan.Survey{Addresses: block("127.1.0.0/24"), Ports: ports(b, "dns"), Want: scan.WantAll, Retries: -1}
	wire, err := dial.New(dial.Options{}).OpenWire(payload.New())
	if err != nil {
		b.Fatal(err)
	}
	defer wire.Close()
	var targets uint64
	for b.Loop() {
		summary, err := scan.Sweep(b.Context(), wire, survey, func(exposure.Observation) {})
		if err != nil {
			b.Fatal(err)
		}
		targets += summary.Targets
	}
	b.ReportMetric(float64(targets)/b.Elapsed().Seconds(), "targets/s")
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(usage.Maxrss)/1024, "peak-MiB")
}
