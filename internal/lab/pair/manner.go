//go:build linux

package pair

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// TCP flags, RFC 9293 section 3.1.
const (
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// Genuine answers SYNs properly, n times over: the port is open, and more than
// one is a duplicate. Datagrams get one that says what they said.
func Genuine(n int) Manner {
	return func(q Question) [][]byte {
		answer := q.segment(q.Dst, q.SrcPort, 1000, q.Seq+1, flagSYN|flagACK)
		if q.Protocol == unix.IPPROTO_UDP {
			answer = q.datagram(q.Dst, q.payload())
		}
		var all [][]byte
		for range n {
			all = append(all, answer)
		}
		return all
	}
}

// Forged answers SYNs as one who has not seen them: the acknowledgement is
// wrong in each way that a careless check lets pass.
func Forged() Manner {
	return func(q Question) [][]byte {
		if q.Protocol != unix.IPPROTO_TCP {
			return nil
		}
		var all [][]byte
		for _, ack := range []uint32{0, 1, q.Seq + 2, ^q.Seq, q.Seq + 0x10000, q.Seq ^ 0x80000000, swap(q.Seq + 1)} {
			if ack != q.Seq+1 {
				all = append(all, q.segment(q.Dst, q.SrcPort, 1000, ack, flagSYN|flagACK))
			}
		}
		return all
	}
}

func swap(n uint32) uint32 {
	return binary.LittleEndian.Uint32(binary.BigEndian.AppendUint32(nil, n))
}

// Stale answers SYNs of long ago: a right acknowledgement to the neighbouring
// source port, or for another port of the target.
func Stale() Manner {
	return func(q Question) [][]byte {
		if q.Protocol != unix.IPPROTO_TCP {
			return nil
		}
		other := q
		other.DstPort++
		return [][]byte{
			q.segment(q.Dst, q.SrcPort^1, 1000, q.Seq+1, flagSYN|flagACK),
			q.segment(q.Dst, q.SrcPort^0x800, 1000, q.Seq+1, flagSYN|flagACK),
			other.segment(q.Dst, q.SrcPort, 1000, q.Seq+1, flagSYN|flagACK),
		}
	}
}

// ResetStorm answers SYNs with n resets that acknowledge nothing that was sent.
func ResetStorm(n int) Manner {
	return func(q Question) [][]byte {
		if q.Protocol != unix.IPPROTO_TCP {
			return nil
		}
		var all [][]byte
		for i := range n {
			flags := byte(flagRST)
			if i%2 == 0 {
				flags |= flagACK
			}
			all = append(all, q.segment(q.Dst, q.SrcPort, 0, q.Seq+2+uint32(i), flags)) //nolint:gosec // small
		}
		return all
	}
}

// Stranger answers in the name of an address that was perhaps never asked,
// with everything else right.
func Stranger(from string) Manner {
	addr := netip.MustParseAddr(from)
	return func(q Question) [][]byte {
		switch {
		case addr.Is6() != q.Dst.Is6():
			return nil
		case q.Protocol == unix.IPPROTO_UDP:
			return [][]byte{q.datagram(addr, q.payload())}
		}
		return [][]byte{q.segment(addr, q.SrcPort, 1000, q.Seq+1, flagSYN|flagACK)}
	}
}

// MalformedErrors answers with ICMP errors whose quotes prove nothing: empty,
// cut at every boundary, of another packet, or garbage.
func MalformedErrors() Manner {
	return func(q Question) [][]byte {
		header := q.header()
		var all [][]byte
		for _, size := range []int{0, 1, header - 1, header, header + 3} {
			all = append(all, q.unreachable(q.Raw[:size]))
		}
		places := []int{header - 1, header, header + 3} // address and ports
		if q.Protocol == unix.IPPROTO_TCP {
			places = append(places, header+4) // the sequence number
		}
		for _, place := range places {
			all = append(all, q.unreachable(q.changed(place)))
		}
		garbage := make([]byte, 1200)
		for i := range garbage {
			garbage[i] = byte(i * 7)
		}
		return append(all, q.unreachable(garbage))
	}
}

// AbsurdErrors answers with ICMP errors that Linux itself believes and a
// careful reader does not: the quote is of an unknown IP version, or, for
// IPv4, of a later fragment, which has no transport header.
func AbsurdErrors() Manner {
	return func(q Question) [][]byte {
		version := append([]byte(nil), q.Raw...)
		version[0] ^= 0xf0
		all := [][]byte{q.unreachable(version)}
		if !q.Dst.Is6() {
			fragment := append([]byte(nil), q.Raw...)
			fragment[7] = 9
			all = append(all, q.unreachable(fragment))
		}
		return all
	}
}

func (q Question) header() int {
	if q.Dst.Is6() {
		return 40
	}
	return 20
}

// changed is the packet with one byte inverted.
func (q Question) changed(place int) []byte {
	b := append([]byte(nil), q.Raw...)
	b[place] ^= 0xff
	return b
}

// Unreachable answers with a genuine ICMP error of the type and code, for
// IPv4 or IPv6 according to the question.
func Unreachable(type4, code4, type6, code6 uint8) Manner {
	return func(q Question) [][]byte {
		if q.Dst.Is6() {
			return [][]byte{q.icmp(type6, code6, q.Raw[:min(len(q.Raw), 1232)])}
		}
		return [][]byte{q.icmp(type4, code4, q.Raw[:min(len(q.Raw), 28)])}
	}
}

func (q Question) unreachable(quote []byte) []byte {
	if q.Dst.Is6() {
		return q.icmp(1, 4, quote) // RFC 4443 section 3.1
	}
	return q.icmp(3, 3, quote) // RFC 792
}

// icmp builds an error from the target to the sender.
func (q Question) icmp(kind, code uint8, quote []byte) []byte {
	protocol := uint8(unix.IPPROTO_ICMP)
	if q.Dst.Is6() {
		protocol = unix.IPPROTO_ICMPV6
	}
	return q.packet(q.Dst, protocol, append([]byte{kind, code, 0, 0, 0, 0, 0, 0}, quote...), 2)
}

// segment builds a TCP segment without options to the sender of the question.
func (q Question) segment(from netip.Addr, to uint16, seq, ack uint32, flags byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, q.DstPort)
	b = binary.BigEndian.AppendUint16(b, to)
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint32(b, ack)
	b = append(b, 5<<4, flags, 0xfa, 0xf0, 0, 0, 0, 0)
	return q.packet(from, unix.IPPROTO_TCP, b, 16)
}

