package ruleset

import (
	"fmt"

	"reconshield/internal/firewall/analyze"
)

// changeGroup is a change of several ports that one rule makes.
type changeGroup struct {
	*analyze.Change // the first of them
	Ports           []string
}

// changes unites what changed alike, in the order of the first of each.
func changes(list []analyze.Change) []changeGroup {
	var out []changeGroup
	index := map[string]int{}
	for i := range list {
		c := &list[i]
		rule, _ := telling(c.After)
		key := fmt.Sprintf("%s\x00%s\x00%s\x00%s %s\x00%s %s\x00%+v", c.Asset, c.Address, c.Zone, c.Before.Verdict, sideWho(c.Before), c.After.Verdict, sideWho(c.After), rule)
		at, known := index[key]
		if !known {
			at = len(out)
			index[key] = at
			out = append(out, changeGroup{Change: c})
		}
		out[at].Ports = append(out[at].Ports, portText(c.Transport, c.Port, c.LastPort))
	}
	return out
}

// telling is the rule that tells why an answer is what it is: the first that is
// undecided, or the one with the last word.
func telling(s analyze.Side) (analyze.Line, bool) {
	if s.Verdict == analyze.Undecided {
		for _, r := range s.Why {
			if r.Undecided != "" {
				r.Depth = 0
				return r, true
			}
		}
	}
	if n := len(s.Why); n > 0 {
		r := s.Why[n-1]
		r.Depth = 0
		return r, true
	}
	return analyze.Line{}, false
}

// sideWho names who gets through, or may.
func sideWho(s analyze.Side) string {
	if s.Verdict == analyze.Undecided {
		return who(s.Undecided)
	}
	return who(s.Sources)
}
