package packet

// MAC is a hardware address of Ethernet.
type MAC [6]byte

// group reports that frames to the address go to more than one station.
func (m MAC) group() bool { return m[0]&1 != 0 }

// Lengths of headers, in bytes.
const (
	etherLen = 14
	vlanLen  = 4
	arpLen   = 28
	ip4Len   = 20
	ip6Len   = 40
	tcpLen   = 20
	udpLen   = 8
	icmpLen  = 8
)

// EtherTypes.
const (
	etherIP4    = 0x0800
	etherARP    = 0x0806
	etherIP6    = 0x86dd
	etherVLAN   = 0x8100 // IEEE 802.1Q
	etherQinQ   = 0x88a8 // IEEE 802.1ad
	etherOldQin = 0x9100 // the same, before the standard
)

// Protocol numbers of IPv4's protocol and IPv6's next header field.
const (
	ProtoICMP   = 1
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoICMPv6 = 58
)

// TCP flags (RFC 9293 section 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Types of ICMP (RFC 792) and ICMPv6 (RFC 4443, RFC 4861).
const (
	icmp4EchoReply    = 0
	icmp4Unreachable  = 3
	icmp4Echo         = 8
	icmp4TimeExceeded = 11

	icmp6Unreachable  = 1
	icmp6TimeExceeded = 3
	icmp6Parameter    = 4
	icmp6Echo         = 128
	icmp6EchoReply    = 129
	icmp6Solicitation = 135
	icmp6Advertising  = 136
)

// Neighbour discovery's options (RFC 4861 section 4.6.1).
const (
	optSourceLink = 1
	optTargetLink = 2
)
