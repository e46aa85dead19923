package terraform

import (
	"slices"
	"strings"

	"reconshield/internal/firewall/azure"
	"reconshield/internal/firewall/cloud"
)

// microsoft reads the resources of Azure.
type microsoft struct {
	*document
	inv    *azure.Inventory
	groups owners
	named  map[string][]int // groups by their name in lower case
}

func (m *microsoft) read() {
	m.groups, m.named = newOwners(m.document), map[string][]int{}
	for _, r := range m.of("azurerm_network_security_group") {
		m.group(r)
	}
	for _, r := range m.of("azurerm_network_security_rule") {
		m.rule(r)
	}
	for _, r := range m.of("azurerm_subnet_network_security_group_association") {
		m.attach(r, "subnet_id", func(g *azure.Group, id string) { g.Subnets = append(g.Subnets, id) })
	}
	for _, r := range m.of("azurerm_network_interface_security_group_association") {
		m.attach(r, "network_interface_id", func(g *azure.Group, id string) { g.NICs = append(g.NICs, id) })
	}
	m.inv.WideTags = m.wideTags()
}

func (m *microsoft) group(r *resource) {
	b := r.values
	g := azure.Group{ID: b.Text("id"), Name: b.Text("name"), Pos: b.Pos()}
	if g.Name == "" {
		g.Name = r.address
	}
	g.Others = append(g.Others, r.address)
	for v := range b.List("security_rule").Items() {
		item := v.Record()
		item.Ignore("description")
		m.readRule(&g, r, item, r.unknown.Field("security_rule"))
	}
	for _, doubt := range m.inlineDoubts(r, "security_rule") {
		m.add(b.Value(), doubt)
	}
	if m.stale(r, "security_rule") {
		for i := range g.Rules {
			g.Rules[i].Doubts = append(g.Rules[i].Doubts, "the plan changes rules of groups, and whether this one stays is not told")
		}
	}
	b.Ignore("location", "resource_group_name", "tags", "timeouts")
	m.unparsed = append(m.unparsed, b.Problems()...)
	m.inv.Groups = append(m.inv.Groups, g)
	m.groups.add(r, g.ID)
	key := strings.ToLower(g.Name)
	m.named[key] = append(m.named[key], len(m.inv.Groups)-1)
}

// readRule reads one rule, from a block of a group or a resource of its own, and
// keeps it unless it is of outbound traffic.
func (m *microsoft) readRule(g *azure.Group, r *resource, b *cloud.Record, unknown cloud.Value) {
	direction := b.Text("direction")
	if strings.EqualFold(direction, "Outbound") {
		return
	}
	priority := b.Int("priority")
	if priority == nil || !strings.EqualFold(direction, "Inbound") {
		m.add(b.Value(), "security rule: expected a direction Inbound or Outbound and a priority; it may be known only after apply")
		return
	}
	rule := azure.Rule{
		Name: b.Text("name"), Priority: *priority, Access: b.Text("access"), Protocol: b.Text("protocol"),
		Sources:           either(b, "source_address_prefix", "source_address_prefixes"),
		Destinations:      either(b, "destination_address_prefix", "destination_address_prefixes"),
		SourcePorts:       either(b, "source_port_range", "source_port_ranges"),
		DestinationPorts:  either(b, "destination_port_range", "destination_port_ranges"),
		SourceGroups:      b.Texts("source_application_security_group_ids"),
		DestinationGroups: b.Texts("destination_application_security_group_ids"),
		Pos:               r.values.Pos(),
	}
	rule.Doubts = append(unknowns(unknown, "access", "protocol", "priority", "direction"), b.Doubts()...)
	widen(&rule, unknown)
	g.Rules = append(g.Rules, rule)
}

// widen takes away the limits of a rule that are not wholly known, with a doubt
// in their place.
func widen(rule *azure.Rule, unknown cloud.Value) {
	for _, side := range []struct {
		attributes []string
		values     *[]string
	}{
		{[]string{"source_address_prefix", "source_address_prefixes", "source_application_security_group_ids"}, &rule.Sources},
		{[]string{
			"destination_address_prefix", "destination_address_prefixes", "destination_application_security_group_ids",
		}, &rule.Destinations},
		{[]string{"source_port_range", "source_port_ranges"}, &rule.SourcePorts},
		{[]string{"destination_port_range", "destination_port_ranges"}, &rule.DestinationPorts},
	} {
		if doubts := unknowns(unknown, side.attributes...); len(doubts) > 0 {
			*side.values = []string{"*"}
			rule.Doubts = append(rule.Doubts, doubts...)
		}
	}
}

// either reads an attribute that comes in the singular or the plural.
func either(b *cloud.Record, one, many string) []string {
	out := b.Texts(many)
	if s := b.Text(one); s != "" {
		out = append(out, s)
	}
	return out
}

func (m *microsoft) rule(r *resource) {
	b := r.values
	owner, doubt := m.owner(r)
	b.Ignore("description", "id", "timeouts", "resource_group_name", "network_security_group_name")
	var read azure.Group
	m.readRule(&read, r, b, r.unknown)
	if len(owner) == 0 && len(read.Rules) > 0 {
		m.add(b.Value(), "the rule's network security group is not in this file; expected its resource")
	}
	for _, rule := range read.Rules {
		if doubt != "" {
			rule.Doubts = append(rule.Doubts, doubt)
		}
		for _, i := range owner {
			m.inv.Groups[i].Rules = append(m.inv.Groups[i].Rules, rule)
		}
	}
}

// owner finds the groups of a rule: by name, as rules give it, and in the same
// resource group.
func (m *microsoft) owner(r *resource) (indexes []int, doubt string) {
	name := r.values.Text("network_security_group_name")
	if name == "" {
		indexes, doubt, _ = m.groups.find(r, "network_security_group_name")
		return indexes, doubt
	}
	place := r.values.Text("resource_group_name")
	candidates := m.named[strings.ToLower(name)]
	if len(candidates) > maxOpen {
		return nil, ""
	}
	for _, i := range candidates {
		other := m.groups.list[i].values.Text("resource_group_name")
		if place == "" || other == "" || strings.EqualFold(place, other) {
			indexes = append(indexes, i)
		}
	}
	if len(indexes) > 1 {
		doubt = "several groups have the name " + cloud.OneLine(name, 80) + ", and which one the rule belongs to is not known"
	}
	return indexes, doubt
}

// attach notes what a group is attached to.
func (m *microsoft) attach(r *resource, attribute string, note func(*azure.Group, string)) {
	id := r.values.Text(attribute)
	if id == "" {
		id = r.address
	}
	indexes, doubt, _ := m.groups.find(r, "network_security_group_id")
	if len(indexes) == 1 && doubt == "" {
		note(&m.inv.Groups[indexes[0]], id)
	}
}

// wideTags reports whether a virtual network or a route in the file makes the
// tags VirtualNetwork and Internet mean more than private and public addresses.
func (m *microsoft) wideTags() bool {
	isWide := func(text string) bool {
		span, err := cloud.Range(text)
		return err == nil && !cloud.NotPublic().Covers(span)
	}
	for _, r := range m.of("azurerm_virtual_network") {
		if slices.ContainsFunc(r.values.Texts("address_space"), isWide) {
			return true
		}
	}
	for _, r := range m.of("azurerm_route") {
		if isWide(r.values.Text("address_prefix")) {
			return true
		}
	}
	for _, r := range m.of("azurerm_route_table") {
		for v := range r.values.List("route").Items() {
			if prefix, _ := v.Field("address_prefix").Text(); isWide(prefix) {
				return true
			}
		}
	}
	return false
}
