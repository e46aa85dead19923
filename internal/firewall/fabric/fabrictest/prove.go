package fabrictest

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/aws"
	"reconshield/internal/firewall/terraform"
)

// Prove reads what was rendered with the readers of the audit and asks its
// evaluator: nothing may be undecided, and every answer must be the plan's. The
// JSON for Amazon's command line is proven as the service would describe it.
func Prove(t *testing.T, p firewall.Plan, c firewall.Config) {
	t.Helper()
	rulesets := []*firewall.Ruleset{fromTerraform(t, c)}
	if described := describe(t, c); described != nil {
		inventory, err := aws.Read("describe.json", described)
		if err != nil {
			t.Fatal(err)
		}
		rulesets = append(rulesets, inventory.Ruleset([]string{"sg-1", "acl-1"}))
	}
	for _, rules := range rulesets {
		for _, u := range rules.Unparsed {
			t.Errorf("not parsed: %s: %s", u.Text, u.Why)
		}
		evaluator := firewall.NewEvaluator(rules)
		Inbound(t, p, func(k Packet) bool { return ask(t, evaluator, p, k) })
	}
}

func fromTerraform(t *testing.T, c firewall.Config) *firewall.Ruleset {
	t.Helper()
	var file []Block
	for _, f := range c.Files {
		if strings.HasSuffix(f.Name, ".tf") {
			file = append(file, ParseHCL(t, f.Name, f.Text)...)
		}
	}
	inventory, err := terraform.Read("show.json", ShowJSON(t, file))
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
	return inventory.Ruleset(pick)
}

// describe makes of the input of authorize-security-group-ingress and of
// create-network-acl-entry what the service describes then; nil when there is
// none.
func describe(t *testing.T, c firewall.Config) []byte {
	t.Helper()
	out := map[string]any{}
	for _, f := range c.Files {
		var input any
		if strings.HasSuffix(f.Name, ".json") {
			if err := json.Unmarshal([]byte(f.Text), &input); err != nil {
				t.Fatalf("%s: %v", f.Name, err)
			}
		}
		switch {
		case strings.HasSuffix(f.Name, "-ingress.json"):
			group, _ := input.(map[string]any)
			group["GroupId"], group["GroupName"] = "sg-1", "reconshield"
			out["SecurityGroups"] = []any{group}
		case strings.HasSuffix(f.Name, "-network-acl.json"):
			out["NetworkAcls"] = []any{map[string]any{"NetworkAclId": "acl-1", "Entries": input}}
		}
	}
	if len(out) == 0 {
		return nil
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func ask(t *testing.T, e *firewall.Evaluator, p firewall.Plan, k Packet) bool {
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
