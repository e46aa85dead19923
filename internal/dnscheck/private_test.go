package dnscheck

import (
	"net/netip"
	"testing"

	"reconshield/internal/dialogue"
	"reconshield/internal/dnswire"
)

func TestJudgePrivate(t *testing.T) {
	t.Parallel()
	public, inside := netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("10.0.0.53")
	for _, tt := range []struct {
		name, words, record string
		server              netip.Addr
		want                string
	}{
		{"public", "NOERROR aa", "www.example.test. 1 IN A 192.0.2.1", public, "pass"},
		{"10/8", "NOERROR aa", "www.example.test. 1 IN A 10.1.2.3", public, "fail"},
		{"172.16/12", "NOERROR aa", "www.example.test. 1 IN A 172.31.2.3", public, "fail"},
		{"just outside", "NOERROR aa", "www.example.test. 1 IN A 172.32.2.3", public, "pass"},
		{"192.168/16", "NOERROR aa", "www.example.test. 1 IN A 192.168.1.1", public, "fail"},
		{"shared", "NOERROR aa", "www.example.test. 1 IN A 100.64.0.1", public, "fail"},
		{"loopback", "NOERROR aa", "www.example.test. 1 IN A 127.0.0.1", public, "fail"},
		{"unique local", "NOERROR aa", "www.example.test. 1 IN AAAA fd00::1", public, "fail"},
		{"link-local", "NOERROR aa", "www.example.test. 1 IN AAAA fe80::1", public, "fail"},
		{"mapped", "NOERROR aa", "www.example.test. 1 IN AAAA ::ffff:10.0.0.1", public, "fail"},
		{"domain controllers", "NOERROR aa", "_ldap._tcp.dc._msdcs.example.test. 1 IN SRV 0 1 389 dc1.example.test.", public, "fail medium"},
		{"inside server", "NOERROR aa", "www.example.test. 1 IN A 10.1.2.3", inside, "fail info medium"},
		{"not its own", "NOERROR ra", "www.example.test. 1 IN A 10.1.2.3", public, "pass"},
		{"silence", "-", "", public, "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := answerTo(t, question("www.example.test", dnswire.TypeA), "-")
			if tt.words != "-" {
				a = answerTo(t, question("www.example.test", dnswire.TypeA), tt.words, tt.record)
			}
			shows(t, judgePrivate([]dialogue.Answer{a}, testZone(t), tt.server), tt.want)
		})
	}
}

func TestJudgePrivateReverse(t *testing.T) {
	t.Parallel()
	const ten = "10.in-addr.arpa."
	for _, tt := range []struct {
		name, words, record, want string
	}{
		{"kept", "NOERROR aa", ten + " 1 IN SOA dc1.corp.test. admin.corp.test. 9 1 1 1 1", "fail medium"},
		{"empty, as BIND", "NOERROR aa", "10.IN-ADDR.ARPA. 1 IN SOA 10.IN-ADDR.ARPA. . 0 28800 7200 604800 86400", "pass"},
		{"empty, as Unbound", "NOERROR aa", ten + " 1 IN SOA localhost. nobody.invalid. 1 3600 1200 604800 10800", "pass"},
		{"AS112", "NOERROR aa", ten + " 1 IN SOA prisoner.iana.org. hostmaster.root-servers.org. 1 1 1 1 1", "pass"},
		{"not its own", "NOERROR ra", ten + " 1 IN SOA dc1.corp.test. admin.corp.test. 9 1 1 1 1", "pass"},
		{"refused", "REFUSED", "", "pass"},
		{"silence", "-", "", "not-tested"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var records []string
			if tt.record != "" {
				records = []string{tt.record}
			}
			out := judgePrivateReverse([]dialogue.Answer{answerTo(t, question(ten, dnswire.TypeSOA), tt.words, records...)}, netip.MustParseAddr("192.0.2.53"))
			if len(out) != 1 {
				t.Fatalf("%d outcomes", len(out))
			}
			shows(t, out[0], tt.want)
		})
	}
}
