package iptables

import (
	"fmt"
	"net/netip"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/netfilter"
	"reconshield/internal/policy"
)

// allow writes the rules of one Allow. Original ports are those before
// destination NAT.
func (t *rendering) allow(chain, verdict string, original bool, a firewall.Allow) {
	if len(t.own) == 0 || original && a.Transport == policy.ESP {
		return
	}
	for _, match := range renderFrom(a, t.family) {
		for _, ports := range renderPorts(a, original) {
			t.put("-A %s %s%s%s-j %s", chain, match, ports, renderComment(a), verdict)
		}
	}
}

// renderFrom gives the matches of interfaces and sources in one family, one for each
// rule that is needed, each with a closing blank or empty.
func renderFrom(a firewall.Allow, f firewall.Family) []string {
	sources, none := netfilter.Sources(a, f)
	if none {
		return nil
	}
	out := []string{""}
	if len(a.Interfaces) > 0 {
		out = nil
	}
	for _, name := range a.Interfaces {
		if name == "*" {
			out = []string{""}
			break
		}
		if prefix, pattern := strings.CutSuffix(name, "*"); pattern {
			name = prefix + "+"
		}
		out = append(out, "-i "+name+" ")
	}
	if len(sources) == 0 {
		return out
	}
	var both []string
	for _, in := range out {
		for _, s := range sources {
			both = append(both, "-s "+s.String()+" "+in)
		}
	}
	return both
}

// renderPorts gives the matches of transport and ports, each with a closing blank.
func renderPorts(a firewall.Allow, original bool) []string {
	if a.Transport == policy.ESP {
		return []string{"-p esp "}
	}
	if !original {
		return renderMultiport(a.Transport, a.Ports)
	}
	var out []string
	for _, r := range a.Ports {
		out = append(out, fmt.Sprintf("-p %s -m conntrack --ctorigdstport %s ", a.Transport, netfilter.Colon(r)))
	}
	return out
}

// renderMultiport gives the matches of ports in as few rules as it takes.
func renderMultiport(transport exposure.Transport, ports []firewall.PortRange) []string {
	var out []string
	for _, group := range netfilter.PortGroups(ports) {
		if len(group) == 1 {
			out = append(out, fmt.Sprintf("-p %s -m %s --dport %s ", transport, transport, netfilter.Colon(group[0])))
			continue
		}
		out = append(out, fmt.Sprintf("-p %s -m multiport --dports %s ", transport, netfilter.Colons(group)))
	}
	return out
}

// renderAddr is an address with the length of its family, as iptables-save has it.
func renderAddr(a netip.Addr) string { return netip.PrefixFrom(a, a.BitLen()).String() }

// renderComment fits the 255 characters of the comment match.
func renderComment(a firewall.Allow) string {
	return fmt.Sprintf("-m comment --comment \"%s\" ", netfilter.Why(a, 200))
}

// ICMPRules are the rules, a line each, that let pass what has to: errors (RFC
// 1191, RFC 4890 section 4.3.1), echo and, unless forwarded, what a link's
// neighbours say (RFC 4890 section 4.4.1).
func ICMPRules(chain string, f firewall.Family, forwarded bool) string {
	var b strings.Builder
	if f == firewall.IPv4 {
		b.WriteString("# Errors of path MTU discovery (RFC 1191) and their like; echo for whoever looks for a fault.\n")
		for _, kind := range []int{3, 11, 12, 8} {
			fmt.Fprintf(&b, "-A %s -p icmp -m icmp --icmp-type %d -j ACCEPT\n", chain, kind)
		}
		return b.String()
	}
	b.WriteString("# RFC 4890: errors (packet too big is 2) and echo.\n")
	for _, kind := range []int{1, 2, 3, 4, 128, 129} {
		fmt.Fprintf(&b, "-A %s -p ipv6-icmp -m icmp6 --icmpv6-type %d -j ACCEPT\n", chain, kind)
	}
	if forwarded {
		return b.String()
	}
	b.WriteString("# RFC 4890, section 4.4.1: neighbour discovery, only from this link.\n")
	for _, kind := range []int{133, 134, 135, 136, 141, 142, 148, 149} {
		fmt.Fprintf(&b, "-A %s -p ipv6-icmp -m icmp6 --icmpv6-type %d -m hl --hl-eq 255 -j ACCEPT\n", chain, kind)
	}
	b.WriteString("# Multicast listeners and routers of this link.\n")
	for _, kind := range []int{130, 131, 132, 143, 151, 152, 153} {
		fmt.Fprintf(&b, "-A %s -s fe80::/10 -p ipv6-icmp -m icmp6 --icmpv6-type %d -j ACCEPT\n", chain, kind)
	}
	return b.String()
}

