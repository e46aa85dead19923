package gcp

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// Inventory is what one file holds: the rules of networks, any of which the
// asset may be in.
type Inventory struct {
	File     string
	Rules    []Rule
	Networks []Network // more than the rules name: those with egress rules alone
	Unparsed []firewall.Unparsed
	// Assets says of names of assets which network and which tags they have.
	Assets map[string]Asset
}

// Network is a VPC network.
type Network struct {
	Name string // its address or name, as Rule.Network has it
	Pos  firewall.Position
}

// Asset is what is known of an asset by its name.
type Asset struct {
	Network string
	Tags    []string // network tags and service accounts; nil when not known
}

// Sniff reports whether a file that begins with head is for Read. What Terraform
// prints of the same resources is not.
func Sniff(head []byte) bool {
	if bytes.Contains(head, []byte(`"format_version"`)) {
		return false
	}
	return bytes.Contains(head, []byte(`"compute#firewall"`)) || bytes.Contains(head, []byte(`"sourceRanges"`)) ||
		bytes.Contains(head, []byte(`"IPProtocol"`)) || bytes.Contains(head, []byte(`/global/firewalls/`))
}

// Parse reads a file as Read does and gives the ruleset without a pick: rules
// with target tags cannot be decided, and with several networks no rule can.
func Parse(file string, text []byte) (*firewall.Ruleset, error) {
	inv, err := Read(file, text)
	if err != nil {
		return nil, err
	}
	return inv.Ruleset(nil), nil
}

// Read reads the JSON of gcloud compute firewall-rules list or describe, or of
// the REST API. The error is for text that is none of these.
func Read(file string, text []byte) (*Inventory, error) {
	root, err := cloud.Parse(file, text)
	if err != nil {
		return nil, err
	}
	inv := &Inventory{File: file}
	list := root
	if root.Kind() == cloud.Object {
		if list = root.Field("items"); list.Kind() != cloud.Array {
			if !isRule(root) {
				return nil, notOurs(root)
			}
			inv.rule(root)
			return inv, nil
		}
		r := root.Record()
		r.Ignore("items", "kind", "id", "selfLink")
		inv.Unparsed = append(inv.Unparsed, r.Problems()...)
	}
	if list.Kind() != cloud.Array {
		return nil, notOurs(root)
	}
	for v := range list.Items() {
		if !isRule(v) {
			return nil, notOurs(v)
		}
		inv.rule(v)
	}
	return inv, nil
}

func notOurs(v cloud.Value) error {
	return fmt.Errorf("%s: expected the JSON of gcloud compute firewall-rules list", v.Pos())
}

func isRule(v cloud.Value) bool {
	return v.Field("network").Kind() == cloud.Text && v.Field("name").Kind() == cloud.Text &&
		(v.Field("allowed").Kind() == cloud.Array || v.Field("denied").Kind() == cloud.Array)
}

// Names are the names that can be picked: networks, target tags and target
// service accounts.
func (inv *Inventory) Names() []string {
	var out []string
	for _, n := range inv.networks() {
		out = append(out, n.Name, path.Base(n.Name))
	}
	for _, r := range inv.Rules {
		out = append(append(out, r.TargetTags...), r.TargetAccounts...)
	}
	for name := range inv.Assets {
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Ruleset gives the rules that stand before an asset of the picked network with
// the picked tags and service accounts. When no network is picked and the file
// has rules of several, no rule can be decided. When no tag or account is
// picked, rules with targets cannot; when some are, they are taken as all that
// the asset has. Picked names that are not in the file count for nothing:
// compare with Names.
func (inv *Inventory) Ruleset(pick []string) *firewall.Ruleset {
	rs := &firewall.Ruleset{Files: []string{inv.File}, Unparsed: slices.Clone(inv.Unparsed)}
	rs.Assumed = []string{inv.File + ": hierarchical and network firewall policies may allow or deny before these rules and are not among them; gcloud compute networks get-effective-firewalls shows whether there are any"}
	rs.Chains = cloud.Union("vpc-firewall", "the asset's network", inv.parts(pick), pick)
	if len(rs.Chains) == 0 && len(rs.Unparsed) == 0 {
		rs.Unparsed = append(rs.Unparsed, firewall.Unparsed{
			Pos: firewall.Position{File: inv.File}, Why: "holds no firewall rule; expected those of the asset's network",
		})
	}
	return rs
}

// parts makes a chain of each network.
func (inv *Inventory) parts(pick []string) []cloud.Part {
	tags := inv.tags(pick)
	rules := slices.Clone(inv.Rules)
	slices.SortStableFunc(rules, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.rank(), b.rank()))
	})
	chains := map[string]*firewall.Chain{}
	assets := map[string][]string{} // by network
	for name, asset := range inv.Assets {
		assets[asset.Network] = append(assets[asset.Network], name)
	}
	var parts []cloud.Part
	for _, n := range inv.networks() {
		c := &firewall.Chain{
			Table: "vpc-firewall", Name: cloud.OneLine(path.Base(n.Name), 200), Family: firewall.Inet, Pos: n.Pos,
		}
		chains[n.Name] = c
		part := cloud.Part{What: "network " + c.Name, Names: []string{n.Name}, Assets: assets[n.Name], Chain: c, Closed: true}
		if base := path.Base(n.Name); base != n.Name {
			part.Names = append(part.Names, base)
		}
		parts = append(parts, part)
	}
	for _, r := range rules {
		c := chains[r.Network]
		c.Rules = append(c.Rules, r.translate(tags)...)
	}
	return parts
}

// networks gives every network once, in the file's order.
func (inv *Inventory) networks() []Network {
	seen := map[string]bool{}
	var out []Network
	add := func(n Network) {
		if !seen[n.Name] {
			seen[n.Name] = true
			out = append(out, n)
		}
	}
	for _, r := range inv.Rules {
		add(Network{r.Network, r.Pos})
	}
	for _, n := range inv.Networks {
		add(n)
	}
	return out
}

// tags gives those of the picked names that are tags or accounts of the asset;
// nil when it is not known which the asset has.
func (inv *Inventory) tags(pick []string) map[string]bool {
	var known map[string]bool
	add := func(name string) {
		if known == nil {
			known = map[string]bool{}
		}
		known[name] = true
	}
	for _, name := range pick {
		if a, ok := inv.Assets[name]; ok && a.Tags != nil {
			for _, tag := range append(a.Tags, "") {
				add(tag)
			}
		}
	}
	for _, r := range inv.Rules {
		for _, t := range slices.Concat(r.TargetTags, r.TargetAccounts) {
			if t != "" && slices.Contains(pick, t) {
				add(t)
			}
		}
	}
	return known
}
