package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// stand is a network namespace of its own with rules that are loaded, and files
// to apply.
type stand struct {
	t       *testing.T
	program string
	dir     string
	holder  *exec.Cmd // keeps the namespace
}

const oldNFT = `table inet old {
	counter seen { packets 5 bytes 300; }
	set bad { type ipv4_addr; flags interval; elements = { 10.1.0.0/16, 10.3.0.7 }; }
	map doors { type inet_service : verdict; elements = { 23 : drop }; }
	chain input {
		type filter hook input priority 0; policy accept;
		tcp dport 9999 counter packets 7 bytes 420 drop
		ip saddr @bad counter name "seen" drop
		tcp dport vmap @doors
	}
}
`

const newNFT = `flush ruleset
table inet new {
	chain input {
		type filter hook input priority 0; policy drop;
		iifname "lo" accept
		ct state established,related accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
		meta l4proto { tcp, udp } th dport 53 accept
	}
}
`

const newV4 = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp --dport 53 -j ACCEPT
-A INPUT -p udp --dport 53 -j ACCEPT
COMMIT
`

const newV6 = `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -p ipv6-icmp -j ACCEPT
COMMIT
`

// containers is what Docker leaves in iptables.
const containers = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [3:180]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
-A FORWARD -o docker0 -j DOCKER
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
COMMIT
`

const applyPolicy = `zones:
  wan: {interfaces: [eth0]}
assets:
  - {name: ns1, addresses: [192.0.2.53], role: authoritative-dns, owner: dns@example.net}
default: deny
`

func newStand(t *testing.T, program string) *stand {
	t.Helper()
	s := &stand{t: t, program: program, dir: t.TempDir()}
	for name, text := range map[string]string{
		"old.nft": oldNFT, "new.nft": newNFT, "new.v4": newV4, "new.v6": newV6, "policy.yaml": applyPolicy,
		"containers.v4": containers, "added.nft": strings.TrimPrefix(newNFT, "flush ruleset\n"),
		"hide.v4":    "*nat\n-A POSTROUTING -s 10.0.0.0/8 -j MASQUERADE\nCOMMIT\n",
		"cut.v4":     strings.TrimSuffix(newV4, "COMMIT\n"),
		"open.nft":   "flush ruleset\ntable inet new { chain input { type filter hook input priority 0; policy accept; }; }\n",
		"broken.nft": "flush ruleset\ntable inet new {\n\tchain input {\n\t\ttcp dprt 22 accept\n\t}\n}\n",
		"deaf.nft":   "flush ruleset\ntable inet new { chain input { type filter hook input priority 0; policy drop; }; }\n",
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // another user reads it
			t.Fatal(err)
		}
	}
	ready := filepath.Join(s.dir, "ready")
	s.holder = exec.CommandContext(t.Context(), "unshare", "-n", "sh", "-c", "ip link set lo up && nft -f old.nft && : > "+ready+" && exec sleep 1000")
	s.holder.Dir = s.dir
	if err := s.holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.holder.Process.Kill()
		_ = s.holder.Wait()
	})
	s.eventually("the namespace did not come up", func() bool { _, err := os.Stat(ready); return err == nil })
	return s
}

// eventually polls: what is waited for happens in other processes.
func (s *stand) eventually(complaint string, done func() bool) {
	s.t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(60 * time.Second)
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			s.t.Fatal(complaint)
		}
	}
}

// inside prepares a command in the namespace.
func (s *stand) inside(argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), "nsenter", append([]string{"-t", fmt.Sprint(s.holder.Process.Pid), "-n", "--"}, argv...)...)
	cmd.Dir = s.dir
	return cmd
}

func (s *stand) output(argv ...string) string {
	s.t.Helper()
	var out, said bytes.Buffer
	cmd := s.inside(argv...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%v: %v\n%s", argv, err, said.String())
	}
	return out.String()
}

func (s *stand) rules() string { return s.output("nft", "list", "ruleset") }

// apply prepares reconshield firewall apply.
func (s *stand) apply(args ...string) *exec.Cmd {
	return s.inside(append([]string{s.program, "firewall", "apply", "--state-dir", filepath.Join(s.dir, "state")}, args...)...)
}

func (s *stand) confirm(args ...string) *exec.Cmd {
	return s.inside(append([]string{s.program, "firewall", "confirm", "--state-dir", filepath.Join(s.dir, "state")}, args...)...)
}

// ended runs a command and demands its exit code and a piece of what it says.
func (s *stand) ended(cmd *exec.Cmd, code int, want string) {
	s.t.Helper()
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), want) {
		s.t.Errorf("%v: exit code %d, want %d with %q:\n%s", cmd.Args[5:], got, code, want, out)
	}
}

// begin starts apply and waits until the new rules are loaded.
func (s *stand) begin(cmd *exec.Cmd) {
	s.t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // as a terminal of its own
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s.eventually("the rules were not loaded", func() bool { return strings.Contains(s.rules(), "table inet new") })
}

// onTerminal starts a command as the leader of a session on a terminal of its
// own, and gives the other end.
func (s *stand) onTerminal(cmd *exec.Cmd) *os.File {
	s.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer slave.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return master
}

// shown reads from a terminal until it shows a text.
func (s *stand) shown(master *os.File, want string) {
	s.t.Helper()
	var all []byte
	buffer := make([]byte, 4096)
	for !strings.Contains(string(all), want) {
		n, err := master.Read(buffer)
		all = append(all, buffer[:n]...)
		if err != nil {
			s.t.Fatalf("%q is missing (%v) in\n%s", want, err, all)
		}
	}
}

func (s *stand) unchanged(before string) {
	s.t.Helper()
	if after := s.rules(); after != before {
		s.t.Errorf("the rules are\n%s\nbefore they were\n%s", after, before)
	}
}

// saved is what iptables and ip6tables say is loaded, in the order of its
// tables and without counters.
func (s *stand) saved() string {
	return lines(s.output("iptables-save"), "-A", ":", "*") + "\n" + lines(s.output("ip6tables-save"), "-A", ":", "*")
}

// kill spares the group of the test, which is what 0 stands for.
func kill(pid int, sig syscall.Signal) error {
	if pid <= 0 {
		return syscall.ESRCH
	}
	return syscall.Kill(pid, sig)
}

// guard is the process on watch; 0: there is none.
func (s *stand) guard() int {
	s.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range all {
		if text, err := os.ReadFile(file); err == nil && string(text) == "reconshield:guard\x00"+filepath.Join(s.dir, "state")+"\x00" {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				s.t.Fatal(err)
			}
			return pid
		}
	}
	return 0
}

// until starts a command and reads what it says up to a word.
func (s *stand) until(cmd *exec.Cmd, word string) {
	s.t.Helper()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	said := bufio.NewScanner(out)
	for said.Scan() {
		if strings.Contains(said.Text(), word) {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	s.t.Fatalf("%q was not said", word)
}

// lines keeps those that begin as given, without counters.
func lines(text string, prefixes ...string) string {
	var out []string
	for line := range strings.Lines(text) {
		for _, p := range prefixes {
			if strings.HasPrefix(line, p) {
				before, _, _ := strings.Cut(line, " [")
				out = append(out, strings.TrimSpace(before))
			}
		}
	}
	return strings.Join(out, "\n")
}
