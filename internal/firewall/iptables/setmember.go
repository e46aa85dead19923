package iptables

import (
	"slices"

	"reconshield/internal/firewall"
)

// firsts gives the first address of members as matches: those that stay, and
// those that may have expired.
func (s *ipSet) firsts(members []setMember, dir, expiring string) [][]firewall.Match {
	doubt := firewall.Match{Field: firewall.Undecidable, Why: expiring}
	temps, exceptions := 0, false
	for _, m := range members {
		if m.temp {
			temps++
		}
		exceptions = exceptions || m.nomatch
	}
	if s.dims[0] != "ip" && s.dims[0] != "net" {
		if temps == len(members) {
			return [][]firewall.Match{{doubt}}
		}
		return [][]firewall.Match{nil}
	}
	stay := mostSpecific(members)
	field := firewall.Src
	if dir == "dst" {
		field = firewall.Dst
	}
	var out [][]firewall.Match
	if temps == 0 {
		return append(out, []firewall.Match{{Field: field, Addrs: stay}})
	}
	spans := make([]firewall.Span[addr], 0, temps)
	for _, m := range members {
		if m.temp {
			spans = append(spans, m.first)
		}
	}
	may := firewall.NewSet(spans...)
	if exceptions {
		stay = stay.Subtract(may)
	} else {
		may = may.Subtract(stay)
	}
	if !stay.Empty() {
		out = append(out, []firewall.Match{{Field: field, Addrs: stay}})
	}
	if !may.Empty() {
		out = append(out, []firewall.Match{{Field: field, Addrs: may}, doubt})
	}
	return out
}

// mostSpecific unites the members that stay; inside a wider one, a nomatch
// member takes addresses out and a narrower member puts them back (ipset(8),
// hash:net).
func mostSpecific(members []setMember) firewall.Addrs {
	kept := make([]setMember, 0, len(members))
	exceptions := false
	for _, m := range members {
		if !m.temp {
			kept = append(kept, m)
			exceptions = exceptions || m.nomatch
		}
	}
	spans := make([]firewall.Span[addr], 0, len(kept))
	if !exceptions {
		for _, m := range kept {
			spans = append(spans, m.first)
		}
		return firewall.NewSet(spans...)
	}
	// Prefixes lie inside each other or apart, so a stack of those that are
	// open tells the most specific at every address.
	slices.SortStableFunc(kept, func(a, b setMember) int {
		if c := a.first.First.Compare(b.first.First); c != 0 {
			return c
		}
		return b.first.Last.Compare(a.first.Last)
	})
	var open []setMember
	var at addr
	emit := func(last addr, m setMember) {
		if !m.nomatch && at.IsValid() && at.Compare(last) <= 0 {
			spans = append(spans, firewall.Span[addr]{First: at, Last: last})
		}
	}
	closeTop := func() {
		top := open[len(open)-1]
		open = open[:len(open)-1]
		emit(top.first.Last, top)
		if next := top.first.Last.Next(); at.IsValid() && (!next.IsValid() || next.Compare(at) > 0) {
			at = next
		}
	}
	for _, m := range kept {
		for len(open) > 0 && open[len(open)-1].first.Last.Compare(m.first.First) < 0 {
			closeTop()
		}
		if len(open) > 0 && at.Compare(m.first.First) < 0 {
			emit(m.first.First.Prev(), open[len(open)-1])
		}
		at = m.first.First
		open = append(open, m)
	}
	for len(open) > 0 {
		closeTop()
	}
	return firewall.NewSet(spans...)
}

// conjunction is what members ask beside their first address.
func (s *ipSet) conjunction(dirs []string, key memberRest, words interner) []firewall.Match {
	var out []firewall.Match
	address := false
	for i, dim := range s.dims {
		source := dirs[i] == "src"
		switch dim {
		case "ip", "net":
			if address {
				out = append(out, addrMatch(source, firewall.NewSet(key.second)))
			}
			address = true
		case "port":
			out = append(out, s.portMatch(source, key)...)
		case "iface":
			out = append(out, ifaceMatch(source, key, words))
		default:
			out = append(out, firewall.Match{
				Field: firewall.Undecidable, Why: words.get("set " + clip(s.name, 64) + " asks for the packet's " + dim),
			})
		}
	}
	return out
}

func addrMatch(source bool, set firewall.Addrs) firewall.Match {
	if source {
		return firewall.Match{Field: firewall.Src, Addrs: set}
	}
	return firewall.Match{Field: firewall.Dst, Addrs: set}
}

func ifaceMatch(source bool, key memberRest, words interner) firewall.Match {
	name, field := key.iface, firewall.OutInterface
	if key.wildcard {
		name += "*"
	}
	if source {
		field = firewall.InInterface
	}
	return firewall.Match{Field: field, Names: []string{words.get(name)}}
}

// portMatch reads a port part. A set of ports alone holds for TCP and UDP
// (net/netfilter/ipset/ip_set_bitmap_port.c); the others know no ports of DCCP
// (ip_set_getport.c).
func (s *ipSet) portMatch(source bool, key memberRest) []firewall.Match {
	field := firewall.DstPort
	if source {
		field = firewall.SrcPort
	}
	numbers := firewall.NewSet(key.ports)
	if len(s.dims) == 1 {
		return []firewall.Match{
			{Field: firewall.Protocol, Numbers: firewall.NumbersOf(protoTCP, protoUDP)},
			{Field: field, Numbers: numbers},
		}
	}
	out := []firewall.Match{{Field: firewall.Protocol, Numbers: firewall.NumbersOf(key.proto)}}
	switch {
	case key.proto == protoICMP || key.proto == protoICMPv6:
		out = append(out, firewall.Match{Field: firewall.ICMPType, Numbers: numbers})
	case hasPorts(key.proto) && key.proto != protoDCCP:
		out = append(out, firewall.Match{Field: field, Numbers: numbers})
	}
	return out
}
