package oracle

import (
	"fmt"
	"net/netip"
	"strings"
)

// NFT draws a file for nft -f: tables of the families inet, ip and ip6 with
// sets, maps, verdict maps and concatenations.
func (w World) NFT() string {
	g := &nft{World: w}
	out := g.table("inet", "main")
	if w.chance(3) {
		out = append(out, g.table(w.pick("ip", "ip6"), "other")...)
	}
	return lines(out)
}

type nft struct {
	World
	family string
	sets   bool // whether the table has the named sets
}

func (g *nft) table(family, name string) []string {
	g.family, g.sets = family, g.chance(2)
	out := []string{fmt.Sprintf("table %s %s {", family, name)}
	if g.sets {
		out = append(out, g.namedSets()...)
	}
	var users []string
	for i := range g.IntN(4) {
		u := fmt.Sprintf("user%d", i)
		out = append(out, g.chain(u, "", "", users)...)
		users = append(users, u)
	}
	if g.chance(4) {
		out = append(out, g.chain("early", "type filter hook prerouting priority raw; policy accept;", "raw", nil)...)
	}
	if g.chance(2) {
		out = append(out, g.chain("pre", fmt.Sprintf("type nat hook prerouting priority %s; policy accept;", g.pick("dstnat", "dstnat", "-150", "50")), "nat", nil)...)
	}
	if g.chance(8) {
		out = append(out, g.chain("pre3", "type nat hook prerouting priority -90; policy accept;", "nat", nil)...)
	}
	out = append(out, g.chain("in", fmt.Sprintf("type filter hook input priority %s; policy %s;", g.pick("filter", "0", "filter - 10", "security"), g.pick("drop", "drop", "accept")), "input", users)...)
	out = append(out, g.chain("through", fmt.Sprintf("type filter hook forward priority filter; policy %s;", g.pick("drop", "drop", "accept")), "forward", users)...)
	if g.chance(4) {
		out = append(out, g.chain("pre2", fmt.Sprintf("type filter hook prerouting priority %s; policy accept;", g.pick("mangle", "mangle", "-90", "10")), "filter", users)...)
	}
	if g.chance(6) {
		out = append(out, g.chain("post", "type filter hook postrouting priority 10; policy accept;", "post", users)...)
	}
	return append(out, "}")
}

func (g *nft) namedSets() []string {
	return []string{
		"set four { type ipv4_addr; flags interval; elements = { " + g.elements(false) + " }; }",
		"set six { type ipv6_addr; flags interval; elements = { " + g.elements(true) + " }; }",
		fmt.Sprintf("set ports { type inet_service; flags interval; elements = { %d, 1000-2000, 8080 }; }", 22),
		fmt.Sprintf("set pairs { type ipv4_addr . inet_service; elements = { %s . %d, %s . %d }; }", g.source(false), g.port(), g.source(false), g.port()),
		fmt.Sprintf("map acts { type inet_service : verdict; elements = { %d : accept, 9000 : drop }; }", g.port()),
	}
}

// elements draws elements of an interval set that do not overlap.
func (g *nft) elements(six bool) string {
	if six {
		return g.pick("2001:db8:f::/64", "2001:db8:f::7, 2001:db8:b::/64", "2001:db8:f::1-2001:db8:f::7", "2001:db8:f:1::1")
	}
	return g.pick("198.51.100.0/24", "198.51.100.7, 10.0.0.0/8", "198.51.100.1-198.51.100.7", "203.0.113.9, 192.0.2.0/25")
}

func (g *nft) chain(name, base, kind string, targets []string) []string {
	out := []string{"chain " + name + " {"}
	if base != "" {
		out = append(out, base)
	}
	for range g.length(5) {
		out = append(out, g.rule(kind, targets))
	}
	return append(out, "}")
}

func (g *nft) eq() string { return g.pick("", "", "", "!= ") }

// six reports whether the next address is of IPv6, as far as the table lets it.
func (g *nft) six() bool {
	switch g.family {
	case "ip":
		return false
	case "ip6":
		return true
	}
	return g.chance(2)
}

