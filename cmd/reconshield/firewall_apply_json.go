package main

import (
	"cmp"
	"encoding/json"
	"io"

	"reconshield/internal/app"
	"reconshield/internal/guard"
	"reconshield/internal/report/rehearsal"
)

// The lines that apply writes for programs: a step as it happens, and at the end
// the result.
type (
	applyStepLine struct {
		Type    string `json:"type"`  // "step"
		State   string `json:"state"` // "planned" by a dry run, "begins", "done" or "warning"
		Text    string `json:"text"`
		Command string `json:"command,omitempty"`
	}
	applyResultLine struct {
		Type        string              `json:"type"` // "result"
		Schema      string              `json:"schema"`
		Outcome     string              `json:"outcome"` // "kept", "restored", "withdrawn", "failed" or "planned"
		Why         string              `json:"why,omitempty"`
		Differences []*rehearsal.Result `json:"differences"`
	}
)

// applyLines writes steps as JSON, one on each line; a reader that has gone away
// stops nothing.
func applyLines(w io.Writer, dry bool) func(app.ApplyStep) {
	out := json.NewEncoder(w)
	return func(s app.ApplyStep) {
		state := "begins"
		switch {
		case dry:
			state = "planned"
		case s.Mind:
			state = "warning"
		case s.Done:
			state = "done"
		}
		_ = out.Encode(applyStepLine{"step", state, s.Text, s.Code})
	}
}

func applyResult(w io.Writer, dry bool, res app.ApplyResult) error {
	line := applyResultLine{Type: "result", Schema: "reconshield.apply/1", Why: res.Why, Differences: []*rehearsal.Result{}}
	if res.Rehearsal != nil {
		line.Differences = append(line.Differences, res.Rehearsal.Differences()...)
	}
	line.Outcome = cmp.Or(string(res.Outcome), string(guard.Withdrawn))
	if dry {
		line.Outcome = "planned"
	}
	return json.NewEncoder(w).Encode(line)
}
