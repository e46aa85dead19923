package azure_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall/azure"
	"reconshield/internal/firewall/cloud/cloudtest"
)

func readFixture(t *testing.T, name string) *azure.Inventory {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if !azure.Sniff(text[:min(len(text), 4096)]) {
		t.Errorf("%s is not recognised by its head", name)
	}
	inv, err := azure.Read(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func TestFlowsThroughWhatIsRead(t *testing.T) {
	tests := []struct {
		file string
		pick []string
		flow string
		want string
	}{
		{"show.json", nil, "198.51.100.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"show.json", nil, "198.51.100.7 > 192.0.2.53 tcp/53", "REACHABLE"},
		{"show.json", nil, "2001:db8::7 > 2001:db8::53 udp/53", "REACHABLE"},
		{"show.json", nil, "203.0.113.7 > 192.0.2.53 udp/53", "BLOCKED"},
		{"show.json", nil, "2001:db8:bad::7 > 2001:db8::53 udp/53", "BLOCKED"},
		{"show.json", nil, "10.9.0.7 > 192.0.2.53 udp/53", "UNDECIDED"},
		{"show.json", nil, "10.8.0.7 > 192.0.2.53 tcp/22", "REACHABLE"},
		{"show.json", nil, "10.8.0.7 > 192.0.2.53 tcp/8042", "REACHABLE"},
		{"show.json", nil, "198.51.100.7 > 192.0.2.53 tcp/22", "BLOCKED"},
		{"show.json", nil, "198.51.100.7 > 192.0.2.53 udp/161", "UNDECIDED"},
		{"show.json", nil, "198.51.100.9 > 192.0.2.53 esp", "REACHABLE"},
		{"show.json", nil, "198.51.100.8 > 192.0.2.53 esp", "BLOCKED"},
		{"show.json", nil, "198.51.100.8 > 192.0.2.53 icmp/8", "REACHABLE"},
		{"show.json", nil, "2001:db8::7 > 2001:db8::53 icmpv6/128", "UNDECIDED"},
		{"show.json", nil, "198.51.100.8 > 10.1.0.4 tcp/443", "REACHABLE"},
		{"show.json", nil, "198.51.100.8 > 10.1.0.5 tcp/443", "BLOCKED"},
		{"show.json", nil, "198.51.100.8 > 192.0.2.53 tcp/443", "UNDECIDED"},
		{"show.json", nil, "198.51.100.8 > 192.0.2.53 tcp/5432", "UNDECIDED"},
		{"show.json", nil, "168.63.129.16 > 192.0.2.53 tcp/8888", "REACHABLE"},
		{"show.json", nil, "10.1.0.7 > 192.0.2.53 tcp/8888", "UNDECIDED"},
		{"list.json", []string{"subnet-nsg", "ns1-nsg"}, "198.51.100.8 > 192.0.2.53 udp/53", "REACHABLE"},
		{"list.json", []string{"subnet-nsg", "ns1-nsg"}, "198.51.100.8 > 192.0.2.53 tcp/53", "BLOCKED"},
		{"list.json", []string{"subnet-nsg", "ns1-nsg"}, "198.51.100.8 > 192.0.2.53 tcp/80", "BLOCKED"},
		{"list.json", []string{"dns"}, "198.51.100.8 > 192.0.2.53 tcp/80", "REACHABLE"},
		{"list.json", []string{"ns1-nic"}, "198.51.100.8 > 192.0.2.53 tcp/80", "BLOCKED"},
		{"list.json", []string{"ns1-nic"}, "198.51.100.8 > 192.0.2.53 tcp/53", "REACHABLE"},
		{"list.json", []string{"ns1-nic"}, "10.1.0.7 > 192.0.2.53 tcp/22", "BLOCKED"},
		{"list.json", []string{"subnet-nsg"}, "10.1.0.7 > 192.0.2.53 tcp/22", "UNDECIDED"},
		{"list.json", []string{"subnet-nsg"}, "168.63.129.16 > 192.0.2.53 tcp/22", "REACHABLE"},
		{"list.json", nil, "198.51.100.8 > 192.0.2.53 udp/53", "REACHABLE"},
		{"list.json", nil, "198.51.100.8 > 192.0.2.53 tcp/80", "UNDECIDED"},
		{"list.json", nil, "198.51.100.8 > 192.0.2.53 tcp/22", "UNDECIDED"},
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

// With public addresses or routes of its own, the network may be anything.
func TestWideTagsDecideNothing(t *testing.T) {
	inv := readFixture(t, "show.json")
	inv.WideTags = true
	rs := inv.Ruleset(nil)
	for _, flow := range []string{"198.51.100.7 > 192.0.2.53 udp/53", "198.51.100.7 > 192.0.2.53 tcp/22"} {
		if got := cloudtest.Ask(t, rs, flow); got != "UNDECIDED" {
			t.Errorf("%s: got %s", flow, got)
		}
	}
}

func TestLinesOfGroup(t *testing.T) {
	inv := readFixture(t, "list.json")
	got := cloudtest.Lines(inv.Ruleset([]string{"subnet-nsg"}))
	const tag = " ? which addresses the service tag "
	want := []string{
		`network-security-group "subnet-nsg" line 3 base drop`,
		`  13: 100 dns: Allow Udp from * to * port 53`,
		`  34: 110 web: Allow Tcp from * to * port 80,443`,
		`  3: 65000 AllowVnetInBound: Allow * from VirtualNetwork to VirtualNetwork port * (default rule, not in the file)` + tag + `VirtualNetwork stands for is not in this file`,
		`  3: 65001 AllowAzureLoadBalancerInBound: Allow * from AzureLoadBalancer to * port * (default rule, not in the file)`,
		`  3: 65001 AllowAzureLoadBalancerInBound: Allow * from AzureLoadBalancer to * port * (default rule, not in the file)` + tag + `AzureLoadBalancer stands for is not in this file`,
		`  3: 65500 DenyAllInBound: Deny * from * to * port * (default rule, not in the file)`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// inGroup wraps one rule, given by the fields that differ from a rule which
// lets everybody reach port 53 over UDP, into a file.
func inGroup(fields string) string {
	return `{"name": "g", "securityRules": [{"name": "r", "direction": "Inbound", ` + fields + `}], "defaultSecurityRules": [{
		"name": "d", "priority": 65500, "direction": "Inbound", "access": "Deny", "protocol": "*",
		"sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRange": "*"}]}`
}

func TestWhatIsNotUnderstoodIsSaid(t *testing.T) {
	const flow = "198.51.100.7 > 192.0.2.53 udp/53"
	tests := []struct {
		name, text string
		want       string // verdict of the flow, or "unparsed"
		why        string
	}{
		{"all understood", inGroup(`"priority": 1, "access": "allow", "protocol": "UDP", "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRange": "53"`), "REACHABLE", ""},
		{"a range of addresses", inGroup(`"priority": 1, "access": "Allow", "protocol": "Udp", "sourceAddressPrefix": "198.51.100.1-198.51.100.9", "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRange": "53"`), "REACHABLE", ""},
		{"unknown field", inGroup(`"priority": 1, "access": "Allow", "protocol": "Udp", "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRange": "53", "schedule": "night"`), "UNDECIDED", `"schedule"`},
		{"unknown access", inGroup(`"priority": 1, "access": "Audit", "protocol": "Udp", "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRange": "53"`), "UNDECIDED", ""},
		{"unknown protocol", inGroup(`"priority": 1, "access": "Allow", "protocol": "Quic", "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRange": "53"`), "UNDECIDED", `protocol "Quic"`},
		{"bad port", inGroup(`"priority": 1, "access": "Allow", "protocol": "Udp", "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRange": "dns"`), "UNDECIDED", `port "dns"`},
		{"ports of another type", inGroup(`"priority": 1, "access": "Allow", "protocol": "Udp", "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRanges": ["80", 53]`), "UNDECIDED", `list of strings`},
		{"no ports", inGroup(`"priority": 1, "access": "Allow", "protocol": "Udp", "sourceAddressPrefix": "*", "destinationAddressPrefix": "*", "sourcePortRange": "*"`), "UNDECIDED", `ports are not given`},
		{"no sources", inGroup(`"priority": 1, "access": "Allow", "protocol": "Udp", "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRange": "53"`), "UNDECIDED", `names no addresses`},
		{"sources of another type", inGroup(`"priority": 1, "access": "Allow", "protocol": "Udp", "sourceAddressPrefixes": ["10.0.0.0/8", 7], "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRange": "53"`), "UNDECIDED", `list of strings`},
		{"groups of another type", inGroup(`"priority": 1, "access": "Allow", "protocol": "Udp", "sourceAddressPrefix": "10.0.0.0/8", "sourceApplicationSecurityGroups": "web", "destinationAddressPrefix": "*", "sourcePortRange": "*", "destinationPortRange": "53"`), "UNDECIDED", `expected a list`},
		{"no priority", inGroup(`"access": "Deny", "protocol": "Udp"`), "unparsed", "priority"},
		{"unknown direction", `{"securityRules": [{"name": "r", "direction": "Sideways", "priority": 1}]}`, "unparsed", "direction"},
		{"unknown field of a group", `{"name": "g", "securityRules": [], "intents": [1]}`, "unparsed", `"intents"`},
		{"more pages", `{"value": [{"name": "g", "securityRules": []}], "nextLink": "https://example.net/2"}`, "unparsed", "all pages"},
		{"nothing", `[]`, "unparsed", "holds no network security group"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rs, err := azure.Parse("f.json", []byte(tt.text))
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
		{`{"SecurityGroups": []}`, "f.json:1: expected the JSON of az network nsg"},
		{"[{\"securityRules\": []},\n7]", "f.json:2: expected the JSON of az network nsg"},
		{`"x"`, "f.json:1: expected the JSON of az network nsg"},
	}
	for _, tt := range tests {
		if _, err := azure.Parse("f.json", []byte(tt.text)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.text, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"show.json", "list.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(inGroup(`"priority": 1, "sourceAddressPrefixes": ["VirtualNetwork", 7]`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		rs, err := azure.Parse("f", text)
		if (rs == nil) == (err == nil) {
			t.Fatal("expected either a ruleset or an error")
		}
		if err == nil {
			cloudtest.Check(t, rs)
		}
	})
}
