package packet

import (
	"encoding/binary"
	"net/netip"
)

// SolicitLen is the longest frame that Solicit writes.
const SolicitLen = etherLen + ip6Len + icmpLen + 16 + 8

// Solicit writes to dst the frame that asks an Ethernet for the hardware
// address of target, and returns its length: an ARP request for IPv4, a
// neighbour solicitation for IPv6. dst must hold SolicitLen bytes. The answer
// goes to hardware and source, which must be this machine's own. It returns 0
// when the addresses are of two families.
func Solicit(dst []byte, hardware MAC, source, target netip.Addr) int {
	switch {
	case source.Is4() && target.Is4():
		return arpRequest(dst, hardware, source, target)
	case source.Is6() && target.Is6():
		return solicitation(dst, hardware, source, target)
	}
	return 0
}

// arpRequest is RFC 826's, by broadcast.
func arpRequest(dst []byte, hardware MAC, source, target netip.Addr) int {
	b := dst[:etherLen+arpLen]
	clear(b)
	copy(b, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	copy(b[6:], hardware[:])
	binary.BigEndian.PutUint16(b[12:], etherARP)
	h := b[etherLen:]
	copy(h, []byte{0, 1, etherIP4 >> 8, 0, 6, 4, 0, arpRequestOp})
	src, to := source.As4(), target.As4()
	copy(h[8:], hardware[:])
	copy(h[14:], src[:])
	copy(h[24:], to[:])
	return len(b)
}

const (
	arpRequestOp = 1
	arpReplyOp   = 2
)

// neighbourHops is the hop limit that proves a packet of neighbour discovery
// to come from the link itself (RFC 4861 sections 4.3 and 7.1.2).
const neighbourHops = 255

// solicitation is RFC 4861's section 4.3, to the solicited-node multicast
// address (RFC 4291 section 2.7.1) and its Ethernet address (RFC 2464 section 7).
func solicitation(dst []byte, hardware MAC, source, target netip.Addr) int {
	b := dst[:SolicitLen]
	clear(b)
	src, to := source.As16(), target.As16()
	copy(b, []byte{0x33, 0x33, 0xff, to[13], to[14], to[15]})
	copy(b[6:], hardware[:])
	binary.BigEndian.PutUint16(b[12:], etherIP6)
	ip, h := b[etherLen:], b[etherLen+ip6Len:]
	ip[0] = 0x60
	binary.BigEndian.PutUint16(ip[4:], uint16(len(h)))
	ip[6], ip[7] = ProtoICMPv6, neighbourHops
	copy(ip[8:], src[:])
	copy(ip[24:], []byte{0xff, 0x02, 11: 1, 12: 0xff, 13: to[13], 14: to[14], 15: to[15]})
	h[0] = icmp6Solicitation
	copy(h[8:], to[:])
	h[24], h[25] = optSourceLink, 1 // of eight bytes
	copy(h[26:], hardware[:])
	binary.BigEndian.PutUint16(h[2:], fold(sum(uint64(len(h))+ProtoICMPv6, ip[8:])))
	return len(b)
}

// arp decodes an ARP reply; requests, which announce an address to the whole
// link unasked, are refused.
func (d *Decoded) arp(b []byte) bool {
	if len(b) < arpLen || binary.BigEndian.Uint64(b) != 0x0001_0800_06_04_0000|arpReplyOp {
		return false
	}
	d.What, d.Hardware = Neighbour, MAC(b[8:14])
	d.Src, d.Dst = netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
	d.Target = d.Src
	return usable(d.Hardware)
}

// advertisement decodes a solicited neighbour advertisement (RFC 4861 section
// 7.1.2) that tells the target's hardware address; b is the ICMPv6 message.
func (d *Decoded) advertisement(b []byte) bool {
	const solicited = 0x40
	if d.HopLimit != neighbourHops || d.Code != 0 || d.Partial || len(b) < icmpLen+16 || b[4]&solicited == 0 {
		return false
	}
	d.What, d.Target = Neighbour, netip.AddrFrom16([16]byte(b[8:24]))
	if d.Target.IsMulticast() || d.Dst.IsMulticast() {
		return false
	}
	found := false
	for b = b[24:]; len(b) > 0; {
		if len(b) < 8 || b[1] == 0 || int(b[1])*8 > len(b) {
			return false
		}
		if b[0] == optTargetLink && b[1] == 1 && !found {
			d.Hardware, found = MAC(b[2:8]), true
		}
		b = b[int(b[1])*8:]
	}
	return found && usable(d.Hardware)
}

// usable reports that frames to the address reach at most one station.
func usable(m MAC) bool { return !m.group() && m != MAC{} }
