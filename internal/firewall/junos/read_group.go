package junos

import (
	"slices"
	"strings"
)

// inherit gives the tree with what the groups that are applied at its top add.
// Groups come after what stands in the configuration itself, and do not bring
// back what is inactive there.
func (c *configuration) inherit(root *node) *node {
	names := root.find("apply-groups").words()
	groups := root.find("groups")
	t := &tree{file: c.file, root: root}
	for _, name := range names {
		g := groups.find(name)
		switch {
		case name == "${node}":
			for _, node := range []string{"node0", "node1"} {
				c.perNode(t, groups.find(node))
			}
		case g != nil:
			c.merge(t, g)
		case !slices.Contains([]string{"junos-defaults", "re0", "re1"}, name):
			c.skip(root.kid("apply-groups"), "apply-groups "+name, "the group is not in this file")
		}
	}
	c.nested(root)
	return root
}

// bearing reports whether a part at the top has to do with filtering.
func bearing(word string) bool {
	return slices.Contains([]string{"security", "applications", "firewall", "interfaces", "policy-options"}, word)
}

// perNode adds the group of one device of a cluster, which may hold no more
// that filters than the port for management.
func (c *configuration) perNode(t *tree, group *node) {
	for k := range group.each() {
		for i := range k.each() {
			if bearing(k.word) && (k.word != "interfaces" || i.word != "fxp0") {
				c.skip(i, "groups "+group.word+" "+k.word+" "+i.word, "what one device of a cluster has for itself is read for fxp0 alone; give the output of show configuration | display inheritance | display set")
			}
		}
	}
	if group != nil {
		c.merge(t, group)
	}
}

// merge adds the tree of a group.
func (c *configuration) merge(t *tree, group *node) {
	type pair struct{ to, from *node }
	todo := []pair{{t.root, group}}
	for len(todo) > 0 {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for k := range p.from.each() {
			if p.from == group && !bearing(k.word) {
				c.harmless(t, k)
				continue
			}
			if strings.Contains(k.word, "<") {
				c.skip(k, k.word, "wildcards in groups are not read; give the output of show configuration | display inheritance | display set")
				continue
			}
			if t.count > maxNodes {
				c.skip(group, group.word, "the group is too large to be read")
				return
			}
			to := t.add(p.to, k.word, k.line)
			if !to.inactive {
				todo = append(todo, pair{to, k})
			}
		}
	}
}

// harmless takes over that a part of a group exists, so that unknown ones and
// routing are seen.
func (c *configuration) harmless(t *tree, part *node) {
	to := t.add(t.root, part.word, part.line)
	for k := range part.each() {
		if !strings.Contains(k.word, "<") {
			t.add(to, k.word, k.line)
		}
	}
}

// nested finds groups that are applied within the parts that filter.
func (c *configuration) nested(root *node) {
	var todo []*node
	for k := range root.each() {
		if bearing(k.word) {
			todo = append(todo, k)
		}
	}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for k := range n.each() {
			if k.word == "apply-groups" || k.word == "apply-groups-except" {
				c.skip(k, n.word+" "+k.word, "groups applied below the top are not read; give the output of show configuration | display inheritance | display set")
			}
			todo = append(todo, k)
		}
	}
}
