package payload

import "encoding/binary"

// Offsets and types of DTLS 1.2, RFC 6347 section 4.
const (
	dtlsAlert         = 21
	dtlsHandshake     = 22
	dtlsHeader        = 13 // bytes of a record's header
	dtlsServerHello   = 2
	dtlsHelloVerify   = 3
	dtlsAlertSize     = dtlsHeader + 2
	dtlsFatal         = 2
	dtlsHandshakeType = dtlsHeader
)

func dtls() Payload {
	const (
		head = "\x16\xfe\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x38" + // handshake record, epoch 0
			"\x01\x00\x00\x2c\x00\x00\x00\x00\x00\x00\x00\x2c" + // ClientHello, one fragment
			"\xfe\xfd" // DTLS 1.2; the random follows
		// No session, no cookie, no compression. The suites are one that RFC
		// 8701 reserves and the renegotiation signal: nothing to agree upon.
		tail = "\x00\x00\x00\x04\x0a\x0a\x00\xff\x01\x00"
	)
	return Payload{
		Protocol: "dtls", Title: "Datagram TLS",
		Ports:     []uint16{2221, 3391, 4433, 5061, 5349, 5350, 5684, 6514, 10161, 10162},
		Answer:    60,
		Reference: "RFC 6347 section 4.2, RFC 8701",
		Asks:      "with a ClientHello that offers no usable cipher suite",
		Safe:      "ends in HelloVerifyRequest or an alert, so no certificate is sent and no key computed",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append(dst, head...)
			for range 4 {
				dst = binary.BigEndian.AppendUint64(dst, cookie)
			}
			return append(dst, tail...)
		},
		tell: func(b []byte, _ uint64) bool {
			if len(b) < dtlsAlertSize || b[1] != 0xfe || b[2] != 0xff && b[2] != 0xfd {
				return false
			}
			switch b[0] {
			case dtlsAlert:
				return b[dtlsHeader] <= dtlsFatal
			case dtlsHandshake:
				t := b[dtlsHandshakeType]
				return t == dtlsHelloVerify || t == dtlsServerHello
			}
			return false
		},
	}
}

const (
	rdpSize   = 1232 // bytes: a SYN is padded to the MTU it offers
	rdpSyn    = 1
	rdpAck    = 4
	rdpWindow = 64 // packets
)

func rdp() Payload {
	return Payload{
		Protocol: "rdp-udp", Title: "Remote Desktop, UDP transport",
		Ports: []uint16{3389}, Answer: rdpSize, Echoed: 32,
		Reference: "MS-RDPEUDP section 2.2.2",
		Asks:      "with a SYN",
		Safe:      "a connection half open, forgotten in seconds, as by a TCP SYN; no login is near",
		write: func(dst []byte, cookie uint64) []byte {
			end := len(dst) + rdpSize
			dst = append(dst, 0xff, 0xff, 0xff, 0xff, 0, rdpWindow, 0, rdpSyn)
			dst = binary.BigEndian.AppendUint32(dst, uint32(cookie)) // initial sequence number
			dst = binary.BigEndian.AppendUint16(dst, rdpSize)        // MTU up
			dst = binary.BigEndian.AppendUint16(dst, rdpSize)        // MTU down
			return appendZeros(dst, end-len(dst))
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= 16 && has32(b, 0, uint32(cookie)) && b[7]&(rdpSyn|rdpAck) == rdpSyn|rdpAck
		},
	}
}
