//go:build linux

package dnscheck_test

import (
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/lab"
)

// trafficFixes are servers with the printed lines of one check, or with other
// lines in their place: what AMP-1 and RRL-1 say of them. {conf} and {lines}
// are put in.
func trafficFixes() []struct {
	name    string
	product exposure.Product
	fixed   string            // check whose lines are put in
	instead map[string]string // replaced in the lines: a line for the other that the fix offers
	argv    string
	conf    string
	want    string
} {
	const (
		named    = "named -g -n 1 -c {dir}/conf"
		namedC   = "controls { };\nzone \"example.test\" { type primary; file \"{dir}/zone\"; };\n{lines}"
		bare     = "options { recursion no; dnssec-validation no; };"
		knotd    = "knotd -c {dir}/conf"
		knotC    = "server:\n  listen: [ 0.0.0.0@53, \"::@53\" ]\n  rundir: {dir}\n  version: \"\"\ndatabase:\n  storage: {dir}\n{lines}\nzone:\n  - domain: example.test\n    file: {dir}/zone\n"
		nsd      = "nsd -d -c {dir}/conf"
		nsdC     = "{lines}\nserver:\n ip-address: 0.0.0.0\n ip-address: ::0\n username: \"\"\n chroot: \"\"\n zonesdir: {dir}\n pidfile: \"\"\n xfrdfile: \"\"\n xfrdir: {dir}\n zonelistfile: {dir}/list\n server-count: 1\nremote-control:\n control-enable: no\nzone:\n name: example.test\n zonefile: zone\n"
		unbound  = "unbound -d -p -c {dir}/conf"
		unboundC = "server:\n username: \"\"\n chroot: \"\"\n directory: {dir}\n pidfile: \"\"\n use-syslog: no\n interface: 0.0.0.0\n interface: ::0\n module-config: \"iterator\"\n{lines}\nremote-control:\n control-enable: no\nauth-zone:\n name: example.test\n zonefile: {dir}/zone\n"
	)
	return []struct {
		name    string
		product exposure.Product
		fixed   string
		instead map[string]string
		argv    string
		conf    string
		want    string
	}{
		{"bind-bare", exposure.BIND, "", nil, named, strings.Replace(namedC, "{lines}", bare, 1), "AMP-1 M RRL-1 L"},
		{"bind-cap", exposure.BIND, "AMP-1", nil, named, namedC, "AMP-1 M RRL-1 p"},
		{"bind-lower", exposure.BIND, "AMP-1", map[string]string{"max-udp-size 1232": "max-udp-size 512"}, named, namedC, "AMP-1 p RRL-1 p"},
		{"bind-authors", exposure.BIND, "", nil, named, strings.NewReplacer("{lines}", bare, "/zone", "/short").Replace(namedC), "AMP-1 M"},
		{"bind-hidden", exposure.BIND, "AMP-1", nil, named, strings.Replace(namedC, "/zone", "/short", 1), "AMP-1 p"},
		{"bind-limit", exposure.BIND, "RRL-1", nil, named, namedC, "RRL-1 p"},
		{"knot-bare", exposure.Knot, "", nil, knotd, knotC, "AMP-1 M RRL-1 L"},
		{"knot-cap", exposure.Knot, "AMP-1", nil, knotd, knotC, "AMP-1 M RRL-1 p"},
		{"knot-shorter", exposure.Knot, "AMP-1", nil, knotd, strings.Replace(knotC, "/zone", "/short", 1), "AMP-1 p RRL-1 p"},
		{"knot-limit", exposure.Knot, "RRL-1", nil, knotd, knotC, "RRL-1 p"},
		{"nsd-bare", exposure.NSD, "", nil, nsd, nsdC, "AMP-1 M RRL-1 L"},
		{"nsd-lower", exposure.NSD, "AMP-1", map[string]string{"size: 1232": "size: 512"}, nsd, nsdC, "AMP-1 p RRL-1 p"},
		{"nsd-limit", exposure.NSD, "RRL-1", nil, nsd, nsdC, "RRL-1 p"},
		{"unbound-limit", exposure.Unbound, "RRL-1", nil, unbound, strings.Replace(unboundC, "module", "access-control: 0.0.0.0/0 allow\n access-control: ::0/0 allow\n local-zone: \"test.\" nodefault\n module", 1), "RRL-1 p"},
		{"unbound-fixed", exposure.Unbound, "AMP-1", nil, unbound, unboundC, "AMP-1 p"},
	}
}

// heavyZone has a TXT of the size that verification records of services add up
// to.
func heavyZone() string {
	var b strings.Builder
	b.WriteString("example.test. 60 IN SOA ns1.example.test. hostmaster.example.test. 1 3600 600 86400 60\nexample.test. 60 IN NS ns1.example.test.\nns1.example.test. 60 IN A 192.0.2.1\n")
	for i := range 8 {
		b.WriteString("example.test. 60 IN TXT \"" + strings.Repeat(string(rune('a'+i)), 100) + "\"\n")
	}
	return b.String()
}

func TestTrafficFixesWork(t *testing.T) {
	l := lab.New(t, lab.Options{})
	rows := trafficFixes()
	hosts := make([]*lab.Host, len(rows))
	for i, row := range rows {
		h := l.Host(t, row.name)
		lines := ""
		if row.fixed != "" {
			lines = fixLines(t, row.fixed, row.product)
		}
		for printed, other := range row.instead {
			lines = strings.ReplaceAll(lines, printed, other)
		}
		text := strings.NewReplacer("{lines}", lines, "{dir}", h.Dir()).Replace(row.conf)
		text = strings.Replace(text, "options {", "options { directory \""+h.Dir()+"\"; pid-file none; session-keyfile none; lock-file none;", 1)
		write(t, h, "zone", heavyZone())
		write(t, h, "short", strings.Join(strings.SplitAfter(heavyZone(), "\n")[:4], ""))
		write(t, h, "conf", strings.ReplaceAll(text, "{dir}", h.Dir()))
		p := h.Run(t, strings.Fields(strings.ReplaceAll(row.argv, "{dir}", filepath.Clean(h.Dir())))...)
		awaitTCP(t, h.V4, p)
		awaitTCP(t, h.V6, p)
		hosts[i] = h
	}
	var wg sync.WaitGroup
	for i, row := range rows { // at once, because most of the time is waiting
		for _, addr := range []netip.Addr{hosts[i].V4, hosts[i].V6} {
			wg.Go(func() { assertTraffic(t, row.name, addr, authorityExpected(row.want, 0)) })
		}
	}
	wg.Wait()
}

func assertTraffic(t *testing.T, name string, addr netip.Addr, want map[string]string) {
	t.Helper()
	got := authorityRun(t, addr, "example.test", "AMP-1", "RRL-1")
	for id, letter := range want {
		if shown := letters(t, got[id]); shown != letter {
			t.Errorf("%s %s %s: %s, want %s: %s", name, addr, id, shown, letter, reasons(got[id].Outcomes))
		}
	}
}
