package nft

import (
	"slices"
	"strings"

	"reconshield/internal/firewall"
)

// subject is what a selector means in the model.
type subject struct {
	field   firewall.Field
	dt      dtype
	implied []firewall.Match // what nft itself checks before
	// project maps values of nft to those of the field; nil: they are the same.
	project func(firewall.Numbers) firewall.Numbers
	role    role
	why     string // set: cannot be decided
}

// role marks subjects that need more than a field.
type role uint8

const (
	plain       role = iota
	anyPorts         // th: the protocol may have no ports
	firstHeader      // ip6 nexthdr
	fibLocal         // fib daddr type
	ctStatusBit      // ct status
	ctDir            // ct direction
	reversePath      // fib saddr . iif oif
	packetType       // meta pkttype
)

// transports are the protocols with ports.
func transports() firewall.Numbers { return firewall.NumbersOf(6, 17, 33, 132, 136) }

func protoIs(n firewall.Number) firewall.Match {
	return firewall.Match{Field: firewall.Protocol, Numbers: firewall.NumbersOf(n)}
}

func familyIs(n firewall.Number) firewall.Match {
	return firewall.Match{Field: firewall.NFProto, Numbers: firewall.NumbersOf(n)}
}

// tracked is what ct expressions other than the state need: they do not match
// packets without a conversation (nft_ct.c: NFT_BREAK).
func tracked() firewall.Match {
	return firewall.Match{Field: firewall.State, Numbers: firewall.NumbersOf(firewall.StateNew, firewall.StateEstablished, firewall.StateRelated)}
}

// subject is subjectOf, worked out once for a selector. The caller must not
// change what it holds.
func (b *builder) subject(sel string) *subject {
	s, ok := b.subjects[sel]
	if !ok {
		made := subjectOf(sel)
		made.implied = slices.Clip(made.implied)
		s = &made
		if len(b.subjects) < maxIntern {
			b.subjects[sel] = s
		}
	}
	return s
}

// subjectOf gives the meaning of a selector in nft's words.
func subjectOf(sel string) subject {
	switch sel {
	case "ip saddr":
		return subject{field: firewall.Src, dt: typeOf("ipv4_addr"), implied: []firewall.Match{familyIs(4)}}
	case "ip daddr":
		return subject{field: firewall.Dst, dt: typeOf("ipv4_addr"), implied: []firewall.Match{familyIs(4)}}
	case "ip6 saddr":
		return subject{field: firewall.Src, dt: typeOf("ipv6_addr"), implied: []firewall.Match{familyIs(6)}}
	case "ip6 daddr":
		return subject{field: firewall.Dst, dt: typeOf("ipv6_addr"), implied: []firewall.Match{familyIs(6)}}
	case "ip protocol":
		return subject{field: firewall.Protocol, dt: typeOf("inet_proto"), implied: []firewall.Match{familyIs(4)}}
	case "ip6 nexthdr":
		return subject{field: firewall.Protocol, dt: typeOf("inet_proto"), implied: []firewall.Match{familyIs(6)}, role: firstHeader}
	case "meta l4proto":
		return subject{field: firewall.Protocol, dt: typeOf("inet_proto")}
	case "meta nfproto":
		return subject{field: firewall.NFProto, dt: typeOf("nf_proto"), project: pairs(2, 4, 10, 6)}
	case "meta protocol":
		return subject{field: firewall.NFProto, dt: typeOf("ether_type"), project: pairs(0x0800, 4, 0x86dd, 6)}
	case "meta iif", "meta iifname":
		return subject{field: firewall.InInterface, dt: typeOf("ifname")}
	case "meta oif", "meta oifname":
		return subject{field: firewall.OutInterface, dt: typeOf("ifname")}
	case "tcp flags":
		return subject{field: firewall.TCPFlags, dt: typeOf("tcp_flag"), implied: []firewall.Match{protoIs(6)}}
	case "th sport":
		return subject{field: firewall.SrcPort, dt: typeOf("inet_service"), role: anyPorts}
	case "th dport":
		return subject{field: firewall.DstPort, dt: typeOf("inet_service"), role: anyPorts}
	case "fib saddr . iif oif", "fib saddr . mark . iif oif":
		return subject{dt: typeOf("boolean"), role: reversePath}
	case "meta pkttype":
		return subject{dt: typeOf("pkt_type"), role: packetType}
	case "fib daddr type":
		return subject{field: firewall.DstLocal, dt: typeOf("fib_addrtype"), role: fibLocal}
	}
	if s, ok := icmpSubject(sel); ok {
		return s
	}
	if s, ok := portSubject(sel); ok {
		return s
	}
	if rest, ok := strings.CutPrefix(sel, "ct "); ok {
		return ctSubject(sel, rest)
	}
	return subject{why: whyNot(sel), implied: impliedBy(sel)}
}

