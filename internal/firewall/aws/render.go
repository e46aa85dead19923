package aws

import (
	"fmt"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric"
	"reconshield/internal/policy"
)

// Limits of the service: rules of one group, in each direction and family,
// before the quota must be raised, and the most it can be raised to.
const (
	groupQuota = 60
	groupMax   = 1000
)

// groupRule is one permission of a security group, before its syntax.
type groupRule struct {
	protocol string // tcp, udp, icmp, icmpv6, 50 or -1
	from, to int    // ports; type and code of ICMP, -1 for all; 0 and 0 when the protocol has none
	v4, v6   []string
	why      string
}

// RenderSecurityGroup writes a security group: as Terraform, and as input of
// "aws ec2 authorize-security-group-ingress" and "-egress". A group is stateful
// and holds allow rules only; it judges by source and port of whatever it is
// attached to.
//
// With control of DNS the default "everything may leave" is replaced by every
// port but 53 and 853 of TCP and UDP, by ICMP and ESP, and by the resolvers;
// protocols other than these can then not leave, which a note says.
func RenderSecurityGroup(p firewall.Plan) (firewall.Config, error) {
	f, err := fabric.New(fabric.Format{Name: "aws-sg"}, p)
	if err != nil {
		return firewall.Config{}, err
	}
	in, out := ingress(f), egress(f)
	for _, rules := range [][]groupRule{in, out} {
		if n := groupSize(rules); n > groupMax {
			return firewall.Config{}, &firewall.UnsupportedError{
				Format: "aws-sg", Feature: firewall.FeatureSize,
				Where: fmt.Sprintf("%d rules in one direction, at most %d", n, groupMax),
				Hint:  "expose to fewer prefixes",
			}
		}
	}
	name := fabric.Name(p.Asset, '-', 40)
	c := groupSteps(name, p)
	c.Files = []firewall.File{
		{Name: name + "-security-group.tf", Text: groupTerraform(f, in, out)},
		{Name: name + "-ingress.json", Text: groupJSON(in)},
		{Name: name + "-egress.json", Text: groupJSON(out)},
	}
	c.Notes = append(groupNotes(f, in, out), f.Notes...)
	return c, nil
}

// ingress lists what may come in.
func ingress(p fabric.Plan) []groupRule {
	var out []groupRule
	for _, r := range p.Rules {
		base := groupRule{
			protocol: string(r.Transport), why: describe(r.Reason(200)),
			v4: fabric.Strings(r.Of(firewall.IPv4)), v6: fabric.Strings(r.Of(firewall.IPv6)),
		}
		if r.Transport == policy.ESP {
			base.protocol = "50"
			out = append(out, base)
			continue
		}
		for _, ports := range r.Ports {
			one := base
			one.from, one.to = int(ports.First), int(ports.Last)
			out = append(out, one)
		}
	}
	for _, m := range fabric.ICMP(p.Families) {
		r := groupRule{protocol: "icmp", from: m.Type, to: m.Code, v4: []string{"0.0.0.0/0"}, why: m.Name}
		if m.Family == firewall.IPv6 {
			r.protocol, r.v4, r.v6 = "icmpv6", nil, []string{"::/0"}
		}
		out = append(out, r)
	}
	return out
}

