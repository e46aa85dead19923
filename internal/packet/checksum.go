package packet

import "encoding/binary"

// sum adds b to the Internet checksum's unfolded sum (RFC 1071), as if b began
// at an even offset. A sum holds 2^32 words before it overflows.
func sum(s uint64, b []byte) uint64 {
	for ; len(b) >= 8; b = b[8:] {
		v := binary.BigEndian.Uint64(b)
		s += v>>32 + v&0xffffffff
	}
	for ; len(b) >= 2; b = b[2:] {
		s += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

// fold makes of a sum the 16 bits that a checksum field holds.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return ^uint16(s)
}

// foldUDP is fold where 0 means that there is no checksum (RFC 768).
func foldUDP(s uint64) uint16 {
	if c := fold(s); c != 0 {
		return c
	}
	return 0xffff
}
