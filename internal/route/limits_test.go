package route

import (
	"strings"
	"testing"
)

func TestNotes(t *testing.T) {
	tests := []struct {
		name             string
		limits           Limits
		targets, sockets uint64
		want             string // what the only note contains; "" for none
	}{
		{"nothing known", Limits{}, 1 << 40, 1 << 20, ""},
		{"descriptors suffice", Limits{Descriptors: 1024}, 65536, 1024, ""},
		{"descriptors lack", Limits{Descriptors: 1024}, 65536, 1025, "1024 open files are allowed"},
		{"descriptors may be raised", Limits{Descriptors: 1024, DescriptorsMax: 4096}, 65536, 1025, "up to 4096"},
		{"ports suffice", Limits{EphemeralFrom: 32768, EphemeralTo: 60999}, 65536, 28232, ""},
		{"ports lack", Limits{EphemeralFrom: 32768, EphemeralTo: 60999}, 65536, 28233, "28232 local ports (32768-60999"},
		{"one port", Limits{EphemeralFrom: 4000, EphemeralTo: 4000}, 2, 2, "1 local ports"},
		{"conntrack suffices", Limits{ConntrackMax: 1000, ConntrackCount: 10}, 990, 1, ""},
		{"conntrack lacks", Limits{ConntrackMax: 1000, ConntrackCount: 10}, 991, 1, "room for 990 more"},
		{"conntrack is over full", Limits{ConntrackMax: 1000, ConntrackCount: 1001}, 1, 1, "room for 0 more"},
	}
	for _, tt := range tests {
		got := tt.limits.Notes(tt.targets, tt.sockets)
		if tt.want == "" && len(got) != 0 || tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], tt.want)) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
