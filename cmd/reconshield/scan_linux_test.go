//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/lab"
	"reconshield/internal/lab/pair"
)

// built builds the command.
func built(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "reconshield")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func TestScan(t *testing.T) {
	program := built(t)
	for _, c := range []struct {
		name string
		test func(t *testing.T, program string)
	}{
		{"verdicts", scanVerdicts},
		{"as an ordinary user", scanAsUser},
		{"stays in scope", scanStaysInScope},
		{"discovers", scanDiscovers},
		{"proves", scanProves},
		{"incomplete", scanIncomplete},
		{"interrupted", scanInterrupted},
		{"shards", scanShards},
		{"raw, resumed", func(t *testing.T, program string) { resumes(t, program, "raw") }},         //nolint:thelper // a test
		{"connect, resumed", func(t *testing.T, program string) { resumes(t, program, "connect") }}, //nolint:thelper // a test
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, program) })
	}
}

// scanned is what a scan wrote as JSON Lines, and how it ended.
type scanned struct {
	states map[string]string   // "tcp/192.0.2.1:80" to state
	labels map[string][]string // of those that have any
	// services are the protocols of those that were looked at
	services map[string]string
	end      struct {
		Mode                     string
		Targets, Undecided       uint64
		Sent                     uint64 `json:"probes_sent"`
		Retransmitted, Replies   uint64
		Duration                 float64 `json:"duration_s"`
		Rate                     float64 `json:"rate_pps"`
		AddressesAnswered        uint64  `json:"addresses_answered"`
		Completeness             *float64
		Partial                  bool
		Notes                    []string
		Type, Schema, Show, Seed string
	}
	code   int
	stderr string
}

// scanWith runs a command of the scanner that writes JSON Lines.
func scanWith(t *testing.T, cmd *exec.Cmd) scanned {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if err != nil && !failed {
		t.Fatal(err)
	}
	s := read(t, out)
	s.stderr = stderr.String()
	if failed {
		s.code = exit.ExitCode()
	}
	if s.end.Type != "summary" {
		t.Fatalf("%v: no summary at the end, exit code %d\n%s%s", cmd.Args, s.code, out, &stderr)
	}
	return s
}

func read(t *testing.T, out []byte) scanned {
	t.Helper()
	s := scanned{states: map[string]string{}, labels: map[string][]string{}, services: map[string]string{}}
	for line := range bytes.Lines(out) {
		var row struct {
			Type, Address, Transport, State string
			Port                            int
			Labels                          []string
			Service                         *struct{ Protocol string }
		}
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		if row.Type == "summary" {
			if err := json.Unmarshal(line, &s.end); err != nil {
				t.Fatalf("%v in %q", err, line)
			}
			continue
		}
		target := row.Transport + "/" + netip.AddrPortFrom(netip.MustParseAddr(row.Address), uint16(row.Port)).String()
		if old, twice := s.states[target]; twice {
			t.Errorf("%s is reported twice, %s and %s", target, old, row.State)
		}
		s.states[target] = row.State
		if len(row.Labels) > 0 {
			s.labels[target] = row.Labels
		}
		if row.Service != nil {
			s.services[target] = row.Service.Protocol
		}
	}
	return s
}

// want is the truth of the rig in the form of scanned.
func want(p *pair.Pair, targets ...exposure.Target) map[string]string {
	states := map[string]string{}
	for _, t := range targets {
		states[t.String()] = string(p.State(t))
	}
	return states
}

func collect(prefixes []string, transport exposure.Transport, from, to int) []exposure.Target {
	var ports []uint16
	for n := from; n <= to; n++ {
		ports = append(ports, uint16(n)) //nolint:gosec // ports
	}
	var all []exposure.Target
	for _, prefix := range prefixes {
		all = append(all, slices.Collect(pair.Targets(prefix, transport, ports...))...)
	}
	return all
}

func scanVerdicts(t *testing.T, program string) {
	t.Helper()
	p := pair.New(t, pair.Options{})
	prefixes := []string{"192.0.2.0/29", "203.0.113.64/29", "2001:db8:1::40/125"}
	p.Addresses(prefixes...)
	p.ListenUDP(2501, func(question []byte) []byte {
		const header, response = 12, 0x80
		if len(question) < header {
			return nil
		}
		question[2] |= response // an empty DNS answer
		return question
	})
	tcp, udp := collect(prefixes, exposure.TCP, 1000, 1031), collect(prefixes, exposure.UDP, 2500, 2503)
	p.Open(tcp[3], tcp[40], tcp[300], tcp[600])
	p.Silence(tcp[5], tcp[310])
	p.Prohibit(tcp[6], tcp[520])
	truth := want(p, append(tcp, udp...)...)
	args := append([]string{"scan", "--ports", "T:1000-1031,U:2500-2503", "--show", "all", "--format", "jsonl", "--progress", "none"}, prefixes...)
	for _, mode := range []string{"raw", "connect"} {
		t.Run(mode, func(t *testing.T) {
			got := scanWith(t, p.Command(program, append(args, "--mode", mode)...))
			if diff := cmp.Diff(truth, got.states); diff != "" {
				t.Error(diff)
			}
			if got.code != 0 || got.end.Mode != mode || got.end.Targets != uint64(len(truth)) || got.end.Partial || got.stderr != "" && mode == "raw" {
				t.Errorf("exit code %d, %+v\n%s", got.code, got.end, got.stderr)
			}
		})
	}
}

