package firewall_test

import (
	"net/netip"
	"testing"
	"time"

	"reconshield/internal/firewall"
)

func base(rules ...firewall.Rule) *firewall.Chain {
	return &firewall.Chain{Table: "filter", Name: "INPUT", Family: firewall.Inet, Base: &firewall.Base{Hook: firewall.Input, Default: firewall.DropVerdict}, Rules: rules}
}

func jump(to *firewall.Chain) firewall.Rule {
	return firewall.Rule{Action: firewall.Action{Kind: firewall.Jump, Target: to}}
}

func verdict(k firewall.ActionKind) firewall.Rule {
	return firewall.Rule{Action: firewall.Action{Kind: k}}
}

// Rulesets made to exhaust the evaluator end soon, and what cannot be told is
// undecided.
func TestHostileShapes(t *testing.T) {
	loop := &firewall.Chain{Family: firewall.Inet}
	other := &firewall.Chain{Family: firewall.Inet, Rules: []firewall.Rule{jump(loop)}}
	loop.Rules = []firewall.Rule{jump(other), verdict(firewall.Accept)}

	// Every chain calls the next one twice: 2^300 ways through.
	twice := &firewall.Chain{Family: firewall.Inet, Rules: []firewall.Rule{verdict(firewall.Accept)}}
	all := []*firewall.Chain{loop, other, twice}
	for range 300 {
		twice = &firewall.Chain{Family: firewall.Inet, Rules: []firewall.Rule{jump(twice), jump(twice)}}
		all = append(all, twice)
	}
	deep := &firewall.Chain{Family: firewall.Inet, Rules: []firewall.Rule{verdict(firewall.Accept)}}
	all = append(all, deep)
	for range 200_000 {
		deep = &firewall.Chain{Family: firewall.Inet, Rules: []firewall.Rule{jump(deep)}}
		all = append(all, deep)
	}
	tests := []struct {
		name      string
		rules     []firewall.Rule
		may, must bool
	}{
		{"a circle", []firewall.Rule{jump(loop)}, true, false},
		{"a circle behind a drop", []firewall.Rule{verdict(firewall.Drop), jump(loop)}, false, false},
		{"very many ways", []firewall.Rule{jump(twice)}, true, true},
		{"very deep", []firewall.Rule{jump(deep)}, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			e := firewall.NewEvaluator(&firewall.Ruleset{Chains: append([]*firewall.Chain{base(tt.rules...)}, all...)})
			q := firewall.Question{Target: netip.MustParseAddr("192.0.2.1"), Local: firewall.Yes, Protocol: 6, Ports: firewall.Span[firewall.Number]{First: 22, Last: 22}}
			answers, _ := e.Ask(q)
			if len(answers) != 1 || !answers[0].May.Empty() != tt.may || !answers[0].Must.Empty() != tt.must {
				t.Errorf("got %+v", answers)
			}
			tr := e.Tracer(q).Trace(netip.MustParseAddr("198.51.100.7"), 40000, 22)
			if tr.May != tt.may || tr.Must != tt.must {
				t.Errorf("trace: may %v, must %v", tr.May, tr.Must)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// Work beyond the limit gives an answer that claims nothing.
func TestGivingUp(t *testing.T) {
	c := base()
	for n := range 7_000 {
		m := firewall.Match{Field: firewall.DstPort, Numbers: firewall.NumbersOf(firewall.Number(n % 65536)), Not: true}
		s := firewall.Match{Field: firewall.Src, Addrs: firewall.AddrsOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32))}
		c.Rules = append(c.Rules, firewall.Rule{Matches: []firewall.Match{m, s}, Action: firewall.Action{Kind: firewall.Accept}})
	}
	e := firewall.NewEvaluator(&firewall.Ruleset{Chains: []*firewall.Chain{c}})
	e.SetLimit(1_000_000)
	answers, ok := e.Ask(firewall.Question{Target: netip.MustParseAddr("192.0.2.1"), Local: firewall.Yes, Protocol: 6, Ports: firewall.Span[firewall.Number]{First: 0, Last: 65535}})
	if ok || len(answers) != 1 || !answers[0].Must.Empty() || answers[0].May.Empty() {
		t.Errorf("ok %v, %d answers", ok, len(answers))
	}
}

// Translation to the address that a packet has already is none, so the target
// of a translation is unlike its neighbours.
func TestTargetsOfTranslationAreToldApart(t *testing.T) {
	to := netip.MustParseAddr("192.0.2.1")
	nat := &firewall.Chain{Family: firewall.IPv4, Base: &firewall.Base{Hook: firewall.Prerouting, Kind: firewall.NAT, Priority: firewall.DNATPriority}, Rules: []firewall.Rule{
		{Action: firewall.Action{Kind: firewall.DNAT, To: firewall.NATRange{First: to, Last: to}}},
	}}
	translated := firewall.Match{Field: firewall.Status, Numbers: firewall.NumbersOf(firewall.StatusDNAT)}
	in := base(firewall.Rule{Matches: []firewall.Match{translated}, Action: firewall.Action{Kind: firewall.Accept}})
	e := firewall.NewEvaluator(&firewall.Ruleset{Chains: []*firewall.Chain{nat, in}, Host: firewall.HostFacts{Local: firewall.AddrsOf(netip.MustParsePrefix("192.0.2.0/30"))}})
	for _, tt := range []struct {
		target string
		open   bool
	}{{"192.0.2.2", true}, {"192.0.2.1", false}, {"192.0.2.3", true}} {
		answers, _ := e.Ask(firewall.Question{Target: netip.MustParseAddr(tt.target), Local: firewall.Yes, Protocol: 6, Ports: firewall.Span[firewall.Number]{First: 22, Last: 22}})
		if len(answers) != 1 || !answers[0].Must.Empty() != tt.open {
			t.Errorf("%s: %+v, want open %v", tt.target, answers, tt.open)
		}
	}
}

// Behind source NAT a chain sees another source than the sender's.
func TestChainsBehindSourceNAT(t *testing.T) {
	snat := &firewall.Chain{Family: firewall.IPv4, Base: &firewall.Base{Hook: firewall.Postrouting, Kind: firewall.NAT, Priority: firewall.SNATPriority}, Rules: []firewall.Rule{verdict(firewall.SNAT)}}
	one := firewall.Match{Field: firewall.Src, Addrs: firewall.AddrsOf(netip.MustParsePrefix("198.51.100.0/24"))}
	late := &firewall.Chain{Family: firewall.IPv4, Base: &firewall.Base{Hook: firewall.Postrouting, Priority: 200}, Rules: []firewall.Rule{{Matches: []firewall.Match{one}, Action: firewall.Action{Kind: firewall.Drop}}}}
	for _, tt := range []struct {
		name      string
		chains    []*firewall.Chain
		may, must bool
	}{
		{"without", []*firewall.Chain{late}, false, false},
		{"with", []*firewall.Chain{snat, late}, true, false},
	} {
		e := firewall.NewEvaluator(&firewall.Ruleset{Chains: tt.chains})
		tr := e.Tracer(firewall.Question{Target: netip.MustParseAddr("192.0.2.1"), Local: firewall.No, Protocol: 6}).Trace(netip.MustParseAddr("198.51.100.7"), 40000, 22)
		if tr.May != tt.may || tr.Must != tt.must {
			t.Errorf("%s: may %v, must %v", tt.name, tr.May, tr.Must)
		}
	}
}
