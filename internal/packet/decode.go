package packet

import (
	"encoding/binary"
	"net/netip"
)

// What says which of the packets that can answer a probe was decoded, and so
// which fields are set.
type What uint8

// What is decoded.
const (
	Other     What = iota // nothing that answers a probe
	Segment               // TCP
	Datagram              // UDP
	EchoReply             // of ICMP or ICMPv6
	Error                 // an ICMP or ICMPv6 error about a packet, see Quote
	Neighbour             // an ARP reply or a neighbour advertisement
)

// Header is what is read of an IP packet's headers and its transport's. Fields
// that the packet has not are zero.
type Header struct {
	Src, Dst         netip.Addr
	Protocol         uint8 // of the transport, behind all extension headers
	HopLimit         uint8 // or TTL
	Partial          bool  // the rest of the packet is missing: a first fragment, or cut off
	ID               uint16
	FlowLabel        uint32
	SrcPort, DstPort uint16
	Seq, Ack         uint32 // of TCP; a quote has no Ack
	Flags            uint8  // of TCP; a quote has none
	Type, Code       uint8  // of ICMP and ICMPv6
	EchoID, EchoSeq  uint16
}

// Decoded is a packet that may answer a probe. It points into the bytes it was
// decoded from and is valid as long as they are.
type Decoded struct {
	Header
	What     What
	Quote    Header     // of an Error: the packet it is about
	Payload  []byte     // behind the headers; of an EchoReply its data
	Target   netip.Addr // of a Neighbour: who it is
	Hardware MAC        // of a Neighbour: where it is reached
}

// Frame decodes an Ethernet frame, with up to two VLAN tags. It reports false
// when nothing in it can answer a probe or it is damaged; d is then not to be
// used. It may be called again and again on the same d.
func (d *Decoded) Frame(b []byte) bool {
	if len(b) < etherLen {
		*d = Decoded{}
		return false
	}
	kind, rest := binary.BigEndian.Uint16(b[12:]), b[etherLen:]
	for range 2 {
		if kind != etherVLAN && kind != etherQinQ && kind != etherOldQin || len(rest) < vlanLen {
			break
		}
		kind, rest = binary.BigEndian.Uint16(rest[2:]), rest[vlanLen:]
	}
	switch kind {
	case etherARP:
		*d = Decoded{}
		return d.arp(rest)
	case etherIP4, etherIP6:
		return d.Packet(rest)
	}
	*d = Decoded{}
	return false
}

// Packet is Frame for a packet that begins with its IP header.
func (d *Decoded) Packet(b []byte) bool {
	*d = Decoded{}
	b, ok := d.network(b, false)
	if !ok {
		return false
	}
	switch {
	case d.Protocol == ProtoTCP:
		return d.segment(b)
	case d.Protocol == ProtoUDP:
		return d.datagram(b)
	case d.Protocol == ProtoICMP && d.Src.Is4():
		return d.icmp4(b)
	case d.Protocol == ProtoICMPv6 && d.Src.Is6():
		return d.icmp6(b)
	}
	return false
}

func (d *Decoded) segment(b []byte) bool {
	if len(b) < tcpLen {
		return false
	}
	length := int(b[12]>>4) * 4
	if length < tcpLen || length > len(b) {
		return false
	}
	ports := binary.BigEndian.Uint32(b)
	d.SrcPort, d.DstPort = uint16(ports>>16), uint16(ports)
	d.Seq, d.Ack, d.Flags = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:]), b[13]
	d.What, d.Payload = Segment, b[length:]
	return true
}

func (d *Decoded) datagram(b []byte) bool {
	if len(b) < udpLen {
		return false
	}
	d.SrcPort, d.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length < udpLen || length > len(b) && !d.Partial {
		return false
	}
	d.What, d.Payload = Datagram, b[udpLen:min(length, len(b))]
	return true
}
