package azure

import "reconshield/internal/firewall/fabric"

func terraform(p fabric.Plan, rules []securityRule) string {
	t := fabric.NewTerraform(p.Header("Network security group"))
	t.Input("resource_group_name", "string", "The resource group of the asset.")
	t.Input("location", "string", "The region of the asset.")
	label := fabric.Name(p.Asset, '_', 40)
	g := t.Append("resource", "azurerm_network_security_group", label)
	g.Text("name", "reconshield-"+fabric.Name(p.Asset, '-', 40))
	g.Expression("location", "var.location")
	g.Expression("resource_group_name", "var.resource_group_name")
	for _, r := range rules {
		r.block(g.Append("security_rule"))
	}
	t.Append("output", "network_security_group_id").Expression("value", "azurerm_network_security_group."+label+".id")
	return t.String()
}

func (r securityRule) block(b fabric.Block) {
	b.Text("name", r.name)
	b.Text("description", r.why)
	b.Int("priority", r.priority)
	b.Text("direction", pick(r.outbound, "Outbound", "Inbound"))
	b.Text("access", pick(r.deny, "Deny", "Allow"))
	b.Text("protocol", r.protocol)
	b.Text("source_port_range", "*")
	several(b, "destination_port_range", "destination_port_ranges", r.ports)
	several(b, "source_address_prefix", "source_address_prefixes", r.from)
	several(b, "destination_address_prefix", "destination_address_prefixes", r.to)
}

// several sets the attribute for one value or the one for a list; no value is
// any.
func several(b fabric.Block, one, many string, values []string) {
	switch len(values) {
	case 0:
		b.Text(one, "*")
	case 1:
		b.Text(one, values[0])
	default:
		b.List(many, values)
	}
}

func pick(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}
