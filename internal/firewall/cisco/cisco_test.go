package cisco_test

import (
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/cisco"
)

func TestOperator(t *testing.T) {
	tests := []struct {
		words string
		in    []firewall.Number
		out   []firewall.Number
		rest  string
		fails bool
	}{
		{"eq domain log", []firewall.Number{53}, []firewall.Number{52, 54}, "log", false},
		{"neq 53", []firewall.Number{0, 52, 54, 65535}, []firewall.Number{53}, "", false},
		{"lt 1024", []firewall.Number{0, 1023}, []firewall.Number{1024}, "", false},
		{"gt 1023 x", []firewall.Number{1024, 65535}, []firewall.Number{1023}, "x", false},
		{"lt 0", nil, []firewall.Number{0, 65535}, "", false},
		{"gt 65535", nil, []firewall.Number{0, 65535}, "", false},
		{"range 8000 8080 x y", []firewall.Number{8000, 8080}, []firewall.Number{7999, 8081}, "x y", false},
		{"range 8000", nil, []firewall.Number{8000}, "", true},
		{"range 8000 http-ish", nil, nil, "", true},
		{"eq 65536", nil, []firewall.Number{0}, "", true},
		{"eq", nil, nil, "", true},
		{"near 53", nil, []firewall.Number{53}, "", true},
	}
	for _, tt := range tests {
		set, rest, err := cisco.Operator(strings.Fields(tt.words))
		if (err != nil) != tt.fails {
			t.Errorf("%s: %v", tt.words, err)
		}
		if err == nil && strings.Join(rest, " ") != tt.rest {
			t.Errorf("%s: left %v, want %s", tt.words, rest, tt.rest)
		}
		for _, n := range tt.in {
			if !set.Contains(n) {
				t.Errorf("%s: %d is missing", tt.words, n)
			}
		}
		for _, n := range tt.out {
			if set.Contains(n) {
				t.Errorf("%s: %d is too much", tt.words, n)
			}
		}
	}
}
