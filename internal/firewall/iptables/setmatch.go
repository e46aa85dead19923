package iptables

import (
	"slices"
	"strings"

	"reconshield/internal/firewall"
)

// setMatch is what "--match-set NAME DIRS" stands for.
func (r *reader) setMatch(name, dirs string, f firewall.Family) firewall.Match {
	tuples, why := r.setTuples(name, strings.Split(clip(dirs, 100), ","), f, false)
	switch {
	case why != "":
		return firewall.Match{Field: firewall.Undecidable, Why: r.words.get(clip(why, 200))}
	case len(tuples) == 0:
		return never()
	case len(tuples) == 1 && len(tuples[0]) == 1:
		return tuples[0][0]
	}
	return firewall.Match{Field: firewall.Tuple, Tuples: tuples}
}

// maxTuples bounds what lists of sets may repeat of the sets inside.
const maxTuples = 1 << 20

// setTuples gives the conjunctions of which any makes a packet a member. With
// why the set cannot be decided at all. The work is kept for the next rule that
// asks the same.
func (r *reader) setTuples(name string, dirs []string, f firewall.Family, inside bool) (tuples [][]firewall.Match, why string) {
	var set *ipSet
	if r.sets != nil {
		set = r.sets.sets[name]
	}
	switch {
	case set == nil && r.sets == nil:
		return nil, "set " + clip(name, 64) + " is not given: give `ipset save` as well"
	case set == nil:
		return nil, "set " + clip(name, 64) + " is not in the given `ipset save`"
	case set.problem != "":
		return nil, "set " + clip(name, 64) + ": " + set.problem
	}
	for _, d := range dirs {
		if d != "src" && d != "dst" {
			return nil, "set " + clip(name, 64) + ": expected src or dst, found " + quote(d)
		}
	}
	list := set.dims[0] == "set"
	if list && inside {
		return nil, "set " + clip(name, 64) + ": a list inside a list"
	}
	if !list && len(dirs) > len(set.dims) {
		dirs = dirs[:len(set.dims)]
	}
	key := name + " " + strings.Join(dirs, ",")
	if tuples, ok := r.caches.sets[key]; ok {
		return tuples, ""
	}
	if r.caches.sets == nil {
		r.caches.sets = map[string][][]firewall.Match{}
	}
	if list {
		if tuples, why = r.listTuples(set, dirs, f); why != "" {
			return nil, why
		}
	} else {
		tuples = set.tuplesOf(dirs, f, r.words)
	}
	r.caches.sets[key] = tuples
	return tuples, ""
}

// listTuples unites the sets inside a list.
func (r *reader) listTuples(set *ipSet, dirs []string, f firewall.Family) (tuples [][]firewall.Match, why string) {
	for _, inner := range set.names {
		more, why := r.setTuples(inner, dirs, f, true)
		if why != "" {
			more = [][]firewall.Match{{{Field: firewall.Undecidable, Why: r.words.get(clip(why, 200))}}}
		}
		tuples = append(tuples, more...)
		if r.listed += len(more); r.listed > maxTuples {
			return nil, "set " + clip(set.name, 64) + ": the lists of sets are too large"
		}
	}
	return tuples, ""
}

// tuplesOf is what tuples gives, or nothing where the kernel never matches.
func (s *ipSet) tuplesOf(dirs []string, f firewall.Family, words interner) [][]firewall.Match {
	// The kernel matches nothing when the rule names fewer directions than the
	// set has parts, or when the families differ (ip_set_test).
	if len(dirs) < len(s.dims) || s.family != f && s.dims[0] != "port" && s.dims[0] != "mac" {
		return nil
	}
	return s.tuples(dirs, words)
}

// group is the members that differ in their first address alone.
type group struct {
	key     memberRest
	members []setMember
}

func (s *ipSet) tuples(dirs []string, words interner) [][]firewall.Match {
	expiring := words.get("members of set " + clip(s.name, 64) + " expire")
	if len(s.dims) == 1 && s.dims[0] != "port" && s.dims[0] != "mac" {
		return s.firsts(s.members, dirs[0], expiring)
	}
	index := map[memberRest]int{}
	var groups []group
	nomatch, wildcard := false, false
	members, exact := s.divided()
	for _, m := range members {
		i, ok := index[*m.rest()]
		if !ok {
			i = len(groups)
			index[*m.rest()] = i
			groups = append(groups, group{key: *m.rest()})
		}
		groups[i].members = append(groups[i].members, m)
		nomatch, wildcard = nomatch || m.nomatch, wildcard || m.rest().wildcard
	}
	// With exceptions in the second address too, or in overlapping interface
	// patterns, the most specific pair decides; that is not followed.
	hard := !exact || nomatch && (wildcard || s.nets() > 1 || s.dims[len(s.dims)-1] == "net")
	var out [][]firewall.Match
	for _, g := range groups {
		base := s.conjunction(dirs, g.key, words)
		if hard {
			base = append(base, firewall.Match{Field: firewall.Undecidable, Why: words.get("set " + clip(s.name, 64) + " has nomatch members")})
		}
		for _, part := range s.firsts(g.members, dirs[0], expiring) {
			out = append(out, append(part, base...))
		}
	}
	return out
}

// divided gives the members with their ranges of ports cut where those of
// nomatch members begin and end: the kernel keeps each port by itself. exact is
// false where that would be too many.
func (s *ipSet) divided() (members []setMember, exact bool) {
	cuts := map[firewall.Number][]firewall.Number{} // by protocol
	for _, m := range s.members {
		if r := m.rest(); m.nomatch && r.ports.Last > 0 {
			cuts[r.proto] = append(cuts[r.proto], r.ports.First, r.ports.Last+1)
		}
	}
	if len(cuts) == 0 {
		return s.members, true
	}
	for p, c := range cuts {
		slices.Sort(c)
		cuts[p] = slices.Compact(c)
	}
	var out []setMember
	for _, m := range s.members {
		r := m.rest()
		c := cuts[r.proto]
		i, _ := slices.BinarySearch(c, r.ports.First+1)
		for first := r.ports.First; ; i++ {
			piece := *r
			piece.ports.First = first
			if i < len(c) && c[i] <= r.ports.Last {
				piece.ports.Last = c[i] - 1
			}
			if len(out) == maxTuples {
				return s.members, false
			}
			part := m
			if m.more != nil {
				part.more = &piece
			}
			out = append(out, part)
			if piece.ports.Last == r.ports.Last {
				break
			}
			first = c[i]
		}
	}
	return out, true
}

// rest is never nil.
func (m setMember) rest() *memberRest {
	if m.more == nil {
		return &memberRest{}
	}
	return m.more
}

func (s *ipSet) nets() int {
	n := 0
	for _, d := range s.dims {
		if d == "net" {
			n++
		}
	}
	return n
}
