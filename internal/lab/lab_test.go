//go:build linux

package lab

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/quic-go/quic-go"
)

func TestMain(m *testing.M) { Main(m) }

// startBudget is how long the whole catalogue may take to start on two cores.
const startBudget = 15 * time.Second

// TestCatalogue starts everything and has real clients confirm that each
// server is what the catalogue says.
func TestCatalogue(t *testing.T) {
	l := New(t, Options{})
	began := time.Now()
	hosts := l.StartAll(t, kindNames()...)
	if took := time.Since(began); took > startBudget {
		t.Errorf("StartAll took %v, want at most %v", took, startBudget)
	}
	for _, c := range claims() {
		t.Run(c.kind+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			h := hosts[c.kind]
			s := &setup{ctx: t.Context(), lab: l, host: h}
			run := strings.Fields(s.expand(c.command))
			want := regexp.MustCompile("(?s)" + c.want)
			var output []byte
			// Loaded machines lose packets and clients give up early.
			for range 3 {
				cmd := exec.CommandContext(t.Context(), run[0], run[1:]...)
				cmd.Stdin = strings.NewReader("")
				output, _ = cmd.CombinedOutput() // refusals are errors to some clients
				if want.Match(output) {
					return
				}
			}
			t.Errorf("%s\n%s\nwant %s", strings.Join(run, " "), output, c.want)
		})
	}
}

// TestTransparentForwarder sees the answer come from another address.
func TestTransparentForwarder(t *testing.T) {
	l := New(t, Options{})
	forwarder := l.Start(t, "fwd-transparent")
	resolver := l.Start(t, "unbound-abused")
	for _, c := range []struct{ to, from netip.Addr }{{forwarder.V4, resolver.V4}, {forwarder.V6, resolver.V6}} {
		conn, err := net.ListenUDP("udp", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.WriteToUDPAddrPort(newQuery("example.com", "A"), netip.AddrPortFrom(c.to, 53)); err != nil {
			t.Fatal(err)
		}
		_, from, err := conn.ReadFromUDPAddrPort(make([]byte, 1500))
		if err != nil {
			t.Fatal(err)
		}
		if got := from.Addr().Unmap(); got != c.from {
			t.Errorf("query to %s answered from %s, want %s", c.to, got, c.from)
		}
	}
}

// TestHostSockets has a listener and a responder of the test's own on a host.
func TestHostSockets(t *testing.T) {
	l := New(t, Options{})
	h := l.Host(t, "peer")
	if again := l.Host(t, "peer"); again != h {
		t.Error("Host made a second host of the same name")
	}
	h.Responder(t, yesMan)
	for _, network := range []string{"udp", "tcp"} {
		for _, addr := range []netip.Addr{h.V4, h.V6} {
			conn, err := net.Dial(network, netip.AddrPortFrom(addr, 53).String())
			if err != nil {
				t.Fatal(err)
			}
			query := newQuery("x.test", "A")
			if network == "tcp" {
				query = append([]byte{0, byte(len(query))}, query...)
			}
			reply, err := roundTrip(conn, query, 10*time.Second)
			_ = conn.Close()
			if err != nil || len(reply) != len(query) {
				t.Errorf("%s %s: reply of %d bytes, %v", network, addr, len(reply), err)
			}
		}
	}
	if c, err := net.DialTimeout("tcp", "127.0.0.1:53", time.Second); err == nil {
		_ = c.Close()
		t.Error("the host's port is open on the scanner's loopback too")
	}
}

// TestUnprivileged checks that the command has no capabilities and can still
// reach the lab.
func TestUnprivileged(t *testing.T) {
	l := New(t, Options{})
	h := l.Host(t, "peer")
	h.Responder(t, yesMan)
	status, err := Unprivileged(t, "cat", "/proc/self/status").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, status)
	}
	for _, set := range []string{"CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if !strings.Contains(string(status), set+":\t0000000000000000\n") {
			t.Errorf("%s is not empty:\n%s", set, status)
		}
	}
	program, err := lookup("dig")
	if err != nil {
		t.Fatal(err)
	}
	reply, err := Unprivileged(t, program, "@"+h.V4.String(), "x.test").CombinedOutput()
	if err != nil || !strings.Contains(string(reply), "NOERROR") {
		t.Errorf("dig: %v\n%s", err, reply)
	}
}

