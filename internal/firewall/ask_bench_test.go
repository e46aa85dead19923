package firewall_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"reconshield/internal/firewall"
)

// crowd makes n forward rules of the kinds that large rulesets hold.
func crowd(kind string, n int) *firewall.Ruleset {
	r := rand.New(rand.NewPCG(1, 2))
	c := &firewall.Chain{
		Table: "filter", Name: "FORWARD", Family: firewall.IPv4,
		Base: &firewall.Base{Hook: firewall.Forward, Default: firewall.DropVerdict},
	}
	single := func(a, b int) firewall.Addrs {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(a), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))}), b)
		return firewall.AddrsOf(p.Masked())
	}
	for range n {
		var m []firewall.Match
		if kind != "ports" {
			m = append(m, firewall.Match{Field: firewall.Src, Addrs: single(100, 24+r.IntN(9))})
		}
		if kind == "mixed" {
			dst := netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(50))})
			m = append(m, firewall.Match{Field: firewall.Dst, Addrs: firewall.AddrsOf(netip.PrefixFrom(dst, 32))})
		}
		if kind != "sources" {
			port := firewall.Number(r.IntN(65536))
			m = append(m, firewall.Match{Field: firewall.Protocol, Numbers: firewall.NumbersOf(6)}, firewall.Match{Field: firewall.DstPort, Numbers: firewall.NumbersOf(port)})
		}
		c.Rules = append(c.Rules, firewall.Rule{Matches: m, Action: firewall.Action{Kind: []firewall.ActionKind{firewall.Accept, firewall.Drop}[r.IntN(2)]}})
	}
	return &firewall.Ruleset{Chains: []*firewall.Chain{c}}
}

// BenchmarkAsk asks what 50 addresses offer to three interfaces over TCP and
// UDP, all ports of it.
func BenchmarkAsk(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		for _, kind := range []string{"mixed", "nodst", "ports", "sources"} {
			rules := crowd(kind, n)
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					e := firewall.NewEvaluator(rules)
					for x := range 50 * 3 * 2 {
						q := firewall.Question{
							In: firewall.Link{Known: true, Name: fmt.Sprintf("eth%d", x%3)}, Target: netip.AddrFrom4([4]byte{192, 0, 2, byte(x / 6)}),
							Protocol: []firewall.Number{6, 17}[x/3%2], Ports: firewall.Span[firewall.Number]{First: 0, Last: 65535},
						}
						if _, ok := e.Ask(q); !ok {
							b.Fatal("gave up")
						}
					}
				}
			})
		}
	}
}
