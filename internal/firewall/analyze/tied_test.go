package analyze_test

import (
	"strings"
	"testing"

	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/dialect"
	"reconshield/internal/policy"
)

// Which of two chains of NAT runs first is said where it is not certain.
func TestTiedTranslations(t *testing.T) {
	table := func(family, name, priority string) string {
		return "table " + family + " " + name + " { chain p { type nat hook prerouting priority " + priority + "; tcp dport 80 redirect to :8080; }\n}\n"
	}
	for _, tt := range []struct {
		name, rules string
		said        bool
	}{
		{"same", table("ip", "a", "-100") + table("inet", "b", "-100"), true},
		{"other priority", table("ip", "a", "-100") + table("ip", "b", "-90"), false},
		{"other family", table("ip", "a", "-100") + table("ip6", "b", "-100"), false},
	} {
		r, err := dialect.Load([]dialect.Source{{Name: "r.nft", Text: []byte(tt.rules)}}, dialect.Options{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := analyze.Run(r, analyze.Options{Policy: policy.Default(), At: at()})
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(strings.Join(a.Assumed, "\n"), "same priority"); said != tt.said {
			t.Errorf("%s: said %v, want %v: %q", tt.name, said, tt.said, a.Assumed)
		}
	}
}
