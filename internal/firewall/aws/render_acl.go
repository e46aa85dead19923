package aws

import (
	"fmt"
	"net/netip"
	"strconv"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric"
	"reconshield/internal/policy"
)

// Limits of the service: entries of one list in each direction with the
// default ones, before the quota must be raised, and the most.
const (
	aclQuota = 20
	aclMax   = 40
)

// firstReplyPort is where the ports begin on which answers come back.
const firstReplyPort = 1024

// aclEntry is one allowing entry of a network ACL, before its syntax.
type aclEntry struct {
	number   int
	egress   bool
	protocol int // 6, 17, 1, 58, 50, or -1 for all
	from, to int // ports; 0 and 0 when the protocol has none
	prefix   netip.Prefix
	why      string
}

// RenderNetworkACL writes a network ACL as a second line before the security
// group, and the group with it, because the list alone cannot mean the plan.
//
// A network ACL is stateless: the answers to what the asset asks come back to
// ports 1024-65535, so these must be open, and then every new conversation to
// them is let in as well. Everything below 1024 that the plan denies is denied
// here too. A packet must pass both, the list lets all through that the plan
// accepts, and the group holds the plan exactly: so the two together mean
// exactly the plan. What the list refuses beyond it is told in notes.
func RenderNetworkACL(p firewall.Plan) (firewall.Config, error) {
	f, err := fabric.New(fabric.Format{Name: "aws-nacl"}, p)
	if err != nil {
		return firewall.Config{}, err
	}
	group, err := RenderSecurityGroup(p)
	if err != nil {
		return firewall.Config{}, err
	}
	entries := aclIngress(f)
	size := len(entries) + 2
	if size > aclMax {
		return firewall.Config{}, &firewall.UnsupportedError{
			Format: "aws-nacl", Feature: firewall.FeatureSize,
			Where: fmt.Sprintf("%d entries in one direction, at most %d", size, aclMax),
			Hint:  "use the security group alone",
		}
	}
	entries = append(entries, aclEgress(f)...)
	name := fabric.Name(p.Asset, '-', 40)
	c := aclSteps(name, group)
	c.Files = append([]firewall.File{
		{Name: name + "-network-acl.tf", Text: aclTerraform(f, entries)},
		{Name: name + "-network-acl.json", Text: aclJSON(entries)},
	}, group.Files...)
	c.Notes = append(aclNotes(size), group.Notes...)
	return c, nil
}

func aclIngress(p fabric.Plan) []aclEntry {
	var out []aclEntry
	add := func(protocol, from, to int, prefix netip.Prefix, why string) {
		out = append(out, aclEntry{100 + 10*len(out), false, protocol, from, to, prefix, why})
	}
	for _, r := range p.Rules {
		for _, prefix := range append(r.Of(firewall.IPv4), r.Of(firewall.IPv6)...) {
			if r.Transport == policy.ESP {
				add(50, 0, 0, prefix, r.Reason(200))
			}
			for _, ports := range r.Ports {
				if ports.First < firstReplyPort {
					add(number(r.Transport), int(ports.First), int(min(ports.Last, firstReplyPort-1)), prefix, r.Reason(200))
				}
			}
		}
	}
	for _, prefix := range aclEverybody(p) {
		add(6, firstReplyPort, 65535, prefix, "answers over TCP; new conversations are the security group's to refuse")
		add(17, firstReplyPort, 65535, prefix, "answers over UDP; new conversations are the security group's to refuse")
		add(icmpOf(prefix), 0, 0, prefix, "ICMP; the security group lets in what must pass")
	}
	return out
}

// aclEgress lets everything out: what may be started is the group's to say, and
// answers go to any port.
func aclEgress(p fabric.Plan) []aclEntry {
	var out []aclEntry
	for i, prefix := range aclEverybody(p) {
		out = append(out, aclEntry{100 + 10*i, true, -1, 0, 0, prefix, "answers, and what the security group lets the asset start"})
	}
	return out
}

func aclEverybody(p fabric.Plan) []netip.Prefix { return firewall.Prefixes(firewall.AllOf(p.Families)) }

func number(t exposure.Transport) int {
	if t == exposure.TCP {
		return 6
	}
	return 17
}

func icmpOf(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 1
	}
	return 58
}

