package netfilter

import (
	"fmt"
	"strings"

	"reconshield/internal/exposure"
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
	var out []string
	admin := false
	for _, a := range p.Allows {
		for _, r := range a.Ports {
			admin = admin || a.Transport == exposure.TCP && r.First <= 22 && r.Last >= 22
		}
	}
	if !admin && p.Place == firewall.OnAsset {
		out = append(out, "No zone may reach 22/tcp: a new SSH session is refused once this is loaded. Add an expose rule to the policy first if that is how you administer the asset.")
	}
	if p.Place == firewall.OnAsset {
		out = append(out, "Addresses that the asset does not have in the policy are closed, too. DHCPv6 answers to the client's link-local address are not let in: give a server its address statically or by router advertisement.")
	} else {
		out = append(out, device.Through(p)...)
	}
	if p.Limit != nil && ServesDNS(p) {
		out = append(out, LimitNote())
	}
	out = append(out, device.Hidden(p)...)
	if p.DNS.Control && p.DNS.Redirect {
		out = append(out, "Redirected queries reach the resolver with this host's address as their source, so that its answers come back the same way.")
	}
	return out
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
