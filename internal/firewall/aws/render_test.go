package aws_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/aws"
	"reconshield/internal/firewall/fabric/fabrictest"
	"reconshield/internal/policy"
)

// permission is a rule of either syntax, read back.
type permission struct {
	Protocol string
	From, To int
	Prefixes []string
}

func TestSecurityGroupMeansThePlan(t *testing.T) {
	for _, c := range fabrictest.Plans() {
		t.Run(c.Name, func(t *testing.T) {
			config, err := aws.RenderSecurityGroup(c.Plan)
			if err != nil {
				t.Fatal(err)
			}
			group := fabrictest.Resource(t, fabrictest.ParseHCL(t, config.Files[0].Name, config.Files[0].Text), "aws_security_group")
			for _, side := range []struct {
				direction, json string
				try             func(*testing.T, firewall.Plan, func(fabrictest.Packet) bool)
			}{
				{"ingress", config.Files[1].Text, fabrictest.Inbound},
				{"egress", config.Files[2].Text, fabrictest.Outbound},
			} {
				hcl, cli := fromTerraform(group.Inner(side.direction)), fromCLI(t, side.json)
				if diff := cmp.Diff(hcl, cli); diff != "" {
					t.Errorf("%s of Terraform and of the CLI differ:\n%s", side.direction, diff)
				}
				side.try(t, c.Plan, func(k fabrictest.Packet) bool { return permits(hcl, k) })
			}
		})
	}
}

func fromTerraform(blocks []fabrictest.Block) []permission {
	out := make([]permission, len(blocks))
	for i, b := range blocks {
		out[i] = permission{b.Text["protocol"], b.Int["from_port"], b.Int["to_port"], append(b.Lists["cidr_blocks"], b.Lists["ipv6_cidr_blocks"]...)}
	}
	return out
}

func fromCLI(t *testing.T, text string) []permission {
	t.Helper()
	var in struct {
		Permissions []struct {
			Protocol         string `json:"IpProtocol"`
			FromPort, ToPort int
			Ranges           []struct {
				CIDR        string `json:"CidrIp"`
				Description string
			} `json:"IpRanges"`
			Ipv6Ranges []struct{ CidrIpv6, Description string }
		} `json:"IpPermissions"`
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		t.Fatal(err)
	}
	var out []permission
	for _, p := range in.Permissions {
		one := permission{Protocol: p.Protocol, From: p.FromPort, To: p.ToPort}
		for _, r := range p.Ranges {
			one.Prefixes = append(one.Prefixes, r.CIDR)
		}
		for _, r := range p.Ipv6Ranges {
			one.Prefixes = append(one.Prefixes, r.CidrIpv6)
		}
		out = append(out, one)
	}
	return out
}

// permits is an allow list: any rule that matches.
func permits(rules []permission, k fabrictest.Packet) bool {
	for _, r := range rules {
		if r.Protocol != "-1" && (r.Protocol != string(k.Transport) || int(k.Port) < r.From || int(k.Port) > r.To) {
			continue
		}
		for _, p := range r.Prefixes {
			if netip.MustParsePrefix(p).Contains(k.Peer) {
				return true
			}
		}
	}
	return false
}

// entry is one of a network ACL, read back.
type entry struct {
	Egress   bool
	Number   int
	Protocol string
	Action   string
	Prefix   string
	From, To int
}

func TestNetworkACLWithItsGroupMeansThePlan(t *testing.T) {
	for _, c := range fabrictest.Plans() {
		t.Run(c.Name, func(t *testing.T) {
			config, err := aws.RenderNetworkACL(c.Plan)
			if c.Name == "wan only" { // a zone without the networks of others is many prefixes
				wantUnsupported(t, err, firewall.FeatureSize)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			list := aclTerraform(t, config.Files[0])
			if diff := cmp.Diff(list, aclCLI(t, config.Files[1].Text)); diff != "" {
				t.Errorf("Terraform and CLI differ:\n%s", diff)
			}
			group := fabrictest.Resource(t, fabrictest.ParseHCL(t, config.Files[2].Name, config.Files[2].Text), "aws_security_group")
			in := fromTerraform(group.Inner("ingress"))
			fabrictest.Inbound(t, c.Plan, func(k fabrictest.Packet) bool { return first(list, false, k) && permits(in, k) })
			out := fromTerraform(group.Inner("egress"))
			fabrictest.Outbound(t, c.Plan, func(k fabrictest.Packet) bool { return first(list, true, k) && permits(out, k) })
			// Alone it holds the plan below 1024 and lets answers in above.
			fabrictest.Try(t, c.Plan, func(k fabrictest.Packet) bool { return k.Port >= 1024 || fabrictest.Accepts(c.Plan, k) },
				func(k fabrictest.Packet) bool { return first(list, false, k) })
			if !strings.Contains(config.Notes[0], "1024-65535 are open") {
				t.Errorf("the first note is %q", config.Notes[0])
			}
		})
	}
}

func aclTerraform(t *testing.T, f firewall.File) []entry {
	t.Helper()
	var out []entry
	for _, b := range fabrictest.Resource(t, fabrictest.ParseHCL(t, f.Name, f.Text), "aws_network_acl").Blocks {
		out = append(out, entry{
			b.Type == "egress", b.Int["rule_no"], b.Text["protocol"], b.Text["action"],
			b.Text["cidr_block"] + b.Text["ipv6_cidr_block"], b.Int["from_port"], b.Int["to_port"],
		})
	}
	return out
}

func aclCLI(t *testing.T, text string) []entry {
	t.Helper()
	var in []struct {
		Egress                   bool
		RuleNumber               int
		Protocol, RuleAction     string
		CidrBlock, Ipv6CidrBlock string
		PortRange                struct{ From, To int }
		IcmpTypeCode             *struct{ Type, Code int }
	}
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		t.Fatal(err)
	}
	var out []entry
	for _, e := range in {
		out = append(out, entry{e.Egress, e.RuleNumber, e.Protocol, e.RuleAction, e.CidrBlock + e.Ipv6CidrBlock, e.PortRange.From, e.PortRange.To})
	}
	return out
}

