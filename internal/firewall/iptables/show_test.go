package iptables

import (
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/firewall"
)

// show writes a ruleset without positions and texts, one rule a line.
func show(rs *firewall.Ruleset) string {
	var b strings.Builder
	chains := slices.Clone(rs.Chains)
	slices.SortStableFunc(chains, func(x, y *firewall.Chain) int {
		return strings.Compare(x.Table+" "+x.Name, y.Table+" "+y.Name)
	})
	for _, c := range chains {
		fmt.Fprintf(&b, "%s %s v%d", c.Table, c.Name, c.Family)
		if c.Base != nil {
			fmt.Fprintf(&b, " hook=%d kind=%d prio=%d default=%d", c.Base.Hook, c.Base.Kind, c.Base.Priority, c.Base.Default)
		}
		b.WriteString("\n")
		for _, r := range c.Rules {
			b.WriteString("\t" + showRule(r) + "\n")
		}
	}
	for _, r := range rs.Host.Routes {
		fmt.Fprintf(&b, "route %s %s\n", r.Prefix, r.Interface)
	}
	for _, u := range rs.Unparsed {
		fmt.Fprintf(&b, "unparsed %s: %s\n", u.Text, u.Why)
	}
	return b.String()
}

func showRule(r firewall.Rule) string {
	return strings.TrimSpace(showMatches(r.Matches) + " -> " + showAction(r.Action))
}

func showMatches(list []firewall.Match) string {
	words := make([]string, len(list))
	for i, m := range list {
		words[i] = showMatch(m)
	}
	return strings.Join(words, " ")
}

func showMatch(m firewall.Match) string {
	name := []string{
		"src", "dst", "origdst", "sport", "dport", "origdport", "proto", "nfproto", "in", "out", "state", "status", "local", "icmp",
		"flags", "any", "?", "presumed",
	}[m.Field]
	if m.Not {
		name = "!" + name
	}
	switch m.Field {
	case firewall.Src, firewall.Dst, firewall.OrigDst:
		var words []string
		for _, p := range firewall.Prefixes(m.Addrs) {
			words = append(words, p.String())
		}
		return name + "=" + strings.Join(words, ",")
	case firewall.InInterface, firewall.OutInterface:
		return name + "=" + strings.Join(m.Names, ",")
	case firewall.DstLocal:
		return name
	case firewall.Undecidable, firewall.Presumed:
		return name + "(" + m.Why + ")"
	case firewall.Tuple:
		var words []string
		for _, t := range m.Tuples {
			words = append(words, showMatches(t))
		}
		return name + "{" + strings.Join(words, " | ") + "}"
	case firewall.SrcPort, firewall.DstPort, firewall.OrigDstPort, firewall.Protocol, firewall.NFProto, firewall.State,
		firewall.Status, firewall.ICMPType, firewall.TCPFlags:
	}
	var words []string
	for _, s := range m.Numbers.Spans() {
		if s.First == s.Last {
			words = append(words, fmt.Sprint(s.First))
		} else {
			words = append(words, fmt.Sprintf("%d-%d", s.First, s.Last))
		}
	}
	return name + "=" + strings.Join(words, ",")
}

func showAction(a firewall.Action) string {
	name := []string{
		"continue", "accept", "drop", "reject", "return", "jump", "goto", "dnat", "redirect", "snat", "notrack", "unknown",
	}[a.Kind]
	if a.Target != nil {
		name += " " + a.Target.Name
	}
	if a.To.First.IsValid() {
		name += fmt.Sprintf(" %s-%s", a.To.First, a.To.Last)
	}
	if a.To.FirstPort != 0 {
		name += fmt.Sprintf(" :%d-%d", a.To.FirstPort, a.To.LastPort)
	}
	if a.Why != "" {
		name += " (" + a.Why + ")"
	}
	return name
}
