package app

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go4.org/netipx"

	"reconshield/internal/exposure"
	"reconshield/internal/netset"
)

// ports are the observations in the order of the report.
func (h *host) ports() []exposure.PortState {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]exposure.PortState, 0, len(h.seen))
	for _, o := range h.seen {
		out = append(out, exposure.PortState{Observation: o})
	}
	slices.SortFunc(out, func(a, b exposure.PortState) int { return a.Compare(b.Target) })
	return out
}

// quiet gathers the hosts that get no entry of their own, by what they showed.
type quiet struct {
	mu     sync.Mutex
	groups map[string]*quietGroup
	count  int
}

type quietGroup struct {
	set    netipx.IPSetBuilder
	state  exposure.State
	reason exposure.Reason
}

// add files the host away. Hosts that showed the same on every port share a
// group, so that nothing that was measured is lost.
func (q *quiet) add(h *host) {
	signature, state, reason := h.signature()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.groups == nil {
		q.groups = map[string]*quietGroup{}
	}
	g, ok := q.groups[signature]
	if !ok {
		g = &quietGroup{state: state, reason: reason}
		q.groups[signature] = g
	}
	g.set.Add(h.addr)
	q.count++
}

// list gives the groups as prefixes, in address order.
func (q *quiet) list() []exposure.Quiet {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []exposure.Quiet
	for signature, g := range q.groups {
		set, err := g.set.IPSet()
		if err != nil { // only for invalid addresses, which a scope never holds
			continue
		}
		for _, p := range set.Prefixes() {
			out = append(out, exposure.Quiet{Prefix: p, State: g.state, Reason: g.reason, Ports: signature})
		}
	}
	slices.SortFunc(out, func(a, b exposure.Quiet) int { return netipx.ComparePrefix(a.Prefix, b.Prefix) })
	return out
}

// signature says in one line what every port of the host showed, and which
// state and reason most of them had.
func (h *host) signature() (text string, state exposure.State, reason exposure.Reason) {
	type verdict struct {
		state  exposure.State
		reason exposure.Reason
	}
	byVerdict := map[verdict][]netset.Port{}
	for _, p := range h.ports() {
		v := verdict{p.State, p.Reason}
		byVerdict[v] = append(byVerdict[v], netset.Port{Transport: p.Transport, Number: p.Port})
	}
	order := slices.SortedFunc(maps.Keys(byVerdict), func(a, b verdict) int {
		return cmp.Or(cmp.Compare(len(byVerdict[b]), len(byVerdict[a])), cmp.Compare(a.state, b.state), cmp.Compare(a.reason, b.reason))
	})
	parts := make([]string, len(order))
	for i, v := range order {
		parts[i] = fmt.Sprintf("%s (%s): %s", v.state, v.reason, netset.NewPortSet(byVerdict[v]...))
	}
	if len(order) > 0 {
		state, reason = order[0].state, order[0].reason
	}
	return strings.Join(parts, "; "), state, reason
}

// totals counts what the report holds.
func totals(a *exposure.Assessment, addresses int) exposure.Totals {
	t := exposure.Totals{
		Addresses: addresses, Assets: len(a.Assets),
		Findings: map[exposure.Severity]int{}, Checks: map[exposure.Status]int{},
	}
	for _, s := range []exposure.Severity{exposure.Critical, exposure.HighSev, exposure.MediumSev, exposure.LowSev, exposure.Info} {
		t.Findings[s] = 0
	}
	for _, s := range []exposure.Status{exposure.Pass, exposure.Fail, exposure.NotTested, exposure.Errored} {
		t.Checks[s] = 0
	}
	for _, asset := range a.Assets {
		for _, p := range asset.Ports {
			if p.State == exposure.Open {
				t.OpenPorts++
			}
		}
		for _, f := range asset.Findings {
			t.Findings[f.Severity]++
		}
		for _, c := range asset.Checks {
			t.Checks[c.Status]++
		}
	}
	return t
}

// Worst is the gravest severity found, empty when there is no finding.
func Worst(a *exposure.Assessment) exposure.Severity {
	var worst exposure.Severity
	for _, asset := range a.Assets {
		for _, f := range asset.Findings {
			if worst == "" || f.Severity.Compare(worst) < 0 {
				worst = f.Severity
			}
		}
	}
	return worst
}

// Measured reports whether any port was measured at all.
func Measured(a *exposure.Assessment) bool {
	for _, asset := range a.Assets {
		for _, p := range asset.Ports {
			if p.State != exposure.Unmeasured {
				return true
			}
		}
	}
	return slices.ContainsFunc(a.Quiet, func(q exposure.Quiet) bool { return q.State != exposure.Unmeasured })
}

func sortAssets(assets []exposure.Asset) {
	slices.SortFunc(assets, func(a, b exposure.Asset) int { return a.Address.Compare(b.Address) })
}
