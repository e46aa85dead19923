package app

import (
	"context"
	"net/netip"
	"slices"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/policy"
	"reconshield/internal/report/rehearsal"
)

// auditRules audits the rulesets that are given.
func (v *verifying) auditRules(ctx context.Context) error {
	if len(v.verify.Rulesets) == 0 {
		return nil
	}
	var err error
	if v.rules, err = loadRuleset(ctx, v.verify.Rulesets, AuditOptions{Stdin: v.verify.Stdin}); err != nil {
		return err
	}
	if v.before, err = v.covers(); err != nil {
		return err
	}
	v.audit, err = audit(ctx, v.rules, analyze.Options{Policy: v.policy, At: v.verify.At, Host: v.verify.Host})
	if err == nil {
		v.notes = append(v.notes, v.audit.Assumed...)
	}
	return err
}

// covers finds out before which assets the rules stand: a host's before itself,
// those of a gateway and of a cloud before all. Of the others the audit knows
// nothing that could raise an alarm.
func (v *verifying) covers() (func(*policy.Asset) bool, error) {
	onHost := slices.ContainsFunc(v.rules.Chains, func(c *firewall.Chain) bool { return c.Base != nil && c.Base.Hook != firewall.Always })
	if !onHost {
		return func(*policy.Asset) bool { return true }, nil
	}
	if local := v.rules.Host.Local; v.verify.Host == "" && !local.Empty() {
		return func(a *policy.Asset) bool {
			return a.Gateway || slices.ContainsFunc(a.Addresses, local.Contains)
		}, nil
	}
	host, err := ownAsset(v.policy, v.verify.Host)
	if err != nil {
		return nil, err
	}
	return func(a *policy.Asset) bool { return host.Gateway || a.Name == host.Name }, nil
}

// joinAudit compares a result with the audit, and reports that the ruleset lets
// something through that did not answer.
func (v *verifying) joinAudit(x *rehearsal.Result) (between bool) {
	if v.audit == nil {
		return false
	}
	if asset, ok := v.policy.Asset(x.Asset); !ok || !v.before(asset) {
		return false
	}
	x.Audited = analyze.Blocked // what no answer speaks of
	reachable := false
	if a := answerFor(v.audit, x); a != nil {
		x.Audited = a.Verdict
		reachable = a.Verdict == analyze.Reachable && len(a.SourcePorts) == 0 &&
			slices.ContainsFunc(a.Sources, func(p netip.Prefix) bool { return p.Contains(x.Source) })
		if x.State.Different() {
			x.Why = a.Why
		}
	} else if len(v.audit.Unparsed) > 0 {
		x.Audited = analyze.Undecided
	}
	switch {
	case x.Audited == analyze.Blocked && x.Engine == exposure.Open:
		x.State, x.Severity = rehearsal.Bypassed, exposure.Critical
		if a := answerFor(v.audit, x); a != nil {
			x.Why = a.Why
		}
	case reachable && (x.Engine == exposure.Filtered || x.State == rehearsal.Starved):
		if x.State.Different() {
			x.Remark = "the ruleset lets it through: something else stands in between"
		}
		return true
	}
	return false
}
