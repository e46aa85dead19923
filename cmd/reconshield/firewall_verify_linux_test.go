package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"reconshield/internal/report/rehearsal"
)

// TestFirewallVerify scans servers on loopback addresses of the lab.
func TestFirewallVerify(t *testing.T) {
	t.Chdir(t.TempDir())
	tcp := func() (port int, stop func()) {
		l, err := net.Listen("tcp", "127.0.0.2:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Write([]byte("220 here\r\n"))
				_ = c.Close()
			}
		}()
		return l.Addr().(*net.TCPAddr).Port, func() { _ = l.Close() } //nolint:forcetypeassert // of a TCP listener
	}
	allowed, stopAllowed := tcp()
	denied, stopDenied := tcp()
	gone, stopGone := tcp()
	stopGone()
	defer stopAllowed()
	write(t, "policy.yaml", fmt.Sprintf(`zones:
  wan: {interfaces: [eth0]}
  lab: {interfaces: [lo], networks: [127.0.0.0/8]}
assets:
  - {name: srv, addresses: [127.0.0.2], role: host, owner: ops@example.net, expose: [{ports: [%d/tcp, %d/tcp], to: [lab]}]}
  - {name: other, addresses: [127.0.0.3], role: host, owner: ops@example.net}
default: deny
`, allowed, gone))
	write(t, "closed.nft", "table inet f { chain i { type filter hook input priority 0; policy drop; tcp dport "+fmt.Sprint(allowed)+" accept; }; }\n")
	verify := func(args ...string) (*rehearsal.Document, int) {
		var out, said bytes.Buffer
		code := run(t.Context(), append([]string{
			"firewall", "verify", "--policy", "policy.yaml", "--asset", "srv", "--mode", "connect",
			"--format", "json", "--ports", fmt.Sprintf("T:%d", denied),
		}, args...), strings.NewReader(""), &out, &said)
		if out.Len() == 0 {
			t.Fatalf("exit code %d: %s", code, said.String())
		}
		return readRehearsal(t, out.Bytes()), code
	}
	at := func(doc *rehearsal.Document, port int) rehearsal.Result {
		for _, r := range doc.Results {
			if int(r.Port) == port && r.Transport == "tcp" {
				return r
			}
		}
		t.Fatalf("port %d was not asked", port)
		return rehearsal.Result{}
	}

	doc, code := verify()
	for port, want := range map[int]rehearsal.State{allowed: rehearsal.Open, denied: rehearsal.Exposed, gone: rehearsal.Refused} {
		if got := at(doc, port); got.State != want {
			t.Errorf("port %d: %+v, want %s", port, got, want)
		}
	}
	for _, format := range []string{"junit", "sarif", "html", "text"} {
		var out, said bytes.Buffer
		args := []string{"firewall", "verify", "--policy", "policy.yaml", "--asset", "srv", "--mode", "connect", "--audit", "closed.nft", "--host", "srv", "--format", format, "--ports", fmt.Sprintf("T:%d", denied)}
		if code := run(t.Context(), args, strings.NewReader(""), &out, &said); code != exitFindings {
			t.Fatalf("%s: exit code %d: %s", format, code, said.String())
		}
		text := out.String()
		if format == "text" {
			text = text[strings.Index(text, "Differences"):]
			if at := strings.Index(text, "CRITICAL"); at < 0 || at > strings.Index(text, "ALARM") || strings.Contains(text[:at], "HIGH") {
				t.Errorf("the alarm is not the first:\n%s", text)
			}
		}
		machineReads(t, format, text)
	}
	if code != exitFindings || doc.Zone != "lab" {
		t.Errorf("exit code %d, zone %q", code, doc.Zone)
	}
	for _, r := range doc.Results {
		if r.Address.String() != "127.0.0.2" {
			t.Errorf("%s was scanned, which nobody asked for", r.Address)
		}
	}

	doc, _ = verify("--audit", "closed.nft", "--host", "srv")
	if got := at(doc, denied); got.Severity != "critical" || got.Audited != "BLOCKED" || got.State != rehearsal.Bypassed {
		t.Errorf("open although the ruleset blocks it: %+v", got)
	}

	// The rules of one host say nothing of another.
	write(t, "closed.nft", "table inet f { chain i { type filter hook input priority 0; policy drop; }; chain f { type filter hook forward priority 0; policy drop; }; }\n")
	doc, _ = verify("--audit", "closed.nft", "--host", "other")
	if got := at(doc, denied); got.Severity == "critical" || got.Audited != "" || got.Remark != "" {
		t.Errorf("of another host: %+v", got)
	}
	var out, said bytes.Buffer
	if code := run(t.Context(), []string{"firewall", "verify", "--policy", "policy.yaml", "--audit", "closed.nft"}, strings.NewReader(""), &out, &said); code != exitUsage ||
		!strings.Contains(said.String(), "--host: name the asset") {
		t.Errorf("exit code %d: %s", code, said.String())
	}

	stopDenied()
	if doc, _ = verify("--zone", "wan"); at(doc, allowed).State != rehearsal.Exposed {
		t.Errorf("from wan: %+v", at(doc, allowed))
	}
}

