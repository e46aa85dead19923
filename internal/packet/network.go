package packet

import (
	"encoding/binary"
	"net/netip"
)

// network decodes the IP header and what stands between it and the transport.
// rest is the transport's header and what follows; ok is false for a damaged
// packet and for a fragment that is not the first. A quoted packet may be cut
// off, and its header may have been changed on its way.
func (h *Header) network(b []byte, quoted bool) (rest []byte, ok bool) {
	if len(b) == 0 {
		return nil, false
	}
	switch b[0] >> 4 {
	case 4:
		return h.network4(b, quoted)
	case 6:
		return h.network6(b, quoted)
	}
	return nil, false
}

func (h *Header) network4(b []byte, quoted bool) (rest []byte, ok bool) {
	if len(b) < ip4Len {
		return nil, false
	}
	length, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if length < ip4Len || length > len(b) {
		return nil, false
	}
	// Only what the kernel itself will refuse, too, is refused: routers and
	// old systems have always quoted with lengths and checksums of their own.
	if !quoted && (total < length || fold(sum(0, b[:length])) != 0) {
		return nil, false
	}
	const moreFragments, offset = 0x2000, 0x1fff
	fragment := binary.BigEndian.Uint16(b[6:])
	if fragment&offset != 0 {
		return nil, false
	}
	h.ID, h.HopLimit, h.Protocol = binary.BigEndian.Uint16(b[4:]), b[8], b[9]
	h.Src, h.Dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	h.Partial = total > len(b) || fragment&moreFragments != 0
	if !quoted && total < len(b) {
		b = b[:total] // what follows is the link's padding
	}
	return b[length:], true
}

func (h *Header) network6(b []byte, quoted bool) (rest []byte, ok bool) {
	if len(b) < ip6Len {
		return nil, false
	}
	total := ip6Len + int(binary.BigEndian.Uint16(b[4:]))
	h.FlowLabel, h.HopLimit = binary.BigEndian.Uint32(b)&0xfffff, b[7]
	h.Src, h.Dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	if h.Src.Is4In6() || h.Dst.Is4In6() {
		return nil, false // never on a wire, RFC 4291 section 2.5.5.2
	}
	h.Partial = total > len(b)
	if !quoted && total < len(b) {
		b = b[:total]
	}
	return h.extensions(b[6], b[ip6Len:])
}

// IPv6 extension headers (RFC 8200 section 4, RFC 4302, RFC 6275, RFC 7401,
// RFC 5533).
const (
	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extAuth        = 51
	extDestination = 60
	extMobility    = 135
	extHIP         = 139
	extShim6       = 140
)

// maxExtensions is how many extension headers are walked. RFC 8200 section 4.1
// knows seven at most in a packet that means well.
const maxExtensions = 8

// extensions walks to the transport, beginning with a header of type next.
func (h *Header) extensions(next uint8, b []byte) (rest []byte, ok bool) {
	for range maxExtensions + 1 {
		length := 8
		switch next {
		case extHopByHop, extRouting, extDestination, extMobility, extHIP, extShim6:
			if len(b) >= 2 {
				length = (int(b[1]) + 1) * 8
			}
		case extAuth:
			if len(b) >= 2 {
				length = (int(b[1]) + 2) * 4
			}
		case extFragment:
			if len(b) >= 4 {
				fragment := binary.BigEndian.Uint16(b[2:])
				if fragment>>3 != 0 {
					return nil, false
				}
				h.Partial = h.Partial || fragment&1 != 0
			}
		default:
			h.Protocol = next
			return b, true
		}
		if length > len(b) {
			return nil, false
		}
		next, b = b[0], b[length:]
	}
	return nil, false
}
