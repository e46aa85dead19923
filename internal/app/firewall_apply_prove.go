package app

import (
	"bytes"
	"context"
	"fmt"
	"slices"

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
	for _, f := range a.files {
		texts = append(texts, f.tool.before(f.saved)...)
	}
	for _, f := range a.files {
		texts = append(texts, f.Ruleset)
	}
	if a.opts.NoRehearsal {
		a.say(false, "loading it into a kernel of its own", "")
		_, err = rehearse.Run(ctx, rehearse.Job{Rulesets: texts, Input: emptyPlan()})
		if err != nil {
			return res, (&rehearsed{}).failure(ctx, err)
		}
		a.say(true, "the syntax is right, and a kernel takes it; audit and rehearsal were left out", "")
		return res, nil
	}
	if why, err := a.audit(); err != nil || why != "" {
		res.Why = why
		return res, err
	}
	a.say(false, "rehearsing it from every zone", "")
	r := &rehearsed{opts: RehearseOptions{Host: a.opts.Host, At: a.opts.At}, policy: a.policy, texts: texts}
	doc, err := r.run(ctx)
	if err != nil {
		return res, err
	}
	res.Rehearsal = doc
	if n := len(doc.Differences()); n > 0 {
		res.Why = fmt.Sprintf("the rehearsal found %d differences from the policy; nothing was loaded", n)
		return res, nil
	}
	a.say(true, fmt.Sprintf("%d questions from every zone were answered as the policy says", len(doc.Results)), "")
	return res, nil
}

// sets are those of ipset, when rules look into any.
func (a *applying) sets(ctx context.Context) ([]rehearse.Ruleset, error) {
	if !slices.ContainsFunc(a.files, func(f *applied) bool {
		return bytes.Contains(f.saved, []byte("--match-set")) || bytes.Contains(f.Text, []byte("--match-set"))
	}) {
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

// audit refuses rules that let in what the policy denies, also on ports that no
// sample meets.
func (a *applying) audit() (why string, err error) {
	a.say(false, "auditing it against the policy", "")
	var sources []dialect.Source
	for _, f := range a.files {
		sources = append(sources, dialect.Source{Name: f.File, Text: f.Text})
	}
	rules, err := dialect.Load(sources, dialect.Options{})
	if err != nil {
		return "", err
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
