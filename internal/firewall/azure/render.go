package azure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/firewall/fabric"
	"reconshield/internal/policy"
)

const format = "azure"

// Priorities of the rules: the last denies all, before the service's own rules
// from 65000 on, which let the whole virtual network in.
const (
	firstPriority = 100
	priorityStep  = 10
	denyPriority  = 4096
)

// platformDNS answers every host of Azure and passes every rule that does not
// name the tag AzurePlatformDNS.
const platformDNS = "168.63.129.16"

// securityRule is one rule of a group, before its syntax.
type securityRule struct {
	name     string
	priority int
	outbound bool
	deny     bool
	protocol string   // Tcp, Udp, Icmp, Esp or *
	ports    []string // of the destination; empty: any
	from, to []string // prefixes or one tag; empty: any
	why      string
}

// Render writes a network security group for Terraform's azurerm provider. A
// group is stateful; the rules match source and port and hold for whatever
// interface or subnet the group is attached to.
func Render(p firewall.Plan) (firewall.Config, error) {
	f, err := fabric.New(fabric.Format{Name: format}, p)
	if err != nil {
		return firewall.Config{}, err
	}
	rules := append(inbound(f), outbound(f)...)
	if err := number(rules); err != nil {
		return firewall.Config{}, err
	}
	name := fabric.Name(p.Asset, '-', 40)
	c := steps(name, p)
	c.Files = []firewall.File{{Name: name + "-nsg.tf", Text: terraform(f, rules)}}
	c.Notes = append(notes(f), f.Notes...)
	return c, nil
}

// number gives priorities in order, for each direction, but for the last rule
// of inbound, which has its own.
func number(rules []securityRule) error {
	next := map[bool]int{false: firstPriority, true: firstPriority}
	for i := range rules {
		r := &rules[i]
		if r.priority != 0 {
			continue
		}
		r.priority = next[r.outbound]
		next[r.outbound] += priorityStep
		if r.priority >= denyPriority {
			return &firewall.UnsupportedError{
				Format: format, Feature: firewall.FeatureSize,
				Where: fmt.Sprintf("%d rules, at most %d", len(rules), (denyPriority-firstPriority)/priorityStep),
				Hint:  "expose to fewer zones, or join the ports of rules",
			}
		}
	}
	return nil
}

func inbound(p fabric.Plan) []securityRule {
	names := fabric.NewNames('-', 70)
	var out []securityRule
	for _, r := range p.Rules {
		for _, from := range sides(r) {
			rule := securityRule{
				name:     names.Of("allow", strings.Join(r.Zones, "-"), string(r.Transport), fabric.Ports(r.Ports, "-")),
				protocol: protocol(r.Transport), from: from, why: r.Reason(140),
			}
			for _, ports := range r.Ports {
				rule.ports = append(rule.ports, ports.String())
			}
			out = append(out, rule)
		}
	}
	if p.Has(firewall.IPv4) {
		out = append(out, securityRule{
			name: names.Of("allow-icmp"), protocol: "Icmp", from: []string{"0.0.0.0/0"},
			why: "errors (RFC 1191) and echo requests; the service knows no ICMP types",
		})
	}
	return append(out, securityRule{
		name: names.Of("deny-all"), priority: denyPriority, deny: true, protocol: "*",
		why: "before the default rule that lets the whole virtual network in",
	})
}

// sides gives the sources of a rule, families apart, because one rule cannot
// hold both; nil is any address.
func sides(r fabric.Rule) [][]string {
	if r.Sources.Equal(firewall.AllOf(firewall.Inet)) {
		return [][]string{nil}
	}
	var out [][]string
	for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
		if from := fabric.Strings(r.Of(f)); len(from) > 0 {
			out = append(out, from)
		}
	}
	return out
}

func protocol(t exposure.Transport) string {
	if t == policy.ESP {
		return "Esp"
	}
	if t.Base() == exposure.TCP {
		return "Tcp"
	}
	return "Udp"
}

// outbound is empty when DNS may leave freely: the service's default rules let
// everything out.
func outbound(p fabric.Plan) []securityRule {
	if p.Egress.Free {
		return nil
	}
	to4, to6 := fabric.Strings(p.Egress.Of(firewall.IPv4)), fabric.Strings(p.Egress.Of(firewall.IPv6))
	platform := slices.Contains(p.DNS.Resolvers, netip.MustParseAddr(platformDNS))
	dns := []string{"53", "853"}
	names := fabric.NewNames('-', 70)
	var out []securityRule
	for _, t := range []string{"Tcp", "Udp"} {
		for _, to := range [][]string{to4, to6} {
			if len(to) > 0 {
				out = append(out, securityRule{
					name: names.Of("allow-dns-to-resolvers", t), outbound: true, protocol: t, ports: dns, to: to,
					why: p.Why(),
				})
			}
		}
	}
	for _, t := range []string{"Tcp", "Udp"} {
		out = append(out, securityRule{
			name: names.Of("deny-other-dns", t), outbound: true, deny: true, protocol: t, ports: dns,
			why: "DNS to anybody else",
		})
	}
	if !platform {
		out = append(out, securityRule{
			name: names.Of("deny-platform-dns"), outbound: true, deny: true, protocol: "*", to: []string{"AzurePlatformDNS"},
			why: "the platform's own resolver is not an approved one, and only its tag matches it",
		})
	}
	return out
}

func notes(p fabric.Plan) []string {
	out := []string{
		"A second group on the subnet must let the same packets in: both are asked.",
		"Destinations are not matched: the group holds for every address of the interface it is attached to.",
		"The probes of an Azure load balancer (168.63.129.16) are denied as well: behind one, expose the probed port to it in the policy.",
		"Conversations that were open before a change stay open.",
	}
	if p.Has(firewall.IPv4) {
		out = append(out, "The service knows no ICMP types: all of ICMP is let in, where errors and echo requests would do.")
	}
	if p.Has(firewall.IPv6) {
		out = append(out, "Microsoft documents no support of ICMPv6 in groups, so packet-too-big cannot be let in by a rule: "+
			"keep IPv6 answers at 1232 bytes (EDNS) and the interface's MTU such that nothing needs it.")
	}
	if !p.Egress.Free {
		out = append(out, "Rules of AzurePlatformDNS take the platform's resolver away from the host: set an approved resolver in the virtual network first.")
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
			{Text: "Save which group the interface has now.", Command: fmt.Sprintf(
				"az network nic show --ids \"$NIC\" --query networkSecurityGroup.id --output tsv > %s-nsg.before", name)},
			{Text: "Apply the plan.", Command: "terraform apply " + name + ".tfplan"},
			{Text: "Attach the group to the asset's interface.", Command: "az network nic update --ids \"$NIC\" --network-security-group \"$(terraform output -raw network_security_group_id)\""},
		},
		Rollback: []firewall.Step{{
			Text:    "Give the interface its old group back.",
			Command: fmt.Sprintf("az network nic update --ids \"$NIC\" --network-security-group \"$(cat %s-nsg.before)\"", name),
		}},
		Verify: []firewall.Step{
			{Text: "Ask the service for the rules that hold for the interface.", Command: "az network nic list-effective-nsg --ids \"$NIC\""},
			device.Verify(p)[0],
		},
	}
}
