package rehearse

import (
	"encoding/binary"
	"net/netip"

	"reconshield/internal/packet"
)

// mark is what a packet of a stage carries to be known by: a number that no
// other stage has, and the probe's own. Firewalls change neither.
type mark struct{ nonce, id uint32 }

const markLen = 8

func (m mark) append(b []byte) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, m.nonce), m.id)
}

func markOf(b []byte) mark {
	return mark{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

// Lengths of headers and offsets in them, in bytes (RFC 791, 8200, 9293, 768,
// 792, 4443).
const (
	ip4Len, ip6Len   = 20, 40
	tcpLen, udpLen   = 20, 8
	tcpMark          = 4 // sequence and acknowledgement numbers
	icmpLen          = 8
	protoUDPLite     = 136
	protoDCCP        = 33
	protoSCTP        = 132
	defaultHops      = 64
	tcpWindow        = 64240
	tcpChecksumAt    = 16
	udpChecksumAt    = 6
	icmpChecksumAt   = 2
	ip4ChecksumAt    = 10
	dontFragment     = 0x40
	tcpHeaderInWords = tcpLen / 4 << 4
)

// frame appends the probe's IP packet to b.
func (p *Probe) frame(b []byte, m mark) []byte {
	payload := p.transport(nil, m)
	src, dst := p.Source, p.Target
	if src.Is4() {
		h := make([]byte, ip4Len)
		h[0], h[6], h[8], h[9] = 0x45, dontFragment, defaultHops, p.Protocol
		binary.BigEndian.PutUint16(h[2:], uint16(ip4Len+len(payload))) //nolint:gosec // some dozen bytes
		binary.BigEndian.PutUint16(h[4:], uint16(m.id))                //nolint:gosec // the low half
		copy(h[12:], src.AsSlice())
		copy(h[16:], dst.AsSlice())
		binary.BigEndian.PutUint16(h[ip4ChecksumAt:], checksum(h))
		return append(append(b, h...), payload...)
	}
	h := make([]byte, ip6Len)
	h[0], h[6], h[7] = 0x60, p.Protocol, defaultHops
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload))) //nolint:gosec // some dozen bytes
	copy(h[8:], src.AsSlice())
	copy(h[24:], dst.AsSlice())
	return append(append(b, h...), payload...)
}

// transport appends what is behind the IP header.
func (p *Probe) transport(b []byte, m mark) []byte {
	switch p.Protocol {
	case packet.ProtoTCP:
		h := p.ports()
		h = m.append(h)
		h = append(h, tcpHeaderInWords, p.Flags, tcpWindow>>8, tcpWindow&0xff, 0, 0, 0, 0)
		return append(b, p.sealed(h, tcpChecksumAt)...)
	case packet.ProtoUDP, protoUDPLite:
		h := append(p.ports(), 0, udpLen+markLen, 0, 0)
		return append(b, p.sealed(m.append(h), udpChecksumAt)...)
	case packet.ProtoICMP, packet.ProtoICMPv6:
		h := []byte{byte(p.ICMP >> 8), byte(p.ICMP), 0, 0, byte(p.SourcePort >> 8), byte(p.SourcePort), byte(m.id >> 8), byte(m.id)}
		return append(b, p.sealed(m.append(h), icmpChecksumAt)...)
	case protoDCCP, protoSCTP:
		// Good for their ports alone: connection tracking takes them for invalid.
		return m.append(append(b, p.ports()...))
	}
	return m.append(b)
}

func (p *Probe) ports() []byte {
	return []byte{byte(p.SourcePort >> 8), byte(p.SourcePort), byte(p.Port >> 8), byte(p.Port)}
}

// sealed fills in the checksum at the offset, with the pseudo-header where the
// protocol has one.
func (p *Probe) sealed(h []byte, at int) []byte {
	var pseudo []byte
	if p.Protocol != packet.ProtoICMP {
		pseudo = append(append(pseudo, p.Source.AsSlice()...), p.Target.AsSlice()...)
		pseudo = append(pseudo, 0, 0, byte(len(h)>>8), byte(len(h)), 0, 0, 0, p.Protocol)
	}
	sum := checksum(append(pseudo, h...))
	if sum == 0 && p.Protocol == packet.ProtoUDP {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(h[at:], sum)
	return h
}

// checksum is RFC 1071's; b is short.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// arrived reads the mark and the destination port of a received packet, from
// its transport header on. ok is false when there is none.
func arrived(protocol uint8, b []byte) (m mark, port uint16, ok bool) {
	at := 0
	switch protocol {
	case packet.ProtoTCP:
		at = tcpMark
	case packet.ProtoUDP, protoUDPLite:
		at = udpLen
	case packet.ProtoICMP, packet.ProtoICMPv6:
		at = icmpLen
	case protoDCCP, protoSCTP:
		at = 4
	}
	if len(b) < at+markLen {
		return mark{}, 0, false
	}
	if protocol == packet.ProtoTCP || protocol == packet.ProtoUDP || protocol == protoUDPLite || protocol == protoDCCP || protocol == protoSCTP {
		port = binary.BigEndian.Uint16(b[2:])
	}
	return markOf(b[at:]), port, true
}

// addressed reads the destination of an IPv4 packet and what is behind its
// header.
func addressed(b []byte) (to netip.Addr, payload []byte, ok bool) {
	if len(b) < ip4Len || b[0]>>4 != 4 {
		return netip.Addr{}, nil, false
	}
	head := int(b[0]&0x0f) * 4
	if head < ip4Len || head > len(b) {
		return netip.Addr{}, nil, false
	}
	return netip.AddrFrom4([4]byte(b[16:20])), b[head:], true
}
