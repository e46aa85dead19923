package azure

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// Rule is one inbound rule of a group, as the API gives it.
type Rule struct {
	Name             string
	Priority         int64  // rules are judged in ascending order
	Access           string // "Allow" or "Deny"
	Protocol         string // "Tcp", "Udp", "Icmp", "Esp", "Ah" or "*"
	Sources          []string
	Destinations     []string // prefixes, service tags or "*"
	SourcePorts      []string
	DestinationPorts []string // numbers, ranges or "*"
	// SourceGroups and DestinationGroups are application security groups.
	SourceGroups, DestinationGroups []string
	Doubts                          []string // what is not known about it; each makes it undecided
	Default                         bool     // added by the reader
	Pos                             firewall.Position
}

// rule reads a security rule and keeps it unless it is of outbound traffic.
func (inv *Inventory) rule(g *Group, v cloud.Value) {
	outer := v.Record()
	r := outer
	if v.Field("properties").Kind() == cloud.Object {
		r = outer.Get("properties").Record()
	}
	direction := r.Text("direction")
	if strings.EqualFold(direction, "Outbound") {
		return
	}
	priority := r.Int("priority")
	if !strings.EqualFold(direction, "Inbound") || priority == nil {
		inv.add(v, "security rule: expected a direction Inbound or Outbound and a priority")
		return
	}
	rule := Rule{
		Name: outer.Text("name"), Priority: *priority, Access: r.Text("access"), Protocol: r.Text("protocol"),
		Sources:           oneOrMany(r, "sourceAddressPrefix", "sourceAddressPrefixes"),
		Destinations:      oneOrMany(r, "destinationAddressPrefix", "destinationAddressPrefixes"),
		SourcePorts:       oneOrMany(r, "sourcePortRange", "sourcePortRanges"),
		DestinationPorts:  oneOrMany(r, "destinationPortRange", "destinationPortRanges"),
		SourceGroups:      identifiers(r, "sourceApplicationSecurityGroups"),
		DestinationGroups: identifiers(r, "destinationApplicationSecurityGroups"),
		Pos:               v.Pos(),
	}
	for _, record := range []*cloud.Record{outer, r} {
		record.Ignore("id", "etag", "type", "resourceGroup", "description", "provisioningState")
	}
	rule.Doubts = outer.Doubts()
	if r != outer {
		rule.Doubts = append(rule.Doubts, r.Doubts()...)
	}
	g.Rules = append(g.Rules, rule)
}

// oneOrMany reads a field that comes in the singular or the plural; the one not
// used is empty.
func oneOrMany(r *cloud.Record, one, many string) []string {
	out := r.Texts(many)
	if s := r.Text(one); s != "" {
		out = append(out, s)
	}
	return out
}

// sorted gives the rules in the order in which they are judged, with the
// default rules that every group has (Azure documentation, "Network security
// groups", default security rules).
func (g Group) sorted() []Rule {
	rules := slices.Clone(g.Rules)
	if !g.Defaults {
		every := []string{"*"}
		add := func(name string, priority int64, access, source, destination string) {
			rules = append(rules, Rule{
				Name: name, Priority: priority, Access: access, Protocol: "*",
				Sources: []string{source}, Destinations: []string{destination},
				SourcePorts: every, DestinationPorts: every, Default: true, Pos: g.Pos,
			})
		}
		add("AllowVnetInBound", 65000, "Allow", "VirtualNetwork", "VirtualNetwork")
		add("AllowAzureLoadBalancerInBound", 65001, "Allow", "AzureLoadBalancer", "*")
		add("DenyAllInBound", 65500, "Deny", "*", "*")
	}
	slices.SortStableFunc(rules, func(a, b Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	return rules
}

// translate gives the rules of the model that have the rule's meaning together:
// several where part of it can be decided and part cannot.
func (r Rule) translate(wideTags bool) []firewall.Rule {
	tags := tagReader{wide: wideTags}
	sources := tags.terms(firewall.Src, r.Sources, r.SourceGroups)
	destinations := tags.terms(firewall.Dst, r.Destinations, r.DestinationGroups)
	protocols, doubts := r.protocols()
	doubts = append(doubts, r.Doubts...)
	ports, more := portTerms(r.SourcePorts, r.DestinationPorts)
	doubts = append(doubts, more...)
	var out []firewall.Rule
	for _, protocol := range protocols {
		for _, source := range sources {
			for _, destination := range destinations {
				out = append(out, firewall.Rule{
					Matches: cloud.Join(protocol, source, destination, ports, cloud.Undecidables(doubts)),
					Action:  r.action(), Pos: r.Pos, Text: r.String(),
				})
			}
		}
	}
	return out
}

func (r Rule) action() firewall.Action {
	switch {
	case strings.EqualFold(r.Access, "Allow"):
		return firewall.Action{Kind: firewall.Accept}
	case strings.EqualFold(r.Access, "Deny"):
		return firewall.Action{Kind: firewall.Drop}
	}
	return firewall.Action{
		Kind: firewall.Unknown, Why: fmt.Sprintf("access %q: expected Allow or Deny", cloud.OneLine(r.Access, 40)),
	}
}

// protocols gives the matches of the protocol, any of which may hold.
func (r Rule) protocols() (either [][]firewall.Match, doubts []string) {
	if r.Protocol == "*" || strings.EqualFold(r.Protocol, "Any") {
		return [][]firewall.Match{nil}, nil
	}
	n, ok := cloud.ProtocolNumber(r.Protocol)
	if !ok {
		return [][]firewall.Match{nil}, []string{
			fmt.Sprintf("protocol %q: expected Tcp, Udp, Icmp, Esp, Ah or *", cloud.OneLine(r.Protocol, 40)),
		}
	}
	either = [][]firewall.Match{{cloud.Protocol(n)}}
	if n == cloud.ICMP {
		either = append(either, []firewall.Match{
			cloud.Protocol(cloud.ICMPv6), cloud.Undecidable("whether Icmp includes ICMPv6 is not documented"),
		})
	}
	return either, nil
}

func portTerms(source, destination []string) (m []firewall.Match, doubts []string) {
	for _, side := range []struct {
		field firewall.Field
		name  string
		texts []string
	}{{firewall.SrcPort, "source", source}, {firewall.DstPort, "destination", destination}} {
		switch {
		case slices.Contains(side.texts, "*"):
			continue
		case len(side.texts) == 0:
			doubts = append(doubts, side.name+" ports are not given; expected numbers, ranges or *")
			continue
		}
		match, err := cloud.PortList(side.field, side.texts)
		if err != nil {
			doubts = append(doubts, side.name+" "+err.Error())
			continue
		}
		m = append(m, match)
	}
	return m, doubts
}

// String is the rule on one line.
func (r Rule) String() string {
	text := fmt.Sprintf("%d %s: %s %s from %s", r.Priority, r.Name, r.Access, r.Protocol, listed(r.Sources, r.SourceGroups))
	if p := listed(r.SourcePorts, nil); p != "*" {
		text += " port " + p
	}
	text += fmt.Sprintf(" to %s port %s", listed(r.Destinations, r.DestinationGroups), listed(r.DestinationPorts, nil))
	if r.Default {
		text += " (default rule, not in the file)"
	}
	return cloud.OneLine(text, 300)
}

func listed(texts, groups []string) string {
	if len(texts)+len(groups) > 8 {
		return fmt.Sprintf("%s and %d more", strings.Join(slices.Concat(texts, groups)[:8], ","), len(texts)+len(groups)-8)
	}
	return strings.Join(slices.Concat(texts, groups), ",")
}
