package version

import (
	"errors"
	"testing"

	"reconshield/internal/exposure"
)

func parse(t *testing.T, p exposure.Product, text string) Version {
	t.Helper()
	v, err := Parse(p, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOrder(t *testing.T) {
	tests := []struct {
		product exposure.Product
		order   []string // oldest first, each older than the next
	}{
		{exposure.BIND, []string{"8.4.7-REL", "9.2.2rc1", "9.2.2", "9.4.2", "9.4.2-P1", "9.4.2-P2", "9.4.2-P2.1", "9.4.3b1", "9.4.3", "9.10.0a1", "9.10.0b1", "9.10.0b2", "9.10.0rc1", "9.10.0rc10", "9.10.0", "9.10.0-P1", "9.16.9", "9.16.10"}},
		{exposure.BIND, []string{"9.9.3-S1", "9.9.3-S1-P1", "9.9.4-S1b1", "9.9.4-S1", "9.9.4-S2", "9.11.3-S1", "9.16.50-S1"}},
		{exposure.BIND, []string{"9.4-ESV", "9.4-ESV-R4", "9.4-ESV-R4-P1", "9.4-ESV-R5b1", "9.4-ESV-R5rc1", "9.4-ESV-R5", "9.6-ESV-R1", "9.6-ESV-R11-P2"}},
		{exposure.Dnsmasq, []string{"2.9", "2.63test1", "2.63rc6", "2.63", "2.76", "2.90", "2.93rc1", "2.93"}},
		{exposure.PDNSAuth, []string{"3.3", "3.4.10", "4.0.0-alpha2", "4.0.0-beta1", "4.0.0-rc2", "4.0.0", "4.10.0"}},
		{AdGuardHome, []string{"v0.107.9", "v0.107.52", "v0.108.0-b.5", "v0.108.0-b.55", "v0.108.0"}},
		{MaraDNS, []string{"1.2.12.05", "1.2.12.06", "1.4.06", "2.0.06", "3.5.0022", "3.5.0024"}},
	}
	for _, tt := range tests {
		for i := range tt.order[1:] {
			older, newer := parse(t, tt.product, tt.order[i]), parse(t, tt.product, tt.order[i+1])
			if older.Compare(newer) >= 0 || newer.Compare(older) <= 0 || older.Compare(older) != 0 {
				t.Errorf("%s: %s is not older than %s", tt.product, older, newer)
			}
		}
	}
}

func TestEditions(t *testing.T) {
	tests := []struct {
		text string
		want Edition
	}{
		{"9.16.50", Standard},
		{"9.16.50-P1", Standard},
		{"9.16.50-S1", SupportedPreview},
		{"9.9.3-S1-P1", SupportedPreview},
		{"9.6-ESV-R4", ExtendedSupport},
		{"9.11.4-P2-RedHat-9.11.4-26.P2.el7_9.13", Standard},
		{"9.18.12-SUSE", Standard},
		{"9.16.1-Sx", Standard},
	}
	for _, tt := range tests {
		if got := parse(t, exposure.BIND, tt.text).Edition; got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestBuildersAndSnapshots(t *testing.T) {
	tests := []struct {
		product  exposure.Product
		text     string
		release  string
		builder  string
		snapshot bool
		tracker  string // of CVE-2000-0001
	}{
		{exposure.BIND, "9.18.49", "9.18.49", "", false, ""},
		{exposure.BIND, "9.18.49-1~deb12u3-Debian", "9.18.49", "Debian", false, "https://security-tracker.debian.org/tracker/CVE-2000-0001"},
		{exposure.BIND, "9.18.18-0ubuntu0.22.04.1-Ubuntu", "9.18.18", "Ubuntu", false, "https://ubuntu.com/security/CVE-2000-0001"},
		{exposure.BIND, "9.16.23-RH", "9.16.23", "Red Hat", false, "https://access.redhat.com/security/cve/CVE-2000-0001"},
		{exposure.BIND, "9.16.23-14.el9_3", "9.16.23", "Red Hat", false, "https://access.redhat.com/security/cve/CVE-2000-0001"},
		{exposure.BIND, "9.16.50-150500.8.24.1", "9.16.50", "SUSE", false, "https://www.suse.com/security/cve/CVE-2000-0001.html"},
		{exposure.BIND, "9.18.33-r0", "9.18.33", "Alpine", false, "https://security.alpinelinux.org/vuln/CVE-2000-0001"},
		{exposure.BIND, "9.18.33_1", "9.18.33", "FreeBSD", false, "https://vuxml.freebsd.org/freebsd/index.html"},
		{exposure.BIND, "9.18.0+dfsg-1", "9.18.0", "Debian", false, "https://security-tracker.debian.org/tracker/CVE-2000-0001"},
		{exposure.BIND, "9.18.1-mine", "9.18.1", unknownBuilder, false, ""},
		{exposure.BIND, "9.21.3-dev", "9.21.3", "", true, ""},
		{exposure.BIND, "9.20.5+git20250102", "9.20.5", "", true, ""},
		{exposure.Dnsmasq, "2.90-12-g1234567", "2.90", "", true, ""},
		{exposure.Knot, "3.4.dev.1699000000.abcdef0", "", "", false, ""},
		{exposure.PDNSAuth, "4.2.0-rc2.995.master.g8cc411dc4", "4.2.0-rc2", "", true, ""},
		{exposure.Dnsmasq, "2.80-openwrt", "2.80", "OpenWrt", false, ""},
	}
	for _, tt := range tests {
		v, err := Parse(tt.product, tt.text)
		if tt.release == "" {
			if !errors.Is(err, ErrVersion) {
				t.Errorf("%s: got %+v, %v", tt.text, v, err)
			}
			continue
		}
		if v.Text != tt.release || v.Builder.Name != tt.builder || v.Snapshot != tt.snapshot || v.Builder.TrackerFor("CVE-2000-0001") != tt.tracker {
			t.Errorf("%s: got %s by %q (%s), snapshot %t, %v", tt.text, v.Text, v.Builder.Name, v.Builder.TrackerFor("CVE-2000-0001"), v.Snapshot, err)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for _, text := range []string{"9.18", "9.4-ESV", "9.9.3-S1", "9.11.0rc3", "0"} {
		if _, err := Endpoint(exposure.BIND, text); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{"", "x", "9.11.0.a20151215", "9.9.4 or later", "9.18.1-Debian", "5.7.1-dev"} {
		if v, err := Endpoint(exposure.BIND, text); !errors.Is(err, ErrVersion) {
			t.Errorf("%q: got %+v, %v", text, v, err)
		}
	}
}

func TestFinal(t *testing.T) {
	for text, want := range map[string]string{"2.93rc1": "2.93", "2.93": "2.93", "4.0.0-alpha2": "4.0.0"} {
		if got := parse(t, exposure.PDNSAuth, "4.0.0").Final().Text; got != "4.0.0" {
			t.Errorf("a release has another final form: %s", got)
		}
		p := exposure.Dnsmasq
		if text[0] == '4' {
			p = exposure.PDNSAuth
		}
		if got := parse(t, p, text).Final(); got.Text != want || got.Prerelease() {
			t.Errorf("%s: got %s", text, got.Text)
		}
	}
}

func TestProductNames(t *testing.T) {
	tests := []struct {
		text string
		want exposure.Product
	}{
		{"bind", exposure.BIND},
		{"BIND 9", exposure.BIND},
		{"ISC BIND", exposure.BIND},
		{"named", exposure.BIND},
		{"Unbound", exposure.Unbound},
		{"nsd", exposure.NSD},
		{"knot", exposure.Knot},
		{"Knot DNS", exposure.Knot},
		{"knot-resolver", exposure.KnotRes},
		{"pdns-auth", exposure.PDNSAuth},
		{"powerdns-auth", exposure.PDNSAuth},
		{"pdns_recursor", exposure.PDNSRec},
		{"PowerDNS Recursor", exposure.PDNSRec},
		{"dnsmasq", exposure.Dnsmasq},
		{"windows-dns", exposure.WindowsDNS},
		{"coredns", exposure.CoreDNS},
		{"dnsdist", Dnsdist},
		{"technitium", Technitium},
		{"AdGuard Home", AdGuardHome},
		{"pihole", PiHole},
		{"Pi-hole", PiHole},
		{"pihole-FTL", PiHoleFTL},
		{"maradns", MaraDNS},
	}
	for _, tt := range tests {
		if got, err := Product(tt.text); got != tt.want || err != nil {
			t.Errorf("%q: got %q, %v", tt.text, got, err)
		}
	}
	for _, text := range []string{"", "nginx", "bind 9.16.50", "powerdns"} {
		if got, err := Product(text); !errors.Is(err, ErrProduct) {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}

func FuzzBanner(f *testing.F) {
	for _, s := range []string{"9.18.49-1~deb12u3-Debian", "BIND 9.16.50-S1", "dnsmasq-pi-hole-v2.90", "9.9.3-rpz2+rl.13208.13-P2", "PowerDNS Authoritative Server 4.2.0-rc2.995.master.g8cc411dc4 (built x)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Banner(text)
		if err != nil {
			return
		}
		again, err := Parse(v.Product, v.Text)
		if err != nil || again.Compare(v) != 0 || again.Edition != v.Edition {
			t.Errorf("%q: %s of %s is not read again as itself: %+v, %v", text, v.Text, v.Product, again, err)
		}
		if v.Compare(v.Final()) > 0 {
			t.Errorf("%q: after its final release", text)
		}
	})
}
