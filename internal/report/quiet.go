package report

import (
	"fmt"
	"math"
	"net/netip"
	"slices"

	"reconshield/internal/exposure"
)

// quietGroup is the quiet prefixes that showed the same.
type quietGroup struct {
	State     exposure.State
	Reason    exposure.Reason
	Ports     string
	Prefixes  []string
	Addresses string
}

func quietGroups(quiet []exposure.Quiet) []quietGroup {
	var out []quietGroup
	var counts []float64
	for _, q := range quiet {
		i := slices.IndexFunc(out, func(g quietGroup) bool {
			return g.State == q.State && g.Reason == q.Reason && g.Ports == Sanitize(q.Ports)
		})
		if i < 0 {
			i = len(out)
			out = append(out, quietGroup{State: q.State, Reason: q.Reason, Ports: Sanitize(q.Ports)})
			counts = append(counts, 0)
		}
		out[i].Prefixes = append(out[i].Prefixes, prefixText(q.Prefix))
		counts[i] += math.Exp2(float64(q.Prefix.Addr().BitLen() - q.Prefix.Bits()))
	}
	for i, n := range counts {
		if n < 1e9 {
			out[i].Addresses = plural(int(n), "address")
		} else {
			out[i].Addresses = fmt.Sprintf("%.1e addresses", n)
		}
	}
	return out
}

func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
