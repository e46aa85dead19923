//go:build linux

package dnscheck_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reconshield/internal/dial"
	"reconshield/internal/dialogue"
	"reconshield/internal/dnscheck"
	"reconshield/internal/dnswire"
	"reconshield/internal/exposure"
	"reconshield/internal/lab"
	"reconshield/internal/nonce"
)

// recursiveFixes are open resolvers with the printed fix of some checks put in:
// each must then show what the row says. {fix} and {hints} are files of the host.
func recursiveFixes() []struct {
	name    string
	product exposure.Product
	fixed   []string // checks whose lines are put in
	argv    string
	conf    string // {lines} is where they go
	want    string
} {
	const (
		unbound  = "unbound -d -p -c {conf}"
		unboundC = "server:\n username: \"\"\n chroot: \"\"\n directory: \"{dir}\"\n pidfile: \"\"\n use-syslog: no\n num-threads: 1\n interface: 0.0.0.0\n interface: ::0\n" +
			" root-hints: \"{hints}\"\n local-zone: \"test.\" nodefault\n module-config: \"iterator\"\n access-control: 0.0.0.0/0 allow\n access-control: ::0/0 allow\n" +
			"{lines}\nremote-control:\n control-enable: no\n"
		named  = "named -g -n 1 -c {conf}"
		namedC = "controls { };\nzone \".\" { type hint; file \"{hints}\"; };\n{lines}"
		pdns   = "pdns_recursor --daemon=no --config-dir={dir}"
		pdnsC  = "local-address=0.0.0.0,::\nallow-from=0.0.0.0/0,::/0\nsocket-dir={dir}\nhint-file={hints}\ndont-query=\nthreads=1\ndnssec=off\n"
		masq   = "dnsmasq --keep-in-foreground --conf-file={conf} --user=root --group=root --pid-file= --log-facility=- --no-hosts --no-resolv --server={upstream}"
	)
	return []struct {
		name    string
		product exposure.Product
		fixed   []string
		argv    string
		conf    string
		want    string
	}{
		{"unbound-closed", exposure.Unbound, []string{"REC-1"}, unbound, unboundC, "REC-1 p/p"},
		{"unbound-rebind", exposure.Unbound, []string{"RBD-1"}, unbound, unboundC, "REC-1 f/f RBD-1 p SNP-1 p"},
		{"bind-closed", exposure.BIND, []string{"REC-1"}, named, namedC, "REC-1 p/p"},
		{"bind-snoop", exposure.BIND, []string{"SNP-1"}, named, namedC, "REC-1 p/p SNP-1 n"},
		{"pdns-closed", exposure.PDNSRec, []string{"REC-1"}, pdns, pdnsC + "{lines}", "REC-1 n/n"},
		{"pdns-rebind", exposure.PDNSRec, []string{"RBD-1"}, pdns, pdnsC + "lua-dns-script={fix}", "REC-1 f/f RBD-1 p"},
		{"dnsmasq-rebind", exposure.Dnsmasq, []string{"RBD-1", "ECS-1"}, masq, "{lines}", "REC-1 f/f RBD-1 p ECS-1 p"},
	}
}

func TestRecursiveFixesWork(t *testing.T) {
	zone := nonce.Zone{Apex: "probe.test.", Anchored: true}
	l, _ := startCollector(t, zone)
	upstream := l.Start(t, "ecs-resolver")
	for _, row := range recursiveFixes() {
		t.Run(row.name, func(t *testing.T) {
			h := l.Host(t, row.name)
			var lines []string
			for _, id := range row.fixed {
				lines = append(lines, fixLines(t, id, row.product))
			}
			text := strings.Join(lines, "\n") + "\n"
			if row.product == exposure.BIND { // a configuration has one options clause
				text = strings.Replace(text, "options {", "options { directory \""+h.Dir()+"\"; pid-file none; session-keyfile none; lock-file none; dnssec-validation no;", 1)
			}
			files := strings.NewReplacer("{dir}", h.Dir(), "{conf}", filepath.Join(h.Dir(), "recursor.conf"), "{hints}", filepath.Join(h.Dir(), "hints"),
				"{fix}", filepath.Join(h.Dir(), "fix"), "{upstream}", upstream.V4.String(), "{lines}", text)
			write(t, h, "hints", ". 3600000 NS a.root-servers.net.\na.root-servers.net. 3600000 A 198.41.0.4\na.root-servers.net. 3600000 AAAA 2001:503:ba3e::2:30\n")
			write(t, h, "fix", text)
			write(t, h, "recursor.conf", files.Replace(row.conf))
			p := h.Run(t, strings.Fields(files.Replace(row.argv))...)
			for i, addr := range []netip.Addr{h.V4, h.V6} {
				awaitTCP(t, addr, p)
				assertRecursive(t, addr, dnscheck.Options{Collector: &zone}, wanted(row.want, i))
			}
		})
	}
}

func fixLines(t *testing.T, id string, p exposure.Product) string {
	t.Helper()
	for _, c := range dnscheck.Catalogue() {
		if c.ID == id && c.Fixes[p].Lines != "" {
			return c.Fixes[p].Lines
		}
	}
	t.Fatalf("%s has no lines for %s", id, p)
	return ""
}

func write(t *testing.T, h *lab.Host, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(h.Dir(), name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// awaitTCP waits until the server's port takes connections.
func awaitTCP(t *testing.T, addr netip.Addr, p *lab.Process) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for {
		d := dialogue.New(dial.New(dial.Options{}), addr, dialogue.Options{Timeout: time.Second})
		a := d.Ask(t.Context(), exposure.TCP, dnswire.Query{Name: ".", Type: dnswire.TypeSOA})
		if a.Msg != nil || a.Reply.Reason != exposure.ReasonReset {
			return // it answers, or takes the connection and is silent
		}
		select {
		case <-tick.C:
		case <-p.Done():
			t.Fatalf("the server ended:\n%s", p.Log())
		case <-limit:
			t.Fatalf("the server does not come up:\n%s", p.Log())
		}
	}
}
