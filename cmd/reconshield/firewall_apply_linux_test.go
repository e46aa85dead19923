package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

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
		{"for programs", func(s *stand, before string) {
			s.ended(s.apply("new.nft", "--no-rehearse", "--confirm-within", "1s", "--format", "json"), 1, `{"type":"result","schema":"reconshield.apply/1","outcome":"restored"`)
			s.unchanged(before)
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
		{"told to end", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "60s")
			s.begin(cmd)
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
			s.unchanged(before)
		}},
		{"the guard is told to end", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "60s")
			s.begin(cmd)
			_ = kill(s.guard(), syscall.SIGTERM)
			_ = cmd.Wait()
			s.unchanged(before)
		}},
		{"the guard is killed", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "60s")
			var said bytes.Buffer
			cmd.Stderr = &said
			s.begin(cmd)
			_ = kill(s.guard(), syscall.SIGKILL)
			_ = cmd.Wait()
			s.unchanged(before)
			if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(said.String(), "taken back: the guard was killed") {
				s.t.Errorf("exit code %d: %s", code, said.String())
			}
			s.ended(s.confirm(), 3, "no change waits")
		}},
		{"the guard and who applied are killed", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "60s")
			s.begin(cmd)
			guard := s.guard()
			_ = cmd.Process.Kill()
			_ = kill(guard, syscall.SIGKILL)
			_ = cmd.Wait()
			s.eventually("the guard is still there", func() bool { return s.guard() == 0 })
			s.ended(s.apply("new.nft", "--no-rehearse"), 3, "an earlier change was neither confirmed nor taken back")
			s.ended(s.confirm("--take-back"), 0, "taken back")
			s.unchanged(before)
		}},
		{"killed at each step", func(s *stand, before string) {
			for _, word := range []string{"saving", "saved", "into a kernel", "the syntax is right", "a guard is on watch", "loading new.nft", "loaded;", "open a NEW session"} {
				cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "1s")
				s.until(cmd, word)
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				s.eventually("the guard is still there after "+word, func() bool { return s.guard() == 0 })
				s.unchanged(before)
				s.ended(s.confirm(), 3, "no change waits")
			}
		}},
		{"killed while it rehearses", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--policy", "policy.yaml", "--confirm-within", "1s")
			s.until(cmd, "rehearsing")
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			s.unchanged(before)
			s.ended(s.apply("new.nft", "--no-rehearse", "--confirm-within", "1s"), 1, "taken back")
		}},
		{"the file changes after it was checked", func(s *stand, before string) {
			cmd := s.apply("new.nft", "--policy", "policy.yaml", "--confirm-within", "60s")
			s.until(cmd, "rehearsing")
			if err := os.WriteFile(filepath.Join(s.dir, "new.nft"), []byte("flush ruleset\n"), 0o600); err != nil {
				s.t.Fatal(err)
			}
			s.eventually("what was checked was not loaded", func() bool { return strings.Contains(s.rules(), "table inet new") })
			s.ended(s.confirm("--take-back"), 0, "")
			_ = cmd.Wait()
			s.unchanged(before)
		}},
		{"nothing was loaded before", func(s *stand, _ string) {
			s.output("nft", "flush", "ruleset")
			s.ended(s.apply("new.nft", "--no-rehearse", "--confirm-within", "1s"), 1, "taken back")
			s.unchanged("")
		}},
		{"on top of others", func(s *stand, before string) {
			s.ended(s.apply("added.nft", "--policy", "policy.yaml", "--confirm-within", "1s"), 1, "come on top of the 1 table loaded now")
			s.unchanged(before)
		}},
		{"no loopback before", func(s *stand, before string) {
			s.output("ip", "link", "set", "lo", "down")
			s.ended(s.apply("new.nft", "--no-rehearse", "--confirm-within", "1s"), 1, "did not reach itself over loopback before either")
			s.unchanged(before)
		}},
		{"a directory that is none", func(s *stand, before string) {
			if err := os.Symlink(s.t.TempDir(), filepath.Join(s.dir, "state")); err != nil {
				s.t.Fatal(err)
			}
			s.ended(s.apply("new.nft", "--no-rehearse"), 3, "must be a directory that belongs to this user alone")
			s.unchanged(before)
		}},
		{"a directory by its short name", func(s *stand, before string) {
			args := s.apply("new.nft", "--no-rehearse", "--confirm-within", "1s").Args[5:]
			args[slices.Index(args, "--state-dir")+1] = "./state"
			s.ended(s.inside(args...), 1, "confirm --state-dir "+filepath.Join(s.dir, "state"))
			s.unchanged(before)
		}},
		{"a full disk", func(s *stand, before string) {
			const full = `mkdir -m 700 state && mount -t tmpfs -o size=4k,mode=700 none state && head -c 4096 /dev/zero > state/fill && exec "$@"`
			cmd := s.inside(append([]string{"unshare", "-m", "sh", "-c", full, "sh"}, s.apply("new.nft", "--no-rehearse").Args[5:]...)...)
			s.ended(cmd, 3, "no space left on device")
			s.unchanged(before)
		}},
		{"state that is none", func(s *stand, before string) {
			if err := os.Mkdir(filepath.Join(s.dir, "state"), 0o700); err != nil {
				s.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(s.dir, "state", "change.json"), []byte("{"), 0o600); err != nil {
				s.t.Fatal(err)
			}
			for _, cmd := range []*exec.Cmd{s.apply("new.nft", "--no-rehearse"), s.confirm(), s.confirm("--take-back")} {
				s.ended(cmd, 3, "is no state of a guard")
			}
			s.unchanged(before)
		}},
		{"another user", func(s *stand, before string) {
			if err := os.Chmod(s.dir, 0o755); err != nil { //nolint:gosec // another user reads it
				s.t.Fatal(err)
			}
			other := func(cmd *exec.Cmd) *exec.Cmd {
				return s.inside(append([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"}, cmd.Args[5:]...)...)
			}
			s.ended(other(s.apply("new.nft", "--no-rehearse")), 2, "only root may load firewall rules")
			cmd := s.apply("new.nft", "--no-rehearse", "--confirm-within", "60s")
			s.begin(cmd)
			s.ended(other(s.confirm()), 3, "only who made the change may settle it")
			s.ended(s.confirm(), 0, "the rules stay")
			s.ended(s.confirm(), 3, "no change waits")
			if s.rules() == before {
				s.t.Error("the new rules did not stay")
			}
		}},
		{"iptables without an end", func(s *stand, before string) {
			s.ended(s.apply("cut.v4", "--no-rehearse"), 2, "cut.v4:9: iptables-restore: ")
			s.unchanged(before)
		}},
		{"nat alone", func(s *stand, _ string) {
			s.output("nft", "flush", "ruleset")
			s.output("iptables-restore", "new.v4")
			before := s.saved()
			s.ended(s.apply("hide.v4", "--policy", "policy.yaml", "--confirm-within", "1s"), 1, "taken back: nobody confirmed")
			if after := s.saved(); !strings.HasPrefix(after, before) || strings.Contains(after, "MASQUERADE") {
				s.t.Errorf("got\n%s\nwant\n%s", after, before)
			}
		}},
		{"IPv6 alone", func(s *stand, before string) {
			s.output("ip6tables", "-A", "INPUT", "-s", "2001:db8::/32", "-j", "DROP")
			saved := s.saved()
			s.ended(s.apply("new.v6", "--no-rehearse", "--confirm-within", "1s"), 1, "taken back: nobody confirmed")
			if after := s.saved(); after != saved || !strings.HasPrefix(s.rules(), before) {
				s.t.Errorf("got\n%s\nwant\n%s", after, saved)
			}
		}},
		{"beside iptables-legacy", func(s *stand, before string) {
			s.output("iptables-legacy", "-A", "INPUT", "-p", "tcp", "--dport", "9997", "-j", "DROP")
			saved := lines(s.output("iptables-legacy-save"), "-A", ":", "*")
			s.ended(s.apply("new.nft", "--policy", "policy.yaml", "--confirm-within", "1s"), 1, "rules of iptables-legacy are loaded too")
			if after := lines(s.output("iptables-legacy-save"), "-A", ":", "*"); after != saved {
				s.t.Errorf("got\n%s\nwant\n%s", after, saved)
			}
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
		{"beside containers", func(s *stand, before string) {
			s.output("iptables-restore", "-c", "containers.v4")
			saved := s.saved()
			for file, want := range map[string]string{"new.nft": "with it the tables of iptables (ip filter, ip nat)", "added.nft": "on top of the 1 table"} {
				s.ended(s.apply(file, "--policy", "policy.yaml", "--confirm-within", "1s"), 1, want)
				after := s.rules()
				if s.saved() != saved || !strings.Contains(after, before) || strings.Contains(after, "table inet new") {
					s.t.Errorf("%s: got\n%s\n%s\nwant\n%s\n%s", file, s.saved(), after, saved, before)
				}
			}
		}},
		{"what iptables cannot save", func(s *stand, _ string) {
			s.output("nft", "add table ip filter; add chain ip filter INPUT { type filter hook input priority 0; }; add rule ip filter INPUT ip saddr 10.0.0.0/8 meta mark set ct mark")
			before := s.rules()
			s.ended(s.apply("new.nft", "--no-rehearse", "--confirm-within", "1s"), 1, "taken back: nobody confirmed")
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
