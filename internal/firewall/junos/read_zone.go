package junos

import (
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// readZones learns the zones and their interfaces.
func (c *configuration) readZones(zones *node) {
	for k := range zones.each() {
		if k.word != "security-zone" && k.word != "functional-zone" {
			c.skip(k, "zones "+k.word, "expected security-zone or functional-zone")
		}
	}
	for z := range zones.find("security-zone").each() {
		c.zone(z, false)
	}
	for z := range zones.find("functional-zone").each() {
		c.zone(z, true)
	}
}

func (c *configuration) zone(n *node, management bool) {
	z := &zone{name: n.word, node: n, management: management}
	for k := range n.each() {
		if !slices.Contains([]string{
			"interfaces", "host-inbound-traffic", "address-book", "description", "screen", "tcp-rst", "application-tracking", "source-identity-log",
			"enable-reverse-reroute", "unidirectional-session-refreshing", "user-id", "source-identity",
		}, k.word) {
			c.skip(k, "zone "+n.word+" "+k.word, "expected interfaces, host-inbound-traffic or an address book")
		}
	}
	for i := range n.find("interfaces").each() {
		name := i.word
		switch {
		case name == "all":
			name = "*"
			c.skip(i, "zone "+n.word+" interfaces all", "which interfaces are not in other zones is not read; name them")
		case strings.HasSuffix(name, "*"):
			c.skip(i, "zone "+n.word+" interfaces "+name, "expected the name of an interface, without *")
		case !strings.Contains(name, "."):
			name += ".0"
			z.interfaces = append(z.interfaces, i.word)
		}
		z.interfaces = append(z.interfaces, name)
	}
	if !management {
		c.zones[n.word] = z
	}
	c.order = append(c.order, z)
}

// link is the condition that a packet comes from or goes to one of the zones;
// nil for any.
func (c *configuration) link(field firewall.Field, names []string) []firewall.Match {
	if len(names) == 0 || slices.Contains(names, "any") {
		return nil
	}
	m := firewall.Match{Field: field}
	var unknown []string
	for _, name := range names {
		if z := c.zones[name]; z != nil {
			m.Names = append(m.Names, z.interfaces...)
		} else if name != host {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return []firewall.Match{m}
	}
	doubt := cloud.Undecidable("the interfaces of zone " + unknown[0] + " are not in this file")
	return []firewall.Match{{Field: firewall.Tuple, Tuples: [][]firewall.Match{{m}, {doubt}}}}
}

// zoneless drops what comes in on an interface of no zone.
func (c *configuration) zoneless(base *firewall.Chain) {
	var all []string
	var first *node
	for _, z := range c.order {
		if !z.management {
			all = append(all, z.interfaces...)
			first = z.node
		}
	}
	if len(all) == 0 {
		c.assume("no zone has an interface in this file; give the zones as well to say where packets come in")
		return
	}
	c.assume("packets are taken to go out through an interface of some zone; the device drops others")
	base.Rules = append(base.Rules, c.stranger(first), firewall.Rule{
		Matches: []firewall.Match{{Field: firewall.InInterface, Names: all, Not: true}}, Action: firewall.Action{Kind: firewall.Drop},
		Pos: c.at(first), Text: "an interface that is in no zone",
	})
}

// stranger leaves open what comes in on an interface that is nowhere in the
// file: it may be one of the device by another name.
func (c *configuration) stranger(at *node) firewall.Rule {
	known := outOfBand()
	for _, z := range c.order {
		known = append(known, z.interfaces...)
	}
	for i := range c.root.find("interfaces").each() {
		for u := range i.find("unit").each() {
			known = append(known, i.word+"."+u.word)
		}
	}
	return firewall.Rule{
		Matches: []firewall.Match{{Field: firewall.InInterface, Names: known, Not: true}},
		Action:  firewall.Action{Kind: firewall.Unknown, Why: "the interface is not in this file; expected a name with its unit, as ge-0/0/0.0"},
		Pos:     c.at(at), Text: "an interface that is not in this file",
	}
}

// outOfBand names the ports for management alone, which are in no zone.
func outOfBand() []string {
	return []string{"fxp0.0", "fxp0", "em0.0", "em0", "me0.0", "vme.0"}
}
