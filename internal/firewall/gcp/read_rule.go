package gcp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// Rule is one ingress rule of a network.
type Rule struct {
	Name     string
	Network  string // its address or name
	Priority int64  // rules are judged in ascending order
	Disabled bool
	Allowed  []Layer4 // one of both is empty
	Denied   []Layer4
	// Sources are any of these; without any of the three, every IPv4 address.
	SourceRanges, SourceTags, SourceAccounts []string
	DestinationRanges                        []string // empty: any
	// Targets limit the rule to assets that have one of these; without any it
	// holds for all.
	TargetTags, TargetAccounts []string
	Doubts                     []string // what is not known about it; each makes it undecided
	Pos                        firewall.Position
}

// Layer4 is a protocol with its ports.
type Layer4 struct {
	Protocol string   // a name, a number or "all"
	Ports    []string // numbers and ranges; empty: all
}

// DefaultPriority is that of a rule which gives none.
const DefaultPriority = 1000

func (inv *Inventory) rule(v cloud.Value) {
	r := v.Record()
	direction := r.Text("direction")
	if direction == "EGRESS" {
		if network := r.Text("network"); len(inv.Networks) == 0 || inv.Networks[len(inv.Networks)-1].Name != network {
			inv.Networks = append(inv.Networks, Network{network, v.Pos()})
		}
		return
	}
	if direction != "" && direction != "INGRESS" {
		inv.Unparsed = append(inv.Unparsed, firewall.Unparsed{
			Pos: v.Pos(), Text: v.Raw(200), Why: "firewall rule: expected a direction INGRESS or EGRESS",
		})
		return
	}
	rule := Rule{
		Name: r.Text("name"), Network: r.Text("network"), Priority: DefaultPriority, Disabled: r.Bool("disabled"),
		SourceRanges: r.Texts("sourceRanges"), SourceTags: r.Texts("sourceTags"),
		SourceAccounts:    r.Texts("sourceServiceAccounts"),
		DestinationRanges: r.Texts("destinationRanges"),
		TargetTags:        r.Texts("targetTags"), TargetAccounts: r.Texts("targetServiceAccounts"),
		Pos: v.Pos(),
	}
	if p := r.Int("priority"); p != nil {
		rule.Priority = *p
	} else if !r.Get("priority").None() {
		inv.Unparsed = append(inv.Unparsed, firewall.Unparsed{
			Pos: v.Pos(), Text: v.Raw(200), Why: "firewall rule: expected a number as priority, which its order needs",
		})
		return
	}
	rule.Allowed, rule.Denied = rule.layer4(r.List("allowed")), rule.layer4(r.List("denied"))
	r.Ignore("kind", "id", "creationTimestamp", "description", "selfLink", "selfLinkWithId", "logConfig", "enableLogging", "params")
	rule.Doubts = append(rule.Doubts, r.Doubts()...)
	if (len(rule.Allowed) > 0) == (len(rule.Denied) > 0) {
		inv.Unparsed = append(inv.Unparsed, firewall.Unparsed{
			Pos: v.Pos(), Text: v.Raw(200), Why: "firewall rule: expected something either allowed or denied",
		})
		return
	}
	inv.Rules = append(inv.Rules, rule)
}

func (r *Rule) layer4(list cloud.Value) []Layer4 {
	var out []Layer4
	for v := range list.Items() {
		item := v.Record()
		out = append(out, Layer4{Protocol: item.Text("IPProtocol"), Ports: item.Texts("ports")})
		r.Doubts = append(r.Doubts, item.Doubts()...)
	}
	return out
}

// rank puts rules that deny first among those of one priority.
func (r Rule) rank() int {
	if len(r.Denied) > 0 {
		return 0
	}
	return 1
}

// translate gives the rules of the model that have the rule's meaning together.
// Tags are those of the asset; nil when they are not known.
func (r Rule) translate(tags map[string]bool) []firewall.Rule {
	if r.Disabled {
		return []firewall.Rule{{
			Action: firewall.Action{Kind: firewall.Continue}, Pos: r.Pos, Text: cloud.OneLine("disabled: "+r.text("", nil), 300),
		}}
	}
	targets, applies := r.targets(tags)
	if !applies {
		return nil
	}
	action, layer4, verb := firewall.Accept, r.Allowed, "allow"
	if len(r.Denied) > 0 {
		action, layer4, verb = firewall.Drop, r.Denied, "deny"
	}
	sources, destinations := r.sources(), r.destinations()
	var out []firewall.Rule
	for _, l := range layer4 {
		protocol, doubts := l.matches()
		doubts = append(doubts, r.Doubts...)
		for _, source := range sources {
			for _, destination := range destinations {
				out = append(out, firewall.Rule{
					Matches: cloud.Join(protocol, source, destination, targets, cloud.Undecidables(doubts)),
					Action:  firewall.Action{Kind: action}, Pos: r.Pos, Text: r.text(verb, &l),
				})
			}
		}
	}
	return out
}

