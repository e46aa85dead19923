package firewall_test

import (
	"net/netip"
	"testing"

	"reconshield/internal/firewall"
)

// at is a base chain of prerouting, or of another hook.
func at(hook firewall.Hook, kind firewall.Kind, priority int, rules ...firewall.Rule) *firewall.Chain {
	return &firewall.Chain{Table: "t", Name: "c", Family: firewall.Inet, Rules: rules, Base: &firewall.Base{Hook: hook, Kind: kind, Priority: priority}}
}

func act(kind firewall.ActionKind, ports ...firewall.Number) firewall.Rule {
	r := firewall.Rule{Action: firewall.Action{Kind: kind}}
	if len(ports) > 0 {
		r.Matches = []firewall.Match{{Field: firewall.Protocol, Numbers: firewall.NumbersOf(6)}, {Field: firewall.DstPort, Numbers: firewall.NumbersOf(ports...)}}
	}
	return r
}

func reaches(r *firewall.Ruleset, port firewall.Number) (may, must bool) {
	q := firewall.Question{Target: netip.MustParseAddr("192.0.2.1"), Local: firewall.Yes, Protocol: 6}
	got := firewall.NewEvaluator(r).Tracer(q).Trace(netip.MustParseAddr("198.51.100.7"), 40000, port)
	return got.May, got.Must
}

// Chains of NAT run at -100, whatever their priorities; those order them among
// themselves.
func TestNATHasItsPlace(t *testing.T) {
	redirect := func(from firewall.Number, to uint16) firewall.Rule {
		r := act(firewall.Redirect, from)
		r.Action.To = firewall.NATRange{FirstPort: to, LastPort: to}
		return r
	}
	pre := firewall.Prerouting
	for _, tt := range []struct {
		name   string
		chains []*firewall.Chain
		port   firewall.Number
		want   bool
	}{
		{"early nat, filter before -100 sees the old port", []*firewall.Chain{at(pre, firewall.NAT, -150, redirect(80, 22)), at(pre, firewall.Filter, -120, act(firewall.Drop, 22))}, 80, true},
		{"late nat, filter after -100 sees the new port", []*firewall.Chain{at(pre, firewall.NAT, 50, redirect(80, 22)), at(pre, firewall.Filter, -20, act(firewall.Drop, 80))}, 80, true},
		{"late nat, filter after -100 drops the new port", []*firewall.Chain{at(pre, firewall.NAT, 50, redirect(80, 22)), at(pre, firewall.Filter, -20, act(firewall.Drop, 22))}, 80, false},
		{"the first of two decides", []*firewall.Chain{at(pre, firewall.NAT, 50, redirect(80, 22)), at(pre, firewall.NAT, -150, redirect(80, 23)), at(firewall.Input, firewall.Filter, 0, act(firewall.Drop, 22))}, 80, true},
	} {
		may, must := reaches(&firewall.Ruleset{Chains: tt.chains}, tt.port)
		if may != tt.want || must != tt.want {
			t.Errorf("%s: may %v, must %v, want %v", tt.name, may, must, tt.want)
		}
	}
}

// What leads astray may arrive, whatever drops it later; a copy that does leaves
// the packet its own way.
func TestAstray(t *testing.T) {
	last := at(firewall.Input, firewall.Filter, 0, act(firewall.Drop, 80))
	for _, tt := range []struct {
		kind      firewall.ActionKind
		astray    bool
		port      firewall.Number
		may, must bool
	}{
		{firewall.Unknown, false, 80, false, false},
		{firewall.Unknown, true, 80, true, false},
		{firewall.Continue, true, 80, true, false},
		{firewall.Continue, true, 22, true, true},
		{firewall.Continue, false, 80, false, false},
	} {
		r := act(tt.kind)
		r.Action.Astray = tt.astray
		may, must := reaches(&firewall.Ruleset{Chains: []*firewall.Chain{at(firewall.Prerouting, firewall.Filter, -150, r), last}}, tt.port)
		if may != tt.may || must != tt.must {
			t.Errorf("kind %d astray %v port %d: may %v, must %v", tt.kind, tt.astray, tt.port, may, must)
		}
	}
}
