package aws

import (
	"slices"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// Group is a security group with its inbound rules.
type Group struct {
	ID, Name    string
	Permissions []Permission
	Others      []string // further names
	// Assets are names of what it is known to be attached to, by which it can
	// be picked.
	Assets []string
	Pos    firewall.Position
}

func (inv *Inventory) group(v cloud.Value) {
	r := v.Record()
	g := Group{ID: r.Text("GroupId"), Name: r.Text("GroupName"), Pos: v.Pos()}
	for p := range r.List("IpPermissions").Items() {
		g.Permissions = append(g.Permissions, permissions(p)...)
	}
	r.Ignore("Description", "OwnerId", "VpcId", "Tags", "SecurityGroupArn", "IpPermissionsEgress")
	inv.Unparsed = append(inv.Unparsed, r.Problems()...)
	inv.Groups = append(inv.Groups, g)
}

// permissions reads one element of IpPermissions: a permission for each of its
// sources.
func permissions(v cloud.Value) []Permission {
	r := v.Record()
	base := Permission{Protocol: r.Text("IpProtocol"), From: r.Int("FromPort"), To: r.Int("ToPort"), Pos: v.Pos()}
	var out []Permission
	read := func(list, name string, kind SourceKind, harmless ...string) {
		for item := range r.List(list).Items() {
			s := item.Record()
			p := base
			p.Source = Source{Kind: kind, Name: s.Text(name)}
			p.Pos = item.Pos()
			s.Ignore(harmless...)
			p.Doubts = s.Doubts()
			out = append(out, p)
		}
	}
	read("IpRanges", "CidrIp", Addresses, "Description")
	read("Ipv6Ranges", "CidrIpv6", Addresses, "Description")
	read("PrefixListIds", "PrefixListId", PrefixList, "Description")
	// The status of a peering that is gone makes the reference stale; that
	// takes addresses away and is already undecided.
	read("UserIdGroupPairs", "GroupId", Members,
		"Description", "UserId", "GroupName", "VpcId", "VpcPeeringConnectionId", "PeeringStatus")
	doubts := r.Doubts()
	if len(out) == 0 && len(doubts) > 0 {
		out = []Permission{base}
	}
	for i := range out {
		out[i].Doubts = append(out[i].Doubts, doubts...)
	}
	return out
}

// groupParts makes a chain of each group.
func (inv *Inventory) groupParts() []cloud.Part {
	parts := make([]cloud.Part, len(inv.Groups))
	for i, g := range inv.Groups {
		label := labelOf(g.ID, g.Name)
		c := &firewall.Chain{Table: groupTable, Name: label, Family: firewall.Inet, Pos: g.Pos}
		for _, p := range g.Permissions {
			c.Rules = append(c.Rules, p.Rule())
		}
		parts[i] = cloud.Part{What: "security group " + label, Names: slices.Concat([]string{g.ID, g.Name}, g.Others), Assets: g.Assets, Chain: c}
	}
	return parts
}

// labelOf is "sg-1 (web)", or the one of both that there is.
func labelOf(id, name string) string {
	switch {
	case id == "":
		return cloud.OneLine(name, 200)
	case name == "" || name == id:
		return cloud.OneLine(id, 200)
	}
	return cloud.OneLine(id+" ("+name+")", 200)
}
