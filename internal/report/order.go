package report

import (
	"cmp"
	"slices"

	"reconshield/internal/exposure"
)

// arrange returns a copy in the order of the machine formats, with no nil
// slice where the contract promises an array and with every severity and
// status counted. The copy shares the values it does not order.
func arrange(a *exposure.Assessment) *exposure.Assessment {
	c := *a
	c.Scope = present(a.Scope)
	c.Unmeasured = present(a.Unmeasured)
	c.Quiet = slices.Clone(a.Quiet)
	slices.SortStableFunc(c.Quiet, func(x, y exposure.Quiet) int {
		return cmp.Or(x.Prefix.Addr().Compare(y.Prefix.Addr()), cmp.Compare(x.Prefix.Bits(), y.Prefix.Bits()))
	})
	c.Assets = present(slices.Clone(a.Assets))
	for i := range c.Assets {
		arrangeAsset(&c.Assets[i])
	}
	slices.SortStableFunc(c.Assets, func(x, y exposure.Asset) int { return x.Address.Compare(y.Address) })
	c.Totals.Findings = make(map[exposure.Severity]int)
	for _, s := range severities() {
		c.Totals.Findings[s] = a.Totals.Findings[s]
	}
	c.Totals.Checks = make(map[exposure.Status]int)
	for _, s := range []exposure.Status{exposure.Pass, exposure.Fail, exposure.NotTested, exposure.Errored} {
		c.Totals.Checks[s] = a.Totals.Checks[s]
	}
	return &c
}

func arrangeAsset(a *exposure.Asset) {
	a.Ports = present(slices.Clone(a.Ports))
	slices.SortStableFunc(a.Ports, func(x, y exposure.PortState) int { return x.Compare(y.Target) })
	a.Checks = present(slices.Clone(a.Checks))
	slices.SortStableFunc(a.Checks, func(x, y exposure.CheckResult) int {
		return cmp.Or(cmp.Compare(x.ID, y.ID), cmp.Compare(x.Port, y.Port),
			cmp.Compare(x.Transport, y.Transport), cmp.Compare(x.Subject, y.Subject))
	})
	a.Findings = present(slices.Clone(a.Findings))
	for i := range a.Findings {
		f := &a.Findings[i]
		f.Transports = present(f.Transports)
		f.Evidence = present(f.Evidence)
		f.Fix = present(f.Fix)
		f.References = present(f.References)
	}
	slices.SortStableFunc(a.Findings, exposure.CompareFindings)
}

// present is s, or an empty slice for nil.
func present[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// severities lists the severities a finding can have, worst first.
func severities() []exposure.Severity {
	return []exposure.Severity{
		exposure.Critical, exposure.HighSev, exposure.MediumSev, exposure.LowSev, exposure.Info,
	}
}

// ranked orders assets for people: worst finding first, then the number of
// findings of that severity, then open ports before none, then by address.
func ranked(assets []exposure.Asset) []exposure.Asset {
	out := slices.Clone(assets)
	slices.SortStableFunc(out, func(x, y exposure.Asset) int {
		cx, cy := countSeverities(x.Findings), countSeverities(y.Findings)
		for i := range cx {
			if c := cmp.Compare(cy[i], cx[i]); c != 0 {
				return c
			}
		}
		return cmp.Or(cmp.Compare(min(openPorts(y), 1), min(openPorts(x), 1)), x.Address.Compare(y.Address))
	})
	return out
}

// countSeverities counts findings in the order of severities.
func countSeverities(findings []exposure.Finding) []int {
	all := severities()
	counts := make([]int, len(all))
	for _, f := range findings {
		if i := slices.Index(all, f.Severity); i >= 0 {
			counts[i]++
		}
	}
	return counts
}

func openPorts(a exposure.Asset) int {
	n := 0
	for _, p := range a.Ports {
		if p.State == exposure.Open {
			n++
		}
	}
	return n
}

// allClosed reports whether ports were measured and each is closed, so that
// what was not tested was not there to be tested.
func allClosed(a exposure.Asset) bool {
	for _, o := range a.Ports {
		if o.State != exposure.Closed {
			return false
		}
	}
	return len(a.Ports) > 0
}
