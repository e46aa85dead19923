package analyze

import (
	"fmt"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
)

// bySourcePort finds rules that let packets in for their source port: whoever
// sends from it gets through. It is the old way of letting replies of DNS in.
func (in *inspector) bySourcePort() []Finding {
	var out []Finding
	for _, c := range in.rules.Chains {
		for i := range c.Rules {
			r := &c.Rules[i]
			port, ok := trusting(r)
			if !ok || !in.inbound(c) {
				continue
			}
			out = append(out, Finding{
				ID: BySourcePort, Severity: exposure.HighSev, Title: fmt.Sprintf("accepts by source port %s: %s", port, r.Pos),
				Summary: fmt.Sprintf("%s: the rule in %s %s accepts new conversations for their source port %s, which every sender chooses", r.Pos, c.Table, c.Name, port),
				Rules:   []Line{ruleLine(r)},
				Fix:     "accept replies by their conversation (ct state established,related) and delete the rule",
			})
		}
	}
	return out
}

// trusting reports whether a rule accepts new conversations for a source port.
func trusting(r *firewall.Rule) (port string, ok bool) {
	if r.Action.Kind != firewall.Accept {
		return "", false
	}
	for _, m := range r.Matches {
		switch m.Field {
		case firewall.DstPort:
			if leased(&m) {
				return "", false
			}
		case firewall.SrcPort:
			if !m.Not && !m.Numbers.Contains(usualPort) && !m.Numbers.Empty() {
				port, ok = portText(m.Numbers.Spans()[0]), true
			}
		case firewall.State:
			if m.Numbers.Contains(firewall.StateNew) == m.Not {
				return "", false
			}
		case firewall.TCPFlags:
			if m.Numbers.Contains(firewall.SYN) == m.Not {
				return "", false
			}
		case firewall.Src, firewall.Dst, firewall.OrigDst, firewall.OrigDstPort, firewall.Protocol, firewall.NFProto,
			firewall.InInterface, firewall.OutInterface, firewall.Status, firewall.DstLocal, firewall.ICMPType, firewall.Tuple, firewall.Undecidable, firewall.Presumed:
		}
	}
	return port, ok
}

// leased reports a match on nothing but the port of a DHCP client, whose
// servers do answer from a port of their own: 67 to 68 (RFC 2131, section 4.1),
// 547 to 546 (RFC 8415, section 7.2).
func leased(m *firewall.Match) bool {
	return !m.Not && (m.Numbers.Equal(firewall.NumbersOf(68)) || m.Numbers.Equal(firewall.NumbersOf(546)))
}

// inbound reports whether packets on their way in or through can come to a
// chain.
func (in *inspector) inbound(c *firewall.Chain) bool {
	if in.entered == nil {
		in.entered = entered(in.rules)
	}
	return in.entered[c]
}

func entered(r *firewall.Ruleset) map[*firewall.Chain]bool {
	seen := map[*firewall.Chain]bool{}
	var todo []*firewall.Chain
	for _, c := range r.Chains {
		if c.Base != nil && c.Base.Kind == firewall.Filter && c.Base.Hook != firewall.Output && c.Base.Hook != firewall.Postrouting {
			todo = append(todo, c)
		}
	}
	for len(todo) > 0 {
		c := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[c] {
			continue
		}
		seen[c] = true
		for i := range c.Rules {
			if t := c.Rules[i].Action.Target; t != nil {
				todo = append(todo, t)
			}
		}
	}
	return seen
}
