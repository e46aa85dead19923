package junos_test

import (
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/analyze"
	"reconshield/internal/firewall/cloud"
	"reconshield/internal/firewall/device/devicetest"
	"reconshield/internal/firewall/junos"
)

// What Render writes is read back, on a device with the plan's zones, and means
// the plan.
func TestRenderedIsReadBack(t *testing.T) {
	for _, tt := range devicetest.Plans(firewall.OnGateway) {
		t.Run(tt.Name, func(t *testing.T) { prove(t, tt.Plan) })
	}
	t.Run("redirect", func(t *testing.T) {
		plan := devicetest.Plans(firewall.OnGateway)[0].Plan
		plan.DNS.Redirect = true
		rs := rendered(t, plan)
		for _, line := range analyze.Prove(plan, rs) {
			t.Error(line)
		}
		for flow, want := range map[string]string{
			"10.0.3.4 > 198.51.100.7 udp/53": "REACHABLE", "10.0.3.4 > 198.51.100.7 udp/853": "BLOCKED",
			"2001:db8:1::9 > 2001:db8:ffff::7 tcp/53": "REACHABLE", "172.16.0.1 > 198.51.100.7 udp/53": "BLOCKED",
		} {
			if got := ask(t, rs, "eth1", flow); got != want {
				t.Errorf("%s: got %s, want %s", flow, got, want)
			}
		}
	})
}

func TestRandomIsReadBack(t *testing.T) {
	devicetest.ProveRandom(t, firewall.OnGateway, 10, accepts)
}

func rendered(t *testing.T, p firewall.Plan) *firewall.Ruleset {
	t.Helper()
	config, err := junos.Render(p)
	if err != nil {
		t.Fatal(err)
	}
	text := config.Files[0].Text
	taken := map[string]bool{}
	for _, z := range p.Zones {
		for _, name := range z.Interfaces {
			taken[name] = true
			text += "set security zones security-zone " + z.Name + " interfaces " + name + "\n"
		}
	}
	for _, name := range []string{"eth0", "eth1", "wg0", "wg1", "dmz0", "unknown0"} {
		if !taken[name] {
			text += "set security zones security-zone other interfaces " + name + "\n"
		}
	}
	rs := read(t, text)
	if len(rs.Unparsed) > 0 {
		t.Fatal(rs.Unparsed)
	}
	return rs
}

func prove(t *testing.T, p firewall.Plan) {
	t.Helper()
	devicetest.Prove(t, p, accepts(t, p))
}

// accepts proves what is read of the rendered plan and gives what it does with
// packets.
func accepts(t *testing.T, p firewall.Plan) func(devicetest.Packet) bool {
	t.Helper()
	rs := rendered(t, p)
	for _, line := range analyze.Prove(p, rs) {
		t.Error(line)
	}
	e := firewall.NewEvaluator(rs)
	return func(k devicetest.Packet) bool {
		t.Helper()
		protocol, _ := cloud.ProtocolNumber(string(k.Transport))
		got := verdict(t, e, k.In, k.Src, k.Dst, protocol, firewall.Number(k.Port))
		if got == "UNDECIDED" {
			t.Fatalf("%s is undecided", k)
		}
		return got == "REACHABLE"
	}
}
