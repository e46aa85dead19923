package payload

import "encoding/binary"

// directory are the protocols of directories and authentication.
func directory() []Payload { return []Payload{cldap(), kerberos(), radius()} }

func cldap() Payload {
	const (
		head = "\x30\x3e\x02\x04"
		tail = "\x63\x36\x04\x00\x0a\x01\x00\x0a\x01\x00" + // search: the root, base object, aliases never
			"\x02\x01\x00\x02\x01\x00\x01\x01\x00" + // no limits, values too
			"\x87\x0bobjectClass" + // present
			"\x30\x16\x04\x14supportedLDAPVersion"
		entry, done = 0x64, 0x65
	)
	return Payload{
		Protocol: "cldap", Title: "Connectionless LDAP",
		Ports: []uint16{389}, Answer: 70, Echoed: 30,
		Reference: "RFC 4511 section 4.5, MS-ADTS",
		Asks:      "the root entry for supportedLDAPVersion",
		Safe:      "one small attribute by name; asking for all of them is what attackers amplify with. No bind",
		write: func(dst []byte, cookie uint64) []byte {
			return append(binary.BigEndian.AppendUint32(append(dst, head...), berID(cookie)), tail...)
		},
		tell: func(b []byte, cookie uint64) bool {
			message, _, ok := berExpect(b, berSequence)
			if !ok {
				return false
			}
			id, rest, ok := berExpect(message, berInteger)
			if !ok || !isBERID(id, cookie) {
				return false
			}
			operation, _, _, ok := berNext(rest)
			return ok && (operation == entry || operation == done)
		},
	}
}

func kerberos() Payload {
	const (
		head = "\x6a\x77\x30\x75\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a" + // AS-REQ, version 5
			"\xa4\x69\x30\x67\xa0\x07\x03\x05\x00\x00\x00\x00\x00" + // no options
			"\xa1\x11\x30\x0f\xa0\x03\x02\x01\x01\xa1\x08\x30\x06\x1b\x04none" +
			"\xa2\x09\x1b\x07INVALID" +
			"\xa3\x1c\x30\x1a\xa0\x03\x02\x01\x02\xa1\x13\x30\x11\x1b\x06krbtgt\x1b\x07INVALID" +
			"\xa5\x11\x18\x0f19700101000000Z\xa7\x06\x02\x04" // the nonce follows
		tail = "\xa8\x05\x30\x03\x02\x01\x12" // AES
		// KRB-ERROR: its tag, and what its sequence begins with.
		failure, start = 0x7e, "\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e"
	)
	return Payload{
		Protocol: "kerberos", Title: "Kerberos key distribution centre",
		Ports: []uint16{88}, Answer: 120,
		Reference: "RFC 4120 sections 5.4.1 and 5.9.1",
		Asks:      "for a ticket in a realm that cannot exist",
		Safe:      "the user \"none\" of realm INVALID is nobody's account and no password is sent, so nothing is locked",
		write: func(dst []byte, cookie uint64) []byte {
			return append(binary.BigEndian.AppendUint32(append(dst, head...), berID(cookie)), tail...)
		},
		tell: func(b []byte, _ uint64) bool {
			application, _, ok := berExpect(b, failure)
			if !ok {
				return false
			}
			fields, _, ok := berExpect(application, berSequence)
			return ok && hasAt(fields, 0, start)
		},
	}
}

func radius() Payload {
	const (
		status              = 12 // RFC 5997
		accept, reject, acc = 2, 3, 5
		size, header        = 38, 20
	)
	return Payload{
		Protocol: "radius", Title: "RADIUS",
		Ports: []uint16{1645, 1646, 1812, 1813}, Answer: 0, Echoed: 8,
		Reference: "RFC 5997 section 3, RFC 2865 section 3",
		Asks:      "with Status-Server, signed with nothing",
		Safe:      "no user's name is in it; a server discards it when it does not know the asker, as it must, so most stay silent",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append(dst, status, byte(cookie), 0, size)
			dst = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, cookie), ^cookie)
			return appendZeros(append(dst, 80, 18), 16) // Message-Authenticator
		},
		tell: func(b []byte, cookie uint64) bool {
			if len(b) < header || b[1] != byte(cookie) || b[0] != accept && b[0] != reject && b[0] != acc {
				return false
			}
			length := int(binary.BigEndian.Uint16(b[2:]))
			return length >= header && (length <= len(b) || len(b) >= Captured)
		},
	}
}
