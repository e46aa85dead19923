package dnscheck

import (
	"testing"

	"reconshield/internal/exposure"
)

func TestJudgeUnreachable(t *testing.T) {
	t.Parallel()
	closed := exposure.Observation{State: exposure.Closed, Reason: exposure.ReasonReset}
	dropped := exposure.Observation{State: exposure.Filtered, Reason: exposure.ReasonTimeout}
	forbidden := exposure.Observation{State: exposure.Filtered, Reason: exposure.ReasonAdminProhibited}
	unmeasured := exposure.Observation{State: exposure.Unmeasured}
	for _, tt := range []struct {
		name  string
		seen  []exposure.Observation
		alive bool
		want  []exposure.Status
	}{
		{"closed", []exposure.Observation{closed}, true, []exposure.Status{exposure.Pass}},
		{"dropped by a host that answers elsewhere", []exposure.Observation{dropped}, true, []exposure.Status{exposure.Pass}},
		{"dropped by a host never heard of", []exposure.Observation{dropped}, false, []exposure.Status{exposure.NotTested}},
		{"forbidden", []exposure.Observation{forbidden}, false, []exposure.Status{exposure.Pass}},
		{"not measured", []exposure.Observation{unmeasured}, true, []exposure.Status{exposure.NotTested}},
		{"some of both", []exposure.Observation{closed, unmeasured}, true, []exposure.Status{exposure.Pass, exposure.NotTested}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := judgeUnreachable(tt.seen, tt.alive)
			if len(got) != len(tt.want) {
				t.Fatalf("%+v", got)
			}
			for i := range got {
				if got[i].Status != tt.want[i] {
					t.Errorf("%+v, want %s", got[i], tt.want[i])
				}
			}
		})
	}
}
