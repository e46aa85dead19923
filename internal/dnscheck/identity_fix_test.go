//go:build linux

package dnscheck

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reconshield/internal/exposure"
)

// TestIdentityFixesAreAccepted gives the configuration lines of these families
// to the products' own checkers.
func TestIdentityFixesAreAccepted(t *testing.T) {
	dir := t.TempDir()
	command(t, "openssl", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-keyout", filepath.Join(dir, "key.pem"), "-out", filepath.Join(dir, "cert.pem"), "-days", "2", "-subj", "/CN=ns1.example.net")
	local := strings.NewReplacer(
		"/etc/bind/ns1.example.net.pem", dir+"/cert.pem", "/etc/bind/ns1.example.net.key", dir+"/key.pem",
		"/etc/unbound/ns1.example.net.pem", dir+"/cert.pem", "/etc/unbound/ns1.example.net.key", dir+"/key.pem",
		"/etc/nsd/ns1.example.net.pem", dir+"/cert.pem", "/etc/nsd/ns1.example.net.key", dir+"/key.pem",
	)
	checkers := map[exposure.Product]struct {
		pkg  string
		file string
		more string
		argv []string
	}{
		exposure.BIND:     {"bind9-utils", "named.conf", "key \"rndc-key\" { algorithm hmac-sha256; secret \"abcd\"; };\n", []string{"named-checkconf"}},
		exposure.Unbound:  {"unbound", "unbound.conf", "", []string{"unbound-checkconf"}},
		exposure.NSD:      {"nsd", "nsd.conf", "", []string{"nsd-checkconf"}},
		exposure.Knot:     {"knot", "knot.conf", "", nil},
		exposure.Dnsmasq:  {"dnsmasq-base", "dnsmasq.conf", "", []string{"dnsmasq", "--test", "-C"}},
		exposure.PDNSAuth: {"pdns-server", "pdns.conf", "", nil},
		exposure.PDNSRec:  {"pdns-recursor", "recursor.conf", "", nil},
	}
	for _, c := range slices.Concat(identityChecks(), encryptedChecks(), mdnsChecks(), controlChecks()) {
		for product, fix := range c.Fixes {
			checker, known := checkers[product]
			newer := product == exposure.Knot && c.ID == "ENC-1" // needs Knot DNS 3.3, Debian 12 has 3.2
			if !known || fix.Lines == "" || newer || strings.Contains(fix.Lines, "dnsdist.conf") {
				continue
			}
			home := t.TempDir()
			file := filepath.Join(home, checker.file)
			if err := os.WriteFile(file, []byte(local.Replace(fix.Lines)+"\n"+checker.more), 0o600); err != nil {
				t.Fatal(err)
			}
			argv := append(slices.Clone(checker.argv), file)
			switch product {
			case exposure.Knot:
				argv = []string{"knotc", "-c", file, "conf-check"}
			case exposure.PDNSAuth:
				argv = []string{"pdns_server", "--config-dir=" + home, "--config=check"}
			case exposure.PDNSRec:
				argv = []string{"pdns_recursor", "--config-dir=" + home, "--config=check"}
			default:
			}
			command(t, checker.pkg, argv...)
		}
	}
}

// command runs a program and fails with what it says, or with the name of the
// Debian package that holds it.
func command(t *testing.T, pkg string, argv ...string) {
	t.Helper()
	path, err := exec.LookPath(argv[0])
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if err != nil {
			path, err = exec.LookPath(filepath.Join(dir, argv[0]))
		}
	}
	if err != nil {
		t.Fatalf("%s is not installed: install the Debian package %s", argv[0], pkg)
	}
	if out, err := exec.CommandContext(t.Context(), path, argv[1:]...).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
}
