package payload

import "encoding/binary"

// mobile are the protocols of mobile networks' cores.
func mobile() []Payload { return []Payload{gtpControl(), gtpUser(), pfcp()} }

// Message types that GTP (3GPP TS 29.060, 29.274, 29.281) and PFCP (TS 29.244)
// have in common.
const (
	gtpEcho        = 1 // Heartbeat Request in PFCP
	gtpAnswer      = 2
	gtpUnsupported = 3 // of GTP: the version is not spoken
)

// append24 appends the cookie's low 24 bits: the sequence number.
func append24(dst []byte, cookie uint64) []byte {
	return append(dst, byte(cookie>>16), byte(cookie>>8), byte(cookie))
}

func has24(b []byte, offset int, cookie uint64) bool {
	return len(b) >= offset+3 && b[offset] == byte(cookie>>16) && has16(b, offset+1, uint16(cookie))
}

func gtpControl() Payload {
	const versionMask, v2, v1 = 0xe0, 2 << 5, 1 << 5
	return Payload{
		Protocol: "gtp-c", Title: "GPRS tunnelling, control plane",
		Ports: []uint16{2123}, Answer: 13, Echoed: 24,
		Reference: "3GPP TS 29.274 section 7.1.1",
		Asks:      "with an Echo Request of version 2",
		Safe:      "path management: tells that a node is alive and touches no session",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append24(append(dst, v2, gtpEcho, 0, 9), cookie)
			return append(dst, 0, 3, 0, 1, 0, 0) // spare, Recovery 0
		},
		tell: func(b []byte, cookie uint64) bool {
			if len(b) < 8 {
				return false
			}
			if b[0]&versionMask == v1 {
				return b[1] == gtpUnsupported
			}
			return b[0]&versionMask == v2 && (b[1] == gtpAnswer || b[1] == gtpUnsupported) && has24(b, 4, cookie)
		},
	}
}

func gtpUser() Payload {
	const sequenced = 0x32 // version 1, GTP, with sequence number
	return Payload{
		Protocol: "gtp-u", Title: "GPRS tunnelling, user plane",
		Ports: []uint16{2152}, Answer: 14, Echoed: 16,
		Reference: "3GPP TS 29.281 section 7.2.1",
		Asks:      "with an Echo Request",
		Safe:      "path management: tunnel 0 belongs to nobody",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append(dst, sequenced, gtpEcho, 0, 4, 0, 0, 0, 0)
			return append(binary.BigEndian.AppendUint16(dst, uint16(cookie)), 0, 0)
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= 12 && b[0]>>5 == 1 && b[1] == gtpAnswer && has16(b, 8, uint16(cookie))
		},
	}
}

func pfcp() Payload {
	return Payload{
		Protocol: "pfcp", Title: "Packet Forwarding Control Protocol",
		Ports: []uint16{8805}, Answer: 16, Echoed: 24,
		Reference: "3GPP TS 29.244 section 7.4.2",
		Asks:      "with a Heartbeat Request",
		Safe:      "tells that a node is alive; from an address without an association it concerns no session",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append24(append(dst, 0x20, gtpEcho, 0, 12), cookie)
			return append(dst, 0, 0, 0x60, 0, 4, 0, 0, 0, 1) // spare, Recovery Time Stamp
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= 8 && b[0]>>5 == 1 && b[1] == gtpAnswer && has24(b, 4, cookie)
		},
	}
}