// first is an ordered list, denied at the end.
func first(list []entry, egress bool, k fabrictest.Packet) bool {
	number := map[exposure.Transport]string{exposure.TCP: "6", exposure.UDP: "17"}[k.Transport]
	last := 0
	for _, e := range list {
		if e.Egress != egress {
			continue
		}
		if e.Number <= last {
			panic("numbers do not ascend at " + strconv.Itoa(e.Number))
		}
		last = e.Number
		if !netip.MustParsePrefix(e.Prefix).Contains(k.Peer) {
			continue
		}
		if e.Protocol == "-1" || e.Protocol == number && e.From <= int(k.Port) && int(k.Port) <= e.To {
			return e.Action == "allow"
		}
	}
	return false
}

func TestSecurityGroupPassesESP(t *testing.T) {
	p := fabrictest.Authority()
	p.Allows = append(p.Allows, firewall.Allow{Zone: "wan", Transport: policy.ESP, Why: "tunnel"})
	config, err := aws.RenderSecurityGroup(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range fromCLI(t, config.Files[1].Text) {
		if r.Protocol == "50" && cmp.Equal(r.Prefixes, []string{"0.0.0.0/0", "::/0"}) {
			return
		}
	}
	t.Error("no rule for ESP:\n" + config.Files[1].Text)
}

func TestSecurityGroupPassesICMP(t *testing.T) {
	config, err := aws.RenderSecurityGroup(fabrictest.Authority())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range fromCLI(t, config.Files[1].Text) {
		if strings.HasPrefix(r.Protocol, "icmp") {
			seen[r.Protocol+" "+strconv.Itoa(r.From)+"/"+strconv.Itoa(r.To)] = true
		}
	}
	for _, want := range []string{"icmp 3/-1", "icmp 8/-1", "icmp 11/-1", "icmp 12/-1", "icmpv6 1/-1", "icmpv6 2/-1", "icmpv6 3/-1", "icmpv6 4/-1", "icmpv6 128/-1", "icmpv6 129/-1"} {
		if !seen[want] {
			t.Errorf("%s does not pass; %v do", want, seen)
		}
	}
	if seen["icmp -1/-1"] || seen["icmp 5/-1"] || seen["icmp 13/-1"] {
		t.Errorf("more of ICMP passes than the plan says: %v", seen)
	}
}

func TestDescriptionsAreValid(t *testing.T) {
	for _, c := range fabrictest.Plans() {
		config, err := aws.RenderSecurityGroup(c.Plan)
		if err != nil {
			t.Fatal(err)
		}
		group := fabrictest.Resource(t, fabrictest.ParseHCL(t, "x.tf", config.Files[0].Text), "aws_security_group")
		for _, b := range append(group.Blocks, group) {
			d := b.Text["description"]
			bad := func(r rune) bool {
				return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" ._-:/()#,@[]+=&;{}!$*", r)
			}
			if d == "" || len(d) > 255 || strings.ContainsFunc(d, bad) {
				t.Errorf("%s: description %q", c.Name, d)
			}
		}
	}
}

func TestUnsupported(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*firewall.Plan)
		feature firewall.Feature
	}{
		"rate limit":             {func(p *firewall.Plan) { p.Limit = &firewall.RateLimit{PerSecond: 100} }, firewall.FeatureRateLimit},
		"redirect":               {func(p *firewall.Plan) { p.DNS = firewall.DNSEgress{Control: true, Redirect: true} }, firewall.FeatureRedirect},
		"gateway's DNS":          {func(p *firewall.Plan) { p.DNS.Control, p.Place = true, firewall.OnGateway }, firewall.FeatureGateway},
		"containers' DNS":        {func(p *firewall.Plan) { p.DNS = firewall.DNSEgress{Control: true, Self: true}; p.Docker = true }, firewall.FeatureDocker},
		"zone without networks":  {func(p *firewall.Plan) { p.Allows[1].Sources = nil }, firewall.FeatureInterfaces},
		"other without networks": {func(p *firewall.Plan) { p.Zones[1].Networks = nil }, firewall.FeatureInterfaces},
	} {
		for format, render := range map[string]func(firewall.Plan) (firewall.Config, error){
			"group": aws.RenderSecurityGroup, "list": aws.RenderNetworkACL,
		} {
			t.Run(name+" of "+format, func(t *testing.T) {
				p := fabrictest.Authority()
				c.change(&p)
				_, err := render(p)
				wantUnsupported(t, err, c.feature)
			})
		}
	}
}

func wantUnsupported(t *testing.T, err error, feature firewall.Feature) {
	t.Helper()
	var u *firewall.UnsupportedError
	if !errors.As(err, &u) || u.Feature != feature || u.Hint == "" || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want that it cannot express %s", err, feature)
	}
}
