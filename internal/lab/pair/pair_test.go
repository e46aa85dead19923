//go:build linux

package pair

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"reconshield/internal/exposure"
	"reconshield/internal/lab"
)

func TestMain(m *testing.M) { lab.Main(m) }

// patience is how long to wait for a target that is to answer, or not: a slow
// machine must not make an answer look like silence.
func patience(want exposure.State) time.Duration {
	if want == exposure.Open || want == exposure.Closed {
		return 5 * time.Second
	}
	return 250 * time.Millisecond
}

// try measures one target with an ordinary socket of the scanner.
func try(t *testing.T, p *Pair, target exposure.Target, want exposure.State) exposure.State {
	t.Helper()
	var state exposure.State
	err := p.InScanner(func() error {
		d := net.Dialer{Timeout: patience(want)}
		conn, err := d.DialContext(t.Context(), string(target.Transport), target.AddrPort().String())
		if target.Transport == exposure.TCP {
			state = verdict(err)
			if err == nil {
				return conn.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.Write([]byte("ping")); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience(want))); err != nil {
			return err
		}
		answer := make([]byte, 16)
		n, err := conn.Read(answer)
		if err == nil && string(answer[:n]) != "ping" {
			return fmt.Errorf("%s answers %q", target, answer[:n])
		}
		if state = verdict(err); state == exposure.Filtered && errors.Is(err, os.ErrDeadlineExceeded) {
			state = exposure.OpenFiltered
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return state
}

func verdict(err error) exposure.State {
	switch {
	case err == nil:
		return exposure.Open
	case errors.Is(err, syscall.ECONNREFUSED):
		return exposure.Closed
	}
	return exposure.Filtered
}

func target(text string) exposure.Target {
	transport, rest, _ := strings.Cut(text, "/")
	at := netip.MustParseAddrPort(rest)
	return exposure.Target{Addr: at.Addr(), Transport: exposure.Transport(transport), Port: at.Port()}
}

func echo(question []byte) []byte { return question }

func TestTruth(t *testing.T) {
	for _, routed := range []bool{false, true} {
		t.Run(fmt.Sprint("routed ", routed), func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			t.Run("", func(t *testing.T) { truth(t, routed) })
		})
	}
}

func truth(t *testing.T, routed bool) {
	t.Helper()
	p := New(t, Options{Routed: routed})
	p.Addresses("192.0.2.0/24", "2001:db8:9::/64")
	if !routed {
		p.Addresses("203.0.113.128/25", "2001:db8:1::10/124")
	}
	p.Open(target("tcp/192.0.2.7:80"), target("tcp/192.0.2.8:443"), target("tcp/[2001:db8:9::7]:80"))
	p.ListenUDP(53, echo)
	p.ListenUDP(54, nil)
	p.Silence(target("tcp/192.0.2.9:80"), target("udp/192.0.2.9:99"), target("tcp/[2001:db8:9::9]:80"))
	p.Prohibit(target("tcp/192.0.2.10:80"), target("udp/192.0.2.10:53"), target("udp/[2001:db8:9::a]:53"))
	tests := []struct {
		target string
		want   exposure.State
	}{
		{"tcp/192.0.2.7:80", exposure.Open},
		{"tcp/192.0.2.8:443", exposure.Open},
		{"tcp/192.0.2.8:80", exposure.Closed},
		{"tcp/192.0.2.7:81", exposure.Closed},
		{"tcp/192.0.2.9:80", exposure.Filtered},
		{"tcp/192.0.2.10:80", exposure.Filtered},
		{"tcp/192.0.3.7:80", exposure.Filtered},
		{"udp/192.0.2.7:53", exposure.Open},
		{"udp/192.0.2.7:54", exposure.OpenFiltered},
		{"udp/192.0.2.7:55", exposure.Closed},
		{"udp/192.0.2.9:99", exposure.OpenFiltered},
		{"udp/192.0.2.10:53", exposure.Filtered},
		{"udp/192.0.3.7:53", exposure.OpenFiltered},
		{"tcp/[2001:db8:9::7]:80", exposure.Open},
		{"tcp/[2001:db8:9::8]:80", exposure.Closed},
		{"tcp/[2001:db8:9::9]:80", exposure.Filtered},
		{"tcp/[2001:db8:a::9]:80", exposure.Filtered},
		{"udp/[2001:db8:9::7]:53", exposure.Open},
		{"udp/[2001:db8:9::7]:54", exposure.OpenFiltered},
		{"udp/[2001:db8:9::7]:55", exposure.Closed},
		{"udp/[2001:db8:9::a]:53", exposure.Filtered},
	}
	if !routed {
		tests = append(tests, []struct {
			target string
			want   exposure.State
		}{
			{"tcp/203.0.113.1:80", exposure.Closed},
			{"tcp/203.0.113.200:80", exposure.Closed},
			{"udp/203.0.113.200:53", exposure.Open},
			{"tcp/203.0.113.100:80", exposure.Filtered},
			{"udp/[2001:db8:1::17]:53", exposure.Open},
			{"tcp/[2001:db8:1::1f]:80", exposure.Closed},
			{"tcp/[2001:db8:1::20]:80", exposure.Filtered},
		}...)
	}
	for _, tt := range tests {
		at := target(tt.target)
		if got := p.State(at); got != tt.want {
			t.Errorf("%s is %s to the rig, want %s", tt.target, got, tt.want)
		}
		got := try(t, p, at, tt.want)
		// A reject shows as an error of the socket, in both protocols.
		if got != tt.want {
			t.Errorf("%s is %s to a socket, want %s", tt.target, got, tt.want)
		}
	}
}

func TestManyOpen(t *testing.T) {
	p := New(t, Options{})
	p.Addresses("192.0.2.0/24", "2001:db8:9::/64")
	ports := make([]uint16, 300)
	for i := range ports {
		ports[i] = uint16(1000 + i)
	}
	open := Random(1, "192.0.2.0/24", exposure.TCP, ports, 2000)
	open = append(open, Random(1, "2001:db8:9::/64", exposure.TCP, ports, 500)...)
	if again := Random(1, "192.0.2.0/24", exposure.TCP, ports, 2000); !slices.Equal(again, open[:2000]) {
		t.Error("the same seed gives other targets")
	}
	if other := Random(2, "192.0.2.0/24", exposure.TCP, ports, 2000); slices.Equal(other, open[:2000]) {
		t.Error("another seed gives the same targets")
	}
	p.Open(open...)
	for _, at := range []exposure.Target{open[0], open[1999], open[2000], open[2499]} {
		if got := try(t, p, at, exposure.Open); got != exposure.Open {
			t.Errorf("%s is %s", at, got)
		}
	}
	count := map[exposure.State]int{}
	for at, want := range p.Truth(Targets("192.0.2.0/28", exposure.TCP, ports...)) {
		if got := try(t, p, at, want); got != want {
			t.Errorf("%s is %s, want %s", at, got, want)
		}
		count[want]++
	}
	if count[exposure.Open] == 0 || count[exposure.Open]+count[exposure.Closed] != 16*300 {
		t.Errorf("the truth holds %v", count)
	}
}

// flood sends n datagrams to a closed port and returns how many were sent.
func flood(t *testing.T, p *Pair, n int, to string) {
	t.Helper()
	if err := p.InScanner(func() error {
		var config net.ListenConfig
		conn, err := config.ListenPacket(t.Context(), "udp", ":0")
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		for range n {
			if _, err := conn.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestCounters(t *testing.T) {
	p := New(t, Options{})
	p.Addresses("192.0.2.0/24")
	asked, spared := p.Count("ip daddr 192.0.2.7"), p.Count("ip daddr 192.0.2.8")
	errorsBack := p.CountAtScanner("icmp type destination-unreachable")
	wanted, other := p.CountARP("203.0.113.77"), p.CountARP("203.0.113.78")
	flood(t, p, 500, "192.0.2.7:9")
	if got := asked.Packets(); got != 500 {
		t.Errorf("%d packets counted, want 500", got)
	}
	if got := spared.Packets(); got != 0 {
		t.Errorf("%d packets counted for an address nobody asked", got)
	}
	if got := errorsBack.Packets(); got != 500 {
		t.Errorf("%d ICMP errors came back, want all 500: limits are lifted", got)
	}
	flood(t, p, 1, "203.0.113.77:9")
	if wanted.Packets() == 0 || other.Packets() != 0 {
		t.Errorf("%d and %d ARP requests, want some and none", wanted.Packets(), other.Packets())
	}
}

func TestLoss(t *testing.T) {
	for _, tt := range []struct{ to, from, low, high int }{{20, 0, 700, 900}, {0, 20, 700, 900}, {50, 50, 180, 320}, {0, 0, 1000, 1000}} {
		p := New(t, Options{})
		p.Lose(tt.to, tt.from)
		back := p.CountAtScanner("icmp type destination-unreachable")
		flood(t, p, 1000, Gateway4+":9")
		// Six standard deviations on either side.
		if got := int(back.Packets()); got < tt.low || got > tt.high {
			t.Errorf("with %d %% and %d %% lost %d of 1000 came back, want %d to %d", tt.to, tt.from, got, tt.low, tt.high)
		}
	}
}

func TestLimits(t *testing.T) {
	tests := []struct {
		name  string
		opts  Options
		limit func(p *Pair)
	}{
		{"ICMP by nft", Options{}, func(p *Pair) { p.LimitICMP(10) }},
		{"ICMP by the kernel", Options{KernelLimits: true}, func(*Pair) {}},
		{"ICMP by sysctl", Options{Sysctl: map[string]string{"ipv4/icmp_msgs_per_sec": "10", "ipv4/icmp_msgs_burst": "10"}}, func(*Pair) {}},
	}
	for _, tt := range tests {
		p := New(t, tt.opts)
		tt.limit(p)
		back := p.CountAtScanner("icmp type destination-unreachable")
		flood(t, p, 1000, Gateway4+":9")
		if got := back.Packets(); got == 0 || got > 200 {
			t.Errorf("%s: %d of 1000 ICMP errors came back, want a few", tt.name, got)
		}
	}
}

func TestLimitResets(t *testing.T) {
	p := New(t, Options{})
	p.LimitResets(5)
	count := map[exposure.State]int{}
	for port := range 12 {
		count[try(t, p, exposure.Target{Addr: netip.MustParseAddr(Gateway4), Transport: exposure.TCP, Port: uint16(1000 + port)}, exposure.Filtered)]++
	}
	if count[exposure.Closed] == 0 || count[exposure.Filtered] == 0 {
		t.Errorf("%v, want some resets and some silence", count)
	}
}

func TestLink(t *testing.T) {
	for _, routed := range []bool{false, true} {
		p := New(t, Options{Routed: routed})
		p.Addresses("192.0.2.0/24", "2001:db8:9::/64")
		p.ListenTCP(80)
		for range 2 {
			for _, at := range []string{"tcp/192.0.2.7:80", "tcp/[2001:db8:9::7]:80"} {
				for deadline := time.Now().Add(carrierLimit); try(t, p, target(at), exposure.Open) != exposure.Open; {
					if time.Now().After(deadline) {
						t.Fatalf("with the link up %s is not open", at)
					}
				}
			}
			p.LinkDown()
			if got := try(t, p, target("tcp/192.0.2.7:80"), exposure.Filtered); got != exposure.Filtered {
				t.Errorf("with the link down the port is %s", got)
			}
			p.LinkUp()
		}
	}
}

func TestCommand(t *testing.T) {
	p := New(t, Options{})
	for _, tt := range []struct {
		want string
		args []string
	}{{Scanner4, []string{"-4", "addr", "show", Interface}}, {"via " + Gateway4, []string{"route", "get", "192.0.2.1"}}} {
		out, err := p.Command("ip", tt.args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("in the scanner: %v, %s, want %s", err, out, tt.want)
		}
	}
	if out, err := p.PeerCommand("ip", "addr").CombinedOutput(); err != nil || !bytes.Contains(out, []byte(Gateway4)) || bytes.Contains(out, []byte(Scanner4+"/")) {
		t.Errorf("in the peer: %v, %s", err, out)
	}
	cmd := p.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	var exit interface{ ExitCode() int }
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Errorf("killed: %v", err)
	}
	if _, err := p.Scanner.Command(context.Background(), "no-such-program"); err == nil {
		t.Error("a program that is not installed is found")
	}
}