func aclTerraform(p fabric.Plan, entries []aclEntry) string {
	head := p.Header("Network ACL")
	head[len(head)-1] = "Only together with the security group beside it does this mean the policy: the list is stateless and leaves ports 1024-65535 open for answers. Made by reconshield: change the policy, not this file."
	t := fabric.NewTerraform(head)
	t.Input("subnet_ids", "list(string)", "The subnets of the asset: the list holds for every host in them.")
	acl := t.Append("resource", "aws_network_acl", fabric.Name(p.Asset, '_', 40))
	acl.Comment("vpc_id is declared in the security group's file.")
	acl.Expression("vpc_id", "var.vpc_id")
	acl.Expression("subnet_ids", "var.subnet_ids")
	for _, e := range entries {
		direction := "ingress"
		if e.egress {
			direction = "egress"
		}
		b := acl.Append(direction)
		b.Comment(e.why)
		b.Int("rule_no", e.number)
		b.Text("action", "allow")
		b.Text("protocol", strconv.Itoa(e.protocol))
		b.Int("from_port", e.from)
		b.Int("to_port", e.to)
		if e.protocol == 1 || e.protocol == 58 {
			b.Int("icmp_type", -1)
			b.Int("icmp_code", -1)
		}
		if e.prefix.Addr().Is4() {
			b.Text("cidr_block", e.prefix.String())
		} else {
			b.Text("ipv6_cidr_block", e.prefix.String())
		}
	}
	return t.String()
}

// aclInput is the input of create-network-acl-entry.
type aclInput struct {
	Egress        bool
	RuleNumber    int
	Protocol      string
	RuleAction    string
	CidrBlock     string    `json:",omitempty"`
	Ipv6CidrBlock string    `json:",omitempty"`
	PortRange     *aclPorts `json:",omitempty"`
	IcmpTypeCode  *aclICMP  `json:",omitempty"`
}

type aclPorts struct{ From, To int }

type aclICMP struct{ Type, Code int }

func aclJSON(entries []aclEntry) string {
	list := make([]aclInput, len(entries))
	for i, e := range entries {
		in := aclInput{Egress: e.egress, RuleNumber: e.number, Protocol: strconv.Itoa(e.protocol), RuleAction: "allow"}
		if e.prefix.Addr().Is4() {
			in.CidrBlock = e.prefix.String()
		} else {
			in.Ipv6CidrBlock = e.prefix.String()
		}
		switch e.protocol {
		case 6, 17:
			in.PortRange = &aclPorts{e.from, e.to}
		case 1, 58:
			in.IcmpTypeCode = &aclICMP{-1, -1}
		}
		list[i] = in
	}
	return encode(list)
}

func aclNotes(size int) []string {
	notes := []string{
		"The network ACL alone does not mean the policy: TCP and UDP ports 1024-65535 are open in it to everybody, because it is stateless and answers come back to them. Attach the security group as well.",
		"The list holds for every host of its subnets: give the asset a subnet of its own, or join the lists of all of them.",
		"A program on the asset that asks from a port below 1024 (ntpd from 123, IKE from 500), or speaks a protocol other than TCP, UDP and ICMP to servers outside, gets no answers through the list.",
	}
	if size > aclQuota {
		notes = append(notes, fmt.Sprintf("It has %d entries in one direction; the default quota is %d: ask for up to %d in Service Quotas first.", size, aclQuota, aclMax))
	}
	return notes
}

// associated is a function of the shell: a field of the association of $SUBNET
// with its list.
const associated = "associated() {\n" +
	"  aws ec2 describe-network-acls --filters Name=association.subnet-id,Values=\"$SUBNET\" --output text --query \"NetworkAcls[].Associations[?SubnetId=='$SUBNET'].$1 | [] | [0]\"\n" +
	"}\n"

func aclSteps(name string, group firewall.Config) firewall.Config {
	c := group
	c.Format = "aws-nacl"
	c.Apply = append(c.Apply,
		firewall.Step{
			Text:    "Save which list the subnet has now.",
			Command: associated + "associated NetworkAclId > " + name + "-network-acl.before",
		},
		firewall.Step{
			Text: "Without Terraform: make the list, fill it and give it to the subnet.",
			Command: associated +
				fmt.Sprintf("ACL=$(aws ec2 create-network-acl --vpc-id \"$VPC\" --query NetworkAcl.NetworkAclId --output text)\n"+
					"jq -c '.[]' %s-network-acl.json | while read -r entry; do\n"+
					"  aws ec2 create-network-acl-entry --network-acl-id \"$ACL\" --cli-input-json \"$entry\"\n"+
					"done\n"+
					"aws ec2 replace-network-acl-association --association-id \"$(associated NetworkAclAssociationId)\" --network-acl-id \"$ACL\"", name),
		})
	c.Rollback = append(c.Rollback, firewall.Step{
		Text:    "Give the subnet its old list back; the id of the association changes with every replacement.",
		Command: associated + "aws ec2 replace-network-acl-association --association-id \"$(associated NetworkAclAssociationId)\" --network-acl-id \"$(cat " + name + "-network-acl.before)\"",
	})
	return c
}
