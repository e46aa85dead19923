package terraform

import (
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/firewall/cloud"
)

// maxOpen is to how many groups a rule is added when it is not known to which it
// belongs.
const maxOpen = 1000

// owners finds, for rules that are resources of their own, the groups to which
// they belong.
type owners struct {
	*document
	list   []*resource
	ids    map[string]int   // the group that has an identifier
	named  map[string][]int // the instances of a resource, by module, type and name
	unborn []int            // those without an identifier yet
}

func newOwners(d *document) owners {
	return owners{document: d, ids: map[string]int{}, named: map[string][]int{}}
}

// add takes in a group. Its identifier is empty when it is known only after
// apply.
func (o *owners) add(r *resource, id string) {
	i := len(o.list)
	o.list = append(o.list, r)
	if _, isKnown := o.ids[id]; id != "" && !isKnown {
		o.ids[id] = i
	}
	if id == "" {
		o.unborn = append(o.unborn, i)
	}
	key := r.module + "/" + r.kind + "." + r.name
	o.named[key] = append(o.named[key], i)
}

// find gives the indexes of the groups to which a resource belongs by one of
// its attributes. Several come with the reason why it is not sure which. The
// identifier is given when it is known and none of the groups has it.
func (o *owners) find(r *resource, attribute string) (indexes []int, doubt, stranger string) {
	if v := r.values.Get(attribute); !v.None() {
		id, _ := v.Text()
		if i, ok := o.ids[id]; ok {
			return []int{i}, "", ""
		}
		return nil, "", id
	}
	indexes = o.referred(r, attribute)
	if len(indexes) == 1 {
		return indexes, "", ""
	}
	if len(indexes) == 0 {
		indexes = o.unborn
	}
	if len(indexes) > maxOpen {
		return nil, "", ""
	}
	return indexes, fmt.Sprintf("attribute %s is known only after apply, so which group %s belongs to is not known",
		attribute, cloud.OneLine(r.address, 120)), ""
}

// referred gives the groups that the expression of an attribute names; none
// when it names something else as well.
func (o *owners) referred(r *resource, attribute string) []int {
	var out []int
	for _, ref := range o.references(r, attribute) {
		parts := strings.SplitN(ref, ".", 3)
		if len(parts) < 2 {
			return nil
		}
		name, _, _ := strings.Cut(parts[1], "[")
		found := o.named[r.module+"/"+parts[0]+"."+name]
		if len(found) == 0 || len(found)+len(out) > maxOpen {
			return nil
		}
		for _, i := range found {
			if !slices.Contains(out, i) {
				out = append(out, i)
			}
		}
	}
	return o.indexed(r, attribute, out)
}

// indexed narrows the instances of one group to the one that a reference names
// with its index.
func (o *owners) indexed(r *resource, attribute string, candidates []int) []int {
	for _, ref := range o.references(r, attribute) {
		for _, i := range candidates {
			owner := o.list[i]
			local := owner.address
			if owner.module != "" {
				local = strings.TrimPrefix(local, owner.module+".")
			}
			if strings.Contains(local, "[") && (ref == local || strings.HasPrefix(ref, local+".")) {
				return []int{i}
			}
		}
	}
	return candidates
}

// attached gives the groups that a list attribute of an instance names, when
// all of them are in the file and sure.
func (o *owners) attached(r *resource, attribute string) ([]int, bool) {
	if whole(r.unknown, attribute) || anyTrue(r.unknown.Field(attribute)) {
		refs := o.referred(r, attribute)
		return refs, len(refs) > 0 && o.singles(refs)
	}
	var out []int
	for v := range r.values.Get(attribute).Items() {
		id, _ := v.Text()
		i, ok := o.ids[id]
		if !ok {
			return nil, false
		}
		out = append(out, i)
	}
	return out, len(out) > 0
}

// singles reports whether each group is the only instance of its resource.
func (o *owners) singles(indexes []int) bool {
	seen := map[string]bool{}
	for _, i := range indexes {
		full := o.list[i].module + "/" + o.list[i].kind + "." + o.list[i].name
		if seen[full] {
			return false
		}
		seen[full] = true
	}
	return true
}
