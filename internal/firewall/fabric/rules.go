package fabric

import (
	"slices"
	"strings"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/policy"
)

// part is an Allow with its sources resolved.
type part struct {
	firewall.Allow
	sources firewall.Addrs
}

// rules adds up the parts to the fewest rules: every port once, with all who
// may reach it.
func rules(parts []part) []Rule {
	var out []Rule
	for _, t := range []exposure.Transport{exposure.TCP, exposure.UDP} {
		var same []part
		for _, p := range parts {
			if p.Transport.Base() == t {
				same = append(same, p)
			}
		}
		out = append(out, portRules(t, same)...)
	}
	esp := Rule{Transport: policy.ESP}
	for _, p := range parts {
		if p.Transport == policy.ESP {
			esp.add(p)
		}
	}
	if !esp.Sources.Empty() {
		out = append(out, esp)
	}
	return out
}

// portRules cuts the ports where any part begins or ends, adds up the sources
// of each piece, and joins pieces with the same sources and reasons.
func portRules(t exposure.Transport, parts []part) []Rule {
	var out []Rule
	for _, piece := range pieces(parts) {
		r := Rule{Transport: t, Ports: []firewall.PortRange{piece}}
		for _, p := range parts {
			if covers(p.Ports, piece) {
				r.add(p)
			}
		}
		if r.Sources.Empty() {
			continue
		}
		i := slices.IndexFunc(out, func(o Rule) bool {
			return o.Sources.Equal(r.Sources) && slices.Equal(o.Why, r.Why)
		})
		if i < 0 {
			out = append(out, r)
			continue
		}
		out[i].Ports = appendPorts(out[i].Ports, piece)
	}
	return out
}

// add takes in the sources, zone and reason of a part.
func (r *Rule) add(p part) {
	r.Sources = r.Sources.Union(p.sources)
	if !slices.Contains(r.Zones, p.Zone) {
		r.Zones = append(r.Zones, p.Zone)
	}
	whole := p.Why
	if end := p.Until.Format(time.DateOnly); !p.Until.IsZero() && !strings.Contains(whole, end) {
		whole += " (until " + end + ")"
	}
	// Whoever merged Allows joined their reasons in this way.
	for why := range strings.SplitSeq(whole, "; ") {
		if why != "" && !slices.Contains(r.Why, why) {
			r.Why = append(r.Why, why)
		}
	}
}

// pieces are the ranges between all ends of the parts' ports, ascending.
func pieces(parts []part) []firewall.PortRange {
	var cuts []uint32
	for _, p := range parts {
		for _, r := range p.Ports {
			if r.First <= r.Last {
				cuts = append(cuts, uint32(r.First), uint32(r.Last)+1)
			}
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var out []firewall.PortRange
	for i := 1; i < len(cuts); i++ {
		out = append(out, firewall.PortRange{First: uint16(cuts[i-1]), Last: uint16(cuts[i] - 1)})
	}
	return out
}

func covers(ports []firewall.PortRange, piece firewall.PortRange) bool {
	return slices.ContainsFunc(ports, func(r firewall.PortRange) bool {
		return r.First <= piece.First && piece.Last <= r.Last
	})
}

// appendPorts adds a range that lies above all of ports.
func appendPorts(ports []firewall.PortRange, r firewall.PortRange) []firewall.PortRange {
	if last := len(ports) - 1; uint32(ports[last].Last)+1 == uint32(r.First) {
		ports[last].Last = r.Last
		return ports
	}
	return append(ports, r)
}

// Message is an ICMP type and code; Code -1 is every code.
type Message struct {
	Family     firewall.Family
	Type, Code int
	Name       string
}

// ICMP are the messages that must pass a filter in the network: for IPv4 errors
// (fragmentation needed among them, RFC 1191) and echo requests (RFC 1122
// section 3.2.2.6), for IPv6 those of RFC 4890 section 4.3. Those of section 4.4
// stay on the link, which in such a network the network itself serves.
func ICMP(f firewall.Family) []Message {
	all := []Message{
		{firewall.IPv4, 3, -1, "destination unreachable, fragmentation needed"},
		{firewall.IPv4, 8, -1, "echo request"},
		{firewall.IPv4, 11, -1, "time exceeded"},
		{firewall.IPv4, 12, -1, "parameter problem"},
		{firewall.IPv6, 1, -1, "destination unreachable"},
		{firewall.IPv6, 2, -1, "packet too big"},
		{firewall.IPv6, 3, -1, "time exceeded"},
		{firewall.IPv6, 4, -1, "parameter problem"},
		{firewall.IPv6, 128, -1, "echo request"},
		{firewall.IPv6, 129, -1, "echo reply"},
		{firewall.IPv6, 144, -1, "home agent address discovery request"},
		{firewall.IPv6, 145, -1, "home agent address discovery reply"},
		{firewall.IPv6, 146, -1, "mobile prefix solicitation"},
		{firewall.IPv6, 147, -1, "mobile prefix advertisement"},
	}
	return slices.DeleteFunc(all, func(m Message) bool { return m.Family&f == 0 })
}
