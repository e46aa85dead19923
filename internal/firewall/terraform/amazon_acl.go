package terraform

import (
	"strconv"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/aws"
	"reconshield/internal/firewall/cloud"
)

func (a *amazon) acl(r *resource) {
	b := r.values
	list := aws.ACL{ID: r.address, Subnets: b.Texts("subnet_ids"), Pos: b.Pos()}
	id := b.Text("id")
	if id != "" {
		list.Assets = append(list.Assets, id)
	}
	for v := range b.List("ingress").Items() {
		a.aclBlock(r, &list, v)
	}
	for _, doubt := range a.inlineDoubts(r, "ingress") {
		a.add(b.Value(), doubt)
	}
	if a.stale(r, "ingress") {
		for i := range list.Entries {
			list.Entries[i].Doubts = append(list.Entries[i].Doubts, "the plan changes entries of lists, and whether this one stays is not told")
		}
	}
	b.Ignore("arn", "default_network_acl_id", "egress", "owner_id", "region", "tags", "tags_all", "vpc_id")
	a.unparsed = append(a.unparsed, b.Problems()...)
	a.inv.ACLs = append(a.inv.ACLs, list)
	a.acls.add(r, id)
}

// aclBlock reads an ingress block of a list.
func (a *amazon) aclBlock(r *resource, list *aws.ACL, v cloud.Value) {
	b := v.Record()
	e := aws.Entry{Action: strings.ToLower(b.Text("action")), Label: r.address, Pos: r.values.Pos()}
	a.entry(list, e, b, "rule_no", r.unknown.Field("ingress"))
}

func (a *amazon) aclRule(r *resource) {
	b := r.values
	if b.Bool("egress") {
		return
	}
	e := aws.Entry{Action: strings.ToLower(b.Text("rule_action")), Label: r.address, Pos: b.Pos()}
	owner, doubt, stranger := a.acls.find(r, "network_acl_id")
	b.Ignore("id", "region")
	if stranger != "" {
		a.inv.ACLs = append(a.inv.ACLs, aws.ACL{ID: stranger, Pos: b.Pos()})
		a.acls.add(r, stranger)
		owner = []int{len(a.inv.ACLs) - 1}
		a.add(b.Value(), "the entry's network ACL is not in this file, so which other entries it has is not known")
	}
	if len(owner) == 0 {
		a.add(b.Value(), "the entry's network ACL is not in this file; expected its resource")
	}
	e.Doubts = unknowns(r.unknown, "egress", "rule_action")
	if doubt != "" {
		e.Doubts = append(e.Doubts, doubt)
	}
	var list aws.ACL
	a.entry(&list, e, b, "rule_number", r.unknown)
	for _, i := range owner {
		a.inv.ACLs[i].Entries = append(a.inv.ACLs[i].Entries, list.Entries...)
	}
}

// entry reads what the block and the resource have in common and adds it to the
// list.
func (a *amazon) entry(list *aws.ACL, e aws.Entry, b *cloud.Record, number string, unknown cloud.Value) {
	n := b.Int(number)
	e.Protocol, e.CIDR = b.Text("protocol"), b.Text("cidr_block")
	if v6 := b.Text("ipv6_cidr_block"); e.CIDR == "" {
		e.CIDR = v6
	}
	e.From, e.To = b.Int("from_port"), b.Int("to_port")
	kind, code := b.Int("icmp_type"), b.Int("icmp_code")
	if p, ok := cloud.ProtocolNumber(e.Protocol); ok && (p == cloud.ICMP || p == cloud.ICMPv6) {
		e.From, e.To = kind, code
	}
	e.Doubts = append(e.Doubts, unknowns(unknown, "action", "protocol", "cidr_block", "ipv6_cidr_block",
		"from_port", "to_port", "icmp_type", "icmp_code")...)
	e.Doubts = append(e.Doubts, b.Doubts()...)
	if n == nil || len(unknowns(unknown, number)) > 0 {
		a.unparsed = append(a.unparsed, firewall.Unparsed{
			Pos: e.Pos, Text: cloud.OneLine(e.Label, 200), Why: "entry of a network ACL: expected " + strconv.Quote(number) + ", which its order needs",
		})
		return
	}
	e.Number = *n
	list.Entries = append(list.Entries, e)
}
