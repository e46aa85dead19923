package gcp

import (
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/firewall/fabric"
	"reconshield/internal/policy"
)

const format = "gcp"

// Priorities of the rules, in front of whatever rules of the network have the
// service's default of 1000.
const (
	allowPriority = 100
	denyPriority  = 200
)

// vpcRule is one firewall rule, before its syntax.
type vpcRule struct {
	name     string
	egress   bool
	deny     bool
	ranges   []string // of one family: sources, for egress destinations
	protocol []protocolPorts
	why      string
}

type protocolPorts struct {
	protocol string // tcp, udp, esp, 58 or all
	ports    []string
}

// Render writes VPC firewall rules for Terraform's google provider. They are
// stateful and hold for the instances that carry the asset's name as a tag.
func Render(p firewall.Plan) (firewall.Config, error) {
	f, err := fabric.New(fabric.Format{Name: format}, p)
	if err != nil {
		return firewall.Config{}, err
	}
	rules := append(ingress(f), egress(f)...)
	name := fabric.Name(p.Asset, '-', 40)
	c := steps(name, p)
	c.Files = []firewall.File{{Name: name + "-firewall.tf", Text: terraform(f, rules)}}
	c.Notes = append(notes(f), f.Notes...)
	return c, nil
}

func ingress(p fabric.Plan) []vpcRule {
	names := fabric.NewNames('-', 63)
	var out []vpcRule
	for _, r := range p.Rules {
		for _, f := range both() {
			ranges := fabric.Strings(r.Of(f))
			if len(ranges) == 0 {
				continue
			}
			out = append(out, vpcRule{
				name: names.Of(p.Asset, "allow", strings.Join(r.Zones, "-"), string(r.Transport),
					fabric.Ports(r.Ports, "-"), family(f)),
				ranges: ranges, why: r.Reason(200),
				protocol: []protocolPorts{{protocolOf(r.Transport), fabric.Strings(r.Ports)}},
			})
		}
	}
	if p.Has(firewall.IPv4) {
		out = append(out, vpcRule{
			name: names.Of(p.Asset, "allow-icmp"), ranges: []string{"0.0.0.0/0"}, protocol: []protocolPorts{{"icmp", nil}},
			why: "errors (RFC 1191) and echo requests; the service knows no ICMP types",
		})
	}
	if p.Has(firewall.IPv6) {
		out = append(out, vpcRule{
			name: names.Of(p.Asset, "allow-icmpv6"), ranges: []string{"::/0"}, protocol: []protocolPorts{{"58", nil}},
			why: "packet too big and the other messages of RFC 4890; the service knows no ICMP types",
		})
	}
	for _, f := range both() {
		if p.Has(f) {
			out = append(out, vpcRule{
				name: names.Of(p.Asset, "deny-all", family(f)), deny: true, ranges: everybody(f),
				protocol: []protocolPorts{{"all", nil}},
				why:      "in front of the network's own rules, which often let all of it in",
			})
		}
	}
	return out
}

// egress is empty when DNS may leave freely: the service's implied rule lets
// everything out.
func egress(p fabric.Plan) []vpcRule {
	if p.Egress.Free {
		return nil
	}
	names := fabric.NewNames('-', 63)
	dns := []protocolPorts{{"tcp", []string{"53", "853"}}, {"udp", []string{"53", "853"}}}
	var out []vpcRule
	for _, f := range both() {
		if to := fabric.Strings(p.Egress.Of(f)); len(to) > 0 {
			out = append(out, vpcRule{
				name: names.Of(p.Asset, "dns-to-resolvers", family(f)), egress: true, ranges: to, protocol: slices.Clone(dns),
				why: p.Why(),
			})
		}
		if p.Has(f) {
			out = append(out, vpcRule{
				name: names.Of(p.Asset, "deny-other-dns", family(f)), egress: true, deny: true, ranges: everybody(f), protocol: slices.Clone(dns),
				why: "DNS to anybody else",
			})
		}
	}
	return out
}

func both() []firewall.Family { return []firewall.Family{firewall.IPv4, firewall.IPv6} }

func family(f firewall.Family) string {
	if f == firewall.IPv4 {
		return "v4"
	}
	return "v6"
}

func everybody(f firewall.Family) []string {
	return fabric.Strings(firewall.Prefixes(firewall.AllOf(f)))
}

func protocolOf(t exposure.Transport) string {
	if t == policy.ESP {
		return "esp"
	}
	return string(t.Base())
}

func terraform(p fabric.Plan, rules []vpcRule) string {
	t := fabric.NewTerraform(p.Header("VPC firewall rules"))
	t.Input("network", "string", "The VPC network of the asset.")
	tag := fabric.Name(p.Asset, '-', 40)
	names := fabric.NewNames('_', 80)
	for _, r := range rules {
		b := t.Append("resource", "google_compute_firewall", names.Of(r.name))
		b.Text("name", r.name)
		b.Text("description", r.why)
		b.Expression("network", "var.network")
		b.List("target_tags", []string{tag})
		priority, action := allowPriority, "allow"
		if r.deny {
			priority, action = denyPriority, "deny"
		}
		b.Int("priority", priority)
		direction, ranges := "INGRESS", "source_ranges"
		if r.egress {
			direction, ranges = "EGRESS", "destination_ranges"
		}
		b.Text("direction", direction)
		b.List(ranges, r.ranges)
		for _, q := range r.protocol {
			inner := b.Append(action)
			inner.Text("protocol", q.protocol)
			if len(q.ports) > 0 {
				inner.List("ports", q.ports)
			}
		}
	}
	return t.String()
}

func notes(p fabric.Plan) []string {
	out := []string{
		"The rules hold for instances with the network tag " + fabric.Name(p.Asset, '-', 40) + ": set it, and let only trusted people set tags.",
		fmt.Sprintf("Rules of the network with a priority below %d and hierarchical firewall policies are asked before these.", allowPriority),
		"Destinations are not matched: the rules hold for every address of a tagged instance.",
		"The service knows no ICMP types: all of ICMP and ICMPv6 is let in, where errors, echo and the messages of RFC 4890 section 4.3 would do.",
	}
	if !p.Egress.Free {
		out = append(out, "Queries to the metadata server, 169.254.169.254, pass every rule: set a server policy of Cloud DNS to control them.")
	}
	return out
}

func steps(name string, p firewall.Plan) firewall.Config {
	return firewall.Config{
		Format: format,
		Check: []firewall.Step{{
			Text: "Check the Terraform text and read the plan.", Command: "terraform init && terraform validate && terraform plan -out=" + name + ".tfplan",
		}},
		Apply: []firewall.Step{
			{Text: "Save the rules there are.", Command: fmt.Sprintf("gcloud compute firewall-rules list --format=json > %s-firewall.before.json", name)},
			{Text: "Apply the plan.", Command: "terraform apply " + name + ".tfplan"},
			{Text: "Tag the asset: from here on the rules hold for it.", Command: fmt.Sprintf(
				"gcloud compute instances add-tags \"$INSTANCE\" --zone \"$ZONE\" --tags %s", name)},
		},
		Rollback: []firewall.Step{{
			Text:    "Take the tag away.",
			Command: fmt.Sprintf("gcloud compute instances remove-tags \"$INSTANCE\" --zone \"$ZONE\" --tags %s", name),
		}},
		Verify: []firewall.Step{
			{Text: "Ask the service for the rules that hold for the instance.", Command: "gcloud compute instances network-interfaces get-effective-firewalls \"$INSTANCE\" --zone \"$ZONE\""},
			device.Verify(p)[0],
		},
	}
}
