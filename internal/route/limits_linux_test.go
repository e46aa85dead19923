package route

import (
	"testing"

	"reconshield/internal/lab"
)

func TestReadLimits(t *testing.T) {
	space := namespace(t)
	if err := space.Sysctl(map[string]string{"ipv4/ip_local_port_range": "20000 20999"}); err != nil {
		t.Fatal(err)
	}
	var inside Limits
	enter(t, space, func() { inside = ReadLimits() })
	if inside.EphemeralFrom != 20000 || inside.EphemeralTo != 20999 {
		t.Errorf("ports of the namespace are %d-%d, want 20000-20999", inside.EphemeralFrom, inside.EphemeralTo)
	}
	if outside := ReadLimits(); outside.EphemeralFrom == 20000 || outside.Descriptors == 0 || outside.DescriptorsMax < outside.Descriptors {
		t.Errorf("limits outside are %+v", outside)
	}
}

func TestPortRange(t *testing.T) {
	tests := []struct {
		text     string
		from, to uint16
	}{
		{"32768\t60999\n", 32768, 60999},
		{"1 65535", 1, 65535},
		{"", 0, 0},
		{"5", 0, 0},
		{"9 5", 0, 0},
		{"1 65536", 0, 0},
		{"-1 5", 0, 0},
		{"1 2 3", 0, 0},
	}
	for _, tt := range tests {
		if from, to := portRange(tt.text); from != tt.from || to != tt.to {
			t.Errorf("%q is %d-%d, want %d-%d", tt.text, from, to, tt.from, tt.to)
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]uint64{"65536\n": 65536, "0": 0, "": 0, "x": 0, "-1": 0} {
		if got := number(text); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

func namespace(t *testing.T) *lab.Namespace {
	t.Helper()
	space, err := lab.NewNamespace(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(space.Close)
	return space
}

func enter(t *testing.T, space *lab.Namespace, fn func()) {
	t.Helper()
	if err := space.Do(func() error { fn(); return nil }); err != nil {
		t.Fatal(err)
	}
}
