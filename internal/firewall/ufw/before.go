package ufw

import (
	"fmt"
	"strings"

	"reconshield/internal/firewall"
	"reconshield/internal/firewall/iptables"
	"reconshield/internal/firewall/netfilter"
)

// beforeRules is what ufw loads before the rules of its commands, in the form
// of iptables-restore --noflush: the chains that it wants to find there, and
// what every packet goes through first.
func beforeRules(p firewall.Plan, f firewall.Family) string {
	prefix, name := "ufw-before", "before.rules"
	if f == firewall.IPv6 {
		prefix, name = "ufw6-before", "before6.rules"
	}
	var b strings.Builder
	put := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, line := range netfilter.Head(p) {
		put("# %s", line)
	}
	put("# Belongs in /etc/ufw/%s.", name)
	put("*filter")
	for _, chain := range []string{"input", "output", "forward"} {
		put(":%s-%s - [0:0]", prefix, chain)
	}
	put("-A %s-input -i lo -j ACCEPT", prefix)
	put("-A %s-output -o lo -j ACCEPT", prefix)
	for _, chain := range []string{"input", "output", "forward"} {
		put("-A %s-%s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", prefix, chain)
	}
	b.WriteString(iptables.ICMPRules(prefix+"-input", f, false))
	put("-A %s-input -m conntrack --ctstate INVALID -j DROP", prefix)
	b.WriteString(iptables.LimitRules(p, f, prefix+"-input", false))
	put("COMMIT")
	if p.Docker {
		b.WriteString(iptables.DockerRules(p, f))
	}
	b.WriteString(iptables.RedirectTable(p, f))
	return b.String()
}
