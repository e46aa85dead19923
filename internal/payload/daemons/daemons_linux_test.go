package daemons

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"reconshield/internal/lab"
	"reconshield/internal/payload"
)

// TestMain gives the tests a network namespace with nothing but loopback, so
// every server may have its own port.
func TestMain(m *testing.M) { lab.Main(m) }

const (
	startLimit = 30 * time.Second       // until a server answers
	askAgain   = 200 * time.Millisecond // while it starts
	cookie     = 0x8123_4567_89ab_cdef
)

// daemon is one server in the foreground.
type daemon struct {
	name    string
	pkg     string            // Debian package
	files   map[string]string // to write into its directory, {dir} is replaced
	argv    []string          // {dir} is replaced
	answers []uint16          // ports
}

func daemons() []daemon {
	internal := func(name string) string {
		return "service " + name + "\n{\n type = INTERNAL\n id = " + name + "-dgram\n socket_type = dgram\n" +
			" protocol = udp\n user = root\n wait = yes\n}\n"
	}
	return []daemon{
		{
			name: "bind9", pkg: "bind9",
			files:   map[string]string{"conf": "options { directory \"{dir}\"; listen-on { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; pid-file none; session-keyfile none; };\ncontrols { };\n"},
			argv:    []string{"named", "-f", "-c", "{dir}/conf"},
			answers: []uint16{53},
		},
		{
			name: "chrony", pkg: "chrony",
			files:   map[string]string{"conf": "local stratum 5\nallow all\ncmdport 0\npidfile {dir}/pid\nbindcmdaddress /\n"},
			argv:    []string{"chronyd", "-x", "-d", "-u", "root", "-f", "{dir}/conf"},
			answers: []uint16{123},
		},
		{
			name: "coap", pkg: "libcoap3-bin",
			argv:    []string{"coap-server-openssl", "-A", "127.0.0.1", "-p", "5683", "-k", "secret"},
			answers: []uint16{5683, 5684},
		},
		{
			name: "memcached", pkg: "memcached",
			argv:    []string{"memcached", "-u", "root", "-U", "11211", "-l", "127.0.0.1"},
			answers: []uint16{11211},
		},
		{
			name: "dtls", pkg: "openssl",
			argv:    []string{"openssl", "s_server", "-dtls", "-listen", "-nocert", "-psk", "00", "-accept", "127.0.0.1:4433"},
			answers: []uint16{4433},
		},
		{
			name: "rpcbind", pkg: "rpcbind",
			argv:    []string{"rpcbind", "-f"},
			answers: []uint16{111},
		},
		{
			name: "snmpd", pkg: "snmpd",
			files:   map[string]string{"conf": "agentaddress udp:127.0.0.1:161\n[snmp] persistentDir {dir}\n"},
			argv:    []string{"snmpd", "-f", "-Lo", "-C", "-c", "{dir}/conf", "-p", "{dir}/pid"},
			answers: []uint16{161},
		},
		{
			name: "tftpd", pkg: "tftpd-hpa",
			argv:    []string{"in.tftpd", "-L", "--user", "root", "--address", ":69", "--secure", "{dir}"},
			answers: []uint16{69},
		},
		{
			name: "xinetd", pkg: "xinetd",
			files:   map[string]string{"conf": internal("daytime") + internal("time") + internal("echo") + internal("chargen")},
			argv:    []string{"xinetd", "-dontfork", "-f", "{dir}/conf", "-pidfile", "{dir}/pid"},
			answers: []uint16{7, 13, 19, 37},
		},
		{
			name: "xl2tpd", pkg: "xl2tpd",
			files:   map[string]string{"conf": "[global]\nlisten-addr = 127.0.0.1\n[lns default]\nip range = 192.0.2.2-192.0.2.9\nlocal ip = 192.0.2.1\n"},
			argv:    []string{"xl2tpd", "-D", "-c", "{dir}/conf", "-p", "{dir}/pid", "-s", "/dev/null", "-C", "{dir}/control"},
			answers: []uint16{1701},
		},
	}
}

func TestDaemons(t *testing.T) {
	table := payload.New()
	for _, d := range daemons() {
		t.Run(d.name, func(t *testing.T) {
			ended, log := d.start(t)
			for _, port := range d.answers {
				ask(t, table.For(port), port, ended, log)
			}
		})
	}
}

// start runs the server until the test ends. It gives a channel that is closed
// when the server has ended, and what it has written so far.
func (d daemon) start(t *testing.T) (ended <-chan struct{}, log func() string) {
	t.Helper()
	dir := t.TempDir()
	place := func(s string) string { return strings.ReplaceAll(s, "{dir}", dir) }
	for name, content := range d.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(place(content)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	argv := make([]string, len(d.argv))
	for i, arg := range d.argv {
		argv[i] = place(arg)
	}
	output, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { output.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, d.program(t), argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, output, output
	// A server that reads its standard input must not find its end.
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = input.Close()
	})
	return done, func() string {
		text, _ := os.ReadFile(output.Name())
		return string(text[max(0, len(text)-1500):])
	}
}

// program finds the server, also where only root's path leads.
func (d daemon) program(t *testing.T) string {
	t.Helper()
	for _, path := range []string{d.argv[0], "/usr/sbin/" + d.argv[0], "/sbin/" + d.argv[0]} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Fatalf("%s is not installed: install the Debian package %s", d.argv[0], d.pkg)
	return ""
}

// ask asks until the port answers, and wants the answer to be right.
func ask(t *testing.T, p *payload.Payload, port uint16, ended <-chan struct{}, log func() string) {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	server := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
	question := p.Append(nil, cookie)
	reply := make([]byte, 4096)
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); {
		if _, err := conn.WriteTo(question, net.UDPAddrFromAddrPort(server)); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(askAgain))
		n, from, err := conn.ReadFrom(reply)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			select {
			case <-ended:
				t.Fatalf("the server ended before it answered on port %d:\n%s", port, log())
			default:
				continue
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if !p.Answers(reply[:n], cookie) || !p.Answers(reply[:min(n, payload.Captured)], cookie) {
			t.Errorf("%s on port %d: the answer is not accepted: %x", p.Protocol, port, reply[:n])
		}
		if p.Echoed > 0 && p.Answers(reply[:n], ^uint64(cookie)) {
			t.Errorf("%s on port %d: the answer is accepted for another cookie", p.Protocol, port)
		}
		if got := from.String(); got != server.String() && !p.Elsewhere {
			t.Errorf("%s on port %d: answered from %s", p.Protocol, port, got)
		}
		if p.Protocol != "echo" && bytes.Equal(reply[:n], question) {
			t.Errorf("%s on port %d: the question came back", p.Protocol, port)
		}
		return
	}
	t.Fatalf("%s on port %s: no answer; end of the log:\n%s", p.Protocol, strconv.Itoa(int(port)), log())
}
