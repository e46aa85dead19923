package atlas

import (
	"cmp"
	"slices"
	"strings"
)

// callableName is a name that Ports knows, and how well people know it.
type callableName struct {
	name   string
	weight int
}

// suggestions is how many names are suggested at most.
const suggestions = 3

// Nearest suggests names that Ports knows in place of one that it does not, the
// best first; nil when none is like it. The slice is the caller's.
func (a *Atlas) Nearest(service string) []string {
	asked := strings.ToLower(strings.TrimSpace(service))
	if asked == "" || len(asked) > longestWord {
		return nil
	}
	type near struct {
		callableName
		slips int
	}
	var found []near
	for _, known := range a.words() {
		if slips, ok := likeness(asked, known.name); ok {
			found = append(found, near{known, slips})
		}
	}
	slices.SortFunc(found, func(x, y near) int {
		return cmp.Or(cmp.Compare(x.slips, y.slips), cmp.Compare(y.weight, x.weight),
			cmp.Compare(len(x.name), len(y.name)), cmp.Compare(x.name, y.name))
	})
	var names []string
	for _, n := range found[:min(len(found), suggestions)] {
		names = append(names, n.name)
	}
	return names
}

// likeness is how far a name is from what was asked for, 0 being nearest; ok is
// false for one that is not like it.
func likeness(asked, name string) (slips int, ok bool) {
	const short = 2
	if asked == name {
		return 0, true
	}
	if len(asked) > short && (strings.HasPrefix(name, asked) || len(name) > short && strings.HasPrefix(asked, name)) {
		return 1 + max(len(name)-len(asked), len(asked)-len(name))/short, true
	}
	most := tolerance(len(asked))
	if len(asked) == short+1 { // "shh" is worth a guess, too
		most = 1
	}
	slips = distance(asked, name, most)
	return slips, slips <= most
}

// callable lists every name once that can stand in a list of ports.
func (a *Atlas) callable() []callableName {
	weights := map[string]int{}
	add := func(name string, weight int, transports ...string) {
		name = strings.ToLower(name)
		if name == "" || strings.ContainsAny(name, " ,:/") || !slices.ContainsFunc(transports, measured) {
			return
		}
		weights[name] = max(weights[name], weight)
	}
	const registered, noted, called = 1, 2, 3
	all := transports()
	for e := range a.registry.all {
		add(a.registry.name(e), registered, all[e.rank])
	}
	for _, n := range a.notes() {
		add(n.Name, noted, n.Transports...)
		for _, use := range n.Uses {
			add(use.Name, noted, use.Transport)
		}
	}
	for _, name := range aliases() {
		add(name, called, "")
	}
	names := make([]callableName, 0, len(weights))
	for name, weight := range weights {
		names = append(names, callableName{name, weight})
	}
	return names
}

// measured reports a transport whose ports can be in a list of ports.
func measured(transport string) bool {
	return transport == "" || transport == "tcp" || transport == "udp"
}
