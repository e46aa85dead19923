package aws_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall/aws"
	"reconshield/internal/firewall/cloud/cloudtest"
)

func readFixture(t *testing.T, name string) *aws.Inventory {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if !aws.Sniff(text[:min(len(text), 4096)]) {
		t.Errorf("%s is not recognised by its head", name)
	}
	inv, err := aws.Read(name, text)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func TestFlowsThroughWhatIsRead(t *testing.T) {
	const dns, admin = "sg-0a1b2c3d4e5f60001", "sg-0a1b2c3d4e5f60002"
	tests := []struct {
		file string
		pick []string
		flow string
		want string
	}{
		{"groups.json", []string{dns}, "198.51.100.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"groups.json", []string{dns}, "2001:db8::7 > 2001:db8::53 udp/53", "REACHABLE"},
		{"groups.json", []string{dns}, "2001:db8::7 > 2001:db8::53 tcp/53", "BLOCKED"},
		{"groups.json", []string{dns}, "198.51.100.7 > 192.0.2.53 tcp/53", "REACHABLE"},
		{"groups.json", []string{dns}, "10.8.0.9 > 192.0.2.53 tcp/22", "BLOCKED"},
		{"groups.json", []string{dns}, "198.51.100.7 > 192.0.2.53 icmp/8", "BLOCKED"},
		{"groups.json", []string{dns}, "2001:db8::7 > 2001:db8::53 icmpv6/128", "REACHABLE"},
		{"groups.json", []string{dns}, "2001:db9::7 > 2001:db8::53 icmpv6/128", "BLOCKED"},
		{"groups.json", []string{"admin"}, "10.8.0.9 > 192.0.2.53 tcp/22", "REACHABLE"},
		{"groups.json", []string{admin}, "198.51.100.7 > 192.0.2.53 tcp/22", "UNDECIDED"},
		{"groups.json", []string{admin}, "198.51.100.7 > 192.0.2.53 esp", "REACHABLE"},
		{"groups.json", []string{admin}, "203.0.113.7 > 192.0.2.53 esp", "BLOCKED"},
		{"groups.json", []string{admin}, "203.0.113.7 > 192.0.2.53 tcp/9050", "UNDECIDED"},
		{"groups.json", []string{admin}, "203.0.113.7 > 192.0.2.53 udp/53", "BLOCKED"},
		{"groups.json", []string{dns, admin}, "203.0.113.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"groups.json", []string{dns, admin}, "10.8.0.9 > 192.0.2.53 tcp/22", "REACHABLE"},
		{"groups.json", []string{dns, admin}, "10.8.0.9 > 192.0.2.53 tcp/80", "BLOCKED"},
		{"groups.json", nil, "198.51.100.7 > 192.0.2.53 udp/53", "UNDECIDED"},
		{"groups.json", nil, "198.51.100.7 > 192.0.2.53 tcp/80", "BLOCKED"},
		{"acls.json", []string{"subnet-0a1b2c3d4e5f60001"}, "198.51.100.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"acls.json", []string{"subnet-0a1b2c3d4e5f60001"}, "203.0.113.7 > 192.0.2.53 udp/53", "BLOCKED"},
		{"acls.json", []string{"acl-0a1b2c3d4e5f60001"}, "198.51.100.7 > 192.0.2.53 tcp/53", "BLOCKED"},
		{"acls.json", []string{"acl-0a1b2c3d4e5f60001"}, "2001:db8::7 > 2001:db8::53 tcp/22", "REACHABLE"},
		{"acls.json", []string{"acl-0a1b2c3d4e5f60001"}, "198.51.100.7 > 192.0.2.53 icmp/8", "REACHABLE"},
		{"acls.json", []string{"acl-0a1b2c3d4e5f60001"}, "198.51.100.7 > 192.0.2.53 icmp/0", "BLOCKED"},
		{"acls.json", []string{"acl-0a1b2c3d4e5f60002"}, "198.51.100.7 > 192.0.2.53 tcp/22", "REACHABLE"},
		{"acls.json", nil, "198.51.100.7 > 192.0.2.53 tcp/22", "UNDECIDED"},
		{"acls.json", nil, "2001:db8::7 > 2001:db8::53 udp/22", "BLOCKED"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.file, tt.pick, tt.flow), func(t *testing.T) {
			if got := cloudtest.Ask(t, readFixture(t, tt.file).Ruleset(tt.pick), tt.flow); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// Chains of a group file and a list file put together must both accept.
func TestGroupsAndListsIntersect(t *testing.T) {
	rs := readFixture(t, "groups.json").Ruleset([]string{"dns"})
	rs.Chains = append(rs.Chains, readFixture(t, "acls.json").Ruleset([]string{"acl-0a1b2c3d4e5f60001"}).Chains...)
	for flow, want := range map[string]string{
		"198.51.100.7 > 192.0.2.53 udp/53":    "REACHABLE",
		"203.0.113.7 > 192.0.2.53 udp/53":     "BLOCKED", // by the list
		"2001:db8::7 > 2001:db8::53 tcp/22":   "BLOCKED", // by the group
		"2001:db8::7 > 2001:db8::53 tcp/5353": "BLOCKED",
	} {
		if got := cloudtest.Ask(t, rs, flow); got != want {
			t.Errorf("%s: got %s, want %s", flow, got, want)
		}
	}
}

func TestLinesOfGroups(t *testing.T) {
	got := cloudtest.Lines(readFixture(t, "groups.json").Ruleset([]string{"admin"}))
	want := []string{
		`security-group "sg-0a1b2c3d4e5f60002 (admin)" line 89 base drop`,
		`  103: ingress tcp 22 from 10.8.0.0/24`,
		`  110: ingress tcp 22 from prefix list pl-0123456789abcdef0 ? which prefixes are in prefix list pl-0123456789abcdef0 is not in this file`,
		`  120: ingress 50 from 198.51.100.0/24`,
		`  132: ingress tcp 9000-9100 from members of sg-0a1b2c3d4e5f60009 ? which addresses the members of security group sg-0a1b2c3d4e5f60009 have is not in this file`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// inGroup wraps one permission into a file.
func inGroup(permission string) string {
	return `{"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [` + permission + `]}]}`
}

// inList wraps one entry into a file.
func inList(text string) string {
	return `{"NetworkAcls": [{"NetworkAclId": "acl-1", "Entries": [` + text + `]}]}`
}

func TestWhatIsNotUnderstoodIsSaid(t *testing.T) {
	const flow = "198.51.100.7 > 192.0.2.53 udp/53"
	tests := []struct {
		name, text string
		want       string // verdict of the flow, or "unparsed"
		why        string
	}{
		{"unknown field of a permission", inGroup(`{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "New": 1}`), "UNDECIDED", `field "New"`},
		{"unknown field of a range", inGroup(`{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "0.0.0.0/0", "New": 1}]}`), "UNDECIDED", `field "New"`},
		{"unknown field of a group", `{"SecurityGroups": [{"GroupId": "sg-1", "Shields": [1]}]}`, "unparsed", `field "Shields"`},
		{"unknown list", `{"SecurityGroups": [{"GroupId": "sg-1"}], "Shields": [1]}`, "unparsed", `field "Shields"`},
		{"unknown protocol", inGroup(`{"IpProtocol": "quic", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}`), "UNDECIDED", `protocol "quic"`},
		{"no protocol", inGroup(`{"IpRanges": [{"CidrIp": "0.0.0.0/0"}]}`), "UNDECIDED", `protocol ""`},
		{"bad source", inGroup(`{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "everywhere"}]}`), "UNDECIDED", `"everywhere": expected`},
		{"source of another type", inGroup(`{"IpProtocol": "-1", "IpRanges": [{"CidrIp": 7}]}`), "UNDECIDED", `expected a string`},
		{"ports of another type", inGroup(`{"IpProtocol": "udp", "FromPort": "22", "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}`), "UNDECIDED", `field "FromPort"`},
		{"ports the wrong way round", inGroup(`{"IpProtocol": "udp", "FromPort": 54, "ToPort": 53, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}`), "UNDECIDED", `ports 54-53`},
		{"ports given twice", inGroup(`{"IpProtocol": "udp", "FromPort": 22, "FromPort": 53, "ToPort": 53, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}`), "UNDECIDED", `more than once`},
		{"ranges of another type", inGroup(`{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": "0.0.0.0/0"}`), "UNDECIDED", `expected a list`},
		{"unknown field without sources", inGroup(`{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "Domains": ["example.net"]}`), "UNDECIDED", `field "Domains"`},
		{"no sources", inGroup(`{"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "IpRanges": []}`), "BLOCKED", ""},
		{"more pages", `{"SecurityGroups": [{"GroupId": "sg-1"}], "NextToken": "abc"}`, "unparsed", "--max-items"},
		{"nothing", `{"SecurityGroups": []}`, "unparsed", "holds no security group"},
		{"entry without direction", inList(`{"RuleNumber": 1, "RuleAction": "allow", "Protocol": "-1", "CidrBlock": "0.0.0.0/0"}`), "unparsed", "Egress"},
		{"entry without number", inList(`{"Egress": false, "RuleAction": "allow", "Protocol": "-1", "CidrBlock": "0.0.0.0/0"}`), "unparsed", "RuleNumber"},
		{"entry with another action", inList(`{"Egress": false, "RuleNumber": 1, "RuleAction": "log", "Protocol": "-1", "CidrBlock": "0.0.0.0/0"}`), "UNDECIDED", ""},
		{"entry without ports", inList(`{"Egress": false, "RuleNumber": 1, "RuleAction": "allow", "Protocol": "17", "CidrBlock": "0.0.0.0/0"}`), "UNDECIDED", "first and a last port"},
		{"entry with an unknown field", inList(`{"Egress": false, "RuleNumber": 1, "RuleAction": "allow", "Protocol": "-1", "CidrBlock": "0.0.0.0/0", "New": 1}`), "UNDECIDED", `"New"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rs, err := aws.Parse("f.json", []byte(tt.text))
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

func TestOtherShapes(t *testing.T) {
	const one = `{"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}`
	for _, text := range []string{one, "[" + one + "]", "\ufeff" + one} {
		rs, err := aws.Parse("f.json", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := cloudtest.Ask(t, rs, "198.51.100.7 > 192.0.2.53 udp/53"); got != "REACHABLE" || len(rs.Unparsed) > 0 {
			t.Errorf("%s: %s, %v", text, got, rs.Unparsed)
		}
	}
}

// Two groups may have one name in two VPCs.
func TestAmbiguousNamesAreNotSure(t *testing.T) {
	rs, err := aws.Read("f.json", []byte(`[
		{"GroupId": "sg-1", "GroupName": "default", "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]},
		{"GroupId": "sg-2", "GroupName": "default", "IpPermissions": []}]`))
	if err != nil {
		t.Fatal(err)
	}
	const flow = "198.51.100.7 > 192.0.2.53 udp/53"
	for pick, want := range map[string]string{"default": "UNDECIDED", "sg-1": "REACHABLE", "sg-2": "BLOCKED"} {
		if got := cloudtest.Ask(t, rs.Ruleset([]string{pick}), flow); got != want {
			t.Errorf("%s: got %s, want %s", pick, got, want)
		}
	}
	if diff := cmp.Diff([]string{"default", "sg-1", "sg-2"}, rs.Names()); diff != "" {
		t.Error(diff)
	}
}

func TestReadErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{``, "f.json:1: expected one JSON document"},
		{"{\n\"a\": 1,\n}", "f.json:3: expected one JSON document"},
		{`{} {}`, "f.json:1: expected one JSON document"},
		{`7`, "f.json:1: expected the JSON of aws ec2"},
		{"[\n{\"a\": 1}]", "f.json:2: expected the JSON of aws ec2"},
		{"\xff\xfe{\x00", "f.json:1: UTF-16 text; save it as UTF-8"},
		{strings.Repeat("[", 20000), "f.json:1: expected one JSON document"},
	}
	for _, tt := range tests {
		_, err := aws.Parse("f.json", []byte(tt.text))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.20q: got %v, want %s", tt.text, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"groups.json", "acls.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(inGroup(`{"IpProtocol": 7, "IpRanges": {}}`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		rs, err := aws.Parse("f", text)
		if (rs == nil) == (err == nil) {
			t.Fatal("expected either a ruleset or an error")
		}
		if err == nil {
			cloudtest.Check(t, rs)
		}
	})
}
