package nft

import (
	"fmt"
	"strings"

	"reconshield/internal/firewall"
)

// dump writes a ruleset so that tests can compare and people can read it:
// a line for each chain and rule, without places in files.
func dump(rs *firewall.Ruleset) string {
	var b strings.Builder
	for _, c := range rs.Chains {
		fmt.Fprintf(&b, "chain %s %s%s\n", c.Table, c.Name, dumpBase(c))
		for i := range c.Rules {
			b.WriteString("  " + dumpRule(&c.Rules[i]) + "\n")
		}
	}
	for _, r := range rs.Host.Routes {
		fmt.Fprintf(&b, "route %s %s\n", r.Prefix, r.Interface)
	}
	return b.String()
}

func dumpBase(c *firewall.Chain) string {
	if c.Base == nil {
		return ""
	}
	hooks := []string{"none", "ingress", "prerouting", "input", "forward", "output", "postrouting", "always"}
	kinds := []string{"filter", "nat", "route"}
	out := fmt.Sprintf(" family %d %s %s %d", c.Family, kinds[c.Base.Kind], hooks[c.Base.Hook], c.Base.Priority)
	if c.Base.Default == firewall.DropVerdict {
		out += " drop"
	}
	if c.Base.Interfaces != nil {
		out += " " + strings.Join(c.Base.Interfaces, ",")
	}
	return out
}

func dumpRule(r *firewall.Rule) string {
	return strings.TrimSpace(dumpMatches(r.Matches) + " -> " + dumpAction(r.Action))
}

func dumpAction(a firewall.Action) string {
	names := []string{"continue", "accept", "drop", "reject", "return", "jump", "goto", "dnat", "redirect", "snat", "notrack", "unknown"}
	out := names[a.Kind]
	if a.Target != nil {
		out += " " + a.Target.Name
	}
	if a.To.First.IsValid() {
		out += " " + a.To.First.String()
		if a.To.Last != a.To.First {
			out += "-" + a.To.Last.String()
		}
	}
	if a.To.FirstPort != 0 {
		out += fmt.Sprintf(" :%d", a.To.FirstPort)
		if a.To.LastPort != a.To.FirstPort {
			out += fmt.Sprintf("-%d", a.To.LastPort)
		}
	}
	return out
}

func dumpMatches(list []firewall.Match) string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = dumpMatch(&list[i])
	}
	return strings.Join(out, " ")
}

func dumpMatch(m *firewall.Match) string {
	names := []string{
		"src", "dst", "origdst", "sport", "dport", "origdport", "proto", "family", "iif", "oif", "state", "status",
		"dstlocal", "icmp", "tcpflags", "tuple", "?", "presumed",
	}
	name := names[m.Field]
	if m.Not {
		name = "!" + name
	}
	switch m.Field {
	case firewall.Src, firewall.Dst, firewall.OrigDst:
		var list []string
		for _, s := range m.Addrs.Spans() {
			list = append(list, span(s.First, s.Last))
		}
		return name + "=" + strings.Join(list, ",")
	case firewall.InInterface, firewall.OutInterface:
		return name + "=" + strings.Join(m.Names, ",")
	case firewall.Tuple:
		var list []string
		for _, conj := range m.Tuples {
			list = append(list, dumpMatches(conj))
		}
		return name + "(" + strings.Join(list, " | ") + ")"
	case firewall.Undecidable, firewall.DstLocal:
		return name
	default:
		var list []string
		for _, s := range m.Numbers.Spans() {
			list = append(list, span(s.First, s.Last))
		}
		return name + "=" + strings.Join(list, ",")
	}
}

func span[T comparable](first, last T) string {
	if first == last {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%v-%v", first, last)
}
