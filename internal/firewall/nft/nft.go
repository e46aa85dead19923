// Package nft reads and writes nftables: listings of the kernel in JSON and in
// text, files for nft, and plans. It loads nothing.
package nft

import (
	"fmt"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
)

// Closure is a file for "nft -f" that closes the ports. The chain hooks before
// connection tracking and destination NAT, so that it covers the host itself,
// what it routes to and the published ports of containers; a drop there is
// final whatever other tables accept. Loading it again replaces it.
func Closure(c firewall.Closure) string {
	family, trusted := "ip", strings.Join(prefixes(c), ", ")
	if c.Addr.Is6() {
		family = "ip6"
	}
	table := "reconshield_" + name(c)
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s\ndelete table inet %s\ntable inet %s {\n", table, table, table)
	b.WriteString("\tchain closed {\n\t\ttype filter hook prerouting priority raw; policy accept;\n")
	b.WriteString("\t\tiif lo accept\n")
	if trusted != "" {
		fmt.Fprintf(&b, "\t\t%s saddr { %s } accept comment \"your own networks: edit\"\n", family, trusted)
	}
	for _, t := range []exposure.Transport{exposure.UDP, exposure.TCP} {
		if ports := c.Numbers(t); len(ports) > 0 {
			fmt.Fprintf(&b, "\t\t%s daddr %s %s dport { %s } drop\n", family, c.Addr, t, join(ports))
		}
	}
	b.WriteString("\t}\n}\n")
	return b.String()
}

func prefixes(c firewall.Closure) []string {
	out := make([]string, len(c.Trusted))
	for i, p := range c.Trusted {
		out[i] = p.String()
	}
	return out
}

func join(ports []uint16) string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = fmt.Sprint(p)
	}
	return strings.Join(out, ", ")
}

// name makes an identifier of the address.
func name(c firewall.Closure) string {
	return strings.NewReplacer(".", "_", ":", "_").Replace(c.Addr.String())
}
