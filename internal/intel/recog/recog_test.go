package recog

import (
	"encoding/base64"
	"strings"
	"testing"

	"reconshield/internal/exposure"
)

// TestExamples runs the examples that Recog ships inside its fingerprints: each
// must match its own fingerprint and give the fields it names.
func TestExamples(t *testing.T) {
	for _, set := range Sets() {
		t.Run(string(set), func(t *testing.T) {
			prints, err := load(set)
			if err != nil {
				t.Fatal(err)
			}
			ran := 0
			for _, f := range prints {
				for _, e := range f.examples {
					ran++
					checkExample(t, f, e)
				}
			}
			if ran < len(prints)/2 || ran == 0 {
				t.Errorf("%d examples for %d fingerprints: the examples were not read", ran, len(prints))
			}
		})
	}
}

func checkExample(t *testing.T, f fingerprint, e example) {
	t.Helper()
	text := e.Text
	for _, a := range e.Attrs {
		if a.Name.Local == "_encoding" && a.Value == "base64" {
			raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
			if err != nil {
				t.Fatalf("%s: %v", f.description, err)
			}
			text = string(raw)
		}
	}
	groups := f.pattern.FindStringSubmatch(text)
	if groups == nil {
		t.Errorf("%s: example %q does not match", f.description, text)
		return
	}
	fields := f.fields(groups)
	for _, a := range e.Attrs {
		if name := a.Name.Local; !strings.HasPrefix(name, "_") && fields[name] != a.Value {
			t.Errorf("%s: %q: %s = %q, want %q", f.description, text, name, fields[name], a.Value)
		}
	}
}

func TestMatch(t *testing.T) {
	d := New()
	for _, c := range []struct {
		text    string
		product exposure.Product
		version string
		cpe     string
	}{
		{"9.18.49-1~deb12u3-Debian", exposure.BIND, "9.18.49", "cpe:2.3:a:isc:bind:9.18.49:*:*:*:*:*:*:*"},
		{"9.16.1-Ubuntu", exposure.BIND, "9.16.1", "cpe:2.3:a:isc:bind:9.16.1:*:*:*:*:*:*:*"},
		{"unbound 1.17.1", exposure.Unbound, "1.17.1", "cpe:2.3:a:nlnetlabs:unbound:1.17.1:*:*:*:*:*:*:*"},
		{"Knot DNS 3.2.6", exposure.Knot, "3.2.6", "cpe:2.3:a:knot-dns:knot_dns:3.2.6:*:*:*:*:*:*:*"},
		{"NSD 4.6.1", exposure.NSD, "4.6.1", "cpe:2.3:a:nlnetlabs:name_server_daemon:4.6.1:*:*:*:*:*:*:*"},
		{"dnsmasq-2.90", exposure.Dnsmasq, "2.90", "cpe:2.3:a:thekelleys:dnsmasq:2.90:*:*:*:*:*:*:*"},
		{"dnsmasq-pi-hole-2.84", exposure.Dnsmasq, "2.84", ""},
		{"Microsoft DNS 6.1.7601 (1DB15CD4)", exposure.WindowsDNS, "6.1.7601", ""},
		{"PowerDNS Authoritative Server 4.7.3", exposure.PDNSAuth, "4.7.3", "cpe:2.3:a:powerdns:authoritative_server:4.7.3:*:*:*:*:*:*:*"},
		{"PowerDNS Recursor 4.8.8", exposure.PDNSRec, "4.8.8", "cpe:2.3:a:powerdns:recursor:4.8.8:*:*:*:*:*:*:*"},
		{"dnsmasq-pi-hole-v2.90+1", exposure.Dnsmasq, "2.90", "cpe:2.3:a:thekelleys:dnsmasq:2.90:*:*:*:*:*:*:*"},
		{"9.18.28-0ubuntu0.22.04.1-Ubuntu", exposure.BIND, "9.18.28", ""},
		{"9.11.4-P2-RedHat-9.11.4-26.P2.el7", exposure.BIND, "9.11.4-P2", "cpe:2.3:a:isc:bind:9.11.4-p2:*:*:*:*:*:*:*"},
		{"9.20.0rc1", exposure.BIND, "9.20.0rc1", ""},
		{"CoreDNS-1.11.1", exposure.CoreDNS, "1.11.1", "cpe:2.3:a:coredns.io:coredns:1.11.1:*:*:*:*:*:*:*"},
		{"Knot Resolver", exposure.KnotRes, "", ""},
		{"Knot DNS 3.4.dev.1", exposure.Knot, "3.4", ""},
		{"PowerDNS Recursor 4.8.8 (built May  9 2024 08:52:38 by root@localhost)", exposure.PDNSRec, "4.8.8", ""},
		{"unbound", exposure.Unbound, "", "cpe:2.3:a:nlnetlabs:unbound:*:*:*:*:*:*:*:*"},
	} {
		m, ok := d.Match(DNSVersion, c.text)
		if !ok || m.DNSProduct() != c.product || m.Version() != c.version || c.cpe != "" && m.CPE() != c.cpe {
			t.Errorf("%q: %v %q %q %q (%v)", c.text, ok, m.DNSProduct(), m.Version(), m.CPE(), m.Fields)
		}
	}
	for _, text := range []string{"", "none", "unknown", "surely I must be joking", strings.Repeat("x", 10000)} {
		if m, ok := d.Match(DNSVersion, text); ok {
			t.Errorf("%q matched %v", text[:min(len(text), 20)], m.Fields)
		}
	}
	if _, ok := d.Match("no such set", "x"); ok {
		t.Error("a set that does not exist matched")
	}
}

func TestNotice(t *testing.T) {
	if !strings.Contains(Notice(), "Rapid7") || !strings.Contains(Notice(), "Redistributions in binary form") {
		t.Error("the licence notice is not the one of the fingerprints")
	}
}

func FuzzMatch(f *testing.F) {
	d := New()
	for _, s := range []string{"9.18.1", "dnsmasq-2.90", "\x00\xff", "PowerDNS Recursor 4.0.0-alpha2 {service.version}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, set := range []Set{DNSVersion, SSH, FTP} {
			if m, ok := d.Match(set, text); ok && m.Product() == "" {
				t.Errorf("%s matched %q without a product", set, text)
			}
			m, _ := d.Match(set, text)
			if cpe := m.CPE(); strings.ContainsAny(cpe, " \n\t\x00") {
				t.Errorf("CPE %q", cpe)
			}
		}
	})
}
