package payload

import "encoding/binary"

// tunnels are protocols that begin a tunnel or carry one.
func tunnels() []Payload {
	return []Payload{ike(), ikeNAT(), openvpn(), l2tp(), teredo(), capwap()}
}

const (
	ikeHeader   = 28   // bytes, RFC 7296 section 3.1
	ikeResponse = 0x20 // flag
	ikeInform   = 5    // IKEv1 informational exchange, RFC 2408 section 3.1
	nonESP      = "\x00\x00\x00\x00"
)

func ike() Payload {
	return Payload{
		Protocol: "ike", Title: "Internet Key Exchange",
		Ports: []uint16{500}, Answer: 36, Echoed: 64,
		Reference: "RFC 7296 sections 1.2 and 3.3",
		Asks:      "with IKE_SA_INIT, proposing algorithms that nobody implements",
		Safe:      "refused with NO_PROPOSAL_CHOSEN before any key is computed or state kept",
		write:     appendIKE,
		tell:      isIKE,
	}
}

func ikeNAT() Payload {
	return Payload{
		Protocol: "ike", Title: "Internet Key Exchange through NAT",
		Ports: []uint16{4500}, Answer: 40, Echoed: 64,
		Reference: "RFC 3948 section 2.2, RFC 7296 section 2.23",
		Asks:      "as on port 500, behind the non-ESP marker",
		Safe:      "as on port 500",
		write: func(dst []byte, cookie uint64) []byte {
			return appendIKE(append(dst, nonESP...), cookie)
		},
		tell: func(b []byte, cookie uint64) bool {
			return hasAt(b, 0, nonESP) && isIKE(b[len(nonESP):], cookie)
		},
	}
}

func appendIKE(dst []byte, cookie uint64) []byte {
	const (
		header = "\x21\x20\x22\x08" + // next: SA; version 2.0; IKE_SA_INIT; initiator
			"\x00\x00\x00\x00\x00\x00\x00\xc4" // message 0, 196 bytes
		sa = "\x22\x00\x00\x2c" + // next: KE
			"\x00\x00\x00\x28\x01\x01\x00\x04" + // proposal 1: IKE, 4 transforms
			"\x03\x00\x00\x08\x01\x00\x00\x09" + // ENCR_DES_IV32
			"\x03\x00\x00\x08\x02\x00\x00\x03" + // PRF_HMAC_TIGER
			"\x03\x00\x00\x08\x03\x00\x00\x04" + // AUTH_KPDK_MD5
			"\x00\x00\x00\x08\x04\x00\x00\x01" // 768-bit MODP
		exchange = "\x28\x00\x00\x68\x00\x01\x00\x00" // next: nonce; group 1, 96 bytes follow
		nonce    = "\x00\x00\x00\x14"                 // 16 bytes follow
	)
	dst = binary.BigEndian.AppendUint64(dst, cookie) // initiator's SPI
	dst = append(appendZeros(dst, 8), header...)
	dst = append(append(dst, sa...), exchange...)
	for range 96 / 8 {
		dst = binary.BigEndian.AppendUint64(dst, cookie|1)
	}
	dst = append(dst, nonce...)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, cookie), ^cookie)
}

func isIKE(b []byte, cookie uint64) bool {
	if len(b) < ikeHeader || !has64(b, 0, cookie) {
		return false
	}
	switch b[17] >> 4 { // major version
	case 2:
		return b[19]&ikeResponse != 0
	case 1: // that speaks no version 2
		return b[18] == ikeInform
	}
	return false
}

func openvpn() Payload {
	const (
		clientReset = 7 << 3 // P_CONTROL_HARD_RESET_CLIENT_V2, key 0
		serverReset = 8 << 3
	)
	return Payload{
		Protocol: "openvpn", Title: "OpenVPN",
		Ports: []uint16{1194}, Answer: 26, Echoed: 64,
		Reference: "OpenVPN protocol description, control channel",
		Asks:      "for a session, by a client's hard reset",
		Safe:      "the server answers with a reset of its own and forgets; a server with tls-auth stays silent",
		write: func(dst []byte, cookie uint64) []byte {
			dst = binary.BigEndian.AppendUint64(append(dst, clientReset), cookie) // our session
			return appendZeros(dst, 5)                                            // nothing acknowledged, packet 0
		},
		// The acknowledgement repeats our session.
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= 22 && b[0]&0xf8 == serverReset && b[9] == 1 && has64(b, 14, cookie)
		},
	}
}

