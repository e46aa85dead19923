package analyze_test

import (
	"fmt"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/iptables"
	"reconshield/internal/oracle"
	"reconshield/internal/policy"
)

func fifty(tb testing.TB) *policy.Policy {
	tb.Helper()
	p, err := policy.Parse("p.yaml", []byte(oracle.GatewayPolicy()))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// BenchmarkAudit reads a ruleset and answers all questions of a policy of 50
// assets and 3 zones.
func BenchmarkAudit(b *testing.B) {
	p := fifty(b)
	for _, kind := range []struct {
		name string
		make func(int) string
	}{{"grown", oracle.GrownGateway}, {"random", oracle.RandomGateway}} {
		for _, n := range []int{1_000, 10_000, 100_000} {
			text := kind.make(n)
			b.Run(fmt.Sprintf("%s/%d", kind.name, n), func(b *testing.B) {
				b.ReportAllocs()
				answers := 0
				for b.Loop() {
					r, err := iptables.Parse("rules", strings.NewReader(text), firewall.IPv4, nil)
					if err != nil {
						b.Fatal(err)
					}
					a, err := analyze.Run(r, analyze.Options{Policy: p, At: at()})
					if err != nil {
						b.Fatal(err)
					}
					answers = len(a.Answers)
				}
				b.ReportMetric(float64(answers), "answers")
			})
		}
	}
}
