package oracle

import (
	"fmt"
	"slices"
	"strings"
)

// IPSets draws the sets that rules of IPTables look into, as ipset save prints
// them.
func (w World) IPSets(six bool) string {
	family, bits := "inet", 24
	if six {
		family, bits = "inet6", 64
	}
	out := []string{
		"create nets hash:net family " + family,
		"create ports bitmap:port range 0-65535",
		"create pairs hash:ip,port family " + family,
		"create single hash:ip family " + family,
		"create triples hash:ip,port,net family " + family,
		"create bands hash:net,port family " + family,
		"create links hash:net,iface family " + family,
		"create list list:set size 8",
		"add list single",
		"add list nets",
		fmt.Sprintf("add nets %s/%d", w.source(six), bits),
		fmt.Sprintf("add nets %s nomatch", w.source(six)),
		fmt.Sprintf("add nets %s", w.target(six)),
		fmt.Sprintf("add ports %d", w.port()),
		fmt.Sprintf("add single %s", w.source(six)),
	}
	out = append(out,
		fmt.Sprintf("add triples %s,%s:%d,%s/%d", w.source(six), w.pick("tcp", "udp"), w.port(), w.target(six), bits),
		fmt.Sprintf("add bands %s/%d,tcp:%d-%d", w.source(six), bits, 20, 100),
		fmt.Sprintf("add bands %s,tcp:%d nomatch", w.source(six), w.port()),
		fmt.Sprintf("add links %s/%d,%s", w.source(six), bits, w.link()),
	)
	for range 2 {
		out = append(out, fmt.Sprintf("add pairs %s,%s:%d", w.pick(w.source(six).String(), w.target(six).String()), w.pick("tcp", "udp"), w.port()))
	}
	slices.Sort(out[10:])
	return lines(slices.Compact(out))
}

// IPTables draws a file for iptables-restore, or ip6tables-restore.
func (w World) IPTables(six bool) string {
	g := iptables{World: w, six: six}
	var out []string
	if w.chance(3) {
		out = append(out, g.table("raw", []string{"PREROUTING"}, nil)...)
	}
	if w.chance(5) {
		out = append(out, g.table("mangle", []string{"PREROUTING", "INPUT", "FORWARD"}, nil)...)
	}
	if w.chance(2) {
		out = append(out, g.table("nat", []string{"PREROUTING"}, []string{"DOCKER"})...)
	}
	var users []string
	for i := range w.IntN(4) {
		users = append(users, fmt.Sprintf("user%d", i))
	}
	out = append(out, g.table("filter", []string{"INPUT", "FORWARD"}, users)...)
	return lines(out)
}

type iptables struct {
	World
	six bool
}

// table draws a table. A user chain jumps only to those before it.
func (g iptables) table(name string, hooks, users []string) []string {
	out := []string{"*" + name}
	for _, h := range hooks {
		policy := "ACCEPT"
		if name == "filter" && !g.chance(3) {
			policy = "DROP"
		}
		out = append(out, fmt.Sprintf(":%s %s [0:0]", h, policy))
	}
	for _, u := range users {
		out = append(out, ":"+u+" - [0:0]")
	}
	for i, u := range users {
		for range g.IntN(5) {
			out = append(out, g.rule(name, u, "", users[:i]))
		}
	}
	for _, h := range hooks {
		for range g.length(6) {
			out = append(out, g.rule(name, h, h, users))
		}
	}
	return append(out, "COMMIT")
}

func (g iptables) not() string {
	if g.chance(5) {
		return "! "
	}
	return ""
}

func (g iptables) rule(table, chain, hook string, targets []string) string {
	words := []string{"-A", chain}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	if g.chance(3) {
		add("%s-s %s", g.not(), g.prefix(g.source(g.six)))
	}
	if g.chance(4) {
		add("%s-d %s", g.not(), g.prefix(g.target(g.six)))
	}
	if g.chance(4) {
		add("%s-i %s", g.not(), g.pick(Outside, Inside, "eth+", Containers))
	}
	if hook == "FORWARD" && g.chance(3) {
		add("%s-o %s", g.not(), g.link())
	}
	proto := g.protocol(&words)
	g.extension(&words, table)
	words = append(words, g.verdict(table, hook, proto, targets))
	return strings.Join(words, " ")
}

