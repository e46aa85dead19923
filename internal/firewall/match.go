package firewall

// Field is what a match looks at.
type Field uint8

// Fields. The values they take are in Match.Addrs, Numbers, Names or Tuples, as
// said with each. Except for OrigDst and OrigDstPort, addresses and ports are
// those the packet has where the rule stands, after destination NAT.
//
// A port field never matches a packet without ports, whatever Not says: only
// TCP, UDP, SCTP, DCCP and UDP-Lite have them. A dialect adds the Protocol
// match that its syntax implies ("tcp dport" implies protocol 6), and in tables
// for both families the NFProto match that an address implies.
const (
	Src          Field = iota // Addrs
	Dst                       // Addrs
	OrigDst                   // Addrs: before destination NAT (ct original)
	SrcPort                   // Numbers 0-65535
	DstPort                   // Numbers
	OrigDstPort               // Numbers
	Protocol                  // Numbers 0-255: of the transport, after extension headers
	NFProto                   // Numbers: 4 or 6
	InInterface               // Names
	OutInterface              // Names
	State                     // Numbers: StateNew …, of connection tracking
	Status                    // Numbers: StatusDNAT, StatusNone: whether destination NAT was done
	DstLocal                  // nothing: Dst is an address of the host itself
	ICMPType                  // Numbers: type<<8|code, of ICMP or ICMPv6 as the packet's family says
	TCPFlags                  // Numbers 0-255: the values of the flags octet that match
	Tuple                     // Tuples: any one of several conjunctions
	Undecidable               // Why: cannot be known from the ruleset
	Presumed                  // Why: not to be known either, but taken to hold of every packet a question is about
)

// What is presumed of packets, the Why of field Presumed. A rule that looks for
// the opposite negates it.
const (
	PresumeReversePath = "packets are taken to come in where their sources are reached, so that reverse-path filters pass them; sources that are forged within the zone are not"
	PresumeUnicast     = "packets are taken to be sent to one host alone, not broadcast"
	PresumeHostSource  = "sources are taken to be addresses of single other hosts; the kernel refuses broadcast and its own addresses"
)

// States of connection tracking, the values of field State.
const (
	StateNew Number = iota
	StateEstablished
	StateRelated
	StateInvalid
	StateUntracked
)

// Values of field Status.
const (
	StatusNone Number = iota
	StatusDNAT
)

// Bits of the TCP flags octet (RFC 9293, section 3.1).
const (
	FIN Number = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// Match is one condition on a packet.
type Match struct {
	Field   Field
	Not     bool
	Addrs   Addrs
	Numbers Numbers
	Names   []string  // of interfaces; a closing "*" matches any rest, "*" alone every interface
	Tuples  [][]Match // any of these conjunctions; Not holds for the whole
	// Why tells of an Undecidable what cannot be known and why, in one line:
	// "limit 5/second depends on traffic". Of a Presumed it is one of the
	// constants beside it.
	Why string
}

// FlagValues is the set of flag octets of which the bits of mask are exactly
// those of want.
func FlagValues(mask, want Number) Numbers {
	var spans []Span[Number]
	for v := range Number(256) {
		if v&mask == want&mask {
			spans = append(spans, Span[Number]{v, v})
		}
	}
	return NewSet(spans...)
}

// UnitePorts makes one alternative of those that ask for destination ports of
// the same protocol and nothing else, so that long lists of ports stay small.
func UnitePorts(all [][]Match) [][]Match {
	at := map[Number]int{} // alternatives by protocol
	ports := map[Number][]Span[Number]{}
	var out [][]Match
	for _, m := range all {
		n, ok := portsOnly(m)
		if !ok {
			out = append(out, m)
			continue
		}
		if _, known := at[n]; !known {
			at[n] = len(out)
			out = append(out, m)
		}
		ports[n] = append(ports[n], m[1].Numbers.Spans()...)
	}
	for n, i := range at {
		out[i] = []Match{out[i][0], {Field: DstPort, Numbers: NewSet(ports[n]...)}}
	}
	return out
}

// portsOnly gives the protocol of matches on it and on destination ports.
func portsOnly(m []Match) (Number, bool) {
	if len(m) != 2 || m[0].Field != Protocol || m[1].Field != DstPort || m[0].Not || m[1].Not {
		return 0, false
	}
	spans := m[0].Numbers.Spans()
	if len(spans) != 1 || spans[0].First != spans[0].Last {
		return 0, false
	}
	return spans[0].First, true
}
