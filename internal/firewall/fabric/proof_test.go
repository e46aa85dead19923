package fabric_test

import (
	"errors"
	"net/netip"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/aws"
	"reconshield/internal/firewall/azure"
	"reconshield/internal/firewall/fabric/fabrictest"
	"reconshield/internal/firewall/gcp"
	"reconshield/internal/firewall/terraform"
)

// TestReadBackAndProven reads what was rendered with the readers of the audit
// and asks its evaluator: nothing may be undecided, and every answer must be
// the plan's.
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
				prove(t, c.Plan, config)
			})
		}
	}
}

func prove(t *testing.T, p firewall.Plan, config firewall.Config) {
	t.Helper()
	var file []fabrictest.Block
	for _, f := range config.Files {
		if len(f.Name) > 3 && f.Name[len(f.Name)-3:] == ".tf" {
			file = append(file, fabrictest.ParseHCL(t, f.Name, f.Text)...)
		}
	}
	inventory, err := terraform.Read("show.json", fabrictest.ShowJSON(t, file))
	if err != nil {
		t.Fatal(err)
	}
	var pick []string
	for _, b := range file {
		if b.Type == "resource" {
			pick = append(pick, b.Labels[0]+"."+b.Labels[1])
			pick = append(pick, b.Lists["target_tags"]...)
		}
	}
	rules := inventory.Ruleset(pick)
	for _, u := range rules.Unparsed {
		t.Errorf("not parsed: %s: %s", u.Text, u.Why)
	}
	evaluator := firewall.NewEvaluator(rules)
	fabrictest.Inbound(t, p, func(k fabrictest.Packet) bool { return ask(t, evaluator, p, k) })
}

func ask(t *testing.T, e *firewall.Evaluator, p firewall.Plan, k fabrictest.Packet) bool {
	t.Helper()
	var target netip.Addr
	for _, a := range p.Addresses {
		if a.Is4() == k.Peer.Is4() {
			target = a
		}
	}
	number := map[exposure.Transport]firewall.Number{exposure.TCP: 6, exposure.UDP: 17}[k.Transport]
	port := firewall.Number(k.Port)
	answers, ok := e.Ask(firewall.Question{
		In: firewall.Link{Known: true, Name: "eth0"}, Target: target, Local: firewall.Yes, Protocol: number,
		Ports:   firewall.Span[firewall.Number]{First: port, Last: port},
		Sources: firewall.AddrsOf(netip.PrefixFrom(k.Peer, k.Peer.BitLen())),
	})
	if !ok {
		t.Fatal("too much work")
	}
	may, must := false, len(answers) > 0
	for _, a := range answers {
		may = may || a.May.Contains(k.Peer)
		must = must && a.Must.Contains(k.Peer)
	}
	if may != must {
		t.Errorf("%v is undecided", k)
	}
	return must
}
