package terraform

import (
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/aws"
	"reconshield/internal/firewall/cloud"
)

// amazon reads the resources of AWS.
type amazon struct {
	*document
	inv    *aws.Inventory
	groups owners
	acls   owners
}

func (a *amazon) read() {
	a.groups = newOwners(a.document)
	a.acls = newOwners(a.document)
	for _, r := range a.of("aws_security_group", "aws_default_security_group") {
		a.group(r)
	}
	for _, r := range a.of("aws_security_group_rule") {
		a.groupRule(r)
	}
	for _, r := range a.of("aws_vpc_security_group_ingress_rule") {
		a.ingressRule(r)
	}
	for _, r := range a.of("aws_network_acl", "aws_default_network_acl") {
		a.acl(r)
	}
	for _, r := range a.of("aws_network_acl_rule") {
		a.aclRule(r)
	}
	if len(a.of("aws_network_interface_sg_attachment")) == 0 {
		a.instances()
	}
}

func (a *amazon) group(r *resource) {
	g := aws.Group{ID: r.values.Text("id"), Name: r.address, Pos: r.values.Pos()}
	if name := r.values.Text("name"); name != "" {
		g.Others = append(g.Others, name)
	}
	for v := range r.values.List("ingress").Items() {
		g.Permissions = append(g.Permissions, inline(r, v)...)
	}
	for _, doubt := range a.inlineDoubts(r, "ingress") {
		g.Permissions = append(g.Permissions, aws.Permission{
			Protocol: "-1", Doubts: []string{doubt}, Label: r.address, Pos: r.values.Pos(),
		})
	}
	if a.stale(r, "ingress") {
		for i := range g.Permissions {
			g.Permissions[i].Doubts = append(g.Permissions[i].Doubts, "the plan changes rules of groups, and whether this one stays is not told")
		}
	}
	r.values.Ignore("arn", "description", "egress", "name_prefix", "owner_id", "region", "revoke_rules_on_delete",
		"tags", "tags_all", "timeouts", "vpc_id")
	a.unparsed = append(a.unparsed, r.values.Problems()...)
	a.inv.Groups = append(a.inv.Groups, g)
	a.groups.add(r, g.ID)
}

// inlineDoubts says what is unknown of a group's own list of rules as a whole.
// A group that the plan creates and whose configuration has no such list starts
// without rules, although the attribute counts as unknown.
func (d *document) inlineDoubts(r *resource, attribute string) []string {
	if !whole(r.unknown, attribute) {
		return nil
	}
	if v, known := d.expression(r, attribute); known && v.None() && r.created {
		return nil
	}
	return unknowns(r.unknown, attribute)
}

// stale reports whether a group's list of rules is only what the state shows,
// while the plan takes away or changes rules that stand apart.
func (d *document) stale(r *resource, attribute string) bool {
	if !d.removes {
		return false
	}
	v, known := d.expression(r, attribute)
	return !known || v.None()
}

// inline reads one ingress block: a permission for each of its sources.
func inline(r *resource, v cloud.Value) []aws.Permission {
	b := v.Record()
	unknown := r.unknown.Field("ingress")
	base := aws.Permission{
		Protocol: b.Text("protocol"), From: b.Int("from_port"), To: b.Int("to_port"),
		Label: r.address, Pos: r.values.Pos(), Doubts: unknowns(unknown, "protocol", "from_port", "to_port"),
	}
	s := sources{base: base}
	s.addresses(b.Texts("cidr_blocks"), b.Texts("ipv6_cidr_blocks"))
	s.references(aws.PrefixList, b.Texts("prefix_list_ids")...)
	s.references(aws.Members, b.Texts("security_groups")...)
	if b.Bool("self") {
		s.references(aws.Members, r.address)
	}
	s.unknown(unknowns(unknown, "cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids", "security_groups", "self"))
	b.Ignore("description")
	return s.done(b)
}

// sources collects the permissions that one block with several sources makes.
type sources struct {
	base aws.Permission
	out  []aws.Permission
}

func (s *sources) one(source aws.Source, doubts ...string) {
	p := s.base
	p.Source = source
	p.Doubts = append(append([]string(nil), s.base.Doubts...), doubts...)
	s.out = append(s.out, p)
}

func (s *sources) addresses(lists ...[]string) {
	for _, list := range lists {
		for _, prefix := range list {
			s.one(aws.Source{Kind: aws.Addresses, Name: prefix})
		}
	}
}

func (s *sources) references(kind aws.SourceKind, names ...string) {
	for _, name := range names {
		if name != "" {
			s.one(aws.Source{Kind: kind, Name: name})
		}
	}
}

