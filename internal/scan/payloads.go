package scan

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"slices"

	"reconshield/internal/exposure"
)

// payload is what a UDP port is asked. Each is small, changes nothing and is
// answered with little more than it costs to send.
type payload struct {
	name   string
	ports  []uint16
	reason exposure.Reason // of an answer
	// slow tells that an answer may take longer than the host's other answers,
	// because the service may first ask somebody else.
	slow  bool
	build func() question
}

// question is one datagram and how to tell its answer.
type question struct {
	bytes      []byte
	answeredBy func(b []byte) bool
}

// payloads is the table; the first entry serves every port that no other names.
func payloads() []payload {
	return []payload{
		{name: "dns", ports: []uint16{52, 53, 54, 5300, 8053}, reason: exposure.ReasonDNSResponse, slow: true, build: dnsQuestion},
		{name: "mdns", ports: []uint16{5353}, reason: exposure.ReasonDNSResponse, build: mdnsQuestion},
		{name: "quic", ports: []uint16{443, 853, 784, 8853}, reason: exposure.ReasonUDPResponse, build: quicQuestion},
	}
}

// payloadFor finds what to ask a port. On a port that no entry names a DNS
// query is as good as any other datagram, and better where DNS hides.
func payloadFor(port uint16) payload {
	table := payloads()
	for _, p := range table {
		if slices.Contains(p.ports, port) {
			return p
		}
	}
	generic := table[0]
	generic.slow = false
	return generic
}

const (
	dnsHeader = 12   // bytes, RFC 1035 section 4.1.1
	dnsQR     = 0x80 // in byte 2
)

// dnsQuestion asks for the root's SOA without recursion: the smallest ordinary
// query, which an authoritative server refuses and a resolver has in its cache.
func dnsQuestion() question {
	id := randomBytes(2)
	q := append(id, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	q = append(q, 0, 0, 6, 0, 1) // root, SOA, IN
	return question{q, func(b []byte) bool { return isDNSReply(b, q) }}
}

// isDNSReply reports a DNS message with the QR bit and the query's ID, be it
// no more than a header, as servers refuse with.
func isDNSReply(b, query []byte) bool {
	return len(b) >= dnsHeader && b[2]&dnsQR != 0 && bytes.Equal(b[:2], query[:2])
}

// mdnsQuestion asks for the service types by multicast DNS, to be answered by
// unicast (RFC 6762 section 5.4, RFC 6763 section 9).
func mdnsQuestion() question {
	q := append(randomBytes(2), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	for _, label := range []string{"_services", "_dns-sd", "_udp", "local"} {
		q = append(q, byte(len(label)))
		q = append(q, label...)
	}
	q = append(q, 0, 0, 12, 0x80, 1) // root, PTR, IN with the unicast-response bit
	return question{q, func(b []byte) bool {
		// Responders that take this for an ordinary multicast query answer
		// with ID 0 (section 18.1).
		zero := len(b) >= dnsHeader && b[0] == 0 && b[1] == 0 && b[2]&dnsQR != 0
		return zero || isDNSReply(b, q)
	}}
}

const (
	// quicDatagram is the least size of a datagram with an Initial packet (RFC
	// 9000 section 14.1); servers ignore smaller ones.
	quicDatagram = 1200
	// quicReserved is a version that no server speaks, so that every server
	// answers with those it does (sections 6 and 15).
	quicReserved = 0x1a2a3a4a
	connectionID = 8 // bytes
)

// quicQuestion forces version negotiation: it begins no connection and costs
// the server no cryptography.
func quicQuestion() question {
	ids := randomBytes(2 * connectionID)
	destination, source := ids[:connectionID], ids[connectionID:]
	q := []byte{0xc0} // long header, Initial
	q = binary.BigEndian.AppendUint32(q, quicReserved)
	q = append(append(q, connectionID), destination...)
	q = append(append(q, connectionID), source...)
	q = append(q, make([]byte, quicDatagram-len(q))...)
	return question{q, func(b []byte) bool { return isVersionNegotiation(b, destination, source) }}
}

// isVersionNegotiation reports a Version Negotiation packet with our connection
// IDs, exchanged (RFC 9000 section 17.2.1).
func isVersionNegotiation(b, destination, source []byte) bool {
	const longHeader = 0x80
	if len(b) < 7+len(destination)+len(source) || b[0]&longHeader == 0 || binary.BigEndian.Uint32(b[1:]) != 0 {
		return false
	}
	b = b[5:]
	for _, id := range [][]byte{source, destination} {
		if len(b) < 1+len(id) || int(b[0]) != len(id) || !bytes.Equal(b[1:1+len(id)], id) {
			return false
		}
		b = b[1+len(id):]
	}
	return true
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
