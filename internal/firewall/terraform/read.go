package terraform

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/aws"
	"reconshield/internal/firewall/azure"
	"reconshield/internal/firewall/cloud"
	"reconshield/internal/firewall/gcp"
)

// Inventory is what one plan or state holds, by cloud.
type Inventory struct {
	File     string
	AWS      *aws.Inventory
	Azure    *azure.Inventory
	GCP      *gcp.Inventory
	Unparsed []firewall.Unparsed
}

// Sniff reports whether a file that begins with head is for Read.
func Sniff(head []byte) bool {
	return bytes.Contains(head, []byte(`"format_version"`)) && (bytes.Contains(head, []byte(`"terraform_version"`)) ||
		bytes.Contains(head, []byte(`"planned_values"`)) || bytes.Contains(head, []byte(`"root_module"`)))
}

// Parse reads a file as Read does and gives the ruleset without a pick.
func Parse(file string, text []byte) (*firewall.Ruleset, error) {
	inv, err := Read(file, text)
	if err != nil {
		return nil, err
	}
	return inv.Ruleset(nil), nil
}

// Read reads the JSON of terraform show -json, of format versions 0 and 1. The
// error is for text that is not of that kind.
func Read(file string, text []byte) (*Inventory, error) {
	root, err := cloud.Parse(file, text)
	if err != nil {
		return nil, err
	}
	version, ok := root.Field("format_version").Text()
	if !ok {
		return nil, fmt.Errorf("%s: expected the JSON of terraform show -json: a plan or a state with a format_version", root.Pos())
	}
	if major, _, _ := strings.Cut(version, "."); major != "0" && major != "1" {
		return nil, fmt.Errorf("%s: format version %s: expected 0 or 1", root.Pos(), cloud.OneLine(version, 20))
	}
	d := newDocument(file, root)
	inv := &Inventory{
		File: file, AWS: &aws.Inventory{File: file}, Azure: &azure.Inventory{File: file}, GCP: &gcp.Inventory{File: file},
	}
	a := amazon{document: d, inv: inv.AWS}
	a.read()
	m := microsoft{document: d, inv: inv.Azure}
	m.read()
	g := google{document: d, inv: inv.GCP}
	g.read()
	d.strangers()
	inv.Unparsed = d.unparsed
	return inv, nil
}

// Names are the names that can be picked.
func (inv *Inventory) Names() []string {
	all := slices.Concat(inv.AWS.Names(), inv.Azure.Names(), inv.GCP.Names())
	slices.Sort(all)
	return slices.Compact(all)
}

// Ruleset gives the rules that stand before an asset with the picked groups,
// lists, networks and tags, as the packages of the clouds say. Where the file
// has rules of several clouds, those of the cloud count in which something was
// picked; when nothing was, it is not sure in which the asset is.
func (inv *Inventory) Ruleset(pick []string) *firewall.Ruleset {
	type part struct {
		name  string
		names []string
		rules *firewall.Ruleset
	}
	var parts []part
	if len(inv.AWS.Groups)+len(inv.AWS.ACLs) > 0 {
		parts = append(parts, part{"AWS", inv.AWS.Names(), inv.AWS.Ruleset(pick)})
	}
	if len(inv.Azure.Groups) > 0 {
		parts = append(parts, part{"Azure", inv.Azure.Names(), inv.Azure.Ruleset(pick)})
	}
	if len(inv.GCP.Rules)+len(inv.GCP.Networks) > 0 {
		parts = append(parts, part{"Google Cloud", inv.GCP.Names(), inv.GCP.Ruleset(pick)})
	}
	picked := slices.DeleteFunc(slices.Clone(parts), func(p part) bool {
		return !slices.ContainsFunc(pick, func(n string) bool { return slices.Contains(p.names, n) })
	})
	if len(picked) > 0 {
		parts = picked
	}
	rs := &firewall.Ruleset{Files: []string{inv.File}, Unparsed: slices.Clone(inv.Unparsed)}
	for _, p := range parts {
		if len(parts) > 1 {
			passBy(p.rules, p.name)
		}
		rs.Chains = append(rs.Chains, p.rules.Chains...)
		rs.Unparsed = append(rs.Unparsed, p.rules.Unparsed...)
	}
	if len(parts) == 0 {
		rs.Unparsed = append(rs.Unparsed, firewall.Unparsed{
			Pos: firewall.Position{File: inv.File},
			Why: "holds no rules of a cloud that is read; expected a plan or state with security groups or firewall rules",
		})
	}
	return rs
}

// passBy lets every packet pass the base chains of a cloud if the asset is not
// in it, which cannot be known.
func passBy(rs *firewall.Ruleset, name string) {
	for _, c := range rs.Chains {
		if c.Base == nil {
			continue
		}
		c.Rules = append([]firewall.Rule{{
			Matches: []firewall.Match{cloud.Undecidable(fmt.Sprintf(
				"whether the asset is in %s is not in this file; name one of its groups, networks or tags with --group", name))},
			Action: firewall.Action{Kind: firewall.Accept}, Pos: c.Pos, Text: "assets outside " + name,
		}}, c.Rules...)
	}
}
