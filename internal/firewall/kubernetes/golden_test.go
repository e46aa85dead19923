package kubernetes_test

import (
	"flag"
	"os"
	"testing"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/fabric/fabrictest"
	"reconshield/internal/firewall/kubernetes"
)

var update = flag.Bool("update", false, "write the goldens anew")

func TestGoldens(t *testing.T) {
	disk := fabrictest.Disk{Read: os.ReadFile}
	if *update {
		disk.Write = os.WriteFile
	}
	for format, render := range map[string]func(firewall.Plan) (firewall.Config, error){
		"kubernetes": kubernetes.RenderNetworkPolicy, "cilium": kubernetes.RenderCilium,
	} {
		for _, plan := range []string{"authority", "host with resolvers"} {
			t.Run(format+" "+plan, func(t *testing.T) {
				c := fabrictest.Complete(t, format, fabrictest.Named(t, plan), render)
				disk.Golden(t, format+"-"+plan[:4], c)
			})
		}
	}
}
