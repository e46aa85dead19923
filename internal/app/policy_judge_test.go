package app

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/policy"
)

const judgedPolicy = `
zones:
  wan: {interfaces: [eth0]}
  lan: {interfaces: [eth1], networks: [10.0.0.0/16], vantage: probe}
  vpn: {interfaces: [wg0], networks: [10.8.0.0/24], tunnel: wireguard}
assets:
  - name: ns1
    addresses: [192.0.2.53]
    role: authoritative-dns
    owner: dns@example.net
    expose: [{ports: [22/tcp], to: [vpn]}]
  - {name: app, addresses: [192.0.2.80], owner: ops@example.net, firewall: iptables, expose: [{ports: [8000/tcp], to: [lan]}]}
  - {name: sw, addresses: [192.0.2.81], owner: ops@example.net, firewall: nonsense}
exceptions:
  - {asset: app, ports: [9153/tcp], to: [lan], why: metrics, owner: ops@example.net, until: 2027-03-31}
`

func judgeOf(t *testing.T, zone string, at time.Time) *judge {
	t.Helper()
	p, err := policy.Parse("p.yaml", []byte(judgedPolicy))
	if err != nil {
		t.Fatal(err)
	}
	z, ok := p.Zone(zone)
	if !ok {
		t.Fatalf("no zone %s", zone)
	}
	return &judge{policy: p, zone: z, at: at}
}

func openPort(addr string, via exposure.Transport, port uint16) exposure.PortState {
	return exposure.PortState{Observation: exposure.Observation{
		Target: exposure.Target{Addr: netip.MustParseAddr(addr), Transport: via, Port: port}, State: exposure.Open, Reason: exposure.ReasonSynAck,
	}}
}

func TestJudgeFindsWhatThePolicyDenies(t *testing.T) {
	day := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		zone, addr string
		via        exposure.Transport
		port       uint16
		at         time.Time
		want       string // severity of the finding, or what the port is marked with
	}{
		{"wan", "192.0.2.53", exposure.UDP, 53, day, "expected: role authoritative-dns: 53/udp from wan"},
		{"wan", "192.0.2.53", exposure.TCP, 22, day, "critical"},
		{"wan", "192.0.2.53", exposure.TCP, 8000, day, "high"},
		{"wan", "192.0.2.80", exposure.TCP, 80, day, "high"},
		{"wan", "192.0.2.53", exposure.TCP, 80, day, "critical"}, // the web console of a DNS server
		{"lan", "192.0.2.53", exposure.TCP, 22, day, "high"},
		{"lan", "192.0.2.53", exposure.TCP, 8000, day, "medium"},
		{"lan", "192.0.2.80", exposure.TCP, 8000, day, "expected: expose: 8000/tcp to lan"},
		{"lan", "192.0.2.80", exposure.TCP, 9153, day, "expected: exception until 2027-03-31 for metrics: 9153/tcp to lan"},
		{"lan", "192.0.2.80", exposure.TCP, 9153, day.AddDate(0, 2, 0), "high"},
		{"vpn", "192.0.2.53", exposure.TCP, 22, day, "expected: expose: 22/tcp to vpn"},
		{"wan", "198.51.100.1", exposure.TCP, 80, day, "high"},
	}
	for _, tt := range tests {
		a := exposure.Asset{Address: netip.MustParseAddr(tt.addr), Ports: []exposure.PortState{openPort(tt.addr, tt.via, tt.port)}}
		judgeOf(t, tt.zone, tt.at).asset(&a)
		got := a.Ports[0].Detail
		if len(a.Findings) > 0 {
			got = string(a.Findings[0].Severity)
		}
		if got != tt.want || len(a.Findings) > 1 {
			t.Errorf("%s/%d of %s from %s: %q and %d findings, want %q", tt.via, tt.port, tt.addr, tt.zone, got, len(a.Findings), tt.want)
		}
		if len(a.Findings) == 1 && (a.Findings[0].ID != PolicyCheck || len(a.Findings[0].Fix) == 0) {
			t.Errorf("%s/%d of %s: %+v", tt.via, tt.port, tt.addr, a.Findings[0])
		}
	}
}

// Both transports of a port are one finding; closed and silent ports are none.
func TestJudgeJoinsTransports(t *testing.T) {
	a := exposure.Asset{Address: netip.MustParseAddr("192.0.2.80"), Ports: []exposure.PortState{
		openPort("192.0.2.80", exposure.TCP, 53), openPort("192.0.2.80", exposure.UDP, 53), openPort("192.0.2.80", exposure.TCP, 1),
	}}
	a.Ports[2].State = exposure.OpenFiltered
	judgeOf(t, "wan", time.Now()).asset(&a)
	if len(a.Findings) != 1 || len(a.Findings[0].Transports) != 2 {
		t.Errorf("%+v", a.Findings)
	}
}

func TestJudgeRemedies(t *testing.T) {
	weak := func(addr string, port uint16) exposure.Finding {
		return exposure.Finding{
			ID: "REC-1", Severity: exposure.HighSev, Address: netip.MustParseAddr(addr), Port: port, Transports: []exposure.Transport{exposure.UDP},
			Fix: []exposure.Fix{{Kind: "configuration", For: "BIND 9"}, {Kind: "firewall", For: "the general rule"}},
		}
	}
	tests := []struct {
		name, addr string
		port       uint16
		want       []string // For of each fix
		lines      string   // in one of them
	}{
		{"allowed by the policy", "192.0.2.53", 53, []string{"BIND 9", "any firewall"}, ""},
		{"the usual firewall", "192.0.2.53", 5353, []string{"BIND 9", "nftables"}, "table inet reconshield"},
		{"the firewall of the policy", "192.0.2.80", 53, []string{"BIND 9", "iptables and ip6tables", "iptables and ip6tables"}, "*filter"},
		{"a firewall that nobody knows", "192.0.2.81", 53, []string{"BIND 9", "nonsense"}, ""},
		{"no asset of the policy", "198.51.100.1", 53, []string{"BIND 9", "nftables", "iptables"}, "198.51.100.1"},
	}
	for _, tt := range tests {
		a := exposure.Asset{Address: netip.MustParseAddr(tt.addr), Findings: []exposure.Finding{weak(tt.addr, tt.port)}}
		judgeOf(t, "wan", time.Now()).asset(&a)
		var got []string
		for _, x := range a.Findings[0].Fix {
			got = append(got, x.For)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		if !slices.ContainsFunc(a.Findings[0].Fix, func(x exposure.Fix) bool { return strings.Contains(x.Lines, tt.lines) }) {
			t.Errorf("%s: no lines with %q", tt.name, tt.lines)
		}
	}
}

func TestNoJudgeChangesNothing(t *testing.T) {
	a := exposure.Asset{Address: netip.MustParseAddr("192.0.2.53"), Ports: []exposure.PortState{openPort("192.0.2.53", exposure.TCP, 22)}}
	before := fmt.Sprintf("%+v", a)
	(*judge)(nil).asset(&a)
	if got := fmt.Sprintf("%+v", a); got != before {
		t.Error(got)
	}
}