func (g *nft) rule(kind string, targets []string) string {
	var words []string
	for range g.IntN(3) {
		if m := g.match(kind); m != "" {
			words = append(words, m)
		}
	}
	if g.chance(6) {
		words = append(words, "counter")
	}
	if v := g.vmap(kind, targets); v != "" {
		return strings.Join(append(words, v), " ")
	}
	return strings.Join(append(words, g.verdict(kind, targets)), " ")
}

func (g *nft) match(kind string) string { //nolint:funlen // a table of matches
	six := g.six()
	ip, source, target := "ip", g.prefix(g.source(six)), g.prefix(g.target(six))
	if six {
		ip = "ip6"
	}
	port := g.port()
	switch g.IntN(30) {
	case 0, 1:
		return fmt.Sprintf("%s saddr %s%s", ip, g.eq(), source)
	case 2:
		return fmt.Sprintf("%s daddr %s%s", ip, g.eq(), target)
	case 3:
		return fmt.Sprintf("%s saddr %s{ %s }", ip, g.eq(), g.elements(six))
	case 4:
		if g.sets {
			return fmt.Sprintf("%s saddr %s@%s", ip, g.eq(), map[bool]string{true: "six", false: "four"}[six])
		}
	case 5, 6:
		return fmt.Sprintf("%s dport %s%s", g.pick("tcp", "udp", "tcp"), g.eq(), g.portRange("-"))
	case 7:
		return fmt.Sprintf("tcp dport %s{ 22, %d-%d }", g.eq(), 53, 443)
	case 8:
		if g.sets {
			return g.pick("tcp", "udp", "th") + " dport " + g.eq() + "@ports"
		}
		return fmt.Sprintf("meta l4proto { tcp, udp } th dport %d", port)
	case 9:
		return fmt.Sprintf("%s sport %s%s", g.pick("tcp", "udp"), g.eq(), g.pick("53", "1024-65535", "40000"))
	case 10:
		return fmt.Sprintf("iifname %s%s", g.eq(), g.pick(`"eth0"`, `"eth*"`, `{ "eth1", "docker0" }`))
	case 11:
		return fmt.Sprintf("meta l4proto %s%s", g.eq(), g.pick("tcp", "udp", "{ tcp, udp }", "{ icmp, ipv6-icmp }"))
	case 12, 13:
		if kind != "raw" {
			return "ct state " + g.eq() + g.pick("new", "established,related", "invalid", "{ new, untracked }", "new,untracked")
		}
	case 14:
		if kind == "input" || kind == "forward" {
			return "ct status dnat"
		}
	case 15:
		return "tcp flags " + g.pick("syn", "& (syn|ack) == syn", "& (fin|syn|rst|ack) == ack", "!= syn", "syn / syn,ack")
	case 16:
		if six {
			return "icmpv6 type " + g.eq() + g.pick("echo-request", "{ echo-request, nd-neighbor-solicit }")
		}
		return "icmp type " + g.eq() + g.pick("echo-request", "{ echo-request, destination-unreachable }")
	case 17:
		return g.concatenation()
	case 18:
		return "fib daddr type " + g.eq() + "local"
	case 19:
		return "limit rate 1000/second"
	case 20:
		return strings.TrimSpace(g.only(six))
	case 21:
		if kind != "raw" {
			return fmt.Sprintf("meta l4proto { tcp, udp } ct original proto-dst %s%d", g.eq(), port)
		}
	case 22:
		if kind == "forward" {
			return fmt.Sprintf("oifname %s\"%s\"", g.eq(), g.link())
		}
	case 24:
		if six {
			return "ip6 nexthdr " + g.eq() + g.pick("tcp", "udp")
		}
		return "ip protocol " + g.eq() + g.pick("tcp", "{ tcp, udp }", "icmp")
	case 25:
		return fmt.Sprintf("meta l4proto %s{ tcp, udp } th dport %s{ %d, 1000-2000 }", g.eq(), g.eq(), port)
	case 26:
		return fmt.Sprintf("iifname %s{ \"eth*\", \"lo\" }", g.eq())
	case 27:
		return fmt.Sprintf("tcp sport . tcp dport %s{ 1024-65535 . %d, 53 . 1-1024 }", g.eq(), port)
	case 28:
		if kind != "raw" {
			return fmt.Sprintf("ct original %s daddr %s%s", ip, g.eq(), target)
		}
	case 29:
		return fmt.Sprintf("%s saddr . %s daddr . tcp dport %s{ %s . %s . %d }", ip, ip, g.eq(), g.source(six), g.target(six), port)
	case 23:
		return fmt.Sprintf("%s saddr & %s == %s", ip, map[bool]string{true: "ffff:ffff:ffff::", false: "255.255.255.0"}[six], map[bool]string{true: "2001:db8:f::", false: "198.51.100.0"}[six])
	}
	return ""
}