// impliedBy gives what nft checks before it reads a field that the model does
// not have: a rule about the length of UDP says nothing of TCP.
func impliedBy(sel string) []firewall.Match {
	first, rest, _ := strings.Cut(sel, " ")
	switch first {
	case "ip":
		return []firewall.Match{familyIs(4)}
	case "ip6", "exthdr", "frag", "hbh", "dst", "mh", "srh":
		return []firewall.Match{familyIs(6)}
	case "rt":
		if rest == "type" || rest == "hdrlength" || rest == "seg-left" {
			return []firewall.Match{familyIs(6)}
		}
	case "icmp":
		return []firewall.Match{familyIs(4), protoIs(1)}
	case "icmpv6":
		return []firewall.Match{familyIs(6), protoIs(58)}
	case "igmp":
		return []firewall.Match{familyIs(4), protoIs(2)}
	case "tcp":
		// That an option is missing is true of all protocols but TCP, too
		// (nft_exthdr.c); that a field of it has a value is not.
		if option, ok := strings.CutPrefix(rest, "option "); !ok || strings.Contains(option, " ") {
			return []firewall.Match{protoIs(6)}
		}
	case "udp", "udplite", "sctp", "dccp", "ah", "esp", "comp":
		if n, ok := protocolNumber(first); ok && !strings.HasPrefix(rest, "chunk") && !strings.HasPrefix(rest, "option") {
			return []firewall.Match{protoIs(n)}
		}
	}
	return nil
}

func icmpSubject(sel string) (subject, bool) {
	v4 := func() []firewall.Match { return []firewall.Match{familyIs(4), protoIs(1)} }
	v6 := func() []firewall.Match { return []firewall.Match{familyIs(6), protoIs(58)} }
	switch sel {
	case "icmp type":
		return subject{field: firewall.ICMPType, dt: typeOf("icmp_type"), implied: v4(), project: typesOfICMP}, true
	case "icmp code":
		return subject{field: firewall.ICMPType, dt: typeOf("icmp_code"), implied: v4(), project: codesOfICMP}, true
	case "icmpv6 type":
		return subject{field: firewall.ICMPType, dt: typeOf("icmpv6_type"), implied: v6(), project: typesOfICMP}, true
	case "icmpv6 code":
		return subject{field: firewall.ICMPType, dt: typeOf("icmpv6_code"), implied: v6(), project: codesOfICMP}, true
	}
	return subject{}, false
}

func portSubject(sel string) (subject, bool) {
	transport, end, _ := strings.Cut(sel, " ")
	var n firewall.Number
	switch transport {
	case "tcp":
		n = 6
	case "udp":
		n = 17
	case "dccp":
		n = 33
	case "sctp":
		n = 132
	case "udplite":
		n = 136
	default:
		return subject{}, false
	}
	s := subject{dt: typeOf("inet_service"), implied: []firewall.Match{protoIs(n)}}
	switch end {
	case "sport":
		s.field = firewall.SrcPort
	case "dport":
		s.field = firewall.DstPort
	default:
		return subject{}, false
	}
	return s, true
}

