package netset

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadTargets(t *testing.T) {
	long := strings.Repeat("a", 5*MaxExpression)
	tests := []struct{ name, in, want, err string }{
		{"one a line", "192.0.2.1\n192.0.2.2\n", "192.0.2.1 192.0.2.2", ""},
		{"no last newline", "192.0.2.1\n192.0.2.2", "192.0.2.1 192.0.2.2", ""},
		{"comments and blanks", "# ours\n\n  192.0.2.1 # first\n\t\n#192.0.2.2\n", "192.0.2.1", ""},
		{"carriage returns", "192.0.2.1\r\n192.0.2.2\r\n", "192.0.2.1 192.0.2.2", ""},
		{"byte order mark", "\ufeff192.0.2.1\n", "192.0.2.1", ""},
		{"long comment", "192.0.2.1 # " + strings.Repeat("x", 2*MaxExpression) + "\n", "192.0.2.1", ""},
		{"empty", "", "", ""},
		{"bad line", "192.0.2.1\n\n10.0.0.300 # oops\n", "", `hosts.txt:3: target "10.0.0.300": not an address, prefix, range or host name (300 is over 255)`},
		{"two on a line", "192.0.2.1 192.0.2.2\n", "", `hosts.txt:1: target "192.0.2.1 192.0.2.2": not an address, prefix, range or host name (write each target as its own argument or line)`},
		{"special", "224.0.0.1\n", "", `hosts.txt:1: target "224.0.0.1": multicast (224.0.0.0/4) cannot be scanned`},
		{"long line", "192.0.2.1\n" + long + "\n", "", "hosts.txt:2: line is too long"},
		{"too many lines", strings.Repeat("\n", MaxLines+1), "", fmt.Sprintf("hosts.txt:%d: more than %d lines", MaxLines+1, MaxLines)},
		{"binary", "\x00\x01\n", "", `hosts.txt:1: target "\x00\x01": not an address, prefix, range or host name`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ReadTargets(strings.NewReader(tt.in), "hosts.txt")
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("error = %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.want == "" {
				if !s.Empty() {
					t.Errorf("%v is not empty", s)
				}
				return
			}
			if got := join(slices.Collect(resolve(t, s).All())); got != tt.want {
				t.Errorf("addresses = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestReadTargetsReaderError(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := ReadTargets(iotest.ErrReader(broken), "hosts.txt")
	if !errors.Is(err, broken) || err.Error() != "hosts.txt: disk on fire" {
		t.Errorf("error = %v", err)
	}
}

func TestReadExclusions(t *testing.T) {
	s, err := ReadExclusions(strings.NewReader("224.0.0.0/4\n"), "out.txt")
	if err != nil || s.Empty() {
		t.Errorf("wide exclusion: %v, %v", s, err)
	}
	const file = "# not ours\n\n192.0.2.8/29 # printers\r\n192.0.2.1-3\n ns1.example.net\n2001:db8::/127\n192.0.2.5"
	s, err = ReadExclusions(strings.NewReader(file), "out.txt")
	if err != nil {
		t.Fatal(err)
	}
	left := resolve(t, mustParse(t, "192.0.2.0/28 192.0.2.52-53 2001:db8::/126").Without(s))
	if got := join(slices.Collect(left.All())); got != "192.0.2.0 192.0.2.4 192.0.2.6 192.0.2.7 192.0.2.52 2001:db8::2 2001:db8::3" {
		t.Errorf("left are %s", got)
	}
	// A result says where something is open; it is no list of what to spare.
	_, err = ReadExclusions(strings.NewReader(`{"address":"192.0.2.1","state":"open"}`), "out.txt")
	if err == nil {
		t.Error("a result was taken as exclusions")
	}
	_, err = ReadExclusions(strings.NewReader("10.0.0\n"), "out.txt")
	if err == nil || !strings.HasPrefix(err.Error(), `out.txt:1: exclusion "10.0.0": `) {
		t.Errorf("error = %v", err)
	}
}

func FuzzReadTargets(f *testing.F) {
	f.Add("192.0.2.1\n# x\n192.0.2.0/28 # y\r\nns1.example\n")
	f.Add("\ufeff\n\x00\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ReadTargets(strings.NewReader(text), "f")
		if err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("error without position: %v", err)
		}
		if err == nil && len(s.entries) > strings.Count(text, "\n")+1 {
			t.Errorf("%d entries from %q", len(s.entries), text)
		}
	})
}
