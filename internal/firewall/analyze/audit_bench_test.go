package analyze_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/iptables"
	"reconshield/internal/policy"
)

// gateway makes an iptables-save of n forwarding rules in front of 50 assets:
// mostly services for some networks, some blocklists, chains by interface.
func gateway(n int) string {
	r := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	b.WriteString("*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:from-wan - [0:0]\n:from-lan - [0:0]\n:blocked - [0:0]\n")
	b.WriteString("-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A FORWARD -j blocked\n-A FORWARD -i eth0 -j from-wan\n-A FORWARD -i eth1 -j from-lan\n")
	for range n {
		src := fmt.Sprintf("100.%d.%d.%d/%d", r.IntN(256), r.IntN(256), r.IntN(256), 16+r.IntN(17))
		dst := fmt.Sprintf("192.0.2.%d/32", 1+r.IntN(60))
		action := []string{"ACCEPT", "ACCEPT", "ACCEPT", "DROP"}[r.IntN(4)]
		proto := []string{"tcp", "udp"}[r.IntN(2)]
		switch r.IntN(10) {
		case 0:
			fmt.Fprintf(&b, "-A blocked -s %s -j DROP\n", src)
		case 1:
			fmt.Fprintf(&b, "-A from-wan -s %s -p %s -m %s --dport %d -j %s\n", src, proto, proto, 1+r.IntN(65535), action)
		case 2:
			fmt.Fprintf(&b, "-A from-lan -d %s -p %s -m multiport --dports 80,443,%d:%d -j ACCEPT\n", dst, proto, 8000+r.IntN(50), 8100+r.IntN(50))
		default:
			chain := []string{"from-wan", "from-lan"}[r.IntN(2)]
			fmt.Fprintf(&b, "-A %s -s %s -d %s -p %s -m %s --dport %d -j %s\n", chain, src, dst, proto, proto, 1+r.IntN(10000), action)
		}
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

func fifty(tb testing.TB) *policy.Policy {
	tb.Helper()
	var b strings.Builder
	b.WriteString("zones:\n  wan: {interfaces: [eth0]}\n  lan: {interfaces: [eth1], networks: [10.0.0.0/16]}\n  vpn: {interfaces: [wg0], networks: [10.8.0.0/24], tunnel: wireguard}\nassets:\n")
	for i := range 50 {
		fmt.Fprintf(&b, "  - {name: a%d, addresses: [192.0.2.%d], role: authoritative-dns, owner: dns@example.net, expose: [{ports: [22/tcp, 953/tcp], to: [vpn]}]}\n", i, i+1)
	}
	b.WriteString("default: deny\n")
	p, err := policy.Parse("p.yaml", []byte(b.String()))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// BenchmarkAudit reads a ruleset and answers all questions of a policy of 50
// assets and 3 zones.
func BenchmarkAudit(b *testing.B) {
	p := fifty(b)
	for _, n := range []int{1_000, 10_000, 100_000} {
		text := gateway(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
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
