package payload

import "encoding/binary"

// clocks are protocols that tell the time.
func clocks() []Payload {
	return []Payload{ntp()}
}

const (
	ntpSize     = 48 // bytes without extensions, RFC 5905 section 7.3
	ntpOrigin   = 24 // offset of the origin timestamp
	ntpModeMask = 0x07
	ntpServer   = 4    // mode
	ntpV4Client = 0x23 // leap 0, version 4, mode 3
)

func ntp() Payload {
	return Payload{
		Protocol: "ntp", Title: "Network Time Protocol",
		Ports: []uint16{123}, Answer: ntpSize, Echoed: 64,
		Reference: "RFC 5905 section 7.3",
		Asks:      "the time, as a client",
		Safe:      "what every client asks; the answer has the question's size. Never a control or monitoring request",
		write: func(dst []byte, cookie uint64) []byte {
			dst = appendZeros(append(dst, ntpV4Client), ntpSize-1-8)
			return binary.BigEndian.AppendUint64(dst, cookie) // transmit timestamp
		},
		// The server repeats our transmit timestamp as the origin timestamp.
		tell: func(b []byte, cookie uint64) bool {
			if len(b) < ntpSize || binary.BigEndian.Uint64(b[ntpOrigin:]) != cookie {
				return false
			}
			return b[0]&ntpModeMask == ntpServer
		},
	}
}
