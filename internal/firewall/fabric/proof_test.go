package fabric_test

import (
	"errors"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/aws"
	"reconshield/internal/firewall/azure"
	"reconshield/internal/firewall/fabric/fabrictest"
	"reconshield/internal/firewall/gcp"
)

// TestReadBackAndProven proves what was rendered by reading it back.
func TestReadBackAndProven(t *testing.T) {
	for format, render := range map[string]func(firewall.Plan) (firewall.Config, error){
		"aws-sg": aws.RenderSecurityGroup, "aws-nacl": aws.RenderNetworkACL,
		"azure": azure.Render, "gcp": gcp.Render,
	} {
		for _, c := range fabrictest.Plans() {
			t.Run(format+" "+c.Name, func(t *testing.T) {
				config, err := render(c.Plan)
				var u *firewall.UnsupportedError
				if errors.As(err, &u) && u.Feature == firewall.FeatureSize {
					return // of the network ACL, which its own tests know
				}
				if err != nil {
					t.Fatal(err)
				}
				fabrictest.Prove(t, c.Plan, config)
			})
		}
	}
}
