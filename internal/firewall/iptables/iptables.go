// Package iptables reads what iptables-save, ip6tables-save and ipset save print
// into the rule model, and writes the rule model for iptables-restore. It does
// not load rulesets, nor decide what they let through.
package iptables

import (
	"fmt"
	"hash/fnv"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
)

// Closure is input for "iptables-restore --noflush" (ip6tables-restore for an
// IPv6 address). The chain hangs in the raw table's PREROUTING, before
// connection tracking and destination NAT, so that published ports of
// containers are covered. The trusted sources leave it early and go on to the
// rules that exist. iptables has no way to say "insert unless there", so
// loading it twice adds a second, harmless, jump.
func Closure(c firewall.Closure) string {
	chain := chainName(c)
	var b strings.Builder
	fmt.Fprintf(&b, "*raw\n:%s - [0:0]\n-I PREROUTING 1 ! -i lo -d %s -j %s\n", chain, c.Addr, chain)
	for _, p := range c.Trusted {
		fmt.Fprintf(&b, "-A %s -s %s -j RETURN\n", chain, p)
	}
	for _, t := range []exposure.Transport{exposure.UDP, exposure.TCP} {
		const most = 15 // the multiport match takes no more
		ports := c.Numbers(t)
		for len(ports) > 0 {
			n := min(most, len(ports))
			fmt.Fprintf(&b, "-A %s -p %s %s -j DROP\n", chain, t, match(ports[:n]))
			ports = ports[n:]
		}
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

// Command is the command that loads a closure from a file.
func Command(c firewall.Closure) string {
	if c.Addr.Is6() {
		return "ip6tables-restore --noflush"
	}
	return "iptables-restore --noflush"
}

func match(ports []uint16) string {
	if len(ports) == 1 {
		return fmt.Sprintf("--dport %d", ports[0])
	}
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = fmt.Sprint(p)
	}
	return "-m multiport --dports " + strings.Join(words, ",")
}

// chainName fits the 28 characters of a chain's name.
func chainName(c firewall.Closure) string {
	h := fnv.New32a()
	h.Write([]byte(c.Addr.String()))
	return fmt.Sprintf("RECONSHIELD-%08x", h.Sum32())
}
