// Package cloudtest asks rulesets of clouds in tests. It holds no ruleset.
package cloudtest

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cloud"
)

// Ask says whether the flow "198.51.100.7 > 192.0.2.53 udp/53" gets through a
// ruleset: REACHABLE, BLOCKED or UNDECIDED. Protocols without ports are given
// by name alone, ICMP with a type as "icmp/8".
func Ask(t *testing.T, rs *firewall.Ruleset, flow string) string {
	t.Helper()
	return AskIn(t, rs, "eth0", flow)
}

// AskIn asks of packets that come in through an interface.
func AskIn(t *testing.T, rs *firewall.Ruleset, in, flow string) string {
	t.Helper()
	var source, target, service string
	if _, err := fmt.Sscanf(flow, "%s > %s %s", &source, &target, &service); err != nil {
		t.Fatalf("flow %q: %v", flow, err)
	}
	name, number, _ := strings.Cut(service, "/")
	protocol, ok := cloud.ProtocolNumber(name)
	if !ok {
		t.Fatalf("flow %q: unknown protocol", flow)
	}
	var port firewall.Number
	if number != "" {
		if _, err := fmt.Sscan(number, &port); err != nil {
			t.Fatalf("flow %q: %v", flow, err)
		}
	}
	return Verdict(t, firewall.NewEvaluator(rs), in, netip.MustParseAddr(source), netip.MustParseAddr(target), protocol, port)
}

// Verdict is as AskIn, of a ruleset that is prepared already. Port is the type
// of ICMP.
func Verdict(t *testing.T, e *firewall.Evaluator, in string, from, to netip.Addr, protocol, port firewall.Number) string {
	t.Helper()
	answers, ok := e.Ask(firewall.Question{
		In: firewall.Link{Known: true, Name: in}, Target: to, Local: firewall.Yes,
		Protocol: protocol, Ports: firewall.Span[firewall.Number]{First: port, Last: port},
		Sources: firewall.AddrsOf(netip.PrefixFrom(from, from.BitLen())),
		Packet:  firewall.Packet{ICMP: port << 8},
	})
	if !ok {
		t.Fatalf("%s > %s: too much work", from, to)
	}
	return verdict(answers, from)
}

// verdict of a source is that of all answers together: they differ in source
// ports, and one that differs makes a sender's choice matter.
func verdict(answers []firewall.Reach, from netip.Addr) string {
	may, must := false, true
	for _, a := range answers {
		may = may || a.May.Contains(from)
		must = must && a.Must.Contains(from)
	}
	switch {
	case !may || len(answers) == 0:
		return "BLOCKED"
	case must:
		return "REACHABLE"
	}
	return "UNDECIDED"
}

// Lines gives a rule's line, text and reasons for doubt, one rule a line, for
// all chains of a ruleset.
func Lines(rs *firewall.Ruleset) []string {
	var out []string
	for _, c := range rs.Chains {
		kind := ""
		if c.Base != nil {
			kind = map[firewall.Verdict]string{
				firewall.AcceptVerdict: " base accept", firewall.DropVerdict: " base drop",
			}[c.Base.Default]
		}
		out = append(out, fmt.Sprintf("%s %q line %d%s", c.Table, c.Name, c.Pos.Line, kind))
		for _, r := range c.Rules {
			var line strings.Builder
			fmt.Fprintf(&line, "  %d: %s", r.Pos.Line, r.Text)
			for _, why := range doubts(r.Matches) {
				line.WriteString(" ? " + why)
			}
			if r.Action.Why != "" {
				line.WriteString(" ? " + r.Action.Why)
			}
			out = append(out, line.String())
		}
	}
	for _, u := range rs.Unparsed {
		out = append(out, fmt.Sprintf("unparsed %d: %s", u.Pos.Line, u.Why))
	}
	return out
}

// Check fails when a ruleset breaks what the model asks of every one.
func Check(t *testing.T, rs *firewall.Ruleset) {
	t.Helper()
	known := map[*firewall.Chain]bool{}
	for _, c := range rs.Chains {
		known[c] = true
	}
	for _, c := range rs.Chains {
		for _, r := range c.Rules {
			if len(r.Text) > 300 || strings.ContainsAny(r.Text, "\n\r\x1b") || r.Pos.Line == 0 {
				t.Errorf("rule at %s: text %q", r.Pos, r.Text)
			}
			if r.Action.Kind == firewall.Jump && !known[r.Action.Target] {
				t.Errorf("rule at %s jumps to a chain that is not in the ruleset", r.Pos)
			}
			for _, m := range r.Matches {
				if m.Field == firewall.Undecidable && (m.Why == "" || len(m.Why) > 300) {
					t.Errorf("rule at %s: reason %q", r.Pos, m.Why)
				}
			}
		}
	}
	for _, u := range rs.Unparsed {
		if len(u.Text) > 200 || u.Why == "" || len(u.Why) > 300 {
			t.Errorf("unparsed %v", u)
		}
	}
}

// doubts gives the reasons of undecidable matches, also of those in tuples.
func doubts(matches []firewall.Match) []string {
	var out []string
	for _, m := range matches {
		if m.Field == firewall.Undecidable {
			out = append(out, m.Why)
		}
		for _, t := range m.Tuples {
			out = append(out, doubts(t)...)
		}
	}
	return out
}
