package analyze

import (
	"fmt"
	"slices"

	"reconshield/internal/firewall"
)

// tied tells of chains of NAT that have one place and one priority: the first of
// them that translates decides, and which runs first depends on when each was
// made.
func tied(r *firewall.Ruleset) []string {
	var out []string
	var nat []*firewall.Chain
	for _, c := range r.Chains {
		if c.Base == nil || c.Base.Kind != firewall.NAT || c.Base.Hook != firewall.Prerouting || len(c.Rules) == 0 {
			continue
		}
		i := slices.IndexFunc(nat, func(o *firewall.Chain) bool {
			return o.Base.Priority == c.Base.Priority && o.Family&c.Family != 0
		})
		if i >= 0 {
			out = append(out, fmt.Sprintf("%s %s and %s %s translate at the same priority; the latter is taken as made later, and so as the first to run, since it stands below", nat[i].Table, nat[i].Name, c.Table, c.Name))
		}
		nat = append(nat, c)
	}
	return out
}
