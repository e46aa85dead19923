package payload

import "encoding/binary"

// BER tags, ITU-T X.690.
const (
	berInteger  = 0x02
	berOctets   = 0x04
	berSequence = 0x30
)

// berNext splits the first element off b. The content is cut where b ends, for
// captures that are not complete; ok tells that tag and length were there.
func berNext(b []byte) (tag byte, content, rest []byte, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f { // tags of more than a byte are not used here
		return 0, nil, nil, false
	}
	tag, length, b := b[0], int(b[1]), b[2:]
	if length&0x80 != 0 {
		n := length & 0x7f
		if n < 1 || n > 4 || len(b) < n {
			return 0, nil, nil, false
		}
		length = 0
		for _, c := range b[:n] {
			length = length<<8 | int(c)
		}
		b = b[n:]
	}
	if length < 0 || length > len(b) {
		length = len(b)
	}
	return tag, b[:length], b[length:], true
}

// berExpect is berNext for a known tag.
func berExpect(b []byte, tag byte) (content, rest []byte, ok bool) {
	got, content, rest, ok := berNext(b)
	return content, rest, ok && got == tag
}

// berID is a cookie as an INTEGER of exactly four bytes that is positive and
// minimally encoded, as message IDs are to be.
func berID(cookie uint64) uint32 { return 1<<30 | uint32(cookie)&(1<<30-1) }

// isBERID reports the INTEGER of a cookie.
func isBERID(content []byte, cookie uint64) bool {
	return len(content) == 4 && binary.BigEndian.Uint32(content) == berID(cookie)
}
