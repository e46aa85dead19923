package aws

import (
	"bytes"
	"fmt"
	"slices"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// Inventory is what one file holds: groups and lists, any of which may stand
// before an asset.
type Inventory struct {
	File     string
	Groups   []Group
	ACLs     []ACL
	Unparsed []firewall.Unparsed
	// Cut is true when the file says that the cloud has more than it holds.
	Cut bool
}

// Sniff reports whether a file that begins with head is for Read.
func Sniff(head []byte) bool {
	return bytes.Contains(head, []byte(`"SecurityGroups"`)) || bytes.Contains(head, []byte(`"NetworkAcls"`)) ||
		bytes.Contains(head, []byte(`"IpPermissions"`)) || bytes.Contains(head, []byte(`"NetworkAclId"`))
}

// Parse reads a file as Read does and gives the ruleset without a pick: with
// several groups or lists in it, nothing is sure about any.
func Parse(file string, text []byte) (*firewall.Ruleset, error) {
	inv, err := Read(file, text)
	if err != nil {
		return nil, err
	}
	return inv.Ruleset(nil), nil
}

// Read reads the JSON of describe-security-groups or describe-network-acls: the
// object with the list, the list alone (as --query gives it), or one element.
// The error is for text that is none of these.
func Read(file string, text []byte) (*Inventory, error) {
	root, err := cloud.Parse(file, text)
	if err != nil {
		return nil, err
	}
	inv := &Inventory{File: file}
	switch root.Kind() {
	case cloud.Array:
		for v := range root.Items() {
			if !inv.element(v) {
				return nil, notOurs(v)
			}
		}
		return inv, nil
	case cloud.Object:
		if inv.lists(root) || inv.element(root) {
			return inv, nil
		}
	case cloud.Absent, cloud.Null, cloud.Bool, cloud.Number, cloud.Text:
	}
	return nil, notOurs(root)
}

func notOurs(v cloud.Value) error {
	return fmt.Errorf("%s: expected the JSON of aws ec2 describe-security-groups or describe-network-acls", v.Pos())
}

// lists reads the two lists of an outermost object; false when it has neither.
func (inv *Inventory) lists(root cloud.Value) bool {
	r := root.Record()
	groups, acls := r.List("SecurityGroups"), r.List("NetworkAcls")
	if groups.Kind() == cloud.Absent && acls.Kind() == cloud.Absent {
		return false
	}
	for v := range groups.Items() {
		inv.group(v)
	}
	for v := range acls.Items() {
		inv.acl(v)
	}
	inv.Cut = !r.Get("NextToken").None()
	r.Ignore("ResponseMetadata")
	inv.Unparsed = append(inv.Unparsed, r.Problems()...)
	return true
}

// element reads a group or list that stands by itself.
func (inv *Inventory) element(v cloud.Value) bool {
	switch {
	case v.Field("NetworkAclId").Kind() == cloud.Text:
		inv.acl(v)
	case v.Field("GroupId").Kind() == cloud.Text:
		inv.group(v)
	default:
		return false
	}
	return true
}

// Names are the names by which groups and lists can be picked: their
// identifiers, the names of groups, and the subnets of lists.
func (inv *Inventory) Names() []string {
	return append(cloud.Names(inv.groupParts()), cloud.Names(inv.aclParts())...)
}

// Ruleset gives the rules that stand before an asset with the picked groups and
// the picked list. Of each kind, when none is picked and there is only one, it
// is that one; when there are several, it is not sure which, and their rules
// cannot be decided. Picked names that are not in the file count for nothing:
// compare with Names. The two kinds are chains of their own: both must accept.
func (inv *Inventory) Ruleset(pick []string) *firewall.Ruleset {
	groups, acls := inv.groupParts(), inv.aclParts()
	rs := &firewall.Ruleset{Files: []string{inv.File}, Unparsed: slices.Clone(inv.Unparsed)}
	rs.Chains = append(
		cloud.Union(groupTable, "all groups of the asset", groups, pick),
		cloud.Union(aclTable, "the list of the asset's subnet", acls, pick)...)
	if len(rs.Chains) == 0 {
		rs.Unparsed = append(rs.Unparsed, firewall.Unparsed{
			Pos: firewall.Position{File: inv.File},
			Why: "holds no security group and no network ACL; expected those of the asset",
		})
	}
	_, sureGroups := cloud.Choose(groups, pick)
	_, sureACLs := cloud.Choose(acls, pick)
	picked := slices.ContainsFunc(inv.Names(), func(n string) bool { return slices.Contains(pick, n) })
	if inv.Cut && (!picked || !sureGroups || !sureACLs) {
		rs.Unparsed = append(rs.Unparsed, firewall.Unparsed{
			Pos: firewall.Position{File: inv.File}, Text: "NextToken",
			Why: "the list goes on after this page; run the command without --max-items, or name groups with --group",
		})
	}
	return rs
}

const (
	groupTable = "security-group"
	aclTable   = "network-acl"
)
