package nonce_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/nonce"
)

func zone(tb testing.TB, key string) nonce.Zone {
	tb.Helper()
	z, err := nonce.New("Probe.Example.NET", []byte(key))
	if err != nil {
		tb.Fatal(err)
	}
	return z
}

func TestNew(t *testing.T) {
	for _, c := range []struct {
		apex string
		ok   bool
	}{
		{"probe.example.net", true},
		{"probe.test.", true},
		{"net", false},
		{".", false},
		{"", false},
		{"a..net", false},
		{"sp ace.net", false},
		{`a\.b.net`, false},
		{strings.Repeat("abcdefgh.", 20) + "net", false},
		{strings.Repeat("a", 64) + ".net", false},
	} {
		if _, err := nonce.New(c.apex, nil); (err == nil) != c.ok {
			t.Errorf("New(%q): %v, want ok %t", c.apex, err, c.ok)
		}
	}
}

func TestNamesAreFreshAndParse(t *testing.T) {
	z := zone(t, "")
	seen := map[string]bool{}
	for _, k := range nonce.Kinds() {
		for range 100 {
			name := z.Name(k)
			if seen[name] {
				t.Fatalf("%s twice", name)
			}
			seen[name] = true
			_, kind, err := z.Parse(strings.ToUpper(name))
			if err != nil || kind != k {
				t.Fatalf("Parse(%s) = %s, %v", name, kind, err)
			}
		}
	}
}

func TestParseRefuses(t *testing.T) {
	z := zone(t, "")
	for _, name := range []string{
		"probe.example.net.", "a.probe.example.net.", "short.a.probe.example.net.",
		"aaaaaaaaaaaaa.b.probe.example.net.", "aaaaaaaaaaaa1.a.probe.example.net.",
		"x.aaaaaaaaaaaaa.a.probe.example.net.", "aaaaaaaaaaaaa.a.probe.example.org.", "",
	} {
		if _, _, err := z.Parse(name); !errors.Is(err, nonce.ErrForeign) {
			t.Errorf("Parse(%q): %v, want ErrForeign", name, err)
		}
	}
}

func TestAddressesLieInTheirBlocks(t *testing.T) {
	z := zone(t, "k")
	for _, c := range []struct {
		kind   nonce.Kind
		v4, v6 string
	}{
		{nonce.Plain, "198.18.0.0/15", "2001:2::/48"},
		{nonce.Who, "198.18.0.0/15", "2001:2::/48"},
		{nonce.Who4, "198.18.0.0/15", "2001:2::/48"},
		{nonce.Who6, "198.18.0.0/15", "2001:2::/48"},
		{nonce.Bogus, "198.18.0.0/15", "2001:2::/48"},
		{nonce.Missing, "", ""},
		{nonce.Private10, "10.0.0.0/8", ""},
		{nonce.Private172, "172.16.0.0/12", ""},
		{nonce.Private192, "192.168.0.0/16", ""},
		{nonce.Loopback, "127.0.0.0/8", ""},
		{nonce.PrivateFD, "", "fd00::/8"},
	} {
		for range 50 {
			name := z.Name(c.kind)
			within(t, c.kind, c.v4, z.Addr4(name))
			within(t, c.kind, c.v6, z.Addr6(name))
		}
	}
}

func within(t *testing.T, k nonce.Kind, prefix string, addr netip.Addr) {
	t.Helper()
	if prefix == "" {
		if addr.IsValid() {
			t.Errorf("%s: %s, want none", k, addr)
		}
		return
	}
	if !netip.MustParsePrefix(prefix).Contains(addr) {
		t.Errorf("%s: %s is outside %s", k, addr, prefix)
	}
}

func TestAddressesDependOnNameAndKey(t *testing.T) {
	a, b := zone(t, "one"), zone(t, "two")
	name := a.Name(nonce.Plain)
	if a.Addr6(name) != a.Addr6(strings.ToUpper(name)) {
		t.Error("the case of a name changes its address")
	}
	if a.Addr6(name) == b.Addr6(name) {
		t.Error("the key does not matter")
	}
	if a.Addr6(name) == a.Addr6(a.Name(nonce.Plain)) {
		t.Error("two names have one address")
	}
}

func TestReportRoundTrip(t *testing.T) {
	z := zone(t, "k")
	for _, r := range []nonce.Report{
		{Source: netip.MustParseAddrPort("192.0.2.1:40000"), ID: 1, Time: time.Unix(1767225600, 0)},
		{Source: netip.MustParseAddrPort("[2001:db8::1]:1"), ID: 65535, Sequence: 99, Time: time.Unix(1, 0), Stream: true, EDNS: 1232, DO: true, Cookie: true, Mixed: true},
		{Source: netip.MustParseAddrPort("192.0.2.1:53"), Time: time.Unix(1, 0), Subnet: netip.MustParsePrefix("198.51.100.0/24")},
	} {
		name := z.Name(nonce.Who)
		got, err := nonce.ParseReport(z, name, r.Text(z, name))
		if err != nil {
			t.Errorf("%+v: %v", r, err)
			continue
		}
		if diff := cmp.Diff(r, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
	}
}

func TestReportRefusesForgery(t *testing.T) {
	z, other := zone(t, "k"), zone(t, "other")
	name := z.Name(nonce.Who)
	r := nonce.Report{Source: netip.MustParseAddrPort("192.0.2.1:40000"), ID: 1, Time: time.Unix(5, 0)}
	for what, text := range map[string]string{
		"other key":   r.Text(other, name),
		"other name":  r.Text(z, z.Name(nonce.Who)),
		"altered":     strings.Replace(r.Text(z, name), "p=40000", "p=40001", 1),
		"cut":         r.Text(z, name)[:40],
		"empty":       "",
		"wrong text":  "v=spf1 -all",
		"long":        strings.Repeat("r1 ", 200),
		"no contents": "r1 h=000000000000",
	} {
		if _, err := nonce.ParseReport(z, name, text); !errors.Is(err, nonce.ErrReport) {
			t.Errorf("%s: %v, want ErrReport", what, err)
		}
	}
}

func FuzzParseReport(f *testing.F) {
	z := zone(f, "k")
	const name = "aaaaaaaaaaaaa.who.probe.example.net."
	f.Add(nonce.Report{Source: netip.MustParseAddrPort("192.0.2.1:1")}.Text(z, name))
	f.Add("r1 s=1.2.3.4 h=00")
	f.Fuzz(func(t *testing.T, text string) {
		// Guard the fuzzed text so that the fields behind the digest are reached.
		for _, s := range []string{text, sealed(z, name, text)} {
			r, err := nonce.ParseReport(z, name, s)
			if err == nil && !r.Source.Addr().IsValid() {
				t.Errorf("%q: accepted without a source", s)
			}
		}
	})
}

func sealed(z nonce.Zone, name, body string) string {
	const digits = "0123456789abcdef"
	out := body + " h="
	for _, b := range z.Sum(name, body)[:6] {
		out += string(digits[b>>4]) + string(digits[b&15])
	}
	return out
}
