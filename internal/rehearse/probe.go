package rehearse

import "net/netip"

// Kind is what a probe asks.
type Kind uint8

// Kinds of probes.
const (
	// FirstPacket sends one packet and looks whether it arrives anywhere:
	// whether the kernel hands it to the host's own transport layer, behind
	// the input rules, or forwards it. Nobody need listen.
	FirstPacket Kind = iota
	// Conversation speaks with a listener of the stage: over TCP the
	// connection must stand and a byte come back, over UDP a datagram.
	Conversation
)

// Probe is one question to the rules. Its protocol is a number of IP:
// packet.ProtoTCP, packet.ProtoUDP, packet.ProtoICMP, 50 for ESP, or any other.
type Probe struct {
	Kind   Kind
	Zone   string
	Source netip.Addr // the zero Addr: the zone's first source of the target's family
	// SourcePort is also the identifier of an ICMP echo; 0: another for each
	// probe, from 32768 on. With a port of one's own a probe sent again is not
	// the first of its conversation, unless Stage.Forget is called between.
	SourcePort uint16
	Target     netip.Addr
	Port       uint16
	Protocol   uint8
	Flags      uint8  // of TCP; 0 stands for SYN
	ICMP       uint16 // type<<8 | code of ICMP and ICMPv6
}

// Outcome is what became of a probe.
type Outcome struct {
	// Delivered tells that the packet arrived. Of a conversation it is known
	// only that it arrived when an answer came.
	Delivered bool
	// Place is where: Loopback for the host itself, else the name of the
	// interface through which it was forwarded. Empty when not delivered and of
	// conversations.
	Place string
	// To is the destination that the packet carried on arrival, after
	// destination NAT. Of conversations it is not known.
	To netip.AddrPort
	// Answered tells that a conversation worked both ways.
	Answered bool
	// Refused tells that a conversation was refused at once, by a reset or an
	// ICMP error: by the rules, or because nobody listens.
	Refused bool
}
