package iptables

import (
	"net/netip"
	"slices"
	"strings"

	"reconshield/internal/firewall"
)

// add reads the entry and its options.
func (r *setReader) add(set *ipSet, words []token, line string) {
	m := setMember{temp: set.expires}
	wildcard := false
	for i := 1; i < len(words); i++ {
		switch words[i].text {
		case "nomatch":
			m.nomatch = true
		case "wildcard":
			wildcard = true
		case "timeout":
			if i++; i < len(words) {
				m.temp = words[i].text != "0"
			}
		case "packets", "bytes", "comment", "skbmark", "skbprio", "skbqueue", "before", "after":
			i++
		default:
			r.spoil(set, line)
			return
		}
	}
	entry := words[0].text
	if len(set.dims) == 1 && set.dims[0] == "set" {
		if m.temp {
			set.problem = "member " + clip(entry, 40) + " of the list expires"
		}
		if r.total++; !slices.Contains(set.names, entry) && len(set.names) < maxListed {
			set.names = append(set.names, strings.Clone(entry))
		} else if len(set.names) == maxListed {
			set.problem = "the list has too many members"
		}
		return
	}
	if !r.entry(set, m, entry, wildcard) {
		r.spoil(set, line)
	}
}

// entry reads "192.0.2.1,tcp:80,10.0.0.0/8" as the set's dimensions say.
func (r *setReader) entry(set *ipSet, m setMember, entry string, wildcard bool) bool {
	rest := memberRest{wildcard: wildcard}
	firsts := []firewall.Span[addr]{{}}
	address := false
	for _, dim := range set.dims {
		var part string
		part, entry, _ = strings.Cut(entry, ",")
		ok := part != ""
		switch dim {
		case "ip", "net":
			var spans []firewall.Span[addr]
			spans, ok = set.spans(part, dim)
			if !address {
				firsts, address = spans, true
			} else if ok = ok && len(spans) == 1; ok {
				rest.second = spans[0]
			}
		case "port":
			rest.proto, rest.ports, ok = setPort(part)
		case "iface":
			rest.iface = r.words.get(part)
			ok = part != "" && !strings.HasPrefix(part, "physdev:")
		}
		if !ok {
			return false
		}
	}
	if len(set.dims) > 1 || set.dims[0] == "port" {
		m.more = &rest
	}
	for _, span := range firsts {
		m.first = span
		set.members = append(set.members, m)
		r.total++
	}
	return entry == ""
}

// spans reads an address, a prefix or a range. A range of networks is the
// prefixes that make it up, as ipset adds it.
func (s *ipSet) spans(text, dim string) ([]firewall.Span[addr], bool) {
	if strings.Contains(text, "-") {
		first, last, ok := parseRange(text, s.family)
		if !ok {
			return nil, false
		}
		span := firewall.Span[addr]{First: first, Last: last}
		if dim == "ip" && s.netmask == 0 {
			return []firewall.Span[addr]{span}, true
		}
		var out []firewall.Span[addr]
		for _, p := range firewall.Prefixes(firewall.NewSet(span)) {
			out = append(out, s.masked(p, dim))
		}
		return out, true
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return nil, false
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if firewall.FamilyOf(p.Addr()) != s.family {
		return nil, false
	}
	return []firewall.Span[addr]{s.masked(p, dim)}, true
}

func (s *ipSet) masked(p netip.Prefix, dim string) firewall.Span[addr] {
	if dim == "ip" && s.netmask > 0 && s.netmask < p.Bits() {
		p = netip.PrefixFrom(p.Addr(), s.netmask)
	}
	return firewall.PrefixSpan(p.Masked())
}

// setPort reads "80", "80-90", "udp:53", "icmp:8/0", "icmpv6:echo-request",
// "gre:0".
func setPort(s string) (proto firewall.Number, span firewall.Span[firewall.Number], ok bool) {
	name, port, named := strings.Cut(s, ":")
	if !named {
		name, port = "tcp", s
	}
	proto, all, ok := protocolNumber(name)
	if !ok || all {
		return proto, span, false
	}
	if proto == protoICMP || proto == protoICMPv6 {
		set, all, ok := icmpTypes(port, proto == protoICMPv6)
		if !ok || all {
			return proto, span, false
		}
		// A name without a code stands for code 0 here.
		span = set.Spans()[0]
		if strings.Contains(port, "/") {
			return proto, span, true
		}
		_, numeric := parsePort(port)
		return proto, firewall.Span[firewall.Number]{First: span.First, Last: span.First}, !numeric
	}
	first, last, ranged := strings.Cut(port, "-")
	if !ranged {
		last = first
	}
	a, ok1 := parsePort(first)
	b, ok2 := parsePort(last)
	return proto, firewall.Span[firewall.Number]{First: firewall.Number(a), Last: firewall.Number(b)}, ok1 && ok2 && a <= b
}
