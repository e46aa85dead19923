package payload

import (
	"bytes"
	"encoding/binary"
)

// discovery are the protocols by which devices and services are found.
func discovery() []Payload {
	return []Payload{ssdp(), wsDiscovery(), slp(), pcp(), dht(), sqlBrowser(), xdmcp(), coap()}
}

func ssdp() Payload {
	const request = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\r\n"
	return Payload{
		Protocol: "ssdp", Title: "Simple Service Discovery (UPnP)",
		Ports: []uint16{1900}, Answer: 320, Slow: true, Elsewhere: true,
		Reference: "UPnP Device Architecture 1.1 section 1.3.2",
		Asks:      "for root devices, by unicast",
		Safe:      "a search for root devices brings one answer a device; ssdp:all, which brings dozens, is not sent",
		write:     func(dst []byte, _ uint64) []byte { return append(dst, request...) },
		tell: func(b []byte, _ uint64) bool {
			return hasAt(b, 0, "HTTP/1.") && (contains(b, "rootdevice") || contains(b, "USN:") || contains(b, "LOCATION:") || contains(b, "Location:"))
		},
	}
}

func wsDiscovery() Payload {
	const (
		start = `<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"` +
			` xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"` +
			` xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><e:Header>` +
			`<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>` +
			`<a:MessageID>urn:uuid:`
		end = `</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>` +
			`</e:Header><e:Body><d:Probe/></e:Body></e:Envelope>`
	)
	return Payload{
		Protocol: "ws-discovery", Title: "Web Services Dynamic Discovery",
		Ports: []uint16{3702}, Answer: 900, Slow: true, Elsewhere: true,
		Reference: "WS-Discovery (2005/04) sections 3.1.3 and 5.3",
		Asks:      "with a Probe, by unicast",
		Safe:      "a search; the question is large, so that the answer is not many times larger",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append(dst, start...)
			at := len(dst) // a UUID: 8-4-4-4-12 digits
			dst = appendHex(appendHex(dst, ^cookie), cookie)
			dst = append(dst, "    "...)
			text := dst[at:]
			copy(text[24:], text[20:32])
			copy(text[19:], text[16:20])
			copy(text[14:], text[12:16])
			copy(text[9:], text[8:12])
			text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
			text[14], text[19] = '4', '8'
			return append(dst, end...)
		},
		tell: func(b []byte, _ uint64) bool {
			if !contains(b, "Envelope") || hasAt(b, 0, start[:64]) {
				return false
			}
			// Cameras spend the first kilobyte on namespaces.
			return contains(b, "ProbeMatches") || len(b) >= Captured && b[0] == '<'
		},
	}
}

func slp() Payload {
	const (
		request, response = 1, 2
		head              = "\x00\x00\x36\x00\x00\x00\x00\x00" // 54 bytes, no flags, no extension
		tail              = "\x00\x02en\x00\x00\x00\x15service:probe.invalid\x00\x07default\x00\x00\x00\x00"
	)
	return Payload{
		Protocol: "slp", Title: "Service Location Protocol",
		Ports: []uint16{427}, Answer: 20, Echoed: 16,
		Reference: "RFC 2608 sections 8.1 and 8.2",
		Asks:      "for a type of service that does not exist",
		Safe:      "a search that finds nothing, so the answer is empty; nothing is registered",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append(append(dst, 2, request), head...)
			return append(binary.BigEndian.AppendUint16(dst, uint16(cookie)), tail...)
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= 18 && b[0] == 2 && b[1] == response && has16(b, 10, uint16(cookie))
		},
	}
}

