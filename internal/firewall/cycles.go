package firewall

// markCycles finds the chains on cycles without recursion: whatever cannot be
// put in topological order is on one or leads to one from both sides.
func (s *stage) markCycles() {
	uses := map[*Chain]int{} // jumps into a chain
	for _, v := range s.views {
		for i := range v.rules {
			if t := v.rules[i].rule.Action.Target; t != nil {
				uses[t]++
			}
		}
	}
	var free []*Chain
	for c := range s.views {
		if uses[c] == 0 {
			free = append(free, c)
		}
	}
	done := 0
	for ; len(free) > 0; done++ {
		c := free[len(free)-1]
		free = free[:len(free)-1]
		for i := range s.views[c].rules {
			t := s.views[c].rules[i].rule.Action.Target
			if t == nil {
				continue
			}
			if uses[t]--; uses[t] == 0 {
				free = append(free, t)
			}
		}
	}
	if done == len(s.views) {
		return
	}
	for c, n := range uses {
		if n > 0 {
			s.views[c].cyclic = true
		}
	}
}
