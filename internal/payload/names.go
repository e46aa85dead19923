package payload

import (
	"encoding/binary"
)

// names are the protocols that speak the DNS message format.
func names() []Payload {
	return []Payload{dns(), mdns(), llmnr(), netbios()}
}

const (
	dnsHeader = 12   // bytes, RFC 1035 section 4.1.1
	dnsQR     = 0x80 // in byte 2: a response
)

func dns() Payload {
	return Payload{
		Protocol: "dns", Title: "Domain Name System",
		Ports: []uint16{52, 53, 54, 5300, 8053},
		Slow:  true, Answer: 92, Echoed: 16,
		Reference: "RFC 1035 section 4.1",
		Asks:      "the root's SOA, without recursion",
		Safe:      "the smallest ordinary query; an authoritative server refuses it, a resolver has the answer in its cache and asks nobody",
		write: func(dst []byte, cookie uint64) []byte {
			return append(appendDNSHeader(dst, cookie), 0, 0, 6, 0, 1) // root, SOA, IN
		},
		tell: func(reply []byte, cookie uint64) bool {
			return isDNSReply(reply, cookie, "\x00\x00\x06\x00\x01")
		},
	}
}

// appendDNSHeader appends the header of a query with one question.
func appendDNSHeader(dst []byte, cookie uint64) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(cookie))
	return append(dst, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
}

// isDNSReply reports a response with the query's ID, be it no more than a
// header, as servers refuse with. A question that it repeats must be ours.
func isDNSReply(b []byte, cookie uint64, question string) bool {
	if len(b) < dnsHeader || b[2]&dnsQR == 0 || binary.BigEndian.Uint16(b) != uint16(cookie) {
		return false
	}
	if len(b) == dnsHeader || binary.BigEndian.Uint16(b[4:]) == 0 {
		return true
	}
	return len(b) >= dnsHeader+len(question) && equalFold(b[dnsHeader:dnsHeader+len(question)], question)
}

// equalFold compares bytes without regard to the case of ASCII letters.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i, c := range b {
		if lower(c) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// serviceTypes is _services._dns-sd._udp.local, RFC 6763 section 9.
const serviceTypes = "\x09_services\x07_dns-sd\x04_udp\x05local\x00"

func mdns() Payload {
	return Payload{
		Protocol: "mdns", Title: "Multicast DNS",
		Ports: []uint16{5353}, Answer: 150, Echoed: 16,
		Reference: "RFC 6762 section 5.4, RFC 6763 section 9",
		Asks:      "the types of services, to be answered by unicast",
		Safe:      "what every browser of services asks; only the names of types come back",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append(appendDNSHeader(dst, cookie), serviceTypes...)
			return append(dst, 0, 12, 0x80, 1) // PTR, IN with the unicast-response bit
		},
		tell: func(b []byte, cookie uint64) bool {
			if len(b) < dnsHeader || b[2]&dnsQR == 0 {
				return false
			}
			// Responders that take this for an ordinary multicast query answer
			// with ID 0 and no question (RFC 6762 section 18.1).
			if b[0] == 0 && b[1] == 0 && binary.BigEndian.Uint16(b[4:]) == 0 {
				return true
			}
			// The class of a repeated question may have lost its top bit.
			return isDNSReply(b, cookie, serviceTypes)
		},
	}
}

func llmnr() Payload {
	const question = "\x09localhost\x00\x00\x01\x00\x01" // A, IN
	return Payload{
		Protocol: "llmnr", Title: "Link-Local Multicast Name Resolution",
		Ports: []uint16{5355}, Answer: 52, Echoed: 16,
		Reference: "RFC 4795 section 2.1",
		Asks:      "the address of localhost",
		Safe:      "a host answers for its own names only, so most stay silent",
		write: func(dst []byte, cookie uint64) []byte {
			return append(appendDNSHeader(dst, cookie), question...)
		},
		tell: func(b []byte, cookie uint64) bool { return isDNSReply(b, cookie, question) },
	}
}

func netbios() Payload {
	// "*" padded with zeros, two letters a byte (RFC 1001 section 14.1).
	const anyName = "\x20CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\x00"
	return Payload{
		Protocol: "netbios-ns", Title: "NetBIOS name service",
		Ports: []uint16{137}, Answer: 193, Echoed: 16,
		Reference: "RFC 1002 section 4.2.17",
		Asks:      "the node's status",
		Safe:      "reads the table of the node's own names",
		write: func(dst []byte, cookie uint64) []byte {
			return append(append(appendDNSHeader(dst, cookie), anyName...), 0, 0x21, 0, 1) // NBSTAT, IN
		},
		// NODE STATUS RESPONSE has no question but the name in its answer.
		tell: func(b []byte, cookie uint64) bool {
			return len(b) > dnsHeader && b[2]&dnsQR != 0 && binary.BigEndian.Uint16(b) == uint16(cookie)
		},
	}
}
