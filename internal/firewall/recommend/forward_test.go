package recommend_test

import (
	"net/netip"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device/devicetest"
	"reconshield/internal/firewall/dialect"
	"reconshield/internal/policy"
)

// TestForward sees that Linux and the other devices mean the same on a gateway,
// for other hosts' conversations as well: what our readers and our evaluator
// make of the text is held against what devices are held against.
func TestForward(t *testing.T) {
	for _, format := range []string{"nftables", "iptables"} {
		for _, c := range devicetest.Plans(firewall.OnGateway) {
			t.Run(format+"/"+c.Name, func(t *testing.T) {
				devicetest.Prove(t, c.Plan, accepts(t, format, c.Plan))
			})
		}
		t.Run(format+"/random", func(t *testing.T) {
			devicetest.ProveRandom(t, firewall.OnGateway, 5, func(t *testing.T, p firewall.Plan) func(devicetest.Packet) bool {
				t.Helper()
				return accepts(t, format, p)
			})
		})
	}
}

// accepts reads a rendered plan back and follows packets through it.
func accepts(t *testing.T, format string, p firewall.Plan) func(devicetest.Packet) bool {
	t.Helper()
	var sources []dialect.Source
	for _, f := range render(t, format, p).Files {
		sources = append(sources, dialect.Source{Name: f.Name, Text: []byte(f.Text)})
	}
	rules, err := dialect.Load(sources, dialect.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(rules.Unparsed) > 0 {
		t.Fatalf("not understood: %+v", rules.Unparsed)
	}
	type way struct {
		in       string
		target   netip.Addr
		protocol firewall.Number
	}
	eval, tracers := firewall.NewEvaluator(rules), map[way]*firewall.Tracer{}
	numbers := map[exposure.Transport]firewall.Number{exposure.TCP: 6, exposure.UDP: 17, policy.ESP: 50}
	return func(k devicetest.Packet) bool {
		w := way{k.In, k.Dst, numbers[k.Transport]}
		if tracers[w] == nil {
			tracers[w] = eval.Tracer(firewall.Question{
				In: firewall.Link{Known: true, Name: w.in}, Target: w.target, Local: firewall.No, Protocol: w.protocol,
			})
		}
		got := tracers[w].Trace(k.Src, 40000, firewall.Number(k.Port))
		if got.May != got.Must {
			t.Errorf("%s: undecided", k)
		}
		return got.Must
	}
}