// ctSubject reads a selector of connection tracking. Only first packets of a
// conversation are asked about, for which the original source is the source
// the packet still has.
func ctSubject(sel, rest string) subject {
	switch rest {
	case "state":
		return subject{field: firewall.State, dt: typeOf("ct_state"), project: pairs(
			8, firewall.StateNew, 2, firewall.StateEstablished, 4, firewall.StateRelated,
			1, firewall.StateInvalid, 64, firewall.StateUntracked)}
	case "status":
		return subject{field: firewall.Status, dt: typeOf("ct_status"), implied: []firewall.Match{tracked()}, role: ctStatusBit}
	case "direction":
		return subject{field: firewall.State, dt: typeOf("ct_dir"), implied: []firewall.Match{tracked()}, role: ctDir}
	}
	rest, original := strings.CutPrefix(rest, "original ")
	if !original {
		return subject{why: whyNot(sel)}
	}
	s := subject{implied: []firewall.Match{tracked()}}
	switch rest {
	case "ip saddr":
		s.field, s.dt, s.implied = firewall.Src, typeOf("ipv4_addr"), append(s.implied, familyIs(4))
	case "ip6 saddr":
		s.field, s.dt, s.implied = firewall.Src, typeOf("ipv6_addr"), append(s.implied, familyIs(6))
	case "ip daddr":
		s.field, s.dt, s.implied = firewall.OrigDst, typeOf("ipv4_addr"), append(s.implied, familyIs(4))
	case "ip6 daddr":
		s.field, s.dt, s.implied = firewall.OrigDst, typeOf("ipv6_addr"), append(s.implied, familyIs(6))
	case "proto-src":
		s.field, s.dt = firewall.SrcPort, typeOf("inet_service")
	case "proto-dst":
		s.field, s.dt = firewall.OrigDstPort, typeOf("inet_service")
	default:
		return subject{why: whyNot(sel)}
	}
	return s
}

// pairs maps single values: from, to, from, to. Others map to nothing.
func pairs(list ...firewall.Number) func(firewall.Numbers) firewall.Numbers {
	return func(in firewall.Numbers) firewall.Numbers {
		var out []firewall.Number
		for p := range slices.Chunk(list, 2) {
			if in.Contains(p[0]) {
				out = append(out, p[1])
			}
		}
		return firewall.NumbersOf(out...)
	}
}

// typesOfICMP gives type and code for all codes of the types.
func typesOfICMP(in firewall.Numbers) firewall.Numbers {
	spans := make([]firewall.Span[firewall.Number], 0, len(in.Spans()))
	for _, s := range in.Spans() {
		spans = append(spans, firewall.Span[firewall.Number]{First: min(s.First, 255) << 8, Last: min(s.Last, 255)<<8 | 255})
	}
	return firewall.NewSet(spans...)
}

// codesOfICMP gives type and code for the codes of all types.
func codesOfICMP(in firewall.Numbers) firewall.Numbers {
	var spans []firewall.Span[firewall.Number]
	for t := range firewall.Number(256) {
		for _, s := range in.Spans() {
			spans = append(spans, firewall.Span[firewall.Number]{First: t<<8 | min(s.First, 255), Last: t<<8 | min(s.Last, 255)})
		}
	}
	return firewall.NewSet(spans...)
}

// whyNot says why a selector cannot be decided.
func whyNot(sel string) string {
	first, rest, _ := strings.Cut(sel, " ")
	switch first {
	case "meta":
		return whyNotMeta(sel, rest)
	case "ct":
		return sel + " depends on the conversation or on what rules and programs set"
	case "fib":
		return sel + " depends on the routes and addresses of the host"
	case "ether", "vlan", "arp", "ibrname", "obrname":
		return sel + " is of the link layer"
	case "socket":
		return sel + " depends on the sockets open at the time"
	case "rt":
		return sel + " depends on routes or extension headers"
	case "osf":
		return sel + " guesses the sender's system"
	case "numgen", "jhash", "symhash":
		return first + " spreads packets by chance"
	case "ipsec":
		return sel + " depends on IPsec"
	case "tcp", "ip", "ip6", "udp", "sctp", "dccp", "udplite", "icmp", "icmpv6", "igmp", "exthdr", "frag", "hbh", "dst", "mh", "srh", "ah", "esp", "comp", "gre", "gretap", "vxlan", "geneve":
		return sel + " is a part of the packet that the sender chooses and no question names"
	}
	return sel + " is not a part of the model"
}

func whyNotMeta(sel, key string) string {
	switch key {
	case "mark":
		return "a packet's mark depends on what rules and programs set before"
	case "skuid", "skgid", "cgroup", "rtclassid":
		return sel + " depends on the program that sends"
	case "hour", "day", "time":
		return sel + " depends on the time"
	case "pkttype":
		return "meta pkttype depends on the link-layer address"
	case "length":
		return "meta length depends on the size of the packet"
	case "random":
		return "meta random is chance"
	case "iifgroup", "oifgroup", "iiftype", "oiftype", "iifkind", "oifkind", "sdif", "sdifname":
		return sel + " depends on how interfaces are set up"
	}
	return sel + " is not a part of the model"
}

// localDst is "fib daddr type local": the packet is for an address of the host.
func localDst(not bool) firewall.Match { return firewall.Match{Field: firewall.DstLocal, Not: not} }
