package payload

import (
	"bytes"
	"encoding/binary"
)

const hexDigits = "0123456789abcdef"

// cookieText is the length of a cookie in hexadecimal.
const cookieText = 16

// appendHex appends the cookie as 16 hexadecimal digits.
func appendHex(dst []byte, cookie uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[cookie>>shift&15])
	}
	return dst
}

// containsHex reports that the cookie stands in b as text.
func containsHex(b []byte, cookie uint64) bool {
	var text [cookieText]byte
	return bytes.Contains(b, appendHex(text[:0], cookie))
}

// appendZeros appends n zero bytes.
func appendZeros(dst []byte, n int) []byte {
	var zeros [64]byte
	for ; n > len(zeros); n -= len(zeros) {
		dst = append(dst, zeros[:]...)
	}
	return append(dst, zeros[:n]...)
}

// hasAt reports that s stands in b at the offset.
func hasAt(b []byte, offset int, s string) bool {
	return len(b) >= offset+len(s) && string(b[offset:offset+len(s)]) == s
}

// contains reports that s stands anywhere in b.
func contains(b []byte, s string) bool { return bytes.Contains(b, []byte(s)) }

// has16, has32 and has64 report that a big-endian number stands at the offset.
func has16(b []byte, offset int, v uint16) bool {
	return len(b) >= offset+2 && binary.BigEndian.Uint16(b[offset:]) == v
}

func has32(b []byte, offset int, v uint32) bool {
	return len(b) >= offset+4 && binary.BigEndian.Uint32(b[offset:]) == v
}

func has64(b []byte, offset int, v uint64) bool {
	return len(b) >= offset+8 && binary.BigEndian.Uint64(b[offset:]) == v
}

// isText reports printable ASCII and white space only, and some of it.
func isText(b []byte) bool {
	for _, c := range b {
		if c > '~' || c < ' ' && c != '\r' && c != '\n' && c != '\t' {
			return false
		}
	}
	return len(b) > 0
}
