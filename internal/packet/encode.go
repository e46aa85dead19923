package packet

import (
	"encoding/binary"

	"reconshield/internal/probe"
)

// echoData is the data of an echo request: the whole cookie.
const echoData = 8

// SYN writes a TCP probe's frame to dst and returns its length, always Size;
// dst must hold that many bytes. It returns 0 when the template is not for TCP
// or for the other address family. c is the probe's cookie; tsval the
// timestamp it shows.
func (t *Template) SYN(dst []byte, p *probe.Probe, c probe.Cookie, tsval uint32) int {
	if t.kind != probe.TCP || p.Addr.Is4() == t.v6 {
		return 0
	}
	b := dst[:t.size]
	copy(b, t.frame[:t.size])
	s := t.address(b, p, c)
	h := b[t.l4:]
	ports := uint32(c.SourcePort())<<16 | uint32(p.Port)
	binary.BigEndian.PutUint32(h[0:], ports)
	binary.BigEndian.PutUint32(h[4:], c.Seq())
	binary.BigEndian.PutUint32(h[28:], tsval)
	binary.BigEndian.PutUint16(h[16:], fold(s+uint64(ports)+uint64(c.Seq())+uint64(tsval)))
	return len(b)
}

// UDP writes a UDP probe's frame to dst, which must hold Size and the payload,
// and returns its length. It returns 0 when the template is not for UDP, for
// the other address family, or when the packet does not fit the path's MTU.
func (t *Template) UDP(dst []byte, p *probe.Probe, c probe.Cookie, payload []byte) int {
	size := t.size + len(payload)
	if t.kind != probe.UDP || p.Addr.Is4() == t.v6 || size-t.ip > t.mtu {
		return 0
	}
	b := dst[:size]
	copy(b, t.frame[:t.size])
	copy(b[t.size:], payload)
	s := t.address(b, p, c)
	h := b[t.l4:]
	ports, length := uint32(c.SourcePort())<<16|uint32(p.Port), udpLen+len(payload)
	binary.BigEndian.PutUint32(h[0:], ports)
	binary.BigEndian.PutUint16(h[4:], uint16(length))
	// The length counts twice: in the header and in the pseudo-header.
	binary.BigEndian.PutUint16(h[6:], foldUDP(sum(s+uint64(ports)+2*uint64(length), payload)))
	return len(b)
}

// Echo writes an echo request's frame to dst and returns its length, always
// Size; dst must hold that many bytes. Identifier, sequence number and data
// come from the cookie. It returns 0 when the template is not for Echo or for
// the other address family.
func (t *Template) Echo(dst []byte, p *probe.Probe, c probe.Cookie) int {
	if t.kind != probe.Echo || p.Addr.Is4() == t.v6 {
		return 0
	}
	b := dst[:t.size]
	copy(b, t.frame[:t.size])
	s := t.address(b, p, c)
	h := b[t.l4:]
	binary.BigEndian.PutUint16(h[4:], c.SourcePort())
	binary.BigEndian.PutUint16(h[6:], echoSeq(c))
	binary.BigEndian.PutUint64(h[8:], uint64(c))
	binary.BigEndian.PutUint16(h[2:], fold(sum(s, h[4:icmpLen+echoData])))
	return len(b)
}

func echoSeq(c probe.Cookie) uint16 { return uint16(c.Seq()) }

// address completes the IP header and returns the transport's sum with the
// destination added.
func (t *Template) address(b []byte, p *probe.Probe, c probe.Cookie) uint64 {
	h := b[t.ip:]
	if t.v6 {
		a := p.Addr.As16()
		binary.BigEndian.PutUint32(h[0:], 6<<28|c.FlowLabel())
		binary.BigEndian.PutUint16(h[4:], uint16(len(h)-ip6Len))
		copy(h[24:40], a[:])
		return sum(t.l4Sum, a[:])
	}
	a := p.Addr.As4()
	to, length, id := binary.BigEndian.Uint32(a[:]), len(h), c.ID()
	binary.BigEndian.PutUint16(h[2:], uint16(length))
	binary.BigEndian.PutUint16(h[4:], id)
	binary.BigEndian.PutUint32(h[16:], to)
	binary.BigEndian.PutUint16(h[10:], fold(t.ipSum+uint64(length)+uint64(id)+uint64(to)))
	if t.kind == probe.Echo {
		return t.l4Sum
	}
	return t.l4Sum + uint64(to)
}

// RST writes to dst a reset for the connection that d, a SYN-ACK to a probe of
// ours, believes half open (RFC 9293 section 3.10.7.3), and returns its
// length, at most Size. It returns 0 when the template is not for TCP, when d
// is no SYN-ACK to the template's source address or answers another family.
func (t *Template) RST(dst []byte, d *Decoded) int {
	if t.kind != probe.TCP || d.What != Segment || d.Flags&(SYN|ACK|RST) != SYN|ACK || d.Dst != t.source {
		return 0
	}
	b := dst[:t.l4+tcpLen]
	copy(b, t.frame[:len(b)])
	// Nothing can answer a reset, so nothing of it is keyed.
	s := t.address(b, &probe.Probe{Addr: d.Src}, 0) - t.l4Sum
	h := b[t.l4:]
	binary.BigEndian.PutUint16(h[0:], d.DstPort)
	binary.BigEndian.PutUint16(h[2:], d.SrcPort)
	binary.BigEndian.PutUint32(h[4:], d.Ack)
	h[12], h[13], h[14], h[15] = tcpLen/4<<4, RST, 0, 0
	s = sum(sum(s, t.source.AsSlice()), h)
	binary.BigEndian.PutUint16(h[16:], fold(s+ProtoTCP+tcpLen))
	return len(b)
}