// protocol draws a protocol and its matches.
func (g iptables) protocol(words *[]string) string {
	add := func(format string, args ...any) { *words = append(*words, fmt.Sprintf(format, args...)) }
	proto := g.pick("tcp", "tcp", "tcp", "udp", "udp", "icmp", "", "")
	switch proto {
	case "":
		return ""
	case "icmp":
		name, kind := "icmp", "--icmp-type"
		if g.six {
			name, kind = "ipv6-icmp", "--icmpv6-type"
		}
		add("-p %s", name)
		if g.chance(2) {
			add("-m %s %s%s %s", strings.Replace(name, "ipv6-icmp", "icmp6", 1), g.not(), kind, g.pick("echo-request", "destination-unreachable"))
		}
		return proto
	}
	add("-p %s", proto)
	switch g.IntN(5) {
	case 0, 1:
		add("-m %s %s--dport %s", proto, g.not(), g.portRange(":"))
	case 2:
		add("-m multiport %s--dports %d,%s", g.not(), g.port(), g.portRange(":"))
	case 3:
		add("-m %s %s--sport %s", proto, g.not(), g.pick("53", "1024:65535", "40000"))
	}
	if proto == "tcp" && g.chance(5) {
		add("-m tcp %s", g.pick("--syn", "! --syn", "--tcp-flags SYN,ACK SYN", "--tcp-flags ALL ACK", "! --tcp-flags SYN,RST SYN"))
	}
	return proto
}

// extension draws a further match.
func (g iptables) extension(words *[]string, table string) {
	add := func(format string, args ...any) { *words = append(*words, fmt.Sprintf(format, args...)) }
	tracked := table != "raw"
	switch g.IntN(14) {
	case 0, 1:
		if tracked {
			add("-m conntrack %s--ctstate %s", g.not(), g.pick("NEW", "RELATED,ESTABLISHED", "INVALID", "UNTRACKED", "NEW,ESTABLISHED"))
		}
	case 2:
		if tracked && table != "nat" {
			add("-m conntrack --ctstate %s", g.pick("DNAT", "NEW,DNAT"))
		}
	case 3:
		if tracked {
			add("-m conntrack %s--ctorigdstport %d", g.not(), g.port())
		}
	case 4:
		a, b := g.source(g.six), g.source(g.six)
		if b.Less(a) {
			a, b = b, a
		}
		add("-m iprange %s--src-range %s-%s", g.not(), a, b)
	case 5:
		add("-m addrtype %s--dst-type LOCAL", g.not())
	case 6:
		add("-m limit --limit 1000/sec")
	case 7:
		add("-m mark --mark 0x1")
	case 9, 10:
		name, sides := g.pick("nets", "ports", "pairs", "list", "triples", "bands", "links"), g.pick("src", "dst")
		switch name {
		case "pairs", "bands":
			sides = g.pick("src,dst", "dst,dst", "src,src")
		case "triples":
			sides = g.pick("src,dst,dst", "dst,dst,src", "src,src,dst")
		case "links":
			sides = "src,src"
		}
		add("-m set %s--match-set %s %s", g.not(), name, sides)
	case 8:
		add("-m comment --comment %q", g.pick("a rule", "-j ACCEPT", "it's"))
	}
}

// verdict draws what the rule does.
func (g iptables) verdict(table, hook, proto string, targets []string) string {
	if len(targets) > 0 && g.chance(3) {
		if g.chance(5) {
			return "-g " + g.pick(targets...)
		}
		return "-j " + g.pick(targets...)
	}
	switch table {
	case "raw":
		return "-j " + g.pick("CT --notrack", "DROP", "ACCEPT")
	case "nat":
		return g.translation(proto)
	}
	if hook == "" && g.chance(3) {
		return "-j RETURN"
	}
	if table == "filter" && g.chance(8) {
		return "-j REJECT"
	}
	return "-j " + g.pick("ACCEPT", "ACCEPT", "ACCEPT", "DROP", "DROP")
}

func (g iptables) translation(proto string) string {
	if g.chance(4) {
		return "-j ACCEPT"
	}
	if g.chance(10) {
		return "-j NETMAP --to " + g.target(g.six).String()
	}
	ported := proto == "tcp" || proto == "udp"
	if g.chance(4) && ported {
		return fmt.Sprintf("-j REDIRECT --to-ports %d", g.port())
	}
	to := g.target(g.six).String()
	if !ported || g.chance(3) {
		return "-j DNAT --to-destination " + to
	}
	if g.six {
		to = "[" + to + "]"
	}
	return fmt.Sprintf("-j DNAT --to-destination %s:%d", to, g.port())
}