func l2tp() Payload {
	const head = "\xc8\x02\x00\x35" + // control, with length and sequence; version 2; 53 bytes
		"\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x80\x08\x00\x00\x00\x00\x00\x01" + // SCCRQ
		"\x80\x08\x00\x00\x00\x02\x01\x00" + // protocol version 1.0
		"\x80\x0a\x00\x00\x00\x03\x00\x00\x00\x03" + // framing
		"\x80\x07\x00\x00\x00\x07x" + // host name
		"\x80\x08\x00\x00\x00\x09" // our tunnel follows
	return Payload{
		Protocol: "l2tp", Title: "Layer 2 Tunneling Protocol",
		Ports: []uint16{1701}, Answer: 110, Echoed: 15,
		Reference: "RFC 2661 section 6.1",
		Asks:      "for a control connection (SCCRQ)",
		Safe:      "half open and forgotten when nothing follows; no session, no login",
		write: func(dst []byte, cookie uint64) []byte {
			return binary.BigEndian.AppendUint16(append(dst, head...), uint16(cookie)|1)
		},
		// SCCRP and StopCCN come with the tunnel ID that we assigned.
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= 12 && b[0]&0xc8 == 0xc8 && b[1]&0x0f == 2 && has16(b, 4, uint16(cookie)|1)
		},
	}
}

func teredo() Payload {
	const (
		authentication = "\x00\x01\x00\x00" // no client ID, no value; the nonce follows
		solicitation   = "\x60\x00\x00\x00\x00\x08\x3a\xff" +
			"\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xfd" + // not behind a cone NAT
			"\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" +
			"\x85\x00\x7d\x39\x00\x00\x00\x00"
		size          = 13 // bytes of the authentication
		origin        = 8  // bytes of the origin indication
		ipv6          = 40 // bytes of the header
		advertisement = 134
	)
	return Payload{
		Protocol: "teredo", Title: "Teredo server",
		Ports: []uint16{3544}, Answer: 117, Echoed: 64,
		Reference: "RFC 4380 section 5.2.1",
		Asks:      "for a router advertisement",
		Safe:      "servers keep no state; one not behind a cone NAT is answered from the address it asked",
		write: func(dst []byte, cookie uint64) []byte {
			dst = binary.BigEndian.AppendUint64(append(dst, authentication...), cookie)
			return append(append(dst, 0), solicitation...)
		},
		tell: func(b []byte, cookie uint64) bool {
			if len(b) < size || b[0] != 0 || b[1] != 1 || b[2] != 0 || b[3] != 0 || !has64(b, 4, cookie) {
				return false
			}
			b = b[size:]
			if has16(b, 0, 0) && len(b) >= origin {
				b = b[origin:]
			}
			return len(b) > ipv6 && b[0]>>4 == 6 && b[ipv6] == advertisement
		},
	}
}

func capwap() Payload {
	const (
		head = "\x00\x10\x02\x00\x00\x00\x00\x00" + // 8 bytes of header, IEEE 802.11
			"\x00\x00\x00\x01" // Discovery Request
		elements = "\x00\x52\x00" + // 82 bytes after the sequence number
			"\x00\x14\x00\x01\x00" + // discovery type: unknown
			"\x00\x26\x00\x0e\x00\x00\x00\x00\x00\x00\x00\x010\x00\x01\x00\x010" + // board
			"\x00\x27\x00\x21\x01\x00\x01\x01\x00\x00" + // descriptor: one radio, unused
			"\x00\x00\x00\x00\x00\x00\x00\x010\x00\x00\x00\x00\x00\x01\x00\x010\x00\x00\x00\x00\x00\x02\x00\x010" +
			"\x00\x29\x00\x01\x04" + // frames tunnelled as 802.3
			"\x00\x2c\x00\x01\x02" + // MAC: both
			"\x04\x18\x00\x05\x01\x00\x00\x00\x0f" // radio
		response = 2
	)
	return Payload{
		Protocol: "capwap", Title: "Wireless access point control (CAPWAP)",
		Ports: []uint16{5246}, Answer: 110, Echoed: 8, Slow: true,
		Reference: "RFC 5415 section 5.1",
		Asks:      "with a Discovery Request",
		Safe:      "discovery joins nothing; controllers keep no state for it",
		write: func(dst []byte, cookie uint64) []byte {
			return append(append(append(dst, head...), byte(cookie)), elements...)
		},
		tell: func(b []byte, cookie uint64) bool {
			if len(b) < 8 || b[0] != 0 {
				return false
			}
			header := int(b[1]>>3) * 4
			return len(b) > header+4 && has32(b, header, response) && b[header+4] == byte(cookie)
		},
	}
}
