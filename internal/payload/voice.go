package payload

import "encoding/binary"

// voice are the protocols of telephony and voice chat.
func voice() []Payload {
	return []Payload{sip(), stun(), iax(), mgcp(), mumble(), teamspeak()}
}

func sip() Payload {
	const (
		branch = "OPTIONS sip:probe.invalid SIP/2.0\r\nVia: SIP/2.0/UDP probe.invalid;rport;branch=z9hG4bK"
		tag    = "\r\nMax-Forwards: 0\r\nTo: <sip:probe.invalid>\r\nFrom: <sip:probe.invalid>;tag="
		call   = "\r\nCall-ID: "
		end    = "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	)
	return Payload{
		Protocol: "sip", Title: "Session Initiation Protocol",
		Ports: []uint16{5060}, Answer: 330, Echoed: 64,
		Reference: "RFC 3261 section 11",
		Asks:      "with OPTIONS and Max-Forwards 0",
		Safe:      "begins no call and no registration; Max-Forwards 0 forbids a proxy to pass it on",
		write: func(dst []byte, cookie uint64) []byte {
			dst = appendHex(append(dst, branch...), cookie)
			dst = appendHex(append(dst, tag...), cookie)
			dst = appendHex(append(dst, call...), cookie)
			return append(dst, end...)
		},
		// Via, From, To and Call-ID come back.
		tell: func(b []byte, cookie uint64) bool {
			return hasAt(b, 0, "SIP/2.0 ") && containsHex(b, cookie)
		},
	}
}

func stun() Payload {
	const (
		request = "\x00\x01\x00\x00\x21\x12\xa4\x42" // Binding, no attributes, magic
		magic   = 0x2112a442
	)
	return Payload{
		Protocol: "stun", Title: "STUN and TURN",
		Ports:  []uint16{3478, 3479, 19302, 19303, 19304, 19305},
		Answer: 72, Echoed: 64,
		Reference: "RFC 8489 sections 5 and 14",
		Asks:      "with a Binding Request without attributes",
		Safe:      "servers keep no state; no TURN allocation is asked for",
		write: func(dst []byte, cookie uint64) []byte {
			dst = binary.BigEndian.AppendUint64(append(dst, request...), cookie)
			return binary.BigEndian.AppendUint32(dst, ^uint32(cookie))
		},
		tell: func(b []byte, cookie uint64) bool {
			const success, failure = 0x0101, 0x0111
			return (has16(b, 0, success) || has16(b, 0, failure)) && has32(b, 4, magic) &&
				has64(b, 8, cookie) && has32(b, 16, ^uint32(cookie))
		},
	}
}

func iax() Payload {
	const (
		full, frame = 0x80, 6
		poke        = 0x1e
	)
	return Payload{
		Protocol: "iax2", Title: "Inter-Asterisk eXchange",
		Ports: []uint16{4569}, Answer: 12, Echoed: 14,
		Reference: "RFC 5456 section 6.7",
		Asks:      "with POKE",
		Safe:      "asks whether a peer is there; no call, no registration",
		write: func(dst []byte, cookie uint64) []byte {
			dst = binary.BigEndian.AppendUint16(dst, full<<8|iaxCall(cookie))
			dst = append(dst, 0, 0)
			dst = binary.BigEndian.AppendUint32(dst, uint32(cookie)&0xffff) // milliseconds
			return append(dst, 0, 0, frame, poke)
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= 12 && b[0]&full != 0 && has16(b, 2, iaxCall(cookie)) && b[10] == frame
		},
	}
}

// iaxCall is our call number: 15 bits, not zero.
func iaxCall(cookie uint64) uint16 { return uint16(cookie>>16)&0x7fff | 1 }

func mgcp() Payload {
	const digits = 9
	number := func(cookie uint64) uint32 { return 100_000_000 + uint32(cookie)%900_000_000 }
	return Payload{
		Protocol: "mgcp", Title: "Media Gateway Control Protocol",
		Ports: []uint16{2427, 2727}, Answer: 35, Echoed: 32,
		Reference: "RFC 3435 section 2.3.10",
		Asks:      "to audit an endpoint that does not exist",
		Safe:      "an audit reads, and there is nothing to read",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append(dst, "AUEP "...)
			n := number(cookie)
			for unit := uint32(100_000_000); unit > 0; unit /= 10 {
				dst = append(dst, byte('0'+n/unit%10))
			}
			return append(dst, " probe@probe.invalid MGCP 1.0\r\n\r\n"...)
		},
		tell: func(b []byte, cookie uint64) bool {
			const start = 4 // after "500 "
			if len(b) < start+digits || b[3] != ' ' || b[0] < '0' || b[0] > '9' {
				return false
			}
			var got uint32
			for _, c := range b[start : start+digits] {
				if c < '0' || c > '9' {
					return false
				}
				got = got*10 + uint32(c-'0')
			}
			return got == number(cookie)
		},
	}
}

func mumble() Payload {
	return Payload{
		Protocol: "mumble", Title: "Mumble voice chat",
		Ports: []uint16{64738}, Answer: 24, Echoed: 64,
		Reference: "Mumble protocol documentation, server status by UDP",
		Asks:      "with the ping of a server list",
		Safe:      "what every client's server list sends; tells version and number of users",
		write: func(dst []byte, cookie uint64) []byte {
			return binary.BigEndian.AppendUint64(appendZeros(dst, 4), cookie)
		},
		tell: func(b []byte, cookie uint64) bool { return len(b) == 24 && has64(b, 4, cookie) },
	}
}

func teamspeak() Payload {
	const (
		request  = "TS3INIT1\x00\x65\x00\x00\x88" // packet 101, client 0, init and unencrypted
		version  = "\x06\x3b\xec\xe9"
		response = "TS3INIT1\x00\x65\x88\x01"
		echoAt   = len(response) + 16
	)
	return Payload{
		Protocol: "teamspeak3", Title: "TeamSpeak 3 voice chat",
		Ports: []uint16{9987}, Answer: 32, Echoed: 32,
		Reference: "not published; the first step of its handshake is described by users",
		Asks:      "with the first step of the handshake",
		Safe:      "the server keeps no state until the client has solved a puzzle two steps later",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append(append(dst, request...), version...)
			dst = append(dst, 0, 0, 0, 0, 0) // step 0, time
			dst = binary.BigEndian.AppendUint32(dst, uint32(cookie))
			return appendZeros(dst, 8)
		},
		// The server sends our random bytes back, last first.
		tell: func(b []byte, cookie uint64) bool {
			return hasAt(b, 0, response) && len(b) >= echoAt+4 &&
				(binary.LittleEndian.Uint32(b[echoAt:]) == uint32(cookie) || has32(b, echoAt, uint32(cookie)))
		},
	}
}
