package app

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/dialect"
	"reconshield/internal/guard"
	"reconshield/internal/rehearse"
)

// prove checks the new rules on top of those that are loaded, as they will be.
func (a *applying) prove(ctx context.Context) (ApplyResult, error) {
	var res ApplyResult
	texts, err := a.sets(ctx)
	if err != nil {
		return res, err
	}
	texts = append(texts, a.after()...)
	if a.opts.NoRehearsal {
		a.say(false, "loading it into a kernel of its own", "")
		_, err = rehearse.Run(ctx, rehearse.Job{Rulesets: texts, Input: emptyPlan()})
		if err != nil {
			return res, (&rehearsed{}).failure(ctx, err)
		}
		a.say(true, "the syntax is right, and a kernel takes it; audit and rehearsal were left out", "")
		return res, nil
	}
	if why, err := a.audit(texts); err != nil || why != "" {
		res.Why = why
		return res, err
	}
	a.say(false, "rehearsing it from every zone", "")
	r := &rehearsed{opts: RehearseOptions{Host: a.opts.Host, Assets: a.opts.Assets, At: a.opts.At}, policy: a.policy, texts: texts}
	doc, err := r.run(ctx)
	if err != nil {
		return res, err
	}
	res.Rehearsal = doc
	if n := len(doc.Differences()); n > 0 {
		res.Why = fmt.Sprintf("the rehearsal found %d differences from the policy; nothing was loaded", n)
		return res, nil
	}
	if len(doc.Untried) > 0 {
		a.mind("nobody could send from %s on the stage: of that side nothing is proven but by the audit", strings.Join(doc.Untried, ", "))
	}
	if len(a.opts.Assets) > 0 {
		a.mind("only %s was tried: what the rules do to other assets is not proven", strings.Join(a.opts.Assets, ", "))
	}
	a.say(true, fmt.Sprintf("%d questions from every zone were answered as the policy says", len(doc.Results)), "")
	return res, nil
}

// sets are those of ipset, when rules look into any.
func (a *applying) sets(ctx context.Context) ([]rehearse.Ruleset, error) {
	if !slices.ContainsFunc(a.after(), func(r rehearse.Ruleset) bool { return bytes.Contains(r.Text, []byte("--match-set")) }) {
		return nil, nil
	}
	path, err := findTool("ipset", "ipset")
	if err != nil {
		return nil, err
	}
	text, err := guard.Run(ctx, guard.Step{Path: path, Args: []string{"save"}})
	if err != nil {
		return nil, &FailureError{Err: err}
	}
	return []rehearse.Ruleset{{Dialect: rehearse.IPSet, File: "(the sets loaded now)", Text: text}}, nil
}

// audit refuses rules that, with those that stay, let in what the policy denies,
// also on ports that no sample meets.
func (a *applying) audit(texts []rehearse.Ruleset) (why string, err error) {
	a.say(false, "auditing it against the policy", "")
	var alone []dialect.Source
	for _, f := range a.files {
		alone = append(alone, dialect.Source{Name: f.File, Text: f.Text})
	}
	if _, err := dialect.Load(alone, dialect.Options{}); err != nil {
		return "", err
	}
	rules, err := dialect.Load(audited(texts), dialect.Options{})
	if err != nil {
		a.mind("the rules as they will be cannot be audited, only rehearsed: %v", err)
		return "", nil
	}
	host, err := ownAsset(a.policy, a.opts.Host)
	if err != nil {
		return "", err
	}
	audit, err := analyze.Run(rules, analyze.Options{Policy: a.policy, At: a.opts.At, Host: host.Name})
	if err != nil {
		return "", err
	}
	undecided := 0
	for _, f := range audit.Findings {
		if f.Asset != "" && len(a.opts.Assets) > 0 && !slices.Contains(a.opts.Assets, f.Asset) {
			continue
		}
		switch {
		case f.ID == analyze.MaybeExposed:
			undecided++
		case f.Severity.Rank() >= exposure.HighSev.Rank():
			return fmt.Sprintf("the audit says: %s; nothing was loaded (reconshield firewall audit tells more)", f.Summary), nil
		}
	}
	text := "the audit found nothing that the policy denies"
	if undecided > 0 {
		text = fmt.Sprintf("the audit could not decide %d answers (reconshield firewall audit tells them); the rehearsal tries them", undecided)
	}
	a.say(true, text, "")
	return "", nil
}
