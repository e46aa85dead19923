package payload

import "encoding/binary"

// transports are protocols that carry others over UDP.
func transports() []Payload {
	return []Payload{quic(), dtls(), rdp()}
}

const (
	// quicDatagram is the least size of a datagram with an Initial packet (RFC
	// 9000 section 14.1); servers ignore smaller ones.
	quicDatagram = 1200
	// quicReserved is a version that no server speaks, so that every server
	// answers with those it does (sections 6 and 15).
	quicReserved = 0x1a2a3a4a
	quicLong     = 0x80 // a long header
	quicFixed    = 0x40
	connectionID = 8 // bytes
)

func quic() Payload {
	return Payload{
		Protocol: "quic", Title: "QUIC",
		Ports:  []uint16{443, 784, 853, 8443, 8853},
		Answer: 31, Echoed: 64,
		Reference: "RFC 9000 sections 6 and 17.2.1",
		Asks:      "for version negotiation, by a version that does not exist",
		Safe:      "begins no connection and costs the server no cryptography; the answer is far smaller than the question",
		write: func(dst []byte, cookie uint64) []byte {
			end := len(dst) + quicDatagram
			dst = append(dst, quicLong|quicFixed)
			dst = binary.BigEndian.AppendUint32(dst, quicReserved)
			dst = binary.BigEndian.AppendUint64(append(dst, connectionID), cookie)  // destination
			dst = binary.BigEndian.AppendUint64(append(dst, connectionID), ^cookie) // source
			return appendZeros(dst, end-len(dst))
		},
		tell: isVersionNegotiation,
	}
}

// isVersionNegotiation reports a Version Negotiation packet with our connection
// IDs, exchanged (RFC 9000 section 17.2.1).
func isVersionNegotiation(b []byte, cookie uint64) bool {
	return len(b) >= 7+2*connectionID && b[0]&quicLong != 0 && has32(b, 1, 0) &&
		b[5] == connectionID && has64(b, 6, ^cookie) &&
		b[6+connectionID] == connectionID && has64(b, 7+connectionID, cookie)
}
