package dnscheck

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"reconshield/internal/exposure"
)

// Catalogue returns every check, in the order of the documentation.
func Catalogue() []Check {
	return slices.Concat(
		identityChecks(), recursionChecks(), forwarderChecks(), snoopChecks(), predictChecks(), validateChecks(), subnetChecks(), hijackChecks(), rebindChecks(), transferChecks(), updateChecks(), notifyChecks(),
		referralChecks(), amplifyChecks(), rateLimitChecks(), walkChecks(), dnssecChecks(),
		streamChecks(), ednsChecks(), cookieChecks(), wildcardChecks(), privateChecks(),
		encryptedChecks(), mdnsChecks(), controlChecks(),
	)
}

// Select returns the checks to run: those named in only, or, when only is
// empty, those of the profile; less those named in skip. An id that the
// catalogue does not hold is an error that names it and the nearest known one.
func Select(all []Check, profile Safety, only, skip []string) ([]Check, error) {
	for _, id := range slices.Concat(only, skip) {
		if !slices.ContainsFunc(all, func(c Check) bool { return c.ID == id }) {
			return nil, fmt.Errorf("unknown check %q%s (reconshield checks lists them all)", id, nearest(all, id))
		}
	}
	var out []Check
	for _, c := range all {
		wanted := slices.Contains(only, c.ID)
		if len(only) == 0 {
			wanted = !c.OptIn && c.Safety.Rank() <= profile.Rank()
		}
		if wanted && !slices.Contains(skip, c.ID) {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no check is left: --check and --skip exclude each other")
	}
	return out, nil
}

func nearest(all []Check, id string) string {
	family, _, _ := strings.Cut(strings.ToUpper(id), "-")
	for _, c := range all {
		if f, _, _ := strings.Cut(c.ID, "-"); f == family {
			return ": did you mean " + c.ID + "?"
		}
	}
	return ""
}

// Ran is a check with its outcomes.
type Ran struct {
	Check    Check
	Outcomes []Outcome
}

// Run carries the checks out concurrently and returns them in their order. A
// check that panics is an Errored outcome, and one that was cancelled says so.
// done, when not nil, is called after each check from several goroutines.
func Run(ctx context.Context, s *Session, checks []Check, done func(Check)) []Ran {
	out := make([]Ran, len(checks))
	met := make([]trouble, len(checks))
	var wg sync.WaitGroup
	for i, c := range checks {
		wg.Go(func() {
			out[i] = Ran{c, runOne(met[i].within(ctx), s, c)}
			if done != nil {
				done(c)
			}
		})
	}
	wg.Wait()
	s.again(ctx, out, met)
	for i := range out {
		s.disown(&out[i])
	}
	return out
}

func runOne(ctx context.Context, s *Session, c Check) (out []Outcome) {
	defer func() {
		if r := recover(); r != nil {
			out = []Outcome{{Status: exposure.Errored, Reason: fmt.Sprintf("the check itself broke: %v (please report this)", r)}}
		}
	}()
	if s.Server.Closed && !c.Elsewhere {
		return []Outcome{notTested("", fmt.Sprintf("does not apply: port %d is closed over UDP and TCP", s.Port()))}
	}
	out = c.Run(ctx, s)
	if len(out) == 0 {
		out = []Outcome{{Status: exposure.Errored, Reason: "the check gave no outcome (please report this)"}}
	}
	if ctx.Err() != nil {
		for i := range out {
			if out[i].Status != exposure.Fail {
				out[i].Status, out[i].Reason = exposure.NotTested, "cancelled before it was finished"
			}
		}
	}
	return out
}

// Results flattens what ran into report rows.
func Results(ran []Ran, port uint16) []exposure.CheckResult {
	var rows []exposure.CheckResult
	for _, r := range ran {
		for _, o := range r.Outcomes {
			rows = append(rows, exposure.CheckResult{
				ID: r.Check.ID, Status: o.Status, Transport: o.Transport,
				Port: cmp.Or(o.Port, port), Subject: o.Subject, Reason: o.Reason,
			})
		}
	}
	return rows
}

// Findings turns failed outcomes into findings: one for each check, port and
// subject, with the transports and the evidence of all its outcomes.
func Findings(s *Session, ran []Ran) []exposure.Finding {
	var out []exposure.Finding
	for _, r := range ran {
		at := map[string]int{} // fingerprint → index in out
		for _, o := range r.Outcomes {
			if o.Status != exposure.Fail {
				continue
			}
			f := finding(s, r.Check, o)
			if i, ok := at[f.Fingerprint]; ok {
				merge(&out[i], f)
				continue
			}
			at[f.Fingerprint] = len(out)
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, exposure.CompareFindings)
	return out
}

func finding(s *Session, c Check, o Outcome) exposure.Finding {
	port := cmp.Or(o.Port, s.Port())
	f := exposure.Finding{
		ID: c.ID, Fingerprint: exposure.Fingerprint(c.ID, s.Addr(), port, o.Subject),
		Severity: cmp.Or(o.Severity, c.Severity), Title: c.Title, Summary: cmp.Or(o.Summary, o.Reason),
		Why: c.Why, Confidence: cmp.Or(o.Confidence, exposure.High), Address: s.Addr(), Port: port,
		Subject: o.Subject, Evidence: o.Evidence, References: c.References, Fix: c.Fixes.For(s.Product()),
	}
	if o.Transport != "" {
		f.Transports = []exposure.Transport{o.Transport}
	}
	return f
}

func merge(into *exposure.Finding, f exposure.Finding) {
	for _, t := range f.Transports {
		if !slices.Contains(into.Transports, t) {
			into.Transports = append(into.Transports, t)
		}
	}
	into.Evidence = append(into.Evidence, f.Evidence...)
	if f.Severity.Compare(into.Severity) < 0 {
		into.Severity, into.Summary = f.Severity, f.Summary
	}
	if into.Confidence != exposure.High && f.Confidence == exposure.High {
		into.Confidence = exposure.High
	}
}

// For gives the fixes for the product: its own, or, when the product is not
// known or has none, every product's, the general one first.
func (f Fixes) For(p exposure.Product) []exposure.Fix {
	if fix, ok := f[p]; ok && p != "" {
		return []exposure.Fix{fix}
	}
	var out []exposure.Fix
	if fix, ok := f[""]; ok {
		out = append(out, fix)
		if p != "" {
			return out
		}
	}
	for _, known := range Products() {
		if fix, ok := f[known]; ok {
			out = append(out, fix)
		}
	}
	return out
}

// Products are the servers for which fixes are written, in the order shown.
func Products() []exposure.Product {
	return []exposure.Product{
		exposure.BIND, exposure.Unbound, exposure.Knot, exposure.NSD, exposure.PDNSAuth,
		exposure.PDNSRec, exposure.Dnsmasq, exposure.WindowsDNS, exposure.CoreDNS,
	}
}
