package terraform

import (
	"path"
	"strings"

	"reconshield/internal/firewall/cloud"
	"reconshield/internal/firewall/gcp"
)

// google reads the resources of Google Cloud.
type google struct {
	*document
	inv      *gcp.Inventory
	networks owners
	projects map[string]bool
}

func (g *google) read() {
	g.networks = newOwners(g.document)
	g.projects = map[string]bool{}
	for _, r := range g.of("google_compute_network") {
		g.networks.add(r, "")
	}
	for _, r := range g.of("google_compute_firewall", "google_compute_network") {
		if p := r.values.Text("project"); p != "" {
			g.projects[p] = true
		}
	}
	for _, r := range g.of("google_compute_firewall") {
		g.rule(r)
	}
	g.inv.Assets = map[string]gcp.Asset{}
	for _, r := range g.of("google_compute_instance") {
		g.instance(r)
	}
}

// network is the name of the network that an attribute gives, the same for all
// resources that mean the same one. It is empty when it cannot be known.
func (g *google) network(r *resource, v cloud.Value, attribute string) string {
	name, _ := v.Text()
	if name == "" {
		owner := g.networks.referred(r, attribute)
		if len(owner) != 1 {
			return ""
		}
		network := g.networks.list[owner[0]]
		if name = network.values.Text("name"); name == "" {
			return network.address
		}
		return g.inProject(network, name)
	}
	if _, after, ok := strings.Cut(name, "projects/"); ok && len(g.projects) > 1 {
		project, _, _ := strings.Cut(after, "/")
		return project + "/" + path.Base(name)
	}
	return g.inProject(r, path.Base(name))
}

// inProject keeps networks of the same name in several projects apart.
func (g *google) inProject(r *resource, name string) string {
	if len(g.projects) < 2 {
		return name
	}
	return r.values.Text("project") + "/" + name
}

func (g *google) rule(r *resource) {
	b := r.values
	network := g.network(r, b.Get("network"), "network")
	if direction := b.Text("direction"); strings.EqualFold(direction, "EGRESS") {
		if network != "" {
			g.inv.Networks = append(g.inv.Networks, gcp.Network{Name: network, Pos: b.Pos()})
		}
		return
	}
	if network == "" {
		g.add(b.Value(), "attribute network is known only after apply; expected a reference to one google_compute_network of the same module")
		return
	}
	rule := gcp.Rule{
		Name: b.Text("name"), Network: network, Priority: gcp.DefaultPriority, Disabled: b.Bool("disabled"),
		SourceRanges: b.Texts("source_ranges"), SourceTags: b.Texts("source_tags"),
		SourceAccounts:    b.Texts("source_service_accounts"),
		DestinationRanges: b.Texts("destination_ranges"),
		TargetTags:        b.Texts("target_tags"), TargetAccounts: b.Texts("target_service_accounts"),
		Pos: b.Pos(),
	}
	rule.Name = strings.TrimSpace(rule.Name + " " + r.address)
	if p := b.Int("priority"); p != nil {
		rule.Priority = *p
	}
	for v := range b.List("allow").Items() {
		rule.Allowed = append(rule.Allowed, layer4(&rule, v))
	}
	for v := range b.List("deny").Items() {
		rule.Denied = append(rule.Denied, layer4(&rule, v))
	}
	if len(g.unknowns(r, "priority")) > 0 || (len(rule.Allowed) > 0) == (len(rule.Denied) > 0) {
		g.add(b.Value(), "google_compute_firewall: expected a known priority and something either allowed or denied")
		return
	}
	b.Ignore("creation_timestamp", "description", "enable_logging", "id", "log_config", "project", "self_link", "timeouts", "params")
	rule.Doubts = append(append(rule.Doubts, g.unknowns(r, "direction")...), b.Doubts()...)
	g.widen(r, &rule)
	g.inv.Rules = append(g.inv.Rules, rule)
}

// widen takes away the limits of a rule that are not wholly known, with a doubt
// in their place.
func (g *google) widen(r *resource, rule *gcp.Rule) {
	for _, part := range []struct {
		attributes []string
		widen      func()
	}{
		{[]string{"source_ranges", "source_tags", "source_service_accounts"}, func() {
			rule.SourceRanges, rule.SourceTags, rule.SourceAccounts = nil, nil, nil
		}},
		{[]string{"target_tags", "target_service_accounts"}, func() { rule.TargetTags, rule.TargetAccounts = nil, nil }},
		{[]string{"destination_ranges"}, func() { rule.DestinationRanges = nil }},
		{[]string{"disabled"}, func() { rule.Disabled = false }},
		{[]string{"allow"}, func() { rule.Allowed = []gcp.Layer4{{Protocol: "all"}} }},
		{[]string{"deny"}, func() { rule.Denied = []gcp.Layer4{{Protocol: "all"}} }},
	} {
		if doubts := g.unknowns(r, part.attributes...); len(doubts) > 0 {
			part.widen()
			rule.Doubts = append(rule.Doubts, doubts...)
		}
	}
}

func layer4(rule *gcp.Rule, v cloud.Value) gcp.Layer4 {
	b := v.Record()
	l := gcp.Layer4{Protocol: b.Text("protocol"), Ports: b.Texts("ports")}
	rule.Doubts = append(rule.Doubts, b.Doubts()...)
	return l
}

// instance lets rules be picked by an instance, when its only network and its
// tags are known.
func (g *google) instance(r *resource) {
	b := r.values
	var network string
	count := 0
	for v := range b.List("network_interface").Items() {
		network = g.network(r, v.Field("network"), "network_interface.network")
		count++
	}
	if count != 1 || network == "" {
		return
	}
	asset := gcp.Asset{Network: network}
	tags := b.Texts("tags")
	accounts, known := g.accounts(r)
	if len(unknowns(r.unknown, "tags")) == 0 && known {
		asset.Tags = append(append([]string{}, tags...), accounts...)
	}
	g.inv.Assets[r.address] = asset
}

func (g *google) accounts(r *resource) (emails []string, known bool) {
	if len(unknowns(r.unknown, "service_account")) > 0 {
		return nil, false
	}
	for v := range r.values.List("service_account").Items() {
		email, ok := v.Field("email").Text()
		if !ok || email == "" {
			return nil, false
		}
		emails = append(emails, email)
	}
	return emails, true
}
