package nft

import (
	"slices"

	"reconshield/internal/firewall"
)

// expires reports whether elements of a named set have timeouts.
func (l *lowering) expires(set *expr) bool {
	return set.kind == exSetRef && l.t.sets[set.text] != nil && l.t.sets[set.text].timed
}

// inFleeting lowers a set of which some elements have timeouts: whether those
// are still there depends on the time, of all others it is known.
func (l *lowering) inFleeting(subs []subject, set *expr, not bool, e *elements, why string) []firewall.Match {
	s := l.t.sets[set.text]
	doubt := firewall.Match{Field: firewall.Undecidable, Why: "set " + clip(s.name, 80) + ": its elements expire"}
	matching := l.conjunctions(subs, e)
	if s.timeout {
		matching = nil
		for _, c := range l.conjunctions(subs, e) {
			matching = append(matching, append(slices.Clip(c), doubt))
		}
	}
	for _, c := range l.conjunctions(subs, &s.fleeting) {
		matching = append(matching, append(slices.Clip(c), doubt))
	}
	if why == "" {
		why = s.fleeting.whyBad()
	}
	if why != "" || s.fleeting.any {
		matching = append(matching, []firewall.Match{doubt})
	}
	if len(matching) == 0 {
		matching = append(matching, []firewall.Match{{Field: firewall.Protocol}}) // in no set of numbers
	}
	return []firewall.Match{{Field: firewall.Tuple, Not: not, Tuples: matching}}
}

// conjunctions gives what the elements of a set match, one of one.
func (l *lowering) conjunctions(subs []subject, e *elements) [][]firewall.Match {
	if len(subs) > 1 {
		return e.many.conjunctions(subs)
	}
	if e.one.empty() {
		return nil
	}
	return [][]firewall.Match{{l.b.bounded(l.ports(&subs[0], e.one.match(&subs[0], false)))}}
}
