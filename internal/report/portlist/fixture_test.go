package portlist

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
)

var update = flag.Bool("update", false, "write the golden files anew")

// hostile is what a server may say of itself.
const hostile = "=cmd|'/c calc'!A0\x1b[2J\x1b]0;owned\a\r\n</host><script>\"'&\u202e\u200b\xff]}"

var began = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// row is one verdict in the short form the tests use; number n of the run.
func row(n int, addr string, port uint16, transport exposure.Transport, state exposure.State,
	reason exposure.Reason, rtt time.Duration,
) exposure.Observation {
	return exposure.Observation{
		Target: exposure.Target{Addr: netip.MustParseAddr(addr), Transport: transport, Port: port},
		State:  state, Reason: reason, RTT: rtt, Attempts: 1, At: began.Add(time.Duration(n) * 1234567 * time.Nanosecond),
	}
}

func sampleRows() []exposure.Observation {
	const ms = time.Millisecond
	rows := []exposure.Observation{
		row(1, "192.0.2.10", 443, exposure.TCP, exposure.Open, exposure.ReasonSynAck, 400*time.Microsecond),
		row(2, "192.0.2.7", 53, exposure.UDP, exposure.Open, exposure.ReasonDNSResponse, 12345*time.Microsecond),
		row(3, "2001:db8::53", 53, exposure.TCP, exposure.Open, exposure.ReasonSynAck, 38*ms),
		row(4, "192.0.2.10", 22, exposure.TCP, exposure.Open, exposure.ReasonSynAck, 0),
		row(5, "192.0.2.10", 0, exposure.TCP, exposure.Closed, exposure.ReasonReset, 9*time.Microsecond),
		row(6, "192.0.2.9", 161, exposure.UDP, exposure.OpenFiltered, exposure.ReasonTimeout, 0),
		row(7, "192.0.2.10", 65535, exposure.UDP, exposure.Filtered, exposure.ReasonAdminProhibited, 1200*ms),
		row(8, "192.0.2.200", 80, exposure.TCP, exposure.Unmeasured, exposure.ReasonNoRoute, 0),
		row(9, "198.51.100.255", 8080, exposure.TCP, exposure.Open, exposure.ReasonSynAck, 3*ms),
	}
	rows[1].Service = &exposure.Service{
		Protocol: "dns", Product: exposure.BIND, Version: "9.18.24", CPE: "cpe:2.3:a:isc:bind:9.18.24:*:*:*:*:*:*:*",
		Confidence: exposure.High, How: "version.bind", Banner: "9.18.24-1-Debian",
	}
	rows[2].Vantage = "office"
	rows[3].Service = &exposure.Service{
		Protocol: "ssh", Name: hostile, Version: hostile, Confidence: exposure.Low, How: "banner", Banner: hostile, Details: []string{hostile},
	}
	rows[3].Detail, rows[3].Attempts = hostile, 3
	rows[7].Detail = "no route to host"
	rows[8].Labels = []exposure.Label{exposure.LabelAcceptsAll}
	return rows
}

func sampleSummary() Summary {
	c := 0.999816
	return Summary{
		Tool: "reconshield", Version: "1.2.3", Mode: "raw", Started: began, DurationS: 0.431, Scope: []string{"192.0.2.0/24"},
		Ports: "T:0-65535,U:53", Show: "all", Seed: 18446744073709551615, Addresses: 256, Answered: 5, Targets: 65537, Measured: 65530,
		Undecided: 7,
		States: map[exposure.State]uint64{
			exposure.Open: 5, exposure.Closed: 65512, exposure.Filtered: 12, exposure.OpenFiltered: 1,
		},
		ProbesSent: 65860, Replies: 65530, Retransmitted: 323, Attempts: 3, Recovered: 12, Lost: 12, Forged: 2,
		Completeness: &c, MinCompleteness: 0.99,
		Notes: []string{"192.0.2.10 limits its ICMP errors to about 1 a second; its closed UDP ports were asked slowly."},
	}
}

func sampleOptions() Options {
	return Options{
		Tool: "reconshield", Version: "1.2.3", Args: []string{"reconshield", "scan", "192.0.2.0/24", "--format", "xml"}, Started: began,
		Mode: "raw", Scope: []string{"192.0.2.0/24"}, TCP: "0-65535", UDP: "53",
		Names: func(a netip.Addr) []string {
			if a == netip.MustParseAddr("192.0.2.7") {
				return []string{"ns1.example.com"}
			}
			return nil
		},
		Registered: registry,
	}
}

// registry names some ports, as the registry does.
func registry(port uint16, t exposure.Transport) string {
	switch {
	case port == 53:
		return "domain"
	case port == 161 && t == exposure.UDP:
		return "snmp"
	case port == 8080:
		return "http-alt"
	case port == 443:
		return "https"
	}
	return ""
}

// written gives what a stream gets.
func written(t *testing.T, format Format, rows []exposure.Observation, opts Options, s *Summary) string {
	t.Helper()
	var b bytes.Buffer
	w, err := New(format, &b, opts)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, rows, s)
	return b.String()
}

// fill writes rows and, unless nil, the summary, and closes w.
func fill(t *testing.T, w Writer, rows []exposure.Observation, s *Summary) {
	t.Helper()
	for _, o := range rows {
		if err := w.Port(o); err != nil {
			t.Fatal(err)
		}
	}
	if s != nil {
		if err := w.End(*s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// file gives what a file of that name holds after a run.
func file(t *testing.T, format Format, path string, rows []exposure.Observation, opts Options, s *Summary) string {
	t.Helper()
	w, err := Open(format, path, opts)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, w, rows, s)
	return content(t, path)
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want := content(t, path)
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s differs (-update writes it anew):\n%s", name, diff)
	}
}
