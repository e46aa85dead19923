package aws_test

import (
	"flag"
	"os"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/aws"
	"reconshield/internal/firewall/fabric/fabrictest"
)

var updateRendered = flag.Bool("update-rendered", false, "write the goldens anew")

func TestGoldens(t *testing.T) {
	disk := fabrictest.Disk{Read: os.ReadFile}
	if *updateRendered {
		disk.Write = os.WriteFile
	}
	for format, render := range map[string]func(firewall.Plan) (firewall.Config, error){
		"aws-sg": aws.RenderSecurityGroup, "aws-nacl": aws.RenderNetworkACL,
	} {
		for _, plan := range []string{"authority", "host with resolvers"} {
			t.Run(format+" "+plan, func(t *testing.T) {
				c := fabrictest.Complete(t, format, fabrictest.Named(t, plan), render)
				disk.Golden(t, format+"-"+plan[:4], c)
			})
		}
	}
}