func (g *nft) concatenation() string {
	if g.family == "ip6" {
		return fmt.Sprintf("ip6 saddr . tcp dport %s{ %s . %d, %s . 22-80 }", g.eq(), g.source(true), g.port(), "2001:db8:f::/64")
	}
	if g.sets && g.chance(2) {
		return fmt.Sprintf("ip saddr . %s dport %s@pairs", g.pick("tcp", "udp"), g.eq())
	}
	return fmt.Sprintf("iifname . ip saddr . th dport %s{ \"eth0\" . 198.51.100.0/24 . %d, \"eth1\" . 10.0.0.7 . 22-443 }", g.eq(), g.port())
}

// vmap draws a verdict map, now and then.
func (g *nft) vmap(kind string, targets []string) string {
	if kind == "nat" || kind == "raw" {
		return ""
	}
	act := func() string {
		if len(targets) > 0 && g.chance(2) {
			return g.pick("jump ", "jump ", "goto ") + g.pick(targets...)
		}
		return g.pick("accept", "drop", "continue", "return")
	}
	switch g.IntN(12) {
	case 0:
		return fmt.Sprintf("ct state vmap { established : accept, related : accept, invalid : drop, new : %s }", act())
	case 1:
		return fmt.Sprintf("tcp dport vmap { 22 : %s, 53-443 : %s, 8080 : %s }", act(), act(), act())
	case 2:
		return fmt.Sprintf("iifname vmap { \"eth0\" : %s, \"eth1\" : %s }", act(), act())
	case 3:
		if g.sets {
			return g.pick("tcp", "udp") + " dport vmap @acts"
		}
	case 4:
		if g.family != "ip6" {
			return fmt.Sprintf("ip saddr . meta l4proto vmap { 198.51.100.7 . tcp : %s, 198.51.100.8 . udp : %s }", act(), act())
		}
	}
	return ""
}

func (g *nft) verdict(kind string, targets []string) string {
	switch kind {
	case "raw":
		return g.pick("notrack", "drop", "accept")
	case "nat":
		return g.translation()
	}
	if len(targets) > 0 && g.chance(3) {
		return g.pick("jump ", "jump ", "jump ", "goto ") + g.pick(targets...)
	}
	if (kind == "input" || kind == "forward") && g.chance(8) {
		return "reject"
	}
	if g.chance(10) {
		return g.pick("return", "continue", "counter", "meta mark set 1", "tcp dport set 22", "ip daddr set 10.0.0.9", "log prefix \"accept\" accept")
	}
	return g.pick("accept", "accept", "accept", "drop", "drop")
}

// translation draws what a rule of a nat chain does, with what it must match.
func (g *nft) translation() string {
	six := g.six()
	to, ip := g.target(six), "ip"
	if six {
		ip = "ip6"
	}
	address := func(a netip.Addr) string {
		if six {
			return "[" + a.String() + "]"
		}
		return a.String()
	}
	dnat := "dnat to"
	if g.family == "inet" {
		dnat = "dnat " + ip + " to"
	}
	proto, only := g.pick("tcp", "udp"), g.only(six)
	switch g.IntN(6) {
	case 0:
		return "accept"
	case 1:
		return fmt.Sprintf("%s dport %d redirect to :%d", proto, g.port(), g.port())
	case 2:
		return fmt.Sprintf("%s%s %s", only, dnat, to)
	case 3:
		return fmt.Sprintf("%s%s %s dport map { 53 : %s, 80 : %s }", only, dnat, proto, to, g.target(six))
	}
	return fmt.Sprintf("%s%s dport %d %s %s:%d", only, proto, g.port(), dnat, address(to), g.port())
}

// only restricts a rule to one family where the table holds both.
func (g *nft) only(six bool) string {
	switch {
	case g.family != "inet":
		return ""
	case six:
		return "meta nfproto ipv6 "
	}
	return "meta nfproto ipv4 "
}
