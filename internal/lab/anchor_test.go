//go:build linux

package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnchor runs a signed probe.test, one record of which was changed after
// signing, and has the validating resolvers tell right from wrong.
func TestAnchor(t *testing.T) {
	dir := t.TempDir()
	key := keygen(t, dir, "probe.test")
	record, err := os.ReadFile(filepath.Join(dir, key+".key"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(record)), "\n")
	l := New(t, Options{Anchor: lines[len(lines)-1]})
	serveSigned(t, l.Host(t, "collector"), dir, key, string(record))

	validating := []string{"unbound-validating", "bind-resolver-validating", "pdns-recursor-validating"}
	credulous := []string{"unbound-abused", "bind-resolver-abused", "pdns-recursor-abused"}
	hosts := l.StartAll(t, append(validating, credulous...)...)
	for _, c := range []struct {
		kinds       []string
		name, wants string
	}{
		{validating, "good.probe.test", "status: NOERROR"},
		{validating, "bogus.probe.test", "status: SERVFAIL"},
		{credulous, "good.probe.test", "status: NOERROR"},
		{credulous, "bogus.probe.test", "status: NOERROR"},
	} {
		for _, kind := range c.kinds {
			h := hosts[kind]
			var reply string
			err := (&setup{ctx: t.Context(), lab: l, host: h}).poll(nil, func() error {
				out, err := exec.CommandContext(t.Context(), "dig", "+adflag", "+time=3", "@"+h.V4.String(), c.name).CombinedOutput()
				reply = string(out)
				return err
			})
			if err != nil || !strings.Contains(reply, c.wants) {
				t.Errorf("%s %s: %v\n%s\nwant %s", kind, c.name, err, reply, c.wants)
			}
			if kind == "pdns-recursor-validating" {
				continue // sets AD for queries with DO only, and not on the first
			}
			validated := strings.Contains(reply, " ad;") || strings.Contains(reply, " ad ")
			if want := c.name == "good.probe.test" && strings.HasSuffix(kind, "validating"); validated != want {
				t.Errorf("%s %s: AD %v, want %v", kind, c.name, validated, want)
			}
		}
	}
}

func keygen(t *testing.T, dir, zone string) string {
	t.Helper()
	program, err := lookup("dnssec-keygen")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-q", "-f", "KSK", "-a", "ECDSAP256SHA256", zone)
	cmd.Dir = dir
	name, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(name))
}

// serveSigned runs NSD with the signed zone on the host.
func serveSigned(t *testing.T, h *Host, dir, key, record string) {
	t.Helper()
	zone := zoneHead("probe.test", "ns.probe.test.") + record +
		"ns.probe.test. A " + h.V4.String() + "\ngood.probe.test. A 192.0.2.77\nbogus.probe.test. A 192.0.2.78\n"
	if err := os.WriteFile(filepath.Join(dir, "zone"), []byte(zone), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := lookup("dnssec-signzone")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-q", "-z", "-P", "-o", "probe.test", "zone", key)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	signed, err := os.ReadFile(filepath.Join(dir, "zone.signed"))
	if err != nil {
		t.Fatal(err)
	}
	s := &setup{ctx: t.Context(), lab: h.lab, host: h}
	conf := s.expand(nsdServer + "remote-control:\n\tcontrol-enable: no\nzone:\n\tname: probe.test\n\tzonefile: signed\n")
	if _, err := h.write("signed", strings.Replace(string(signed), "192.0.2.78", "192.0.2.79", 1)); err != nil {
		t.Fatal(err)
	}
	file, err := h.write("nsd.conf", conf)
	if err != nil {
		t.Fatal(err)
	}
	p := h.Run(t, "nsd", "-d", "-c", file)
	if err := s.answers(p, "probe.test SOA"); err != nil {
		t.Fatal(err)
	}
}