func pcp() Payload {
	const version, announce, response = 2, 0, 0x80
	return Payload{
		Protocol: "pcp", Title: "Port Control Protocol and NAT-PMP",
		Ports: []uint16{5351}, Answer: 24,
		Reference: "RFC 6887 section 14.1, RFC 6886 section 3.5",
		Asks:      "with ANNOUNCE",
		Safe:      "maps no port; a NAT-PMP gateway answers that it does not speak the version",
		write: func(dst []byte, _ uint64) []byte {
			dst = appendZeros(append(dst, version, announce), 2+4+10) // ::ffff:0.0.0.0
			return append(dst, 0xff, 0xff, 0, 0, 0, 0)
		},
		tell: func(b []byte, _ uint64) bool {
			switch {
			case len(b) >= 24 && b[0] <= version && b[1] == response|announce:
				return true
			case len(b) >= 4 && b[0] == 0 && b[1] >= response: // unsupported version
				return has16(b, 2, 1)
			}
			return false
		},
	}
}

func dht() Payload {
	return Payload{
		Protocol: "dht", Title: "BitTorrent DHT",
		Ports: []uint16{6881, 51413}, Answer: 70, Echoed: 64,
		Reference: "BEP 5, BEP 43",
		Asks:      "with ping, as a read-only node",
		Safe:      "read-only nodes are not entered into the other's table",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append(dst, "d1:ad2:id20:"...)
			dst = binary.BigEndian.AppendUint64(dst, ^cookie)
			dst = binary.BigEndian.AppendUint64(dst, cookie)
			dst = binary.BigEndian.AppendUint32(dst, uint32(cookie))
			dst = append(dst, "e1:q4:ping2:roi1e1:t8:"...)
			return append(binary.BigEndian.AppendUint64(dst, cookie), "1:y1:qe"...)
		},
		tell: func(b []byte, cookie uint64) bool {
			var transaction [13]byte
			key := binary.BigEndian.AppendUint64(append(transaction[:0], "1:t8:"...), cookie)
			return len(b) > 0 && b[0] == 'd' && bytes.Contains(b, key) &&
				(contains(b, "1:y1:r") || contains(b, "1:y1:e")) && !contains(b, "1:y1:q")
		},
	}
}

func sqlBrowser() Payload {
	return Payload{
		Protocol: "mssql-browser", Title: "SQL Server Browser",
		Ports: []uint16{1434}, Answer: 110,
		Reference: "MC-SQLR sections 2.2.3 and 2.2.5",
		Asks:      "for the default instance",
		Safe:      "a look-up by name; the question that lists every instance is not sent",
		write:     func(dst []byte, _ uint64) []byte { return append(dst, "\x04MSSQLSERVER\x00"...) },
		tell: func(b []byte, _ uint64) bool {
			return len(b) >= 3 && b[0] == 5 && (len(b) >= Captured || int(binary.LittleEndian.Uint16(b[1:])) == len(b)-3)
		},
	}
}

func xdmcp() Payload {
	const query, willing, unwilling = "\x00\x01\x00\x02\x00\x01\x00", 5, 6
	return Payload{
		Protocol: "xdmcp", Title: "X Display Manager Control Protocol",
		Ports: []uint16{177}, Answer: 50,
		Reference: "X.Org XDMCP 1.1, Query",
		Asks:      "whether the host is willing to manage a display",
		Safe:      "Query begins no session; Request, which would, is not sent",
		write:     func(dst []byte, _ uint64) []byte { return append(dst, query...) },
		tell: func(b []byte, _ uint64) bool {
			return has16(b, 0, 1) && (has16(b, 2, willing) || has16(b, 2, unwilling))
		},
	}
}

func coap() Payload {
	const ping, reset = 0x40, 0x70 // confirmable and reset, no token
	return Payload{
		Protocol: "coap", Title: "Constrained Application Protocol",
		Ports: []uint16{5683}, Answer: 4, Echoed: 16,
		Reference: "RFC 7252 section 4.3",
		Asks:      "with an empty confirmable message (ping)",
		Safe:      "names no resource; the answer has the question's size",
		write: func(dst []byte, cookie uint64) []byte {
			return binary.BigEndian.AppendUint16(append(dst, ping, 0), uint16(cookie))
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) == 4 && b[0] == reset && b[1] == 0 && has16(b, 2, uint16(cookie))
		},
	}
}
