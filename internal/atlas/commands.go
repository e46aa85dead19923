package atlas

import (
	"fmt"
	"slices"
	"strings"
)

// example stands for the reader's own address (RFC 5737).
const example = "192.0.2.10"

// commands are the lines that look at the port: our own, then the usual other.
func (e *Entry) commands() []Command {
	var ours, theirs []string
	sctp := ""
	for _, t := range e.Transports() {
		switch t {
		case "tcp":
			ours, theirs = append(ours, fmt.Sprintf("T:%d", e.Port)), append(theirs, fmt.Sprintf("nmap -p %d %s", e.Port, example))
		case "udp":
			ours, theirs = append(ours, fmt.Sprintf("U:%d", e.Port)), append(theirs, fmt.Sprintf("nmap -sU -p %d %s", e.Port, example))
		case "sctp":
			sctp = fmt.Sprintf("nmap -sY -p %d %s", e.Port, example)
		}
	}
	var out []Command
	if len(ours) > 0 {
		ports := strings.Join(ours, ",")
		out = append(out,
			Command{"what is open, from where you stand", fmt.Sprintf("reconshield scan %s --ports %s", example, ports)},
			Command{"what really listens, and whether it can be abused", "reconshield assess " + example + e.assessPorts(ports)})
	}
	for _, line := range theirs {
		what := "the same question, asked with Nmap"
		if strings.Contains(line, "-sU") {
			what += " over UDP"
		}
		out = append(out, Command{what, line})
	}
	if sctp != "" {
		out = append(out, Command{"SCTP, which ReconShield does not scan, with Nmap", sctp})
	}
	if len(out) == 0 {
		out = append(out, Command{
			"the same number over TCP and UDP; DCCP is scanned by neither tool",
			fmt.Sprintf("reconshield scan %s --ports T:%d,U:%d", example, e.Port, e.Port),
		})
	}
	return out
}

// assessPorts is empty for the port that assess asks anyway.
func (e *Entry) assessPorts(ports string) string {
	if e.Port == 53 {
		return ""
	}
	return " --ports " + ports
}

// rules close the port to strangers, for a host of its own; and open it where
// the public is meant to come.
func (e *Entry) rules() []Rule {
	out := []Rule{
		{"nftables", "keeps strangers from the port (nft -f FILE)", e.nft()},
		{"iptables", "the same for IPv4 (iptables-restore --noflush FILE, once)", e.iptables(privateNetworks4())},
		{"ip6tables", "the same for IPv6 (ip6tables-restore --noflush FILE, once)", e.iptables(privateNetworks6())},
	}
	if e.Note != nil && e.Note.Reach == ReachInternet {
		out = append(out, Rule{
			"nftables", "lets the public in where this host is meant to serve it, under a policy of drop",
			fmt.Sprintf("nft add rule inet filter input meta l4proto { %s } th dport %d accept\n", strings.Join(e.protocols(), ", "), e.Port),
		})
	}
	return out
}

// protocols are the transports that a packet filter must name.
func (e *Entry) protocols() []string {
	out := slices.Clone(e.Transports())
	slices.Sort(out)
	return out
}

// Networks whose addresses strangers on the Internet do not have: RFC 1918,
// RFC 3927; RFC 4193, RFC 4291.
func privateNetworks4() []string {
	return []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"}
}

func privateNetworks6() []string { return []string{"fc00::/7", "fe80::/10"} }

// nft is a table of its own: loading it again replaces it. Answers to
// connections that this host began pass, since their local port may be the
// same number.
func (e *Entry) nft() string {
	table := fmt.Sprintf("reconshield_port_%d", e.Port)
	var b strings.Builder
	fmt.Fprintf(&b, "table inet %s\ndelete table inet %s\ntable inet %s {\n", table, table, table)
	b.WriteString("  chain input {\n    type filter hook input priority filter - 1; policy accept;\n")
	b.WriteString("    iif lo accept\n    ct state established,related accept\n")
	b.WriteString("    # your own networks: edit\n")
	fmt.Fprintf(&b, "    ip saddr { %s } accept\n", strings.Join(privateNetworks4(), ", "))
	fmt.Fprintf(&b, "    ip6 saddr { %s } accept\n", strings.Join(privateNetworks6(), ", "))
	fmt.Fprintf(&b, "    meta l4proto { %s } th dport %d drop\n  }\n}\n", strings.Join(e.protocols(), ", "), e.Port)
	return b.String()
}

func (e *Entry) iptables(trusted []string) string {
	chain := fmt.Sprintf("RECONSHIELD-%d", e.Port)
	var b strings.Builder
	fmt.Fprintf(&b, "*filter\n:%s - [0:0]\n", chain)
	for _, protocol := range e.protocols() {
		fmt.Fprintf(&b, "-I INPUT 1 ! -i lo -p %s --dport %d -m conntrack --ctstate NEW -j %s\n", protocol, e.Port, chain)
	}
	for _, network := range trusted {
		fmt.Fprintf(&b, "-A %s -s %s -j RETURN\n", chain, network)
	}
	fmt.Fprintf(&b, "-A %s -j DROP\nCOMMIT\n", chain)
	return b.String()
}
