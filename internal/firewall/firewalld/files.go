package firewalld

import (
	"encoding/xml"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/exposure"
	"reconshield/internal/firewall"
	"reconshield/internal/firewall/netfilter"
	"reconshield/internal/policy"
)

// zone is a zone of firewalld: interfaces that let in the same.
type zone struct {
	name       string
	interfaces []string
	allows     []firewall.Allow
}

// zonesOf groups interfaces by what is allowed on them, for firewalld has every
// interface in one zone while a plan may tell several by their sources. What is
// allowed on any interface stands in a policy.
func zonesOf(p firewall.Plan) []*zone {
	var order []string
	allowed := map[string][]int{}
	for i, a := range p.Allows {
		if anywhere(a) {
			continue
		}
		for _, name := range a.Interfaces {
			if allowed[name] == nil {
				order = append(order, name)
			}
			if !slices.Contains(allowed[name], i) {
				allowed[name] = append(allowed[name], i)
			}
		}
	}
	var out []*zone
	groups := map[string]*zone{}
	for _, name := range order {
		key := fmt.Sprint(allowed[name])
		z := groups[key]
		if z == nil {
			z = &zone{}
			for _, i := range allowed[name] {
				z.allows = append(z.allows, p.Allows[i])
			}
			groups[key] = z
			out = append(out, z)
		}
		z.interfaces = append(z.interfaces, name)
	}
	for i, z := range out {
		z.name = zoneName(z, i, out)
	}
	return out
}

func anywhere(a firewall.Allow) bool {
	return len(a.Interfaces) == 0 || slices.Contains(a.Interfaces, "*")
}

// zoneName is that of the one zone of the policy, if it is one and fits, and
// else a number.
func zoneName(z *zone, i int, all []*zone) string {
	const longest = 17
	name := "rs-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, z.allows[0].Zone)
	one := !slices.ContainsFunc(z.allows, func(a firewall.Allow) bool { return a.Zone != z.allows[0].Zone })
	taken := slices.ContainsFunc(all[:i], func(o *zone) bool { return o.name == name })
	if !one || taken || len(name) > longest || name == closedZone {
		return fmt.Sprintf("rs-zone%d", i+1)
	}
	return name
}

// pattern is an interface's name as firewalld has it.
func pattern(name string) string {
	if prefix, ok := strings.CutSuffix(name, "*"); ok {
		return prefix + "+"
	}
	return name
}

// document is an XML file in the making.
type document struct{ strings.Builder }

func (d *document) put(format string, args ...any) {
	d.WriteString(fmt.Sprintf(format, args...) + "\n")
}

