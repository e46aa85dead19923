package iptables

import (
	"strings"

	"reconshield/internal/firewall"
)

// transportOption reads the options of tcp, udp and the others with ports.
func (p *ruleParser) transportOption(name string, args []token) {
	switch name {
	case "sport", "source-port", "dport", "destination-port":
		field := firewall.DstPort
		if name[0] == 's' {
			field = firewall.SrcPort
		}
		if set, ok := p.r.ports(args[0].text, false); ok {
			p.add(firewall.Match{Field: field, Not: p.not, Numbers: set})
			return
		}
		p.problem("expected a port or a range of ports, found " + quote(args[0].text))
	case "syn":
		p.add(firewall.Match{Field: firewall.TCPFlags, Not: p.not, Numbers: p.r.flags("FIN,SYN,RST,ACK", "SYN")})
	case "tcp-flags":
		mask, ok1 := flagBits(args[0].text)
		want, ok2 := flagBits(args[1].text)
		switch {
		case !ok1 || !ok2:
			p.problem("expected TCP flags such as SYN,ACK, found " + quote(args[0].text+" "+args[1].text))
		case want&^mask != 0:
			// The kernel compares all bits of the second with those left of the
			// packet by the first.
			p.add(firewall.Match{Field: firewall.TCPFlags, Not: p.not})
		default:
			p.add(firewall.Match{Field: firewall.TCPFlags, Not: p.not, Numbers: p.r.flags(args[0].text, args[1].text)})
		}
	default:
		words := []byte(name)
		for _, a := range args {
			words = appendWord(words, a.text)
		}
		p.doubt(string(words) + " " + whyPacket)
	}
}

// flags gives the flag octets of two lists that flagBits understands.
func (r *reader) flags(mask, want string) firewall.Numbers {
	key := mask + " " + want
	if set, ok := r.caches.ports[key]; ok {
		return set
	}
	m, _ := flagBits(mask)
	w, _ := flagBits(want)
	set := firewall.FlagValues(m, w)
	keepIn(&r.caches.ports, key, set)
	return set
}

// flagBits reads "SYN,ACK", "ALL" (the six flags of RFC 793) or "NONE".
func flagBits(s string) (firewall.Number, bool) {
	var bits firewall.Number
	for name := range strings.SplitSeq(s, ",") {
		switch strings.ToUpper(name) {
		case "FIN":
			bits |= firewall.FIN
		case "SYN":
			bits |= firewall.SYN
		case "RST":
			bits |= firewall.RST
		case "PSH":
			bits |= firewall.PSH
		case "ACK":
			bits |= firewall.ACK
		case "URG":
			bits |= firewall.URG
		case "ALL":
			bits |= 0x3f
		case "NONE":
		default:
			return 0, false
		}
	}
	return bits, true
}

// ports reads a range, or with list what multiport takes.
func (r *reader) ports(s string, list bool) (firewall.Numbers, bool) {
	if !list && strings.Contains(s, ",") {
		return firewall.Numbers{}, false
	}
	if set, ok := r.caches.ports[s]; ok {
		return set, true
	}
	set, ok := parsePortList(s)
	if ok {
		keepIn(&r.caches.ports, s, set)
	}
	return set, ok
}

func (p *ruleParser) multiportOption(name, value string) {
	set, ok := p.r.ports(value, true)
	if !ok {
		p.problem("expected ports such as 22,80:90, found " + quote(value))
		return
	}
	switch name {
	case "sports", "source-ports":
		p.add(firewall.Match{Field: firewall.SrcPort, Not: p.not, Numbers: set})
	case "dports", "destination-ports":
		p.add(firewall.Match{Field: firewall.DstPort, Not: p.not, Numbers: set})
	case "ports":
		p.add(firewall.Match{Field: firewall.Tuple, Not: p.not, Tuples: [][]firewall.Match{
			{{Field: firewall.SrcPort, Numbers: set}},
			{{Field: firewall.DstPort, Numbers: set}},
		}})
	}
}

func (p *ruleParser) icmpOption(m *activeModule, value string) {
	set, all, ok := icmpTypes(value, m.mod.proto == uint8(protoICMPv6))
	switch {
	case !ok:
		p.problem("unknown ICMP type " + quote(value) + ": give its number")
	case all && p.not:
		p.add(never())
	case all:
	default:
		p.add(firewall.Match{Field: firewall.ICMPType, Not: p.not, Numbers: set})
	}
}

func (p *ruleParser) rangeOption(source bool, value string) {
	first, last, ok := parseRange(value, p.t.family)
	if !ok {
		p.problem("expected a range of addresses, found " + quote(value))
		return
	}
	field := firewall.Dst
	if source {
		field = firewall.Src
	}
	p.add(firewall.Match{Field: field, Not: p.not, Addrs: firewall.NewSet(firewall.Span[addr]{First: first, Last: last})})
}
