package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
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
	if code != exitFindings || doc.Zone != "lab" {
		t.Errorf("exit code %d, zone %q", code, doc.Zone)
	}
	for _, r := range doc.Results {
		if r.Address.String() != "127.0.0.2" {
			t.Errorf("%s was scanned, which nobody asked for", r.Address)
		}
	}

	doc, _ = verify("--audit", "closed.nft", "--host", "srv")
	if got := at(doc, denied); got.Severity != "critical" || got.Audited != "BLOCKED" || !strings.HasPrefix(got.Remark, "ALARM") {
		t.Errorf("open although the ruleset blocks it: %+v", got)
	}

	stopDenied()
	if doc, _ = verify("--zone", "wan"); at(doc, allowed).State != rehearsal.Exposed {
		t.Errorf("from wan: %+v", at(doc, allowed))
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
