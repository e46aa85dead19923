package azure

import (
	"bytes"
	"fmt"
	"path"
	"slices"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// Inventory is what one file holds: groups, any of which may stand before an
// asset.
type Inventory struct {
	File     string
	Groups   []Group
	Unparsed []firewall.Unparsed
	// WideTags says that the tags VirtualNetwork and Internet may stand for any
	// address: the virtual network has public addresses or routes of its own.
	WideTags bool
}

// Group is a network security group with its inbound rules.
type Group struct {
	ID, Name string
	Others   []string // further names
	Subnets  []string // identifiers or names of subnets it is attached to
	NICs     []string // the same of network interfaces
	Rules    []Rule
	// Defaults is true when Rules holds the default rules. Otherwise the
	// documented ones are added.
	Defaults bool
	Pos      firewall.Position
}

// Sniff reports whether a file that begins with head is for Read. What Terraform
// prints of the same resources is not.
func Sniff(head []byte) bool {
	if bytes.Contains(head, []byte(`"format_version"`)) {
		return false
	}
	return bytes.Contains(head, []byte(`"defaultSecurityRules"`)) || bytes.Contains(head, []byte(`"securityRules"`)) ||
		bytes.Contains(head, []byte(`Microsoft.Network/networkSecurityGroups`))
}

// Parse reads a file as Read does and gives the ruleset without a pick: with
// several groups in it, nothing is sure about any.
func Parse(file string, text []byte) (*firewall.Ruleset, error) {
	inv, err := Read(file, text)
	if err != nil {
		return nil, err
	}
	return inv.Ruleset(nil), nil
}

// Read reads the JSON of az network nsg show or list, or of the REST API. The
// error is for text that is none of these.
func Read(file string, text []byte) (*Inventory, error) {
	root, err := cloud.Parse(file, text)
	if err != nil {
		return nil, err
	}
	inv := &Inventory{File: file}
	list := root
	if root.Kind() == cloud.Object {
		if list = root.Field("value"); list.Kind() != cloud.Array {
			if !isGroup(root) {
				return nil, notOurs(root)
			}
			inv.group(root)
			return inv, nil
		}
		r := root.Record()
		r.Ignore("value")
		if next := r.Get("nextLink"); !next.None() {
			inv.add(next, "the list goes on after this page; give all pages")
		}
		inv.Unparsed = append(inv.Unparsed, r.Problems()...)
	}
	if list.Kind() != cloud.Array {
		return nil, notOurs(root)
	}
	for v := range list.Items() {
		if !isGroup(v) {
			return nil, notOurs(v)
		}
		inv.group(v)
	}
	return inv, nil
}

func notOurs(v cloud.Value) error {
	return fmt.Errorf("%s: expected the JSON of az network nsg show or list", v.Pos())
}

func isGroup(v cloud.Value) bool {
	p := properties(v)
	return p.Field("securityRules").Kind() == cloud.Array || p.Field("defaultSecurityRules").Kind() == cloud.Array
}

// properties is where the fields of a resource stand: in an object of their own
// as the REST API gives them, or beside the name as az does.
func properties(v cloud.Value) cloud.Value {
	if p := v.Field("properties"); p.Kind() == cloud.Object {
		return p
	}
	return v
}

func (inv *Inventory) add(v cloud.Value, why string) {
	inv.Unparsed = append(inv.Unparsed, firewall.Unparsed{Pos: v.Pos(), Text: v.Raw(200), Why: why})
}

func (inv *Inventory) group(v cloud.Value) {
	r := v.Record()
	p := r
	if v.Field("properties").Kind() == cloud.Object {
		p = r.Get("properties").Record()
	}
	g := Group{ID: r.Text("id"), Name: r.Text("name"), Pos: v.Pos()}
	g.Subnets, g.NICs = identifiers(p, "subnets"), identifiers(p, "networkInterfaces")
	for item := range p.List("securityRules").Items() {
		inv.rule(&g, item)
	}
	for item := range p.List("defaultSecurityRules").Items() {
		g.Defaults = true
		inv.rule(&g, item)
	}
	for _, record := range []*cloud.Record{r, p} {
		record.Ignore("location", "type", "etag", "tags", "resourceGroup", "resourceGuid", "provisioningState",
			"flowLogs", "flushConnection", "extendedLocation")
	}
	inv.Unparsed = append(inv.Unparsed, r.Problems()...)
	if p != r {
		inv.Unparsed = append(inv.Unparsed, p.Problems()...)
	}
	inv.Groups = append(inv.Groups, g)
}

// identifiers reads a list of references to other resources.
func identifiers(r *cloud.Record, name string) []string {
	var out []string
	list := r.List(name)
	if list.Kind() == cloud.Absent && !r.Get(name).None() {
		return []string{cloud.Unreadable}
	}
	for v := range list.Items() {
		id, ok := v.Field("id").Text()
		if !ok {
			id = cloud.Unreadable
		}
		out = append(out, id)
	}
	return out
}

// Names are the names by which groups can be picked: their own, and those of
// the subnets and interfaces they are attached to; each also as its identifier.
func (inv *Inventory) Names() []string { return cloud.Names(inv.parts()) }

// Ruleset gives the rules that stand before an asset with the picked groups: a
// base chain each, as each must accept. With none picked and only one in the
// file it is that one; with several it is not sure which, and each may also be
// absent. Picked names that are not in the file count for nothing: compare with
// Names.
func (inv *Inventory) Ruleset(pick []string) *firewall.Ruleset {
	rs := &firewall.Ruleset{Files: []string{inv.File}, Unparsed: slices.Clone(inv.Unparsed)}
	rs.Chains = cloud.Every(inv.parts(), pick)
	if !inv.WideTags {
		rs.Assumed = append(rs.Assumed, inv.File+": the tag VirtualNetwork is taken as private addresses; a virtual network with public addresses, or a route of one's own for 0.0.0.0/0, lets more in than is shown here")
	}
	if len(rs.Chains) == 0 {
		rs.Unparsed = append(rs.Unparsed, firewall.Unparsed{
			Pos: firewall.Position{File: inv.File},
			Why: "holds no network security group; expected those of the asset's subnet and interface",
		})
	}
	return rs
}

// parts makes a chain of each group.
func (inv *Inventory) parts() []cloud.Part {
	parts := make([]cloud.Part, len(inv.Groups))
	for i, g := range inv.Groups {
		c := &firewall.Chain{
			Table: "network-security-group", Name: cloud.OneLine(g.Name, 200), Family: firewall.Inet, Pos: g.Pos,
		}
		for _, r := range g.sorted() {
			c.Rules = append(c.Rules, r.translate(inv.WideTags)...)
		}
		names := append([]string{g.Name, g.ID}, g.Others...)
		for _, id := range slices.Concat(g.Subnets, g.NICs) {
			names = append(names, path.Base(id))
		}
		slices.Sort(names)
		parts[i] = cloud.Part{
			What: "network security group " + c.Name, Closed: true,
			Names: slices.Compact(names), Assets: slices.Concat(g.Subnets, g.NICs), Chain: c,
		}
	}
	return parts
}
