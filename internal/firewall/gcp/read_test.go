package gcp_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall/cloud/cloudtest"
	"reconshield/internal/firewall/gcp"
)

func readFixture(t *testing.T, name string) *gcp.Inventory {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if !gcp.Sniff(text[:min(len(text), 4096)]) {
		t.Errorf("%s is not recognised by its head", name)
	}
	inv, err := gcp.Read(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func TestFlowsThroughWhatIsRead(t *testing.T) {
	const web = "web@example-project.iam.gserviceaccount.com"
	tests := []struct {
		file string
		pick []string
		flow string
		want string
	}{
		{"default.json", nil, "198.51.100.7 > 192.0.2.53 udp/53", "UNDECIDED"},
		{"default.json", []string{"dns"}, "198.51.100.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"default.json", []string{"dns"}, "198.51.100.7 > 192.0.2.53 tcp/853", "REACHABLE"},
		{"default.json", []string{"dns"}, "2001:db8::7 > 2001:db8::53 udp/53", "REACHABLE"},
		{"default.json", []string{"dns"}, "2001:db8::7 > 2001:db8::53 tcp/53", "BLOCKED"},
		{"default.json", []string{web}, "198.51.100.7 > 192.0.2.53 udp/53", "BLOCKED"},
		{"default.json", []string{"dns"}, "203.0.113.7 > 192.0.2.53 udp/53", "BLOCKED"},
		{"default.json", nil, "203.0.113.7 > 192.0.2.53 tcp/80", "BLOCKED"},
		{"default.json", nil, "198.51.100.7 > 192.0.2.53 tcp/80", "BLOCKED"},
		{"default.json", nil, "198.51.100.7 > 192.0.2.53 tcp/443", "UNDECIDED"},
		{"default.json", []string{web}, "198.51.100.7 > 192.0.2.53 tcp/443", "REACHABLE"},
		{"default.json", []string{"dns"}, "198.51.100.7 > 192.0.2.53 tcp/443", "BLOCKED"},
		{"default.json", nil, "10.130.0.7 > 192.0.2.53 udp/161", "REACHABLE"},
		{"default.json", nil, "10.130.0.7 > 192.0.2.53 icmp/8", "REACHABLE"},
		{"default.json", nil, "10.130.0.7 > 192.0.2.53 esp", "BLOCKED"},
		{"default.json", nil, "10.8.0.7 > 192.0.2.53 tcp/22", "REACHABLE"},
		{"default.json", nil, "198.51.100.7 > 192.0.2.53 tcp/22", "UNDECIDED"},
		{"default.json", nil, "198.51.100.7 > 10.1.2.3 tcp/8443", "REACHABLE"},
		{"default.json", nil, "198.51.100.7 > 10.2.2.3 tcp/8443", "BLOCKED"},
		{"default.json", nil, "198.51.100.7 > 192.0.2.53 tcp/8443", "UNDECIDED"},
		{"networks.json", nil, "198.51.100.7 > 192.0.2.53 tcp/443", "UNDECIDED"},
		{"networks.json", nil, "198.51.100.7 > 192.0.2.53 tcp/22", "BLOCKED"},
		{"networks.json", []string{"front"}, "198.51.100.7 > 192.0.2.53 tcp/443", "REACHABLE"},
		{"networks.json", []string{"back"}, "198.51.100.7 > 192.0.2.53 tcp/443", "BLOCKED"},
		{"networks.json", []string{"back"}, "10.0.0.1 > 192.0.2.53 tcp/5432", "REACHABLE"},
		{"networks.json", []string{"dark"}, "10.0.0.1 > 192.0.2.53 tcp/5432", "BLOCKED"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.file, tt.pick, tt.flow), func(t *testing.T) {
			rs := readFixture(t, tt.file).Ruleset(tt.pick)
			if got := cloudtest.Ask(t, rs, tt.flow); got != tt.want {
				t.Errorf("got %s, want %s\n%s", got, tt.want, strings.Join(cloudtest.Lines(rs), "\n"))
			}
			if len(rs.Unparsed) > 0 {
				t.Error(rs.Unparsed)
			}
		})
	}
}

func TestLinesOfNetworks(t *testing.T) {
	got := cloudtest.Lines(readFixture(t, "networks.json").Ruleset(nil))
	const doubt = " stands before the asset is not in this file; name it with --group"
	want := []string{
		`vpc-firewall "the asset's network" line 2 base drop`,
		`  2: network front ? whether network front` + doubt,
		`  28: network back ? whether network back` + doubt,
		`  54: network dark ? whether network dark` + doubt,
		`vpc-firewall "front" line 2`,
		`  2: 1000 a: allow tcp 443 from 0.0.0.0/0`,
		`  2: implied deny of network front`,
		`vpc-firewall "back" line 28`,
		`  28: 1000 b: allow tcp 5432 from 10.0.0.0/8`,
		`  28: implied deny of network back`,
		`vpc-firewall "dark" line 54`,
		`  54: implied deny of network dark`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// inList wraps one rule into a file.
func inList(fields string) string {
	return `[{"name": "r", "network": "global/networks/n", ` + fields + `}]`
}

func TestWhatIsNotUnderstoodIsSaid(t *testing.T) {
	const flow = "198.51.100.7 > 192.0.2.53 udp/53"
	tests := []struct {
		name, text string
		want       string // verdict of the flow, or "unparsed"
		why        string
	}{
		{"all understood", inList(`"allowed": [{"IPProtocol": "17", "ports": ["53"]}]`), "REACHABLE", ""},
		{"unknown field", inList(`"allowed": [{"IPProtocol": "17"}], "schedule": "night"`), "UNDECIDED", `"schedule"`},
		{"unknown field of a protocol", inList(`"allowed": [{"IPProtocol": "17", "flags": "syn"}]`), "UNDECIDED", `"flags"`},
		{"unknown protocol", inList(`"allowed": [{"IPProtocol": "quic"}]`), "UNDECIDED", `protocol "quic"`},
		{"bad port", inList(`"allowed": [{"IPProtocol": "udp", "ports": ["dns"]}]`), "UNDECIDED", `port "dns"`},
		{"ports of another type", inList(`"allowed": [{"IPProtocol": "udp", "ports": ["80", 53]}]`), "UNDECIDED", `list of strings`},
		{"ports of a protocol without", inList(`"allowed": [{"IPProtocol": "esp", "ports": ["53"]}]`), "BLOCKED", `has no ports`},
		{"bad range", inList(`"allowed": [{"IPProtocol": "udp"}], "sourceRanges": ["10.0.0.0/8", "all"]`), "UNDECIDED", `"all": expected`},
		{"range of another type", inList(`"allowed": [{"IPProtocol": "udp"}], "sourceRanges": ["10.0.0.0/8", 7]`), "UNDECIDED", `list of strings`},
		{"ranges given twice", inList(`"allowed": [{"IPProtocol": "udp"}], "sourceRanges": ["10.0.0.0/8"], "sourceRanges": ["0.0.0.0/0"]`), "UNDECIDED", `more than once`},
		{"priority of another type", inList(`"allowed": [{"IPProtocol": "udp"}], "priority": "high"`), "unparsed", `priority`},
		{"both allowed and denied", inList(`"allowed": [{"IPProtocol": "udp"}], "denied": [{"IPProtocol": "udp"}]`), "unparsed", `either allowed or denied`},
		{"unknown direction", inList(`"allowed": [{"IPProtocol": "udp"}], "direction": "UP"`), "unparsed", `direction`},
		{"nothing", `[]`, "unparsed", "holds no firewall rule"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rs, err := gcp.Parse("f.json", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			got := "unparsed"
			if len(rs.Unparsed) == 0 {
				got = cloudtest.Ask(t, rs, flow)
			}
			lines := strings.Join(cloudtest.Lines(rs), "\n")
			if got != tt.want || !strings.Contains(lines, tt.why) {
				t.Errorf("got %s, want %s with %q in\n%s", got, tt.want, tt.why, lines)
			}
		})
	}
}

func TestReadErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{``, "f.json:1: expected one JSON document"},
		{`{"SecurityGroups": []}`, "f.json:1: expected the JSON of gcloud"},
		{"[\n7]", "f.json:2: expected the JSON of gcloud"},
	}
	for _, tt := range tests {
		if _, err := gcp.Parse("f.json", []byte(tt.text)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.text, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"default.json", "networks.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(inList(`"allowed": [{"IPProtocol": "udp", "ports": "53"}], "targetTags": [7]`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		rs, err := gcp.Parse("f", text)
		if (rs == nil) == (err == nil) {
			t.Fatal("expected either a ruleset or an error")
		}
		if err == nil {
			cloudtest.Check(t, rs)
		}
	})
}
