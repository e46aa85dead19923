package terraform_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/firewall/cloud/cloudtest"
	"reconshield/internal/firewall/terraform"
)

func text(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func read(t *testing.T, name string) *terraform.Inventory {
	t.Helper()
	b := text(t, name)
	if !terraform.Sniff(b[:min(len(b), 4096)]) {
		t.Errorf("%s is not recognised by its head", name)
	}
	inv, err := terraform.Read(name, b)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func TestFlows(t *testing.T) {
	const list = "aws_network_acl.main"
	tests := []struct {
		file string
		pick []string
		flow string
		want string
	}{
		{"aws-plan.json", []string{"aws_security_group.dns", list}, "198.51.100.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"aws-plan.json", []string{"aws_security_group.dns", list}, "203.0.113.7 > 192.0.2.53 udp/53", "BLOCKED"},
		{"aws-plan.json", []string{"aws_security_group.dns", list}, "198.51.100.7 > 192.0.2.53 tcp/53", "BLOCKED"},
		{"aws-plan.json", []string{"aws_security_group.dns", list}, "198.51.100.7 > 192.0.2.53 tcp/22", "BLOCKED"},
		{"aws-plan.json", []string{"aws_security_group.vague"}, "198.51.100.7 > 192.0.2.53 tcp/443", "UNDECIDED"},
		{"aws-plan.json", []string{"aws_security_group.vague"}, "198.51.100.7 > 192.0.2.53 udp/53", "BLOCKED"},
		{"aws-plan.json", []string{"module.web[0].aws_security_group.this"}, "198.51.100.7 > 192.0.2.53 tcp/443", "REACHABLE"},
		{"aws-plan.json", []string{"web"}, "192.0.2.7 > 192.0.2.53 tcp/443", "BLOCKED"},
		{"aws-plan.json", []string{"aws_instance.ns1"}, "198.51.100.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"aws-plan.json", []string{"aws_instance.ns1"}, "198.51.100.7 > 192.0.2.53 tcp/443", "BLOCKED"},
		{"aws-plan.json", nil, "198.51.100.7 > 192.0.2.53 udp/53", "UNDECIDED"},
		{"aws-state.json", []string{"sg-1"}, "2001:db8::7 > 2001:db8::53 udp/53", "REACHABLE"},
		{"aws-state.json", []string{"sg-1"}, "10.8.0.7 > 192.0.2.53 tcp/22", "REACHABLE"},
		{"aws-state.json", []string{"aws_instance.ns1"}, "198.51.100.7 > 192.0.2.53 tcp/22", "BLOCKED"},
		{"aws-state.json", []string{"sg-9"}, "10.8.0.7 > 192.0.2.53 tcp/443", "REACHABLE"},
		{"aws-state.json", []string{"sg-9"}, "10.8.0.7 > 192.0.2.53 tcp/22", "UNDECIDED"},
		{"azure-plan.json", nil, "198.51.100.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"azure-plan.json", nil, "10.8.0.7 > 192.0.2.53 tcp/22", "REACHABLE"},
		{"azure-plan.json", nil, "10.9.0.7 > 192.0.2.53 tcp/22", "BLOCKED"},
		{"azure-plan.json", nil, "10.9.0.7 > 192.0.2.53 tcp/443", "UNDECIDED"},
		{"google-plan.json", []string{"dns"}, "198.51.100.7 > 192.0.2.53 udp/53", "REACHABLE"},
		{"google-plan.json", []string{"google_compute_instance.ns1"}, "198.51.100.7 > 192.0.2.53 tcp/53", "REACHABLE"},
		{"google-plan.json", nil, "198.51.100.7 > 192.0.2.53 udp/53", "UNDECIDED"},
		{"google-plan.json", []string{"dns"}, "203.0.113.7 > 192.0.2.53 udp/53", "BLOCKED"},
		{"google-plan.json", nil, "198.51.100.7 > 192.0.2.53 tcp/22", "UNDECIDED"},
		{"google-plan.json", nil, "2001:db8::7 > 2001:db8::53 tcp/443", "UNDECIDED"},
		{"google-plan.json", nil, "198.51.100.7 > 192.0.2.53 tcp/80", "BLOCKED"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.file, tt.pick, tt.flow), func(t *testing.T) {
			rs := read(t, tt.file).Ruleset(tt.pick)
			if got := cloudtest.Ask(t, rs, tt.flow); got != tt.want {
				t.Errorf("got %s, want %s\n%s", got, tt.want, strings.Join(cloudtest.Lines(rs), "\n"))
			}
			if len(rs.Unparsed) > 0 {
				t.Error(rs.Unparsed)
			}
			cloudtest.Check(t, rs)
		})
	}
}

func TestLines(t *testing.T) {
	got := cloudtest.Lines(read(t, "aws-state.json").Ruleset([]string{"sg-1"}))
	want := []string{
		`security-group "sg-1 (aws_security_group.dns)" line 1 base drop`,
		`  1: aws_security_group.dns: ingress udp 53 from 0.0.0.0/0`,
		`  1: aws_security_group.dns: ingress udp 53 from ::/0`,
		`  1: aws_vpc_security_group_ingress_rule.ssh["vpn"]: ingress tcp 22 from 10.8.0.0/24`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNames(t *testing.T) {
	want := []string{"aws_instance.ns1", "aws_security_group.dns", "dns", "sg-1", "sg-9"}
	if diff := cmp.Diff(want, read(t, "aws-state.json").Names()); diff != "" {
		t.Error(diff)
	}
}

// A route for everything widens the tag VirtualNetwork to everything.
func TestRoutesWidenAzuresTags(t *testing.T) {
	plan := string(text(t, "azure-plan.json"))
	route := `{"address": "azurerm_route.all", "mode": "managed", "type": "azurerm_route", "name": "all", "values": {"address_prefix": "0.0.0.0/0"}},`
	wide := strings.Replace(plan, `"resources": [`, `"resources": [`+route, 1)
	wide = strings.ReplaceAll(wide, `"priority": 4096`, `"priority": 65100`)
	const flow = "198.51.100.7 > 192.0.2.53 tcp/80"
	for text, want := range map[string]string{plan: "BLOCKED", wide: "UNDECIDED"} {
		rs, err := terraform.Parse("f.json", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := cloudtest.Ask(t, rs, flow); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// plan wraps resources, their changes and their configuration into a plan.
func plan(resources, changes, configuration string) []byte {
	return []byte(`{"format_version": "1.2", "planned_values": {"root_module": {"resources": [` + resources + `]}},
		"resource_changes": [` + changes + `], "configuration": {"root_module": {"resources": [` + configuration + `]}}}`)
}

func resource(kind, name, values string) string {
	return fmt.Sprintf(`{"address": "%s.%s", "mode": "managed", "type": %[1]q, "name": %[2]q, "values": %[3]s}`, kind, name, values)
}

func change(kind, name, action, unknown string) string {
	return fmt.Sprintf(`{"address": "%s.%s", "type": %[1]q, "change": {"actions": [%[3]q], "after_unknown": %[4]s}}`, kind, name, action, unknown)
}

func configuration(kind, name, expressions string) string {
	return fmt.Sprintf(`{"address": "%s.%s", "type": %[1]q, "expressions": %[3]s}`, kind, name, expressions)
}

func TestWhatIsNotKnownIsSaid(t *testing.T) {
	const (
		sg   = "aws_security_group"
		rule = "aws_vpc_security_group_ingress_rule"
		open = `{"ip_protocol": "udp", "from_port": 53, "to_port": 53, "cidr_ipv4": "0.0.0.0/0"}`
		both = `{"ip_protocol": "udp", "from_port": 53, "to_port": 53, "cidr_ipv4": "0.0.0.0/0", "security_group_id": "sg-1"}`
		flow = "198.51.100.7 > 192.0.2.53 udp/53"
	)
	group := resource(sg, "a", `{"name": "a"}`)
	known := resource(sg, "a", `{"name": "a", "id": "sg-1"}`)
	created := change(sg, "a", "create", `{"id": true, "ingress": true}`)
	free := change(rule, "r", "create", `{"security_group_id": true}`)
	tests := []struct {
		name string
		plan []byte
		want string // verdict of the flow, or "unparsed"
		why  string
	}{
		{"a new group without rules", plan(group, created, configuration(sg, "a", `{}`)), "BLOCKED", ""},
		{"a new group with rules known later", plan(group, created, configuration(sg, "a", `{"ingress": {"references": ["var.x"]}}`)), "UNDECIDED", "attribute ingress is known only after apply"},
		{"a new group without configuration", plan(group, created, ""), "UNDECIDED", "attribute ingress is known only after apply"},
		{
			"a rule of the only group, told by its reference",
			plan(group+","+resource(rule, "r", open), free, configuration(rule, "r", `{"security_group_id": {"references": ["aws_security_group.a.id", "aws_security_group.a"]}}`)), "REACHABLE", "",
		},
		{
			"a rule of a group that a variable names",
			plan(group+","+resource(rule, "r", open), free, configuration(rule, "r", `{"security_group_id": {"references": ["var.group"]}}`)), "UNDECIDED", "which group aws_vpc_security_group_ingress_rule.r belongs to",
		},
		{"a rule of a group elsewhere", plan(resource(rule, "r", both), "", ""), "REACHABLE", "not in this file"},
		{"a rule without any group", plan(resource(rule, "r", open), free, ""), "unparsed", "the rule's group is not in this file"},
		{
			"a source known later",
			plan(known+","+resource(rule, "r", strings.Replace(both, `"0.0.0.0/0"`, "null", 1)), change(rule, "r", "create", `{"cidr_ipv4": true}`), configuration(rule, "r", `{"cidr_ipv4": {}}`)), "UNDECIDED", "attribute cidr_ipv4",
		},
		{
			"a port known later",
			plan(known+","+resource(rule, "r", strings.Replace(both, `53`, "null", 1)), change(rule, "r", "create", `{"from_port": true}`), ""), "UNDECIDED", "attribute from_port",
		},
		{"an attribute never seen", plan(known+","+resource(rule, "r", strings.Replace(both, `{`, `{"schedule": "night", `, 1)), "", ""), "UNDECIDED", `"schedule"`},
		{"an attribute of a group never seen", plan(resource(sg, "a", `{"id": "sg-1", "shield": true}`), "", ""), "unparsed", `"shield"`},
		{
			"a rule that goes",
			plan(resource(sg, "a", `{"id": "sg-1", "ingress": [{"protocol": "udp", "from_port": 53, "to_port": 53, "cidr_blocks": ["0.0.0.0/0"]}]}`), change(rule, "r", "delete", `false`), configuration(sg, "a", `{}`)), "UNDECIDED", "the plan changes rules",
		},
		{"another kind of firewall", plan(known+","+resource("aws_networkfirewall_rule_group", "f", `{}`), "", ""), "unparsed", "aws_networkfirewall_rule_group are not read"},
		{"an egress rule", plan(known+","+resource("aws_vpc_security_group_egress_rule", "f", `{}`), "", ""), "BLOCKED", ""},
		{"nothing", plan("", "", ""), "unparsed", "holds no rules"},
		{"a plan that failed", []byte(`{"format_version": "1.2", "errored": true, "planned_values": {}}`), "unparsed", "ended with an error"},
		{
			"two clouds",
			plan(known+","+resource("google_compute_firewall", "f", `{"name": "f", "network": "n", "deny": [{"protocol": "all"}]}`), "", ""), "UNDECIDED", "whether the asset is in AWS",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rs, err := terraform.Parse("f.json", tt.plan)
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
			cloudtest.Check(t, rs)
		})
	}
}

func TestErrors(t *testing.T) {
	deep := `{"format_version": "1.0", "values": {"root_module": ` + strings.Repeat(`{"child_modules": [`, 50) + strings.Repeat(`]}`, 50) + `}}`
	tests := []struct{ text, want string }{
		{``, "f.json:1: expected one JSON document"},
		{`{"SecurityGroups": []}`, "f.json:1: expected the JSON of terraform show"},
		{`{"format_version": "2.0"}`, "f.json:1: format version 2.0: expected 0 or 1"},
	}
	for _, tt := range tests {
		if _, err := terraform.Parse("f.json", []byte(tt.text)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.text, err, tt.want)
		}
	}
	rs, err := terraform.Parse("f.json", []byte(deep))
	if err != nil || len(rs.Unparsed) == 0 || !strings.Contains(rs.Unparsed[0].Why, "nested too deep") {
		t.Errorf("deep modules: %v, %v", rs, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"aws-plan.json", "aws-state.json", "azure-plan.json", "google-plan.json"} {
		f.Add(text(f, name))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rs, err := terraform.Parse("f", text)
		if (rs == nil) == (err == nil) {
			t.Fatal("expected either a ruleset or an error")
		}
		if err == nil {
			cloudtest.Check(t, rs)
		}
	})
}
