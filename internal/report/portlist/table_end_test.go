package portlist

import (
	"strings"
	"testing"

	"reconshield/internal/exposure"
)

// Only a run that came to its end and lost too little is called complete.
func TestVerdict(t *testing.T) {
	const tick, cross, alert = "+ ", "x ", "! "
	for _, c := range []struct {
		name       string
		complete   float64
		partial    bool
		unmeasured uint64
		want       string
	}{
		{"whole", 1, false, 0, tick + "100 % of answerable probes answered"},
		{"nearly", 0.99996, false, 0, tick + "99.99 % of answerable probes answered"},
		{"too little", 0.98, false, 0, cross + "98.00 % of answerable probes answered | below the 99.00 % asked for"},
		{"stopped", 1, true, 0, alert + "100 % of what was asked until then"},
		{"stopped, too little", 0.5, true, 0, cross + "50.00 % of what was asked until then"},
		{"some failed", 1, false, 2, alert + "100 % of answerable probes answered; 2 targets could not be measured"},
	} {
		s := Summary{Completeness: &c.complete, MinCompleteness: 0.99, Partial: c.partial, States: map[exposure.State]uint64{exposure.Unmeasured: c.unmeasured}}
		text := written(t, Table, nil, Options{ASCII: true, Width: 200}, &s)
		if text := strings.Join(strings.Fields(text), " "); !strings.Contains(text, "complete "+c.want) {
			t.Errorf("%s: not %q in %s", c.name, c.want, text)
		}
		if c.partial && strings.Contains(text, tick+"100 %") {
			t.Errorf("%s: shown as complete:\n%s", c.name, text)
		}
	}
}