// LimitRules drop what a source opens of DNS above the plan's limit; empty when
// there is none. Original ports are those before destination NAT.
func LimitRules(p firewall.Plan, f firewall.Family, chain string, original bool) string {
	if p.Limit == nil || !netfilter.ServesDNS(p) || len(netfilter.Addresses(p, f)) == 0 {
		return ""
	}
	name, mask := "reconshield4", 32
	if f == firewall.IPv6 {
		name, mask = "reconshield6", 64
	}
	limit := fmt.Sprintf("-m hashlimit --hashlimit-above %d/sec --hashlimit-burst %d --hashlimit-mode srcip --hashlimit-name %s "+
		"--hashlimit-srcmask %d --hashlimit-htable-max 262144 --hashlimit-htable-expire 10000 -j DROP",
		p.Limit.PerSecond, p.Limit.Burst, name, mask)
	var b strings.Builder
	b.WriteString("# A backstop. Sources can be forged, so that whoever is imitated is shut out: keep it far above honest traffic.\n")
	for _, transport := range []exposure.Transport{exposure.UDP, exposure.TCP} {
		for _, match := range renderPorts(firewall.Allow{Transport: transport, Ports: netfilter.DNSPorts()}, original) {
			fmt.Fprintf(&b, "-A %s %s%s\n", chain, match, limit)
		}
	}
	return b.String()
}

// DockerRules is a filter table for iptables-restore --noflush that lets
// DOCKER-USER judge what the plan says of containers, by the address and port
// before destination NAT. Docker asks that chain before its own, so RETURN
// leaves a packet to Docker, and its networks stay apart.
func DockerRules(p firewall.Plan, f firewall.Family) string {
	t := newRendering(p, f)
	t.put("*filter")
	for _, chain := range t.chains() {
		if chain != renderAssetChain {
			t.put(":%s - [0:0]", chain)
		}
	}
	t.dockerRules()
	t.outgoing("RETURN")
	t.dns()
	t.put("COMMIT")
	return t.String()
}

func (t *rendering) dockerRules() {
	t.note("Docker asks this chain before its own; RETURN leaves a packet to Docker.")
	t.put("-A %s -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN", renderDockerChain)
	t.WriteString(strings.ReplaceAll(ICMPRules(renderDockerChain, t.family, true), "-j ACCEPT", "-j RETURN"))
	t.put("-A %s -m conntrack --ctstate INVALID -j DROP", renderDockerChain)
	t.note("Published ports, by the address and port that the client asked for.")
	for _, addr := range t.own {
		t.put("-A %s -m conntrack --ctstate DNAT --ctorigdst %s -g %s", renderDockerChain, renderAddr(addr), renderPublishedChain)
	}
	for _, name := range netfilter.ContainerBridges() {
		for _, match := range renderFrom(firewall.Allow{Interfaces: []string{name}}, t.family) {
			t.put("-A %s %s-g %s", renderDockerChain, match, renderOutChain)
		}
	}
	t.put("-A %s -j DROP", renderDockerChain)
	t.WriteString(LimitRules(t.plan, t.family, renderPublishedChain, true))
	for _, a := range t.plan.Allows {
		t.allow(renderPublishedChain, "RETURN", true, a)
	}
	t.put("-A %s -j DROP", renderPublishedChain)
}

// RedirectTable is a nat table for iptables-restore that sends plain DNS of
// everybody else to the first resolver; empty when the plan does not.
func RedirectTable(p firewall.Plan, f firewall.Family) string {
	t := newRendering(p, f)
	t.redirect()
	return t.String()
}

// redirect is the nat table that sends plain DNS of everybody else to the first
// resolver. Loaded with --noflush a second time it adds further jumps, which
// find nothing left to do.
func (t *rendering) redirect() {
	if !netfilter.Redirects(t.plan, t.family) {
		return
	}
	t.put("*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]")
	t.put(":%s - [0:0]", renderRedirectChain)
	for _, transport := range []string{"udp", "tcp"} {
		for _, match := range t.clients() {
			t.put("-A PREROUTING %s-p %s -m %s --dport 53 -j %s", match, transport, transport, renderRedirectChain)
		}
		if t.controlsOwn() {
			t.put("-A OUTPUT ! -o lo -p %s -m %s --dport 53 -j %s", transport, transport, renderRedirectChain)
		}
	}
	t.note("Queries of and to approved resolvers, and those to the asset, stay as they are.")
	resolvers := netfilter.Resolvers(t.plan, t.family)
	for _, r := range resolvers {
		t.put("-A %s -s %s -j RETURN\n-A %s -d %s -j RETURN", renderRedirectChain, renderAddr(r), renderRedirectChain, renderAddr(r))
	}
	for _, addr := range t.own {
		t.put("-A %s -d %s -j RETURN", renderRedirectChain, renderAddr(addr))
	}
	t.ownQueries(renderRedirectChain, "RETURN")
	t.peers(renderRedirectChain, "RETURN")
	for _, transport := range []string{"udp", "tcp"} {
		t.put("-A %s -p %s -j DNAT --to-destination %s", renderRedirectChain, transport, resolvers[0])
		t.put("-A POSTROUTING -d %s -p %s -m %s --dport 53 -m conntrack --ctstate DNAT -j MASQUERADE", renderAddr(resolvers[0]), transport, transport)
	}
	t.put("COMMIT")
}

// clients are the matches of those whose queries are sent elsewhere.
func (t *rendering) clients() []string {
	var out []string
	if t.plan.Docker {
		out = append(out, renderFrom(firewall.Allow{Interfaces: netfilter.ContainerBridges()}, t.family)...)
	}
	if t.plan.Place == firewall.OnGateway {
		for _, addr := range t.own {
			out = append(out, "-s "+renderAddr(addr)+" ")
		}
		for _, zone := range netfilter.Inside(t.plan) {
			out = append(out, renderFrom(zone, t.family)...)
		}
	}
	return out
}
