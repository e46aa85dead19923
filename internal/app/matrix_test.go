//go:build linux

package app_test

import (
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reconshield/internal/app"
	"reconshield/internal/dnscheck"
	"reconshield/internal/exposure"
	"reconshield/internal/lab"
	"reconshield/internal/report"
)

var update = flag.Bool("update", false, "write what was measured into testdata/matrix.txt; review every changed cell by hand")

var only = flag.String("kinds", "", "measure these kinds only and print their verdicts with reasons")

// TestKinds is for looking: go test -run TestKinds -kinds knot-safe -v.
func TestKinds(t *testing.T) {
	if *only == "" {
		return
	}
	l := newLab(t)
	kinds := strings.Split(*only, ",")
	hosts := l.StartAll(t, kinds...)
	for _, kind := range kinds {
		for _, addr := range []netip.Addr{hosts[kind].V4, hosts[kind].V6} {
			a := assess(t, app.Options{Targets: []string{addr.String()}, Collector: probeZone, CollectorAnchored: true, Zones: []string{"example.test"}})
			var b strings.Builder
			if err := report.Write(&b, report.Terminal, a, report.Options{Width: 140, Verbose: testing.Verbose()}); err != nil {
				t.Fatal(err)
			}
			for _, c := range a.Assets[0].Checks {
				fmt.Fprintf(&b, "%-6s %-10s %-4s %s %s\n", c.ID, c.Status, c.Transport, c.Subject, c.Reason)
			}
			t.Logf("%s %s in %s\n%s", kind, addr, a.Finished.Sub(a.Started), b.String())
		}
	}
}

// The matrix holds the verdict of every check on every server of the lab. It
// was filled by measuring and then reviewed against the servers' configurations;
// a cell that changes is either a bug or needs the same review again. A cell sums
// up transports and zones, so a pass may stand behind a fail.
func TestMatrix(t *testing.T) {
	const golden = "testdata/matrix.txt"
	l := newLab(t)
	var kinds []string
	for _, k := range lab.Kinds() {
		kinds = append(kinds, k.Name)
	}
	hosts := l.StartAll(t, kinds...)
	var ids []string
	for _, c := range dnscheck.Catalogue() {
		ids = append(ids, c.ID)
	}
	// Other zones than example.test are only held by a few, for one check each.
	o := app.Options{
		Collector: probeZone, CollectorAnchored: true, Only: ids,
		Zones: []string{"example.test", "wild.test", "private.test", "weak.test", "nsec3.test", "ed.test", "notify.test"},
	}
	for _, kind := range kinds {
		o.Targets = append(o.Targets, hosts[kind].V4.String(), hosts[kind].V6.String())
	}
	assets := map[netip.Addr]exposure.Asset{}
	for _, asset := range assess(t, o).Assets {
		assets[asset.Address] = asset
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	before := parseMatrix(string(want))
	// Questions that a busy machine answered too late are asked again when it has
	// nothing else to do; a verdict is never taken back.
	o.Targets = nil
	for _, kind := range kinds {
		for _, addr := range []netip.Addr{hosts[kind].V4, hosts[kind].V6} {
			if late(before[kind], cells(assets[addr], ids)) {
				o.Targets = append(o.Targets, addr.String())
			}
		}
	}
	if len(o.Targets) > 0 && !*update {
		t.Logf("measured again: %s", strings.Join(o.Targets, " "))
		for _, asset := range assess(t, o).Assets {
			assets[asset.Address] = asset
		}
	}
	var rows []string
	for _, kind := range kinds {
		v4, v6 := cells(assets[hosts[kind].V4], ids), cells(assets[hosts[kind].V6], ids)
		if kind == "sequential-id-resolver" { // it asks over IPv4 only, so over IPv6 there is nothing to compare
			i := slices.Index(ids, "FWD-2")
			v6[i] = v4[i]
		}
		if diff := cmp.Diff(v4, v6); diff != "" {
			t.Errorf("%s: IPv4 and IPv6 differ:\n%s", kind, diff)
		}
		rows = append(rows, fmt.Sprintf("%-24s %s", kind, strings.Join(v4, " ")))
	}
	for _, id := range ids {
		for _, letter := range []string{"F", "p"} {
			if !slices.ContainsFunc(rows, func(row string) bool { return strings.Contains(row+" ", " "+id+"="+letter+" ") }) {
				t.Errorf("%s: no server of the lab gives %s", id, letter)
			}
		}
	}
	got := legend(ids) + strings.Join(rows, "\n") + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		before = parseMatrix(got)
	}
	after := parseMatrix(got)
	for _, kind := range slices.Sorted(maps.Keys(after)) {
		if diff := cmp.Diff(before[kind], after[kind]); diff != "" {
			t.Errorf("%s (reviewed -, measured +):\n%s", kind, diff)
		}
	}
	if len(before) != len(after) {
		t.Errorf("the matrix has %d servers, %d were measured", len(before), len(after))
	}
}

// late reports whether a cell was not tested in which a verdict is expected.
func late(want map[string]string, cells []string) bool {
	return slices.ContainsFunc(cells, func(cell string) bool {
		id, letter, _ := strings.Cut(cell, "=")
		return letter == "-" && want[id] != "-"
	})
}

// parseMatrix gives check → letter for every server.
func parseMatrix(text string) map[string]map[string]string {
	out := map[string]map[string]string{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		out[words[0]] = map[string]string{}
		for _, cell := range words[1:] {
			id, letter, _ := strings.Cut(cell, "=")
			out[words[0]][id] = letter
		}
	}
	return out
}

func legend(ids []string) string {
	return "# F fails on some transport or zone, p passes and fails on none, - not tested, E error\n# checks: " + strings.Join(ids, " ") + "\n"
}

// cells gives one cell a check: "REC-1=F".
func cells(asset exposure.Asset, ids []string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		var statuses []exposure.Status
		for _, c := range asset.Checks {
			if c.ID == id {
				statuses = append(statuses, c.Status)
			}
		}
		letter := "-"
		switch {
		case slices.Contains(statuses, exposure.Fail):
			letter = "F"
		case slices.Contains(statuses, exposure.Errored):
			letter = "E"
		case slices.Contains(statuses, exposure.Pass):
			letter = "p"
		}
		out[i] = id + "=" + letter
	}
	return out
}