// targets says whether the rule is for the asset: it is not, it is, or that is
// undecidable.
func (r Rule) targets(tags map[string]bool) (m []firewall.Match, applies bool) {
	all := slices.Concat(r.TargetTags, r.TargetAccounts)
	switch {
	case len(all) == 0:
		return nil, true
	case tags == nil:
		return []firewall.Match{cloud.Undecidable(fmt.Sprintf(
			"whether the asset has the tag or account %s is not in this file; name what it has with --group", listed(all)))}, true
	}
	// A rule that was not understood may have other targets than it seems.
	return nil, len(r.Doubts) > 0 || slices.ContainsFunc(all, func(t string) bool { return tags[t] })
}

func (l Layer4) matches() (m []firewall.Match, doubts []string) {
	if l.Protocol == "all" {
		return nil, nil
	}
	n, ok := cloud.ProtocolNumber(l.Protocol)
	if !ok {
		return nil, []string{fmt.Sprintf("protocol %q: expected a name such as tcp, a number or all", cloud.OneLine(l.Protocol, 40))}
	}
	m = []firewall.Match{cloud.Protocol(n)}
	switch {
	case len(l.Ports) == 0:
		return m, nil
	case !cloud.HasPorts(n):
		return m, []string{fmt.Sprintf("protocol %s has no ports; expected none", cloud.OneLine(l.Protocol, 40))}
	}
	ports, err := cloud.PortList(firewall.DstPort, l.Ports)
	if err != nil {
		return m, []string{err.Error()}
	}
	return append(m, ports), nil
}

// sources gives the conjunctions of which any may hold.
func (r Rule) sources() [][]firewall.Match {
	ranges := r.SourceRanges
	if len(r.SourceRanges)+len(r.SourceTags)+len(r.SourceAccounts) == 0 {
		if len(r.Doubts) > 0 {
			return [][]firewall.Match{nil}
		}
		ranges = []string{"0.0.0.0/0"}
	}
	set, whys := rangeSet(ranges)
	for _, t := range slices.Concat(r.SourceTags, r.SourceAccounts) {
		whys = append(whys, fmt.Sprintf("which addresses have the tag or account %s is not in this file", cloud.OneLine(t, 100)))
	}
	var out [][]firewall.Match
	if !set.Empty() {
		out = append(out, []firewall.Match{cloud.Addrs(firewall.Src, set)})
	}
	if len(whys) > 0 {
		out = append(out, cloud.Merged(whys))
	}
	return out
}

// destinations gives the conjunctions of which any may hold.
func (r Rule) destinations() [][]firewall.Match {
	if len(r.DestinationRanges) == 0 {
		return [][]firewall.Match{nil}
	}
	set, whys := rangeSet(r.DestinationRanges)
	out := [][]firewall.Match{
		{cloud.Addrs(firewall.Dst, set)},
		{
			cloud.Addrs(firewall.Dst, cloud.Public().Subtract(set)),
			cloud.Undecidable("the rule is about internal addresses, and which one this public address belongs to is not in this file"),
		},
	}
	if len(whys) > 0 {
		out = append(out, cloud.Merged(whys))
	}
	return out
}

// rangeSet reads ranges; one that cannot be read may stand for any address.
func rangeSet(texts []string) (set firewall.Addrs, whys []string) {
	spans := make([]firewall.Span[netip.Addr], 0, len(texts))
	for _, text := range texts {
		span, err := cloud.Range(text)
		if err != nil {
			whys = append(whys, "range "+err.Error())
			continue
		}
		spans = append(spans, span)
	}
	return firewall.NewSet(spans...), whys
}

func (r Rule) text(verb string, l *Layer4) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s:", r.Priority, r.Name)
	if l != nil {
		fmt.Fprintf(&b, " %s %s", verb, l.Protocol)
		if len(l.Ports) > 0 {
			fmt.Fprintf(&b, " %s", listed(l.Ports))
		}
	}
	from := slices.Concat(r.SourceRanges, r.SourceTags, r.SourceAccounts)
	switch {
	case len(from) == 0 && len(r.Doubts) > 0:
		from = []string{"an unknown source"}
	case len(from) == 0:
		from = []string{"0.0.0.0/0"}
	}
	fmt.Fprintf(&b, " from %s", listed(from))
	if len(r.DestinationRanges) > 0 {
		fmt.Fprintf(&b, " to %s", listed(r.DestinationRanges))
	}
	if targets := slices.Concat(r.TargetTags, r.TargetAccounts); len(targets) > 0 {
		fmt.Fprintf(&b, " for %s", listed(targets))
	}
	return cloud.OneLine(b.String(), 300)
}

// listed names a few of many.
func listed(texts []string) string {
	if n := len(texts) - 8; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(texts[:8], ","), n)
	}
	return strings.Join(texts, ",")
}
