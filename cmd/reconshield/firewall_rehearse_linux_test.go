package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"reconshield/internal/lab"
	"reconshield/internal/report/rehearsal"
)

// rehearsalFiles writes a policy of 20 ports and 3 zones and rules for it.
func rehearsalFiles(tb testing.TB, rules string) string {
	tb.Helper()
	const policy = `zones:
  wan: {interfaces: [eth0]}
  lan: {interfaces: [eth1], networks: [10.0.0.0/16, "2001:db8:1::/64"]}
  vpn: {interfaces: [wg0], networks: [10.8.0.0/24, "2001:db8:8::/64"], tunnel: wireguard}
assets:
  - name: web
    addresses: [192.0.2.80, "2001:db8::80"]
    role: host
    owner: web@example.net
    expose:
      - {ports: [7001/tcp, 7002/tcp, 7003/tcp, 7004/tcp, 7005/tcp, 7001/udp, 7002/udp, 7003/udp, 7004/udp, 7005/udp], to: [lan, vpn]}
      - {ports: [7006/tcp, 7007/tcp, 7008/tcp, 7009/tcp, 7010/tcp, 7006/udp, 7007/udp, 7008/udp, 7009/udp, 7010/udp], to: [wan]}
default: deny
`
	dir := tb.TempDir()
	for name, text := range map[string]string{"policy.yaml": policy, "rules.nft": rules} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // another user reads it
			tb.Fatal(err)
		}
	}
	for d := dir; d != "/" && d != "/tmp"; d = filepath.Dir(d) {
		_ = os.Chmod(d, 0o755) //nolint:gosec // another user reads it
	}
	return dir
}

const rehearsedRules = `table inet fw {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
		iifname "eth0" udp dport 51820 accept
		iifname { "eth1", "wg0" } meta l4proto { tcp, udp } th dport 7001-7005 accept
		iifname "eth0" meta l4proto { tcp, udp } th dport 7006-7010 accept
	}
}
`

func readRehearsal(tb testing.TB, text []byte) *rehearsal.Document {
	tb.Helper()
	var doc rehearsal.Document
	if err := json.Unmarshal(text, &doc); err != nil {
		tb.Fatalf("%v\n%s", err, text)
	}
	return &doc
}

// TestFirewallRehearse asks everything of a policy of 20 ports and 3 zones, as
// an ordinary user.
func TestFirewallRehearse(t *testing.T) {
	program := built(t)
	dir := rehearsalFiles(t, rehearsedRules)
	cmd := lab.Unprivileged(t, program, "firewall", "rehearse", filepath.Join(dir, "rules.nft"), "--policy", filepath.Join(dir, "policy.yaml"), "--format", "json")
	begin := time.Now()
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // of Output
			t.Logf("%s", exit.Stderr)
		}
		t.Fatalf("%v\n%s", err, out)
	}
	valid(t, publishedSchema(t, "rehearsal"), string(out), "rehearsal")
	doc := readRehearsal(t, out)
	t.Logf("%d questions, %d packets in %v", len(doc.Results), doc.Packets, time.Since(begin))
	count := map[rehearsal.State]int{}
	for _, r := range doc.Results {
		count[r.State]++
		if want := r.State == rehearsal.Open; (r.Engine == "open") != want {
			t.Errorf("from %s to %s %s: the scan found %q, packets %s", r.Zone, r.Address, r.PortText(), r.Engine, r.State)
		}
	}
	// Twenty port and transport pairs, half of them for two zones, and the
	// tunnel's, each for two addresses.
	if want := 2 * (10*2 + 10 + 1); count[rehearsal.Open] != want || count[rehearsal.Open]+count[rehearsal.Closed] != len(doc.Results) || len(doc.Notes) > 0 {
		t.Errorf("got %v and notes %q, want %d open and the others closed", count, doc.Notes, want)
	}
}

// TestFirewallRehearseKilled kills the program in the middle and looks for what
// it leaves behind.
func TestFirewallRehearseKilled(t *testing.T) {
	program := built(t)
	dir := rehearsalFiles(t, rehearsedRules)
	before := files(t, dir)
	cmd := exec.CommandContext(t.Context(), program, "firewall", "rehearse", "rules.nft", "--policy", "policy.yaml", "--ports", "1-2000")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// The scan from the zones is well under way when these stand.
	wait(t, "no process stood in a zone", func() bool { return startedAgainUnder(t, "reconshield:zone") > 1 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	wait(t, "processes are left", func() bool { return startedAgainUnder(t, "reconshield:") == 0 })
	if after := files(t, dir); !slices.Equal(before, after) {
		t.Errorf("the files are %q, before they were %q", after, before)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// startedAgainUnder counts living processes by the beginning of their command
// line.
func startedAgainUnder(t *testing.T, name string) int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range all {
		if text, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(text), name) {
			n++
		}
	}
	return n
}

// wait polls: what is waited for happens in other processes.
func wait(t *testing.T, complaint string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(60 * time.Second)
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatal(complaint)
		}
	}
}

// BenchmarkFirewallRehearse measures 20 ports, 3 zones, both IP versions and
// the usual sample beside them.
func BenchmarkFirewallRehearse(b *testing.B) {
	program := filepath.Join(b.TempDir(), "reconshield")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	dir := rehearsalFiles(b, rehearsedRules)
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), program, "firewall", "rehearse", "rules.nft", "--policy", "policy.yaml", "--format", "json")
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(readRehearsal(b, out).Results)), "questions")
	}
}