// note is a comment, which must hold no two hyphens in a row.
func (d *document) note(text string) {
	for strings.Contains(text, "--") {
		text = strings.ReplaceAll(text, "--", "-")
	}
	d.put("  <!-- %s -->", strings.TrimSuffix(text, "-"))
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

func (d *document) head(p firewall.Plan, short string) {
	d.put("  <short>%s</short>", short)
	d.put("  <description>%s</description>", escape(strings.Join(netfilter.Head(p), " ")))
}

func (z *zone) text(p firewall.Plan) string {
	d := &document{}
	d.put(`<?xml version="1.0" encoding="utf-8"?>`)
	d.put(`<zone target="DROP">`)
	d.head(p, z.name)
	for _, name := range z.interfaces {
		d.put(`  <interface name="%s"/>`, pattern(name))
	}
	for _, a := range z.allows {
		d.allow(p, a)
	}
	d.put("</zone>")
	return d.String()
}

// inText is the policy of what holds whatever the interface: it runs before
// the zones.
func inText(p firewall.Plan) string {
	d := &document{}
	d.put(`<?xml version="1.0" encoding="utf-8"?>`)
	d.put(`<policy priority="-100" target="CONTINUE">`)
	d.head(p, inPolicy)
	d.put(`  <ingress-zone name="ANY"/>` + "\n" + `  <egress-zone name="HOST"/>`)
	d.note("Errors of path MTU discovery (RFC 1191, RFC 4890 section 4.4) and their like, and echo.")
	for _, name := range []string{"destination-unreachable", "time-exceeded", "parameter-problem", "echo-request"} {
		d.put(`  <rule><icmp-type name="%s"/><accept/></rule>`, name)
	}
	for _, name := range []string{"packet-too-big", "neighbour-solicitation", "neighbour-advertisement", "router-advertisement", "router-solicitation"} {
		d.put(`  <rule family="ipv6"><icmp-type name="%s"/><accept/></rule>`, name)
	}
	d.note("Multicast listeners of this link, for which firewalld has no types.")
	d.put(`  <rule family="ipv6"><source address="fe80::/10"/><protocol value="ipv6-icmp"/><accept/></rule>`)
	for _, a := range p.Allows {
		if anywhere(a) {
			d.allow(p, a)
		}
	}
	d.put("</policy>")
	return d.String()
}

// dnsText is the policy of the host's own queries. firewalld lets pass loopback
// and replies before.
func dnsText(p firewall.Plan) string {
	d := &document{}
	d.put(`<?xml version="1.0" encoding="utf-8"?>`)
	d.put(`<policy priority="-100" target="CONTINUE">`)
	d.head(p, dnsPolicy)
	d.put(`  <ingress-zone name="HOST"/>` + "\n" + `  <egress-zone name="ANY"/>`)
	d.note("Only approved resolvers ask servers outside; everybody else asks them.")
	for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
		var servers []string
		for _, r := range netfilter.Resolvers(p, f) {
			servers = append(servers, single(r))
		}
		for _, n := range p.DNS.PeersOf(f) { // for notifications and transfers
			servers = append(servers, n.String())
		}
		for _, n := range servers {
			for _, port := range dnsPorts() {
				d.put(`  <rule priority="-1" family="%s"><destination address="%s"/>%s<accept/></rule>`, word(f), n, port)
			}
		}
	}
	for _, port := range dnsPorts() {
		d.put(`  <rule priority="1">%s<reject/></rule>`, port)
	}
	d.put("</policy>")
	return d.String()
}

func dnsPorts() []string {
	var out []string
	for _, transport := range []exposure.Transport{exposure.UDP, exposure.TCP} {
		for _, r := range netfilter.DNSPorts() {
			out = append(out, port(transport, r))
		}
	}
	return out
}

// allow writes the rich rules of one Allow, each with one source, one target
// and one port.
func (d *document) allow(p firewall.Plan, a firewall.Allow) {
	d.note(escape(netfilter.Why(a, 1000)))
	for _, f := range []firewall.Family{firewall.IPv4, firewall.IPv6} {
		sources, none := netfilter.Sources(a, f)
		if none {
			continue
		}
		words := []string{""}
		if len(sources) > 0 {
			words = nil
		}
		for _, s := range sources {
			words = append(words, fmt.Sprintf(`<source address="%s"/>`, s))
		}
		for _, target := range netfilter.Addresses(p, f) {
			for _, source := range words {
				for _, element := range elements(a) {
					d.put(`  <rule family="%s">%s<destination address="%s"/>%s<accept/></rule>`, word(f), source, single(target), element)
				}
			}
		}
	}
}

func elements(a firewall.Allow) []string {
	if a.Transport == policy.ESP {
		return []string{`<protocol value="esp"/>`}
	}
	out := make([]string, len(a.Ports))
	for i, r := range a.Ports {
		out[i] = port(a.Transport, r)
	}
	return out
}

func port(t exposure.Transport, r firewall.PortRange) string {
	return fmt.Sprintf(`<port port="%s" protocol="%s"/>`, r, t)
}

func word(f firewall.Family) string {
	if f == firewall.IPv6 {
		return "ipv6"
	}
	return "ipv4"
}

// single is an address with the length of its family.
func single(a netip.Addr) string { return netip.PrefixFrom(a, a.BitLen()).String() }