// unknown adds a permission from sources that are not known.
func (s *sources) unknown(doubts []string) {
	if len(doubts) > 0 {
		s.one(aws.Source{}, doubts...)
	}
}

// done gives the permissions with the problems of the record they came from.
func (s *sources) done(b *cloud.Record) []aws.Permission {
	doubts := b.Doubts()
	if len(doubts) > 0 && len(s.out) == 0 {
		s.one(aws.Source{})
	}
	for i := range s.out {
		s.out[i].Doubts = append(s.out[i].Doubts, doubts...)
	}
	return s.out
}

func (a *amazon) groupRule(r *resource) {
	b := r.values
	direction := b.Text("type")
	if direction == "egress" {
		return
	}
	s := sources{base: aws.Permission{
		Protocol: b.Text("protocol"), From: b.Int("from_port"), To: b.Int("to_port"), Label: r.address, Pos: b.Pos(),
		Doubts: unknowns(r.unknown, "type", "protocol", "from_port", "to_port"),
	}}
	s.addresses(b.Texts("cidr_blocks"), b.Texts("ipv6_cidr_blocks"))
	s.references(aws.PrefixList, b.Texts("prefix_list_ids")...)
	s.references(aws.Members, b.Text("source_security_group_id"))
	if b.Bool("self") {
		s.references(aws.Members, "its own group")
	}
	s.unknown(a.unknowns(r, "cidr_blocks", "ipv6_cidr_blocks", "prefix_list_ids"))
	if len(s.out) == 0 {
		// The provider refuses a group beside any other source.
		s.unknown(a.unknowns(r, "source_security_group_id"))
	}
	owner, doubt, stranger := a.groups.find(r, "security_group_id")
	b.Ignore("id", "description", "security_group_rule_id", "timeouts", "region", "source_security_group_id", "self")
	a.give(r, owner, doubt, stranger, s.done(b))
}

func (a *amazon) ingressRule(r *resource) {
	b := r.values
	s := sources{base: aws.Permission{
		Protocol: b.Text("ip_protocol"), From: b.Int("from_port"), To: b.Int("to_port"), Label: r.address, Pos: b.Pos(),
		Doubts: unknowns(r.unknown, "ip_protocol", "from_port", "to_port"),
	}}
	for _, name := range []string{"cidr_ipv4", "cidr_ipv6"} {
		if prefix := b.Text(name); prefix != "" {
			s.addresses([]string{prefix})
		}
	}
	s.references(aws.PrefixList, b.Text("prefix_list_id"))
	s.references(aws.Members, b.Text("referenced_security_group_id"))
	if len(s.out) == 0 {
		s.unknown(a.unknowns(r, "cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id"))
	}
	owner, doubt, stranger := a.groups.find(r, "security_group_id")
	b.Ignore("arn", "id", "description", "tags", "tags_all", "region", "security_group_rule_id")
	a.give(r, owner, doubt, stranger, s.done(b))
}

// give adds permissions to their group. A group that is not in the file gets a
// place, with the note that it has more rules than these.
func (a *amazon) give(r *resource, owner []int, doubt, stranger string, permissions []aws.Permission) {
	if stranger != "" {
		g := aws.Group{ID: stranger, Pos: r.values.Pos(), Permissions: []aws.Permission{{
			Protocol: "-1", Pos: r.values.Pos(), Label: "rules of " + stranger + " outside this file",
			Doubts: []string{"the group is not in this file, so which other rules it has is not known"},
		}}}
		a.inv.Groups = append(a.inv.Groups, g)
		a.groups.add(r, stranger)
		owner = []int{len(a.inv.Groups) - 1}
	}
	if len(owner) == 0 && len(permissions) > 0 {
		a.unparsed = append(a.unparsed, firewall.Unparsed{
			Pos: r.values.Pos(), Text: cloud.OneLine(r.address, 200), Why: "the rule's group is not in this file; expected its resource",
		})
	}
	for _, i := range owner {
		for _, p := range permissions {
			if doubt != "" {
				p.Doubts = append(append([]string(nil), p.Doubts...), doubt)
			}
			a.inv.Groups[i].Permissions = append(a.inv.Groups[i].Permissions, p)
		}
	}
}

// instances lets groups be picked by the instances they are attached to.
func (a *amazon) instances() {
	for _, r := range a.of("aws_instance") {
		groups, ok := a.groups.attached(r, "vpc_security_group_ids")
		if !ok {
			continue
		}
		for _, i := range groups {
			a.inv.Groups[i].Assets = append(a.inv.Groups[i].Assets, r.address)
		}
	}
}
