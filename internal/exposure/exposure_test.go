package exposure

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The fingerprint is a contract: findings are tracked by it over releases.
func TestFingerprintIsStable(t *testing.T) {
	const want = "9a9d07b8206212ea30d9"
	v4 := netip.MustParseAddr("192.0.2.53")
	base := Fingerprint("XFR-1", v4, 53, "example.net.")
	tests := []struct {
		name string
		got  string
		same bool
	}{
		{"case and closing dot of the subject do not matter", Fingerprint("XFR-1", v4, 53, "Example.NET"), true},
		{"an IPv4-mapped address is the IPv4 address", Fingerprint("XFR-1", netip.MustParseAddr("::ffff:192.0.2.53"), 53, "example.net"), true},
		{"another check", Fingerprint("XFR-2", v4, 53, "example.net"), false},
		{"another address", Fingerprint("XFR-1", netip.MustParseAddr("192.0.2.54"), 53, "example.net"), false},
		{"another port", Fingerprint("XFR-1", v4, 5300, "example.net"), false},
		{"another subject", Fingerprint("XFR-1", v4, 53, "example.com"), false},
	}
	for _, tt := range tests {
		if (tt.got == base) != tt.same {
			t.Errorf("%s: %s and %s", tt.name, tt.got, base)
		}
	}
	if base != want {
		t.Errorf("fingerprint changed: got %s, want %s", base, want)
	}
}

func TestSeverityRank(t *testing.T) {
	order := []Severity{NoSeverity, Critical, HighSev, MediumSev, LowSev, Info, "nonsense"}
	if !slices.IsSortedFunc(order, Severity.Compare) {
		t.Errorf("not in order: %v", order)
	}
	if Severity("nonsense").Rank() != 0 {
		t.Error("an unknown severity has a rank")
	}
}

func TestCompareFindingsPutsTheWorstFirst(t *testing.T) {
	a4, b4 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	want := []Finding{
		{Severity: Critical, Address: b4, ID: "Z"},
		{Severity: HighSev, Address: a4, ID: "A", Port: 53, Subject: "a."},
		{Severity: HighSev, Address: a4, ID: "A", Port: 53, Subject: "b."},
		{Severity: HighSev, Address: a4, ID: "A", Port: 853},
		{Severity: HighSev, Address: a4, ID: "B"},
		{Severity: HighSev, Address: b4, ID: "A"},
		{Severity: Info, Address: a4, ID: "A"},
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, CompareFindings)
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestPortStateJSON(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	target := Target{Addr: netip.MustParseAddr("192.0.2.1"), Transport: UDP, Port: 53}
	tests := []struct {
		name string
		in   Observation
		want string
	}{
		{"answered", Observation{Target: target, State: Open, Reason: ReasonDNSResponse, RTT: 1500 * time.Microsecond, Attempts: 1, At: at}, `{"port":53,"transport":"udp","state":"open","reason":"dns-response","rtt_ms":1.5,"attempts":1,"time":"2026-01-02T03:04:05Z"}`},
		{"silence has no round-trip time", Observation{Target: target, State: OpenFiltered, Reason: ReasonTimeout, Attempts: 3, At: at}, `{"port":53,"transport":"udp","state":"open|filtered","reason":"timeout","rtt_ms":null,"attempts":3,"time":"2026-01-02T03:04:05Z"}`},
	}
	for _, tt := range tests {
		got, err := json.Marshal(PortState{Observation: tt.in})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestTargetText(t *testing.T) {
	tests := []struct{ addr, want string }{
		{"192.0.2.1", "udp/192.0.2.1:53"},
		{"2001:db8::1", "udp/[2001:db8::1]:53"},
	}
	for _, tt := range tests {
		got := Target{Addr: netip.MustParseAddr(tt.addr), Transport: UDP, Port: 53}.String()
		if got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestTransportBase(t *testing.T) {
	for in, want := range map[Transport]Transport{UDP: UDP, TCP: TCP, TLS: TCP, HTTPS: TCP, QUIC: UDP} {
		if got := in.Base(); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
