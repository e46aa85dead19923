package dnscheck

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/dialogue"
	"reconshield/internal/exposure"
)

func testSession(product exposure.Product) *Session {
	d := dialogue.New(nil, netip.MustParseAddr("192.0.2.53"), dialogue.Options{})
	return NewSession(d, Server{Identity: &exposure.Service{Product: product}}, Options{})
}

func outcomes(out ...Outcome) func(context.Context, *Session) []Outcome {
	return func(context.Context, *Session) []Outcome { return out }
}

func TestSelect(t *testing.T) {
	all := []Check{{ID: "A-1", Safety: Safe}, {ID: "A-2", Safety: Standard}, {ID: "B-1", Safety: Intrusive}, {ID: "C-1", Safety: Safe, OptIn: true}}
	tests := []struct {
		name       string
		profile    Safety
		only, skip []string
		want       string
		err        string
	}{
		{"safe", Safe, nil, nil, "A-1", ""},
		{"standard includes safe", Standard, nil, nil, "A-1 A-2", ""},
		{"intrusive leaves out what must be named", Intrusive, nil, nil, "A-1 A-2 B-1", ""},
		{"naming beats the profile", Safe, []string{"B-1", "C-1"}, nil, "B-1 C-1", ""},
		{"skip", Standard, nil, []string{"A-1"}, "A-2", ""},
		{"unknown names the nearest", Safe, []string{"B-9"}, nil, "", "did you mean B-1"},
		{"unknown in skip", Safe, nil, []string{"X-1"}, "", `unknown check "X-1"`},
		{"nothing left", Safe, []string{"A-1"}, []string{"A-1"}, "", "no check is left"},
	}
	for _, tt := range tests {
		got, err := Select(all, tt.profile, tt.only, tt.skip)
		if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.err)
		}
		if ids := strings.Join(idsOf(got), " "); ids != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, ids, tt.want)
		}
	}
}

func idsOf(checks []Check) []string {
	var ids []string
	for _, c := range checks {
		ids = append(ids, c.ID)
	}
	return ids
}

func TestFindingsMergeTransportsAndKeepTheWorst(t *testing.T) {
	c := Check{ID: "T-1", Severity: exposure.LowSev, Fixes: Fixes{"": advice("general"), exposure.BIND: configure(exposure.BIND, "own", "x")}, Run: outcomes(
		Outcome{Status: exposure.Fail, Transport: exposure.UDP, Reason: "over udp", Confidence: exposure.Low, Evidence: []exposure.Evidence{{Note: "one"}}},
		Outcome{Status: exposure.Fail, Transport: exposure.TCP, Reason: "over tcp", Severity: exposure.HighSev, Evidence: []exposure.Evidence{{Note: "two"}}},
		Outcome{Status: exposure.Pass, Transport: exposure.TCP, Subject: "other."},
		Outcome{Status: exposure.Fail, Transport: exposure.TCP, Subject: "zone.", Reason: "a zone"},
	)}
	s := testSession(exposure.BIND)
	got := Findings(s, Run(t.Context(), s, []Check{c}, nil))
	if len(got) != 2 {
		t.Fatalf("got %d findings, want 2: %+v", len(got), got)
	}
	f := got[0]
	if f.Severity != exposure.HighSev || f.Summary != "over tcp" || f.Confidence != exposure.High || len(f.Evidence) != 2 {
		t.Errorf("merged wrongly: %+v", f)
	}
	if diff := cmp.Diff([]exposure.Transport{exposure.UDP, exposure.TCP}, f.Transports); diff != "" {
		t.Error(diff)
	}
	if len(f.Fix) != 1 || f.Fix[0].Text != "own" {
		t.Errorf("fix of another product: %+v", f.Fix)
	}
	if got[1].Subject != "zone." || got[1].Severity != exposure.LowSev {
		t.Errorf("second finding: %+v", got[1])
	}
}

func TestRunContainsWhatBreaks(t *testing.T) {
	s := testSession("")
	ran := Run(t.Context(), s, []Check{
		{ID: "P-1", Run: func(context.Context, *Session) []Outcome { panic("boom") }},
		{ID: "E-1", Run: outcomes()},
		{ID: "G-1", Run: outcomes(pass(exposure.UDP, "fine"))},
	}, nil)
	want := []exposure.Status{exposure.Errored, exposure.Errored, exposure.Pass}
	for i, r := range ran {
		if r.Outcomes[0].Status != want[i] {
			t.Errorf("%s: %+v, want %s", r.Check.ID, r.Outcomes[0], want[i])
		}
	}
}

func TestCancelledChecksDoNotPass(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := testSession("")
	ran := Run(ctx, s, []Check{{ID: "A-1", Run: outcomes(pass(exposure.UDP, "fine"), fail(exposure.TCP, "found"))}}, nil)
	if got := ran[0].Outcomes; got[0].Status != exposure.NotTested || got[1].Status != exposure.Fail {
		t.Errorf("got %+v", got)
	}
}

func TestFixesForProduct(t *testing.T) {
	fixes := Fixes{"": advice("general"), exposure.BIND: configure(exposure.BIND, "", "b"), exposure.Knot: configure(exposure.Knot, "", "k")}
	tests := []struct {
		product exposure.Product
		want    string
	}{
		{exposure.Knot, "Knot DNS"},
		{exposure.NSD, "any server"},
		{"", "any server, BIND 9, Knot DNS"},
	}
	for _, tt := range tests {
		var got []string
		for _, f := range fixes.For(tt.product) {
			got = append(got, f.For)
		}
		if s := strings.Join(got, ", "); s != tt.want {
			t.Errorf("%q: got %s, want %s", tt.product, s, tt.want)
		}
	}
}

// Every entry of the catalogue is complete and its id is unique.
func TestCatalogueIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Catalogue() {
		if seen[c.ID] {
			t.Errorf("%s stands twice", c.ID)
		}
		seen[c.ID] = true
		for what, missing := range map[string]bool{
			"title": c.Title == "", "finds": c.Finds == "", "why": c.Why == "", "severity": c.Severity.Rank() == 0,
			"rationale": c.Rationale == "", "safety": c.Safety.Rank() < 0, "fixes": len(c.Fixes) == 0,
			"references": len(c.References) == 0, "run": c.Run == nil,
		} {
			if missing {
				t.Errorf("%s has no %s", c.ID, what)
			}
		}
	}
}

func TestChecksOfAClosedPortDoNotApply(t *testing.T) {
	s := testSession("")
	s.Server.Closed = true
	ran := Run(t.Context(), s, []Check{
		{ID: "A-1", Run: outcomes(pass(exposure.UDP, "fine"))},
		{ID: "E-1", Elsewhere: true, Run: outcomes(pass(exposure.TCP, "fine"))},
	}, nil)
	want := []exposure.Status{exposure.NotTested, exposure.Pass}
	for i, r := range ran {
		if r.Outcomes[0].Status != want[i] {
			t.Errorf("%s: %+v, want %s", r.Check.ID, r.Outcomes[0], want[i])
		}
	}
}
