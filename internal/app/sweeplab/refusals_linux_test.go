package sweeplab_test

import (
	"testing"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/lab/pair"
	"reconshield/internal/scan"
)

// Hosts that have no UDP service only refuse, and a kernel limits how often
// they do. A path that dies among them is noticed; one that lives is not called
// dead.
func TestPathDiesAmongRefusals(t *testing.T) {
	tests := []struct {
		name string
		rig  pair.Options
		dies bool
		want scan.Want
	}{
		{"dies", pair.Options{}, true, scan.WantOpen},
		{"dies, limited", pair.Options{KernelLimits: true}, true, scan.WantOpen},
		{"dies, all verdicts", pair.Options{}, true, scan.WantAll},
		{"lives", pair.Options{}, false, scan.WantOpen},
		{"lives, limited", pair.Options{KernelLimits: true}, false, scan.WantOpen},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := pair.New(t, tt.rig)
			p.Addresses("192.0.2.0/28")
			dead := false
			survey := scan.Survey{
				// Ports without a meaning: the rig has no services.
				Addresses: scope(t, "192.0.2.0/28"), Ports: portsOf(t, "U:20001-20200"), Want: tt.want, Retries: -1, Rate: 1000, Outage: 5 * time.Second,
				Progress: func(s scan.Progress) {
					if tt.dies && !dead && s.Sent > 1000 {
						p.NFT("table inet dead {\nchain c {\ntype filter hook prerouting priority -310; policy drop;\niifname lo accept\n}\n}\n")
						dead = true
					}
				},
			}
			seen, summary := run(t, p, "raw", survey)
			t.Logf("%s: sent %d, closed %d, silent %d, unmeasured %d, undecided %d, completeness %f, %v", summary.Duration,
				summary.Sent, summary.Closed, summary.Silent, summary.Unmeasured, summary.Undecided, summary.Completeness, summary.Notes)
			if tt.dies != summary.Partial || tt.dies != (summary.Completeness < 0.9) {
				t.Errorf("partial %t, completeness %f", summary.Partial, summary.Completeness)
			}
			if least := uint64(3200 - 2000); tt.dies && summary.Unmeasured < least || !tt.dies && summary.Unmeasured > 0 {
				t.Errorf("%d unmeasured of %d", summary.Unmeasured, summary.Targets)
			}
			for target, o := range seen {
				if o.State != exposure.Closed && o.State != exposure.Unmeasured {
					t.Fatalf("%s is %s by %s", target, o.State, o.Reason)
				}
			}
		})
	}
}
