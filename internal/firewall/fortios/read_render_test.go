package fortios_test

import (
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/cloud"
	"reconshield/internal/firewall/device/devicetest"
	"reconshield/internal/firewall/fortios"
)

// What Render writes is read back and means the plan.
func TestRenderedIsReadBack(t *testing.T) {
	for _, tt := range devicetest.Plans(firewall.OnGateway) {
		t.Run(tt.Name, func(t *testing.T) { prove(t, tt.Plan) })
	}
}

func TestRandomIsReadBack(t *testing.T) {
	devicetest.ProveRandom(t, firewall.OnGateway, 10, accepts)
}

func prove(t *testing.T, p firewall.Plan) {
	t.Helper()
	devicetest.Prove(t, p, accepts(t, p))
}

// accepts proves what is read of the rendered plan and gives what it does with
// packets.
func accepts(t *testing.T, p firewall.Plan) func(devicetest.Packet) bool {
	t.Helper()
	config, err := fortios.Render(p)
	if err != nil {
		t.Fatal(err)
	}
	rs := read(t, config.Files[0].Text)
	if len(rs.Unparsed) > 0 {
		t.Fatal(rs.Unparsed)
	}
	for _, line := range analyze.Prove(p, rs) {
		t.Error(line)
	}
	e := firewall.NewEvaluator(rs)
	return func(k devicetest.Packet) bool {
		t.Helper()
		protocol, _ := cloud.ProtocolNumber(string(k.Transport))
		got := verdict(t, e, k.In, k.Src, k.Dst, protocol, firewall.Number(k.Port), 0)
		if got == "UNDECIDED" {
			t.Fatalf("%s is undecided", k)
		}
		return got == "REACHABLE"
	}
}
