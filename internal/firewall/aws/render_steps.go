package aws

import (
	"bytes"
	"encoding/json"
	"fmt"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
)

// permission is an entry of IpPermissions as the service names it.
type permission struct {
	Protocol   string      `json:"IpProtocol"`
	FromPort   *int        `json:",omitempty"`
	ToPort     *int        `json:",omitempty"`
	Ranges     []ipRange   `json:"IpRanges,omitempty"`
	Ipv6Ranges []ipv6Range `json:",omitempty"`
}

type ipRange struct {
	CIDR        string `json:"CidrIp"`
	Description string
}

type ipv6Range struct{ CidrIpv6, Description string }

// groupJSON is input for --cli-input-json; the group is named on the command
// line.
func groupJSON(rules []groupRule) string {
	list := make([]permission, len(rules))
	for i, r := range rules {
		list[i].Protocol = r.protocol
		if r.protocol != "-1" && r.protocol != "50" {
			list[i].FromPort, list[i].ToPort = &r.from, &r.to
		}
		for _, p := range r.v4 {
			list[i].Ranges = append(list[i].Ranges, ipRange{p, r.why})
		}
		for _, p := range r.v6 {
			list[i].Ipv6Ranges = append(list[i].Ipv6Ranges, ipv6Range{p, r.why})
		}
	}
	return encode(map[string][]permission{"IpPermissions": list})
}

// encode writes JSON of values that always can be written.
func encode(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return ""
	}
	return b.String()
}

// groupSteps are the steps for a group; name is safe in a shell.
func groupSteps(name string, p firewall.Plan) firewall.Config {
	return firewall.Config{
		Format: "aws-sg",
		Check: []firewall.Step{
			{Text: "Check the Terraform text and read the plan.", Command: "terraform init && terraform validate && terraform plan -out=" + name + ".tfplan"},
			{Text: "Without Terraform: let the service check the rules, against any group, without applying them.", Command: fmt.Sprintf(
				"aws ec2 authorize-security-group-ingress --dry-run --group-id \"$GROUP\" --cli-input-json file://%s-ingress.json", name)},
		},
		Apply: []firewall.Step{
			{Text: "Save which groups the interface has now.", Command: fmt.Sprintf(
				"aws ec2 describe-network-interfaces --network-interface-ids \"$ENI\" --query 'NetworkInterfaces[0].Groups[].GroupId' --output text > %s-groups.before", name)},
			{Text: "With Terraform: apply the plan and take the group's id.", Command: fmt.Sprintf(
				"terraform apply %s.tfplan && GROUP=$(terraform output -raw security_group_id)", name)},
			{Text: "Without Terraform: make the group, take its default egress away and fill it.", Command: fmt.Sprintf(
				"GROUP=$(aws ec2 create-security-group --vpc-id \"$VPC\" --group-name reconshield-%[1]s --description 'Exposure policy' --query GroupId --output text)\n"+
					"aws ec2 describe-security-groups --group-ids \"$GROUP\" --query 'SecurityGroups[0].IpPermissionsEgress' > %[1]s-egress.default.json\n"+
					"aws ec2 revoke-security-group-egress --group-id \"$GROUP\" --ip-permissions file://%[1]s-egress.default.json\n"+
					"aws ec2 authorize-security-group-egress --group-id \"$GROUP\" --cli-input-json file://%[1]s-egress.json\n"+
					"aws ec2 authorize-security-group-ingress --group-id \"$GROUP\" --cli-input-json file://%[1]s-ingress.json", name)},
			{Text: "Make it the only group of the asset's interface.", Command: "aws ec2 modify-network-interface-attribute --network-interface-id \"$ENI\" --groups \"$GROUP\""},
		},
		Rollback: []firewall.Step{{
			Text: "Give the interface its old groups back.",
			Command: fmt.Sprintf("aws ec2 modify-network-interface-attribute --network-interface-id \"$ENI\" --groups $(cat %s-groups.before)",
				name),
		}},
		Verify: []firewall.Step{
			{Text: "See that the interface has this group alone.", Command: "aws ec2 describe-network-interfaces --network-interface-ids \"$ENI\" --query 'NetworkInterfaces[0].Groups'"},
			device.Verify(p)[0],
		},
	}
}
