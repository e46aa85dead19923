package dial

import (
	"strings"
	"testing"
)

func TestParsePortRange(t *testing.T) {
	tests := []struct {
		in   string
		want int
	}{
		{"32768\t60999\n", 28232},
		{"1024 65535", 64512},
		{"5 5", 1},
		{"", 0},
		{"32768", 0},
		{"60999 32768", 0},
		{"1 2 3", 0},
		{"0 65536", 0},
		{"-1 5", 0},
		{"a b", 0},
	}
	for _, tt := range tests {
		if got := parsePortRange(tt.in); got != tt.want {
			t.Errorf("%q: got %d, want %d", tt.in, got, tt.want)
		}
	}
}

func TestParseCount(t *testing.T) {
	for in, want := range map[string]uint64{"262144\n": 262144, " 0": 0, "": 0, "x": 0, "-3": 0, "18446744073709551616": 0} {
		if got := parseCount(in); got != want {
			t.Errorf("%q: got %d, want %d", in, got, want)
		}
	}
}

func TestNotes(t *testing.T) {
	l := limits{inFlight: 950, descriptors: 1024, ports: 1000, portsFrom: "range", maxTracked: 10000, tracked: 4000, trackedKey: "max"}
	untracked := l
	untracked.maxTracked, untracked.inFlight = 0, 100000
	tests := []struct {
		name    string
		l       limits
		targets uint64
		want    []string // what each line has to contain
	}{
		{"few targets", l, 400, nil},
		{"more than UDP ports", l, 501, []string{"at most 500 UDP probes in flight"}},
		{"more than descriptors", l, 951, []string{"at most 950 probes in flight of this process's 1024 descriptors", "UDP"}},
		{"just tracked", l, 6000, []string{"950", "UDP"}},
		{"more than tracked", l, 6001, []string{"950", "UDP", "holds 10000 flows, 4000 are in use: 6001 targets"}},
		{"no table", untracked, 99999, []string{"UDP"}},
		{"nothing known", limits{}, 1 << 40, nil},
		{"a table that is more than full", limits{maxTracked: 5, tracked: 7}, 1, []string{"5 flows, 7 are in use"}},
	}
	for _, tt := range tests {
		got := tt.l.notes(tt.targets)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %q", tt.name, got)
			continue
		}
		for i, want := range tt.want {
			if !strings.Contains(got[i], want) || strings.Contains(got[i], "\n") {
				t.Errorf("%s: %q does not say %q", tt.name, got[i], want)
			}
		}
	}
}

func TestReadLimits(t *testing.T) {
	l := readLimits()
	if l.ports < 2 || l.ports > 1<<16 {
		t.Errorf("%d ports", l.ports)
	}
}

func FuzzSettings(f *testing.F) {
	f.Add("32768\t60999\n")
	f.Fuzz(func(t *testing.T, s string) {
		if n := parsePortRange(s); n < 0 || n > 1<<16 {
			t.Errorf("%d ports", n)
		}
		parseCount(s)
	})
}