// TestEncrypted resolves over DNS over QUIC, for which Debian has no client.
func TestEncrypted(t *testing.T) {
	l := New(t, Options{})
	h := l.Start(t, "doq")
	for _, addr := range []netip.Addr{h.V4, h.V6} {
		conf := &tls.Config{NextProtos: []string{"doq"}, ServerName: h.DNSName(), MinVersion: tls.VersionTLS13}
		conn, err := quic.DialAddr(t.Context(), netip.AddrPortFrom(addr, 853).String(), conf, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.CloseWithError(0, "") }()
		stream, err := conn.OpenStreamSync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		query := newQuery("www.example.com", "A")
		if _, err := stream.Write(append([]byte{0, byte(len(query))}, query...)); err != nil {
			t.Fatal(err)
		}
		if err := stream.Close(); err != nil {
			t.Fatal(err)
		}
		reply, err := io.ReadAll(stream)
		if err != nil || len(reply) < 2 {
			t.Fatalf("reply of %d bytes: %v", len(reply), err)
		}
		if err := judge(query, reply[2:]); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// TestFamiliesAgree compares what every server of the catalogue does with one
// query over IPv4 and over IPv6.
func TestFamiliesAgree(t *testing.T) {
	l := New(t, Options{})
	hosts := l.StartAll(t, kindNames()...)
	var wg sync.WaitGroup
	for name, h := range hosts {
		for _, network := range []string{"udp", "tcp"} {
			wg.Go(func() {
				// With every server asked at once a single one may be late, so
				// only a difference that stays is one.
				const tries = 3
				var v4, v6 string
				for range tries {
					second := make(chan string, 1)
					go func() { second <- outcome(network, h.V6) }()
					if v4, v6 = outcome(network, h.V4), <-second; v4 == v6 {
						return
					}
				}
				t.Errorf("%s over %s: IPv4 %s, IPv6 %s", name, network, v4, v6)
			})
		}
	}
	wg.Wait()
}

// outcome is what one query over UDP or TCP led to, in a word.
func outcome(network string, addr netip.Addr) string {
	conn, err := net.DialTimeout(network, netip.AddrPortFrom(addr, 53).String(), 2*time.Second)
	if err != nil {
		return errorName(err)
	}
	defer func() { _ = conn.Close() }()
	query := newQuery("www.example.com", "A")
	if network == "tcp" {
		query = append([]byte{0, byte(len(query))}, query...)
	}
	reply, err := roundTrip(conn, query, 3*time.Second)
	if err != nil {
		return errorName(err)
	}
	if network == "tcp" {
		reply = reply[min(2, len(reply)):]
	}
	if len(reply) < 4 {
		return "short"
	}
	return fmt.Sprintf("rcode %d", reply[3]&0x0f)
}

func errorName(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.EACCES):
		return "prohibited" // the two families report it differently
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return "hung up"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "silence"
	}
	return err.Error()
}

// TestMissingProgram names the package of a program that is not there.
func TestMissingProgram(t *testing.T) {
	t.Setenv("PATH", "")
	if _, err := lookup("no-such-daemon"); err == nil || !strings.Contains(err.Error(), "no-such-daemon") {
		t.Errorf("unknown program: %v", err)
	}
	_, err := lookup("kdig")
	if want := "install the Debian package knot-dnsutils"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("kdig with an empty path: %v, want %s", err, want)
	}
}

// TestUnconfined runs a copy.
func TestUnconfined(t *testing.T) {
	program, err := lookup("dig")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		copied, err := unconfined(program)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), copied, "-v").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// TestPackagesFile keeps the list that the Makefile reads equal to what the
// code says.
func TestPackagesFile(t *testing.T) {
	content, err := os.ReadFile("PACKAGES")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, pkg := range packages() {
		want = append(want, pkg)
	}
	for _, k := range Kinds() {
		want = append(want, k.Packages...)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	if diff := cmp.Diff(want, strings.Fields(string(content))); diff != "" {
		t.Errorf("PACKAGES (-want +got):\n%s", diff)
	}
}

// TestAddresses keeps every fixed host apart from every other.
func TestAddresses(t *testing.T) {
	seen := map[netip.Addr]string{}
	for _, name := range append(kindNames(), "collector") {
		v4, v6 := addressOf(name)
		for _, addr := range []netip.Addr{v4, v6} {
			if other := seen[addr]; other != "" {
				t.Errorf("%s and %s share %s", name, other, addr)
			}
			seen[addr] = name
		}
		if n, _ := number(name); n >= firstFree {
			t.Errorf("%s has number %d, want less than %d", name, n, firstFree)
		}
		if a, b := v4.String(), v6.String(); a[strings.LastIndex(a, ".")+1:] != b[strings.LastIndex(b, ":")+1:] {
			t.Errorf("%s: %s and %s end differently", name, v4, v6)
		}
	}
}

func FuzzParseQuestion(f *testing.F) {
	f.Add(newQuery("example.test", "A"))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, message []byte) {
		q, err := parseQuestion(message)
		if err != nil {
			return
		}
		if again, err := parseQuestion(append(message[:12:12], q.raw...)); err != nil || again.name != q.name {
			t.Errorf("the question %q does not survive: %v", q.name, err)
		}
		for _, fn := range []func([]byte, netip.AddrPort) []byte{shortRefusal, upwardReferral, yesMan, hostileVersion, hostileWire} {
			fn(message, netip.AddrPort{})
		}
		_, _ = openVPN(message), quicVersions(message)
	})
}

func ExampleKinds() {
	for _, k := range Kinds() {
		if k.Name == "referral" {
			fmt.Println(k.Abused)
		}
	}
	// Output: refers questions about names it does not know to the root
}
