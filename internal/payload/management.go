package payload

import "encoding/binary"

// management are protocols by which devices are managed.
func management() []Payload {
	return []Payload{snmp(), rmcp(), rip()}
}

// snmpReport is the tag of the Report PDU, RFC 3416 section 3.
const snmpReport = 0xa8

func snmp() Payload {
	const (
		start = "\x30\x3d\x02\x01\x03" + // version 3
			"\x30\x10\x02\x04" // msgID follows
		middle = "\x02\x02\x05\xc0" + // largest message 1472
			"\x04\x01\x04\x02\x01\x03" + // reportable, user security model
			"\x04\x10\x30\x0e\x04\x00\x02\x01\x00\x02\x01\x00\x04\x00\x04\x00\x04\x00" + // nothing known
			"\x30\x14\x04\x00\x04\x00\xa0\x0e\x02\x04" // get-request, its ID follows
		end = "\x02\x01\x00\x02\x01\x00\x30\x00"
	)
	return Payload{
		Protocol: "snmp", Title: "Simple Network Management Protocol",
		Ports: []uint16{161}, Answer: 106, Echoed: 30,
		Reference: "RFC 3414 section 4, RFC 3412 section 6",
		Asks:      "for the engine ID, by version 3 discovery",
		Safe:      "needs no community and no user, so it is no login; asks for no variable. Never GETBULK",
		write: func(dst []byte, cookie uint64) []byte {
			dst = binary.BigEndian.AppendUint32(append(dst, start...), berID(cookie))
			dst = binary.BigEndian.AppendUint32(append(dst, middle...), berID(cookie))
			return append(dst, end...)
		},
		tell: isSNMPReport,
	}
}

// isSNMPReport reports a version 3 message with our ID and a Report in it.
func isSNMPReport(b []byte, cookie uint64) bool {
	b, _, ok := berExpect(b, berSequence)
	if !ok {
		return false
	}
	version, b, ok := berExpect(b, berInteger)
	if !ok || len(version) != 1 || version[0] != 3 {
		return false
	}
	global, b, ok := berExpect(b, berSequence)
	if !ok {
		return false
	}
	if id, _, ok := berExpect(global, berInteger); !ok || !isBERID(id, cookie) {
		return false
	}
	_, b, ok = berExpect(b, berOctets) // security parameters
	if !ok {
		return false
	}
	scoped, _, ok := berExpect(b, berSequence)
	if !ok {
		return false
	}
	for range 2 { // context engine ID, context name
		if _, scoped, ok = berExpect(scoped, berOctets); !ok {
			return false
		}
	}
	pdu, _, _, ok := berNext(scoped)
	return ok && pdu == snmpReport
}

func rmcp() Payload {
	const (
		head = "\x06\x00\xff\x06\x00\x00\x11\xbe" // RMCP 1.0, no acknowledgement, ASF; ASF's number
		ping = 0x80
		pong = 0x40
	)
	tag := func(cookie uint64) byte {
		if byte(cookie) == 0xff { // would mean that no answer is wanted
			return 0
		}
		return byte(cookie)
	}
	return Payload{
		Protocol: "ipmi", Title: "IPMI and ASF (RMCP)",
		Ports: []uint16{623, 664}, Answer: 28, Echoed: 8,
		Reference: "DMTF DSP0136, Presence Ping",
		Asks:      "with Presence Ping",
		Safe:      "begins no session and asks for no authentication",
		write: func(dst []byte, cookie uint64) []byte {
			return append(append(dst, head...), ping, tag(cookie), 0, 0)
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= 12 && b[0] == head[0] && b[3] == head[3] && hasAt(b, 4, head[4:]) &&
				b[8] == pong && b[9] == tag(cookie)
		},
	}
}

func rip() Payload {
	const (
		request, response = 1, 2
		family            = "\x00\x02\x00\x00\xc0\x00\x02" // IPv4; 192.0.2.x is for documentation
		tail              = "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x01"
	)
	return Payload{
		Protocol: "rip", Title: "Routing Information Protocol",
		Ports: []uint16{520}, Answer: 24, Echoed: 8,
		Reference: "RFC 2453 section 3.9.1",
		Asks:      "for the route to one address that has none",
		Safe:      "a question for single routes is answered in its own size; the whole table is not asked for, no route is told",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append(append(dst, request, 2, 0, 0), family...)
			return append(append(dst, byte(cookie)), tail...)
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= 24 && b[0] == response && b[1] > 0 && hasAt(b, 4, family) && b[11] == byte(cookie)
		},
	}
}
