package app

import (
	"net/netip"
	"testing"
	"testing/fstest"

	"reconshield/internal/exposure"
)

func TestPlatformFirewall(t *testing.T) {
	for _, tt := range []struct {
		name    string
		service exposure.Service
		want    string
	}{
		{"MikroTik by its name", exposure.Service{Protocol: "dns", Name: "MikroTik RouterOS"}, "routeros"},
		{"by its CPE", exposure.Service{Protocol: "http", CPE: "cpe:2.3:o:fortinet:fortios:7.4:*:*:*:*:*:*:*"}, "fortios"},
		{"FreeBSD by the banner of SSH", exposure.Service{Protocol: "ssh", Name: "OpenSSH", Banner: "SSH-2.0-OpenSSH_9.7 FreeBSD-20240806"}, "pf"},
		{"OpenSSH is of OpenBSD and runs elsewhere", exposure.Service{Protocol: "ssh", CPE: "cpe:2.3:a:openbsd:openssh:9.6:*:*:*:*:*:*:*", Banner: "SSH-2.0-OpenSSH_9.6p1 Ubuntu-3"}, ""},
		{"Windows DNS", exposure.Service{Protocol: "dns", Product: exposure.WindowsDNS}, "windows"},
		{"Cisco", exposure.Service{Protocol: "snmp", Banner: "Cisco IOS Software, C2900"}, "ios"},
		{"nothing", exposure.Service{Protocol: "dns", Name: "BIND"}, ""},
	} {
		if got := platformFirewall(&tt.service); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		a := exposure.Asset{Address: netip.MustParseAddr("192.0.2.53"), Ports: []exposure.PortState{openPort("192.0.2.53", exposure.TCP, 22)}}
		a.Ports[0].Service = &tt.service
		if d, ok := detectFirewall(&a); d.format != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: detected %+v, %t", tt.name, d, ok)
		}
	}
}

func TestLocalFirewall(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for _, tt := range []struct {
		name, goos string
		root       fstest.MapFS
		want       string
	}{
		{"ufw", "linux", fstest.MapFS{"etc/ufw/ufw.conf": file("# on\nENABLED=yes\nLOGLEVEL=low\n")}, "ufw"},
		{"ufw switched off", "linux", fstest.MapFS{"etc/ufw/ufw.conf": file("ENABLED=no\n")}, ""},
		{"firewalld", "linux", fstest.MapFS{"proc/812/comm": file("firewalld\n"), "proc/1/comm": file("systemd\n")}, "firewalld"},
		{"installed but not running", "linux", fstest.MapFS{"proc/1/comm": file("systemd\n"), "etc/firewalld/firewalld.conf": file("")}, ""},
		{"FreeBSD", "freebsd", fstest.MapFS{}, "pf"},
		{"FreeBSD with ipfw", "freebsd", fstest.MapFS{"etc/rc.conf": file("sshd_enable=\"YES\"\nfirewall_enable=\"YES\"\n")}, "ipfw"},
		{"OpenBSD", "openbsd", fstest.MapFS{}, "pf"},
		{"Windows", "windows", fstest.MapFS{}, "windows"},
	} {
		if d, ok := localFirewall(tt.root, tt.goos); d.format != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: %+v, %t", tt.name, d, ok)
		}
	}
}

// A host whose firewall is known gets advice for it, before the general rules.
func TestFixesForTheDetectedFirewall(t *testing.T) {
	a := exposure.Asset{Address: netip.MustParseAddr("192.0.2.53"), Ports: []exposure.PortState{openPort("192.0.2.53", exposure.TCP, 8291)}}
	a.Ports[0].Service = &exposure.Service{Protocol: "unknown", Name: "MikroTik RouterOS"}
	a.Findings = []exposure.Finding{{ID: "X-1", Severity: exposure.HighSev, Address: a.Address, Port: 8291, Transports: []exposure.Transport{exposure.TCP}}}
	addFirewall(&a)
	if got := a.Findings[0].Fix; len(got) != 3 || got[0].For != "MikroTik RouterOS" {
		t.Errorf("fixes %+v", got)
	}
}
