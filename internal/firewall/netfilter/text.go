package netfilter

import (
	"fmt"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/device"
	"reconshield/internal/policy"
)

// Head are the lines, without comment signs, that every file begins with.
func Head(p firewall.Plan) []string {
	source := "the policy"
	if p.Policy != "" {
		source = "the policy " + Line(p.Policy, 100)
	}
	role := string(p.Role)
	if role == "" {
		role = string(policy.Host)
	}
	place := "on the asset itself"
	if p.Place == firewall.OnGateway {
		place = "on a gateway in front of it"
	}
	out := []string{
		fmt.Sprintf("What may reach %s (%s), by %s. Everything else is dropped.", Line(p.Asset, 80), list(p), source),
		fmt.Sprintf("Role %s, owner %s. These rules stand %s.", Line(role, 40), Line(ownerOr(p), 80), place),
	}
	for _, a := range p.Allows {
		if !a.Until.IsZero() {
			out = append(out, "Exceptions do not end by themselves: write this file again after the date in their comment.")
			break
		}
	}
	return out
}

func ownerOr(p firewall.Plan) string {
	if p.Owner == "" {
		return "not named"
	}
	return p.Owner
}

func list(p firewall.Plan) string {
	words := make([]string, len(p.Addresses))
	for i, a := range p.Addresses {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}

// Notes are the cautions that hold for every format for Linux.
func Notes(p firewall.Plan) []string {
	out := append(device.Locked(p, 22), device.Sides(p)...)
	if p.Place == firewall.OnAsset && !p.Docker {
		out = append(out, "Nothing goes through this host: containers, virtual machines and clients of a tunnel that ends here lose their way to others. For Docker ask for the rules with --docker.")
	}
	if p.Place == firewall.OnAsset {
		out = append(out, "Addresses that the asset does not have in the policy are closed, too. "+device.Leases())
	} else {
		out = append(out, device.Through(p)...)
	}
	out = append(out, device.Amplifies(p)...)
	if p.Limit != nil && ServesDNS(p) {
		out = append(out, LimitNote())
	}
	out = append(out, device.Hidden(p)...)
	if p.DNS.Control && p.DNS.Redirect {
		out = append(out, "Redirected queries reach the resolver with this host's address as their source, so that its answers come back the same way.")
	}
	return out
}

// Rehearse has a kernel of its own try files of rules. On a gateway the policy's
// gateway stands around them, and only the asset is asked about.
func Rehearse(p firewall.Plan, files string) firewall.Step {
	s := firewall.Step{
		Text:    "Try it in a kernel of its own against the policy, without touching this host's rules.",
		Command: "reconshield firewall rehearse " + files + " --policy " + device.Quote(device.PolicyFile(p)) + " --host " + device.Quote(p.Asset),
	}
	if p.Place == firewall.OnGateway {
		s.Text = "Try it in a kernel of its own against the policy, without touching this host's rules. The policy has to name the gateway, as an asset with gateway: true."
		s.Command = "reconshield firewall rehearse " + files + " --policy " + device.Quote(device.PolicyFile(p)) + " --asset " + device.Quote(p.Asset)
	}
	return s
}

// Apply loads files of rules under the guard of apply. On a gateway only the
// asset is asked about: other ports are no part of the plan.
func Apply(p firewall.Plan, files string) firewall.Step {
	who := " --host "
	if p.Place == firewall.OnGateway {
		who = " --asset "
	}
	return firewall.Step{
		Text:    "Load it, and have it taken back by itself unless you confirm from a new session.",
		Command: "reconshield firewall apply " + files + " --policy " + device.Quote(device.PolicyFile(p)) + who + device.Quote(p.Asset) + " --confirm-within 60s",
	}
}

// LimitNote tells the danger of limits a source.
func LimitNote() string {
	return "The limit counts new DNS conversations a source address. Sources of UDP can be forged: somebody who imitates a resolver can have that resolver shut out. Keep the limit far above honest traffic, and treat it as a backstop behind response rate limiting and cookies in the server."
}

// PortGroups splits ports into what one multiport match takes: 15 ports, of
// which a range counts as two (iptables-extensions(8)).
func PortGroups(ports []firewall.PortRange) [][]firewall.PortRange {
	const most = 15
	var out [][]firewall.PortRange
	used := most
	for _, r := range ports {
		cost := 1
		if r.First != r.Last {
			cost = 2
		}
		if used+cost > most {
			out, used = append(out, nil), 0
		}
		last := len(out) - 1
		out[last], used = append(out[last], r), used+cost
	}
	return out
}

// Colon is a range as iptables and ufw write it: "53" or "8000:8080".
func Colon(r firewall.PortRange) string { return strings.Replace(r.String(), "-", ":", 1) }

// Colons are ranges with commas between them.
func Colons(ports []firewall.PortRange) string {
	words := make([]string, len(ports))
	for i, r := range ports {
		words[i] = Colon(r)
	}
	return strings.Join(words, ",")
}
