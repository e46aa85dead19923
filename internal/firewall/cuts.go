package firewall

import "slices"

// box is a range of destination and source ports that no rule of a stage
// divides.
type box struct{ dport, sport Span[Number] }

// cuts gives the ports before which a rule of the stage may change its mind,
// ascending.
func (s *stage) cuts() (dports, sports []Number) {
	for _, v := range s.views {
		for i := range v.rules {
			dports, sports = v.rules[i].cuts(dports, sports, s.h.mapped)
		}
	}
	slices.Sort(dports)
	slices.Sort(sports)
	return slices.Compact(dports), slices.Compact(sports)
}

// cuts appends the ports at which r may change its mind.
func (s *scoped) cuts(d, p []Number, mapped bool) (dports, sports []Number) {
	if !mapped {
		d = edges(d, s.dports)
	}
	if s.rule != nil && s.rule.Action.To.FirstPort != 0 {
		// Translation to the port that a packet has already is none.
		d = append(d, Number(s.rule.Action.To.FirstPort), Number(s.rule.Action.To.LastPort)+1)
	}
	d = edges(d, s.oports)
	p = edges(p, s.sports)
	for i := range s.tuples {
		for j := range s.tuples[i].elements {
			d, p = s.tuples[i].elements[j].cuts(d, p, mapped)
		}
	}
	return d, p
}

func edges(out []Number, conditions []condition[Number]) []Number {
	for i := range conditions {
		for _, s := range conditions[i].set.Spans() {
			out = append(out, s.First, s.Last+1)
		}
	}
	return out
}

// divide splits r before every one of the ascending cuts within it.
func divide(r Span[Number], cuts []Number) []Span[Number] {
	i, _ := slices.BinarySearch(cuts, r.First+1)
	var out []Span[Number]
	first := r.First
	for ; i < len(cuts) && cuts[i] <= r.Last; i++ {
		out = append(out, Span[Number]{first, cuts[i] - 1})
		first = cuts[i]
	}
	return append(out, Span[Number]{first, r.Last})
}

// within puts the header's ports into a box.
func (h header) within(b box) header {
	h.origDport, h.sport = b.dport, b.sport
	if !h.mapped {
		h.dport = b.dport
	}
	return h
}