// egress lists what may be started from the asset.
func egress(p fabric.Plan) []groupRule {
	v4, v6 := everybody(p)
	if p.Egress.Free {
		return []groupRule{{protocol: "-1", v4: v4, v6: v6, why: "the asset may start conversations"}}
	}
	var out []groupRule
	for _, t := range []exposure.Transport{exposure.TCP, exposure.UDP} {
		for _, r := range fabric.OtherPorts() {
			out = append(out, groupRule{string(t), int(r.First), int(r.Last), v4, v6, "everything but DNS, ports 53 and 853"})
		}
	}
	if p.Has(firewall.IPv4) {
		out = append(out, groupRule{"icmp", -1, -1, v4, nil, "ICMP"})
	}
	if p.Has(firewall.IPv6) {
		out = append(out, groupRule{"icmpv6", -1, -1, nil, v6, "ICMPv6"})
	}
	out = append(out, groupRule{"50", 0, 0, v4, v6, "ESP"})
	to4, to6 := fabric.Strings(p.Egress.Of(firewall.IPv4)), fabric.Strings(p.Egress.Of(firewall.IPv6))
	if len(to4)+len(to6) == 0 {
		return out
	}
	for _, t := range []exposure.Transport{exposure.TCP, exposure.UDP} {
		for _, port := range []int{53, 853} {
			out = append(out, groupRule{string(t), port, port, to4, to6, p.Why()})
		}
	}
	return out
}

// everybody is any address of the asset's families.
func everybody(p fabric.Plan) (v4, v6 []string) {
	if p.Has(firewall.IPv4) {
		v4 = []string{"0.0.0.0/0"}
	}
	if p.Has(firewall.IPv6) {
		v6 = []string{"::/0"}
	}
	return v4, v6
}

// groupSize counts rules as the service does: one for each prefix, families
// apart.
func groupSize(rules []groupRule) int {
	n4, n6 := 0, 0
	for _, r := range rules {
		n4 += len(r.v4)
		n6 += len(r.v6)
	}
	return max(n4, n6)
}

// describe leaves the characters that a description may have, at most 255.
func describe(s string) string {
	return fabric.Line(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" ._-:/()#,@[]+=&;{}!$*", r):
			return r
		}
		return ' '
	}, s), 255)
}

func groupTerraform(p fabric.Plan, in, out []groupRule) string {
	t := fabric.NewTerraform(p.Header("Security group"))
	t.Input("vpc_id", "string", "The VPC of the asset.")
	label := fabric.Name(p.Asset, '_', 40)
	g := t.Append("resource", "aws_security_group", label)
	g.Text("name", "reconshield-"+fabric.Name(p.Asset, '-', 40))
	g.Text("description", describe("Exposure policy of "+p.Asset))
	g.Expression("vpc_id", "var.vpc_id")
	for _, r := range in {
		r.block(g.Append("ingress"))
	}
	for _, r := range out {
		r.block(g.Append("egress"))
	}
	t.Append("output", "security_group_id").Expression("value", "aws_security_group."+label+".id")
	return t.String()
}

func (r groupRule) block(b fabric.Block) {
	b.Text("description", r.why)
	b.Text("protocol", r.protocol)
	b.Int("from_port", r.from)
	b.Int("to_port", r.to)
	if len(r.v4) > 0 {
		b.List("cidr_blocks", r.v4)
	}
	if len(r.v6) > 0 {
		b.List("ipv6_cidr_blocks", r.v6)
	}
}

func groupNotes(p fabric.Plan, in, out []groupRule) []string {
	notes := []string{
		"Groups attached to one network interface add up: it is closed only when this is its only group.",
		"A group matches no destination: it holds for every address of the interface it is attached to.",
		"Conversations that were open before a change stay open until they are idle (connection tracking).",
		"Neighbour discovery and DHCP are the network's own and pass every group.",
	}
	if !p.Egress.Free {
		notes = append(notes,
			"An allow list cannot say \"all protocols but\": TCP, UDP, ICMP and ESP may leave, other protocols (GRE, SCTP) may not.",
			"Queries to the VPC's own resolver (base of the network plus two, 169.254.169.253, fd00:ec2::253) pass every group and every list: "+
				"switch DNS support of the VPC off, or use Route 53 Resolver DNS Firewall, to control them.")
	}
	if n := max(groupSize(in), groupSize(out)); n > groupQuota {
		notes = append(notes, fmt.Sprintf("It has %d rules in one direction and family; the default quota is %d: ask for more in Service Quotas first.", n, groupQuota))
	}
	return notes
}