func scanAsUser(t *testing.T, program string) {
	t.Helper()
	got := scanWith(t, lab.Unprivileged(t, program, "scan", "127.0.0.1", "--ports", "T:1-9", "--format", "jsonl", "--progress", "none"))
	if got.code != 0 || got.end.Mode != "connect" || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, "setcap cap_net_raw+ep") {
		t.Errorf("exit code %d, %+v\n%s", got.code, got.end, got.stderr)
	}
}

// Nothing leaves for an address that was excluded, nor for one that is not named.
func scanStaysInScope(t *testing.T, program string) {
	t.Helper()
	p := pair.New(t, pair.Options{})
	p.Addresses("192.0.2.0/27", "203.0.113.64/28")
	list := filepath.Join(t.TempDir(), "never.txt")
	if err := os.WriteFile(list, []byte("192.0.2.4/31 # not ours\n203.0.113.70\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"raw", "connect"} {
		inside := p.Count("ip daddr { 192.0.2.1, 203.0.113.71 }")
		outside := p.Count("ip daddr { 192.0.2.4/31, 192.0.2.9, 192.0.2.16/28, 203.0.113.70, 203.0.113.72/29 }")
		asked := p.CountARP("203.0.113.70")
		got := scanWith(t, p.Command(program, "scan", "192.0.2.0/28", "203.0.113.64/29", "--exclude", "192.0.2.9", "--exclude-file", list,
			"--ports", "1-40", "--mode", mode, "--format", "jsonl", "--discover", "--service", "--progress", "none"))
		if got.code != 0 || inside.Packets() == 0 {
			t.Fatalf("%s: exit code %d, %d packets inside\n%s", mode, got.code, inside.Packets(), got.stderr)
		}
		if n := outside.Packets() + asked.Packets(); n != 0 {
			t.Errorf("%s: %d packets out of scope", mode, n)
		}
	}
}

func scanDiscovers(t *testing.T, program string) {
	t.Helper()
	p := pair.New(t, pair.Options{})
	p.Addresses("192.0.2.0/30", "203.0.113.66/32", "203.0.113.67/32")
	p.ListenTCP(8)
	p.NFT("table ip quiet {\nchain c {\ntype filter hook input priority -30; policy accept;\nip daddr 203.0.113.67 drop\n}\n}\n")
	empty := p.Count("ip daddr { 192.0.2.8/29, 203.0.113.72/29 } tcp dport 8")
	for _, mode := range []string{"raw", "connect"} {
		got := scanWith(t, p.Command(program, "scan", "192.0.2.0/28", "203.0.113.64/28", "--discover",
			"--ports", "T:8", "--show", "all", "--mode", mode, "--format", "jsonl", "--progress", "none"))
		found := map[string]string{
			"tcp/192.0.2.0:8": "open", "tcp/192.0.2.1:8": "open", "tcp/192.0.2.2:8": "open", "tcp/192.0.2.3:8": "open", "tcp/203.0.113.66:8": "open",
		}
		if mode == "raw" { // it hears ARP
			found["tcp/203.0.113.67:8"] = "filtered"
		}
		if diff := cmp.Diff(found, got.states); diff != "" || got.code != 0 || !strings.Contains(strings.Join(got.end.Notes, "\n"), "of 32 addresses answered nothing") {
			t.Errorf("%s: exit code %d, notes %q\n%s", mode, got.code, got.end.Notes, diff)
		}
		if n := empty.Packets(); n != 0 {
			t.Errorf("%s: %d packets to the ports of absent hosts", mode, n)
		}
	}
	nobody := scanWith(t, p.Command(program, "scan", "192.0.2.8/30", "--discover", "--format", "jsonl", "--progress", "none"))
	if nobody.code != 0 || nobody.end.Targets != 0 || nobody.end.Completeness != nil {
		t.Errorf("nobody there: exit code %d, %+v", nobody.code, nobody.end)
	}
}

func scanProves(t *testing.T, program string) {
	t.Helper()
	p := pair.New(t, pair.Options{})
	p.Addresses("192.0.2.0/30")
	p.ListenTCP(9, 700)
	p.NFT(`table ip proxy {
chain nat { type nat hook prerouting priority -100; policy accept; ip daddr 192.0.2.1 tcp dport 1-65535 redirect to :9; }
}
table ip half {
chain c { type filter hook prerouting priority -150; policy accept; ip daddr 192.0.2.2 tcp flags & (syn|ack) == ack drop; }
}
`)
	got := scanWith(t, p.Command(program, "scan", "192.0.2.0/30", "--ports", "T:9,50-60,700", "--prove", "--mode", "raw", "--format", "jsonl", "--progress", "none"))
	labels := map[string][]string{}
	for _, port := range []int{9, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 700} {
		labels["tcp/192.0.2.1:"+strconv.Itoa(port)] = []string{"accepts-every-port"}
	}
	for _, host := range []string{"0", "2", "3"} { // they say nothing and hang up, or never shake hands
		labels["tcp/192.0.2."+host+":9"] = []string{"unproven"}
		labels["tcp/192.0.2."+host+":700"] = []string{"unproven"}
	}
	if diff := cmp.Diff(labels, got.labels); diff != "" || got.code != 0 {
		t.Errorf("exit code %d\n%s\n%s", got.code, diff, got.stderr)
	}
}

// A run that loses much and may not ask again says so.
func scanIncomplete(t *testing.T, program string) {
	t.Helper()
	p := pair.New(t, pair.Options{})
	p.Addresses("192.0.2.0/28")
	p.Lose(30, 0)
	stats := filepath.Join(t.TempDir(), "stats.json")
	args := []string{"scan", "192.0.2.0/28", "--ports", "T:1-200", "--retries", "0", "--format", "jsonl", "--progress", "none", "--mode", "raw", "--stats", stats}
	got := scanWith(t, p.Command(program, args...))
	if got.code != exitUnmeasured || got.end.Completeness == nil || *got.end.Completeness > 0.9 || !strings.Contains(got.stderr, "incomplete") {
		t.Errorf("exit code %d, %+v\n%s", got.code, got.end, got.stderr)
	}
	text, err := os.ReadFile(stats)
	if err != nil || !json.Valid(text) || !bytes.Contains(text, []byte(`"completeness":0.`)) {
		t.Errorf("stats %q, %v", text, err)
	}
	if lenient := scanWith(t, p.Command(program, append(args, "--min-completeness", "20")...)); lenient.code != 0 {
		t.Errorf("exit code %d with a low threshold", lenient.code)
	}
}

// What is known of an interrupted scan is given, and said to be a part.
func scanInterrupted(t *testing.T, program string) {
	t.Helper()
	p := pair.New(t, pair.Options{})
	p.Addresses("192.0.2.0/28")
	cmd := p.Command(program, "scan", "192.0.2.0/28", "--ports", "T:1-1000", "--show", "all", "--rate", "2000", "--format", "jsonl", "--progress", "none")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	text := new(bytes.Buffer)
	in := bufio.NewReader(out)
	line, err := in.ReadString('\n') // it is under way
	if err != nil {
		t.Fatal(err)
	}
	text.WriteString(line)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if _, err := in.WriteTo(text); err != nil {
		t.Fatal(err)
	}
	exit, _ := errors.AsType[*exec.ExitError](cmd.Wait())
	got := read(t, text.Bytes())
	if exit == nil || exit.ExitCode() != exitUnmeasured || !got.end.Partial || got.end.Undecided == 0 || len(got.states) == 0 ||
		uint64(len(got.states))+got.end.Undecided != got.end.Targets || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("%v, %d rows, %+v\n%s", exit, len(got.states), got.end, &stderr)
	}
}

// Shards share the targets out exactly, without a seed being named.
func scanShards(t *testing.T, program string) {
	t.Helper()
	p := pair.New(t, pair.Options{})
	p.Addresses("192.0.2.0/29")
	all := map[string]string{}
	for i := 1; i <= 3; i++ {
		got := scanWith(t, p.Command(program, "scan", "192.0.2.0/29", "--ports", "T:1-50", "--show", "all", "--format", "jsonl", "--progress", "none",
			"--shard", fmt.Sprintf("%d/3", i)))
		if got.end.Seed != "1" {
			t.Errorf("shard %d: seed %s", i, got.end.Seed)
		}
		for target, state := range got.states {
			if _, twice := all[target]; twice {
				t.Errorf("%s is in two shards", target)
			}
			all[target] = state
		}
		if n := len(got.states); got.end.Targets != uint64(n) {
			t.Errorf("shard %d: %d rows, %d targets", i, n, got.end.Targets)
		}
	}
	if diff := cmp.Diff(want(p, collect([]string{"192.0.2.0/29"}, exposure.TCP, 1, 50)...), all); diff != "" {
		t.Error(diff)
	}
}