func (q Question) datagram(from netip.Addr, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, q.DstPort)
	b = binary.BigEndian.AppendUint16(b, q.SrcPort)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload))) //nolint:gosec // as long as the question
	b = append(b, 0, 0)
	return q.packet(from, unix.IPPROTO_UDP, append(b, payload...), 6)
}

// payload is what the datagram of the question carries.
func (q Question) payload() []byte {
	return q.Raw[q.header()+8:]
}

// packet puts an IP header before a transport part whose checksum, at the
// given place, is still 0.
func (q Question) packet(from netip.Addr, protocol uint8, part []byte, place int) []byte {
	src, dst := from.AsSlice(), q.Src.AsSlice()
	var pseudo []byte
	if protocol != unix.IPPROTO_ICMP { // RFC 9293 section 3.1, RFC 8200 section 8.1
		pseudo = append(append(pseudo, src...), dst...)
		pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(part))) //nolint:gosec // a packet
		pseudo = append(pseudo, 0, 0, 0, protocol)
	}
	sum := checksum(append(pseudo, part...))
	if sum == 0 && protocol == unix.IPPROTO_UDP {
		sum = 0xffff // RFC 768: 0 stands for no checksum
	}
	binary.BigEndian.PutUint16(part[place:], sum)
	if from.Is6() {
		b := []byte{0x60, 0, 0, 0}
		b = binary.BigEndian.AppendUint16(b, uint16(len(part))) //nolint:gosec // a packet
		b = append(b, protocol, 64)
		return append(append(append(b, src...), dst...), part...)
	}
	b := []byte{0x45, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(20+len(part))) //nolint:gosec // a packet
	b = append(b, 0, 1, 0x40, 0, 64, protocol, 0, 0)
	b = append(append(b, src...), dst...)
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	return append(b, part...)
}

// checksum is RFC 1071's. A length of 16 or 32 bits in the pseudo header gives
// the same sum.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum) //nolint:gosec // folded above
}
