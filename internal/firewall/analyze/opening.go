package analyze

import (
	"slices"

	"reconshield/internal/firewall"
)

// openings gives the flags with which a sender can begin a conversation over
// TCP, of each kind that the rules tell apart one, SYN alone first: URG, PSH,
// ECE and CWR beside it keep no host from answering (RFC 9293, section
// 3.10.7.2; RFC 3168, section 6.1.1). A rule against SYN alone stops few.
func openings(r *firewall.Ruleset) []firewall.Number {
	var flags []firewall.Number
	for v := range firewall.Number(256) {
		if v&(firewall.SYN|firewall.FIN|firewall.RST|firewall.ACK) == firewall.SYN {
			flags = append(flags, v)
		}
	}
	kinds := [][]firewall.Number{flags} // SYN alone is the least
	for _, c := range r.Chains {
		for i := range c.Rules {
			kinds = tellApart(kinds, c.Rules[i].Matches)
		}
	}
	out := make([]firewall.Number, len(kinds))
	for i, k := range kinds {
		out[i] = k[0]
	}
	slices.Sort(out)
	return out
}

// tellApart splits kinds of flags by the matches of a rule.
func tellApart(kinds [][]firewall.Number, matches []firewall.Match) [][]firewall.Number {
	for i := range matches {
		m := &matches[i]
		if m.Field == firewall.TCPFlags {
			kinds = split(kinds, m.Numbers)
		}
		for _, t := range m.Tuples {
			kinds = tellApart(kinds, t)
		}
	}
	return kinds
}

func split(kinds [][]firewall.Number, by firewall.Numbers) [][]firewall.Number {
	var out [][]firewall.Number
	for _, k := range kinds {
		inside := slices.DeleteFunc(slices.Clone(k), func(v firewall.Number) bool { return !by.Contains(v) })
		if len(inside) == 0 || len(inside) == len(k) {
			out = append(out, k)
			continue
		}
		outside := slices.DeleteFunc(slices.Clone(k), by.Contains)
		out = append(out, inside, outside)
	}
	return out
}

// withFlags asks each question about TCP for every kind of first packet.
func (in *inspector) withFlags(questions []firewall.Question) []firewall.Question {
	const tcp = 6
	if len(in.openings) < 2 || len(questions) == 0 || questions[0].Protocol != tcp {
		return questions
	}
	out := make([]firewall.Question, 0, len(questions)*len(in.openings))
	for _, q := range questions {
		for _, v := range in.openings {
			q.Packet.Flags = v
			out = append(out, q)
		}
	}
	return out
}
