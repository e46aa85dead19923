package packet

import "encoding/binary"

// icmp4 decodes an ICMP message (RFC 792). Of a partial message the checksum
// cannot be known.
func (d *Decoded) icmp4(b []byte) bool {
	if len(b) < icmpLen || !d.Partial && fold(sum(0, b)) != 0 {
		return false
	}
	d.Type, d.Code = b[0], b[1]
	switch d.Type {
	case icmp4EchoReply:
		return d.echoReply(b)
	case icmp4Unreachable, icmp4TimeExceeded:
		return d.quote(b)
	}
	return false
}

// icmp6 decodes an ICMPv6 message (RFC 4443).
func (d *Decoded) icmp6(b []byte) bool {
	if len(b) < icmpLen || !d.Partial && fold(d.pseudo6(b)) != 0 {
		return false
	}
	d.Type, d.Code = b[0], b[1]
	switch d.Type {
	case icmp6EchoReply:
		return d.echoReply(b)
	case icmp6Unreachable, icmp6TimeExceeded, icmp6Parameter:
		return d.quote(b)
	case icmp6Advertising:
		return d.advertisement(b)
	}
	return false
}

// pseudo6 sums an ICMPv6 message and its pseudo-header (RFC 8200 section 8.1).
func (h *Header) pseudo6(b []byte) uint64 {
	src, dst := h.Src.As16(), h.Dst.As16()
	return sum(sum(sum(uint64(len(b))+ProtoICMPv6, src[:]), dst[:]), b)
}

func (d *Decoded) echoReply(b []byte) bool {
	d.What, d.Payload = EchoReply, b[icmpLen:]
	d.EchoID, d.EchoSeq = binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	return d.Code == 0
}

// quoteLen is how much of the transport every error quotes (RFC 792).
const quoteLen = 8

// quote decodes the packet that an ICMP error is about. Its family must be the
// error's own; a quote that ends before the transport's first bytes is refused.
func (d *Decoded) quote(b []byte) bool {
	q := &d.Quote
	b, ok := q.network(b[icmpLen:], true)
	if !ok || len(b) < quoteLen || q.Src.Is4() != d.Src.Is4() {
		return false
	}
	switch {
	case q.Protocol == ProtoTCP:
		q.Seq = binary.BigEndian.Uint32(b[4:])
		q.SrcPort, q.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case q.Protocol == ProtoUDP:
		q.SrcPort, q.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case q.Protocol == ProtoICMP && q.Src.Is4(), q.Protocol == ProtoICMPv6 && q.Src.Is6():
		q.Type, q.Code = b[0], b[1]
		q.EchoID, q.EchoSeq = binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	default:
		return false
	}
	d.What = Error
	return true
}