// machineReads demands that a parser takes a report, and finds the alarm in it.
func machineReads(t *testing.T, format, text string) {
	t.Helper()
	var err error
	switch format {
	case "junit":
		var suites struct {
			Failures int `xml:"failures,attr"`
			Suite    []struct {
				Case []struct {
					Failure *struct {
						Text string `xml:",chardata"`
					} `xml:"failure"`
				} `xml:"testcase"`
			} `xml:"testsuite"`
		}
		err = xml.Unmarshal([]byte(text), &suites)
		if suites.Failures == 0 {
			t.Errorf("no failure in\n%s", text)
		}
	case "sarif":
		var log struct {
			Version string `json:"version"`
			Runs    []struct {
				Results []struct {
					Level     string                           `json:"level"`
					Message   struct{ Text string }            `json:"message"`
					Locations []struct{ PhysicalLocation any } `json:"locations"`
				} `json:"results"`
			} `json:"runs"`
		}
		err = json.Unmarshal([]byte(text), &log)
		if err == nil && (log.Version != "2.1.0" || len(log.Runs) != 1 || len(log.Runs[0].Results) == 0 || log.Runs[0].Results[0].Level != "error") {
			t.Errorf("%+v", log)
		}
	}
	if err != nil || !strings.Contains(text, "ALARM") {
		t.Errorf("%s: %v, or the alarm is missing in\n%s", format, err, text)
	}
}

// TestFirewallVerifySelf says of its own addresses that they were not measured.
func TestFirewallVerifySelf(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "policy.yaml", "assets:\n  - {name: srv, addresses: [127.0.0.1], role: host, owner: ops@example.net}\n")
	var out, said bytes.Buffer
	code := run(t.Context(), []string{"firewall", "verify", "--policy", "policy.yaml"}, strings.NewReader(""), &out, &said)
	if code != exitUnmeasured || !strings.Contains(out.String(), "127.0.0.1 is this machine's own address") || !strings.Contains(out.String(), "? unmeasured") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), said.String())
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Clean(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFirewallVerifyBetween scans a host whose rules let something through that
// does not answer, since other rules are loaded.
func TestFirewallVerifyBetween(t *testing.T) {
	program := built(t)
	near, far := newStand(t, program), newStand(t, program)
	near.output("ip", "link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns", strconv.Itoa(far.holder.Process.Pid))
	near.output("ip", "address", "add", "192.0.2.1/24", "dev", "near0")
	near.output("ip", "link", "set", "near0", "up")
	far.output("ip", "address", "add", "192.0.2.53/24", "dev", "far0")
	far.output("ip", "link", "set", "far0", "up")
	far.output("nft", "-f", "deaf.nft")
	for _, c := range []struct {
		mode string
		args []string
	}{{"raw", nil}, {"connect", nil}, {"raw", []string{"--audit", "new.nft"}}} {
		cmd := near.inside(append([]string{program, "firewall", "verify", "--policy", "policy.yaml", "--zone", "wan", "--format", "json", "--mode", c.mode}, c.args...)...)
		out, _ := cmd.Output()
		valid(t, publishedSchema(t, "rehearsal"), string(out), "verification")
		doc := readRehearsal(t, out)
		seen := map[string]rehearsal.Result{}
		for _, r := range doc.Results {
			seen[r.PortText()] = r
		}
		if r := seen["tcp/53"]; r.State != rehearsal.Starved || r.Source.String() != "192.0.2.1" || strings.Contains(r.Remark, "something else stands in between") != (c.args != nil) {
			t.Errorf("%s: allowed and dropped: %+v", c.mode, r)
		}
		if r := seen["udp/53"]; r.State != rehearsal.Starved {
			t.Errorf("%s: allowed and dropped: %+v", c.mode, r)
		}
		if r := seen["udp/161"]; r.State != rehearsal.Silent {
			t.Errorf("%s: denied and dropped: %+v", c.mode, r)
		}
		if r := seen["tcp/22"]; r.State != rehearsal.Closed {
			t.Errorf("%s: denied and dropped: %+v", c.mode, r)
		}
		if got := cmd.ProcessState.ExitCode(); got != exitFindings {
			t.Errorf("%s: exit code %d", c.mode, got)
		}
	}
}
