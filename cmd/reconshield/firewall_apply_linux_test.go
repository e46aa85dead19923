package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	chain input {
		type filter hook input priority 0; policy accept;
		tcp dport 9999 counter packets 7 bytes 420 drop
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
		"old.nft": oldNFT, "new.nft": newNFT, "new.v4": newV4, "policy.yaml": applyPolicy,
		"open.nft":   "flush ruleset\ntable inet new { chain input { type filter hook input priority 0; policy accept; }; }\n",
		"broken.nft": "flush ruleset\ntable inet new {\n\tchain input {\n\t\ttcp dprt 22 accept\n\t}\n}\n",
		"deaf.nft":   "flush ruleset\ntable inet new { chain input { type filter hook input priority 0; policy drop; }; }\n",
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
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

// TestFirewallApply loads rules in namespaces of its own and never in that of
// this machine.
func TestFirewallApply(t *testing.T) {
	program := built(t)
	for _, c := range []struct {
		name string
		test func(s *stand, before string)
	}{
		{"not confirmed", func(s *stand, before string) {
			s.ended(s.apply("new.nft", "--policy", "policy.yaml", "--confirm-within", "1s"), 1, "taken back: nobody confirmed within 1s")
			s.unchanged(before)
			s.ended(s.confirm(), 3, "no change waits")
		}},
		{"confirmed", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "60s")
			s.begin(cmd)
			s.ended(s.confirm(), 0, "confirmed: the rules stay")
			if err := cmd.Wait(); err != nil {
				s.t.Error(err)
			}
			if !strings.Contains(s.rules(), "table inet new") || s.rules() == before {
				s.t.Error("the new rules did not stay")
			}
		}},
		{"confirmed at the terminal", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "60s")
			master := s.onTerminal(cmd)
			s.shown(master, "reconshield firewall confirm")
			if _, err := master.WriteString("confirm\n"); err != nil {
				s.t.Fatal(err)
			}
			s.shown(master, "the rules stay")
			if err := cmd.Wait(); err != nil || s.rules() == before {
				s.t.Errorf("%v, and the rules are\n%s", err, s.rules())
			}
		}},
		{"the terminal closes", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "1s")
			master := s.onTerminal(cmd)
			s.shown(master, "reconshield firewall confirm")
			if err := master.Close(); err != nil {
				s.t.Fatal(err)
			}
			_ = cmd.Wait()
			s.eventually("the rules were not taken back", func() bool { return s.rules() == before })
		}},
		{"killed", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "1s")
			s.begin(cmd)
			_ = cmd.Process.Kill()
			s.eventually("the rules were not taken back", func() bool { return s.rules() == before })
		}},
		{"hung up", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "1s")
			s.begin(cmd)
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGHUP) // as the kernel does to the session of a terminal
			s.eventually("the rules were not taken back", func() bool { return s.rules() == before })
		}},
		{"confirmed after the death of who applied", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "60s")
			s.begin(cmd)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			s.ended(s.confirm(), 0, "confirmed: the rules stay")
			if s.rules() == before {
				s.t.Error("the new rules did not stay")
			}
		}},
		{"interrupted", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "60s")
			s.begin(cmd)
			_ = cmd.Process.Signal(os.Interrupt)
			_ = cmd.Wait()
			s.unchanged(before)
		}},
		{"taken back by hand", func(s *stand, before string) {
			s.begin(s.apply("new.nft", "--no-rehearse", "--confirm-within", "60s"))
			s.ended(s.confirm("--take-back"), 0, "taken back")
			s.unchanged(before)
		}},
		{"a second one", func(s *stand, before string) {
			s.begin(s.apply("new.nft", "--no-rehearse", "--confirm-within", "60s"))
			s.ended(s.apply("new.nft", "--no-rehearse", "--confirm-within", "60s"), 2, "another change waits")
			s.ended(s.confirm("--take-back"), 0, "")
			s.unchanged(before)
		}},
		{"iptables", func(s *stand, _ string) {
			s.output("nft", "flush", "ruleset")
			s.output("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "9999", "-j", "DROP")
			saved := func() string { return lines(s.output("iptables-save"), "-A", ":", "*") }
			before := saved()
			s.ended(s.apply("new.v4", "--policy", "policy.yaml", "--confirm-within", "1s"), 1, "taken back: nobody confirmed")
			if after := saved(); after != before {
				s.t.Errorf("got\n%s\nwant\n%s", after, before)
			}
		}},
		{"nft beside iptables", func(s *stand, _ string) {
			s.output("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "9999", "-j", "DROP")
			before := s.rules()
			s.ended(s.apply("new.nft", "--no-rehearse", "--confirm-within", "1s"), 2, "table ip filter is iptables'")
			s.unchanged(before)
		}},
		{"too open", func(s *stand, before string) {
			s.ended(s.apply("open.nft", "--policy", "policy.yaml", "--confirm-within", "1s"), 1, "nothing was loaded")
			s.unchanged(before)
		}},
		{"broken", func(s *stand, before string) {
			s.ended(s.apply("broken.nft", "--no-rehearse", "--confirm-within", "1s"), 2, "broken.nft:4: nft: syntax error")
			s.unchanged(before)
		}},
		{"deaf", func(s *stand, before string) {
			s.ended(s.apply("deaf.nft", "--no-rehearse", "--confirm-within", "60s"), 1, "does not reach itself")
			s.unchanged(before)
		}},
		{"dry run", func(s *stand, before string) {
			s.ended(s.apply("new.nft", "--policy", "policy.yaml", "--dry-run"), 0, "nothing was done")
			s.unchanged(before)
			if _, err := os.Stat(filepath.Join(s.dir, "state")); err == nil {
				s.t.Error("a dry run left something")
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, program)
			c.test(s, s.rules())
		})
	}
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
