package asa_test

import (
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/asa"
	"reconshield/internal/firewall/cloud"
	"reconshield/internal/firewall/cloud/cloudtest"
	"reconshield/internal/firewall/device/devicetest"
)

// What Render writes is read back and means the plan.
func TestRenderedIsReadBack(t *testing.T) {
	for _, tt := range devicetest.Plans(firewall.OnGateway) {
		t.Run(tt.Name, func(t *testing.T) {
			config, err := asa.Render(tt.Plan)
			if err != nil {
				t.Fatal(err)
			}
			rs, err := asa.Parse("f", []byte(config.Files[0].Text))
			if err != nil {
				t.Fatal(err)
			}
			if len(rs.Unparsed) > 0 {
				t.Fatal(rs.Unparsed)
			}
			e := firewall.NewEvaluator(rs)
			devicetest.Prove(t, tt.Plan, func(k devicetest.Packet) bool {
				protocol, _ := cloud.ProtocolNumber(string(k.Transport))
				got := cloudtest.Verdict(t, e, k.In, k.Src, k.Dst, protocol, firewall.Number(k.Port))
				if got == "UNDECIDED" {
					t.Fatalf("%s is undecided", k)
				}
				return got == "REACHABLE"
			})
		})
	}
}
