package payload

import "encoding/binary"

// industry are the protocols of buildings and plants. Their devices are
// fragile: each is asked one ordinary question that its own tools ask.
func industry() []Payload {
	return []Payload{bacnet(), ethernetIP(), modbus(), dnp3(), knx(), fins(), lantronix()}
}

func bacnet() Payload {
	const (
		head                        = "\x81\x0a\x00\x11\x01\x04\x00\x05" // unicast, 17 bytes; an answer is expected; confirmed request
		tail                        = "\x0c\x0c\x02\x3f\xff\xff\x19\x4b" // ReadProperty of the device, whichever number it has: its identifier
		from                        = 6                                  // bytes before the APDU
		ack, failure, reject, abort = 3, 5, 6, 7                         // PDU types
	)
	return Payload{
		Protocol: "bacnet", Title: "BACnet/IP",
		Ports: []uint16{47808}, Answer: 23, Echoed: 8,
		Reference: "ANSI/ASHRAE 135 clauses 15.5 and 20.1",
		Asks:      "the device for its identifier",
		Safe:      "reads one property; no Who-Is, which others would answer, too",
		write: func(dst []byte, cookie uint64) []byte {
			dst = append(append(dst, head...), byte(cookie))
			return append(dst, tail...)
		},
		tell: func(b []byte, cookie uint64) bool {
			if len(b) < from+3 || b[0] != 0x81 || b[4] != 1 || b[from+1] != byte(cookie) {
				return false
			}
			switch b[from] >> 4 {
			case ack, failure, reject, abort:
				return true
			}
			return false
		},
	}
}

func ethernetIP() Payload {
	const (
		listServices = "\x04\x00"
		header       = 24 // bytes
	)
	return Payload{
		Protocol: "ethernet-ip", Title: "EtherNet/IP",
		Ports: []uint16{44818}, Answer: 50, Echoed: 64,
		Reference: "ODVA CIP volume 2, ListServices",
		Asks:      "ListServices",
		Safe:      "needs no session and opens none; ListIdentity, which may be answered seconds later, is not needed",
		write: func(dst []byte, cookie uint64) []byte {
			dst = appendZeros(append(dst, listServices...), 10)
			return appendZeros(binary.BigEndian.AppendUint64(dst, cookie), 4) // context, options
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= header && hasAt(b, 0, listServices) && has64(b, 12, cookie) &&
				(binary.LittleEndian.Uint16(b[2:]) > 0 || binary.LittleEndian.Uint32(b[8:]) != 0)
		},
	}
}

func modbus() Payload {
	const (
		function, failed = 0x2b, 0xab
		request          = "\xff\x2b\x0e\x01\x00" // this device: read identification, basic, from the first object
	)
	return Payload{
		Protocol: "modbus", Title: "Modbus over UDP",
		Ports: []uint16{502}, Answer: 50, Echoed: 16,
		Reference: "Modbus Application Protocol 1.1b3 section 6.21",
		Asks:      "for the device's identification",
		Safe:      "reads the name plate: no register, no coil; unit 255 is the device itself, not what hangs behind it",
		write: func(dst []byte, cookie uint64) []byte {
			dst = binary.BigEndian.AppendUint16(dst, uint16(cookie))
			return append(append(dst, 0, 0, 0, byte(len(request))), request...)
		},
		tell: func(b []byte, cookie uint64) bool {
			if len(b) < 9 || !has16(b, 0, uint16(cookie)) || !has16(b, 2, 0) {
				return false
			}
			return b[7] == failed || b[7] == function && len(b) > 10 && b[8] == 0x0e && b[10] != 0 // conformity level
		},
	}
}

func dnp3() Payload {
	const (
		start                = "\x05\x64\x05"
		request              = 0xc9 // from the master, request link status
		status, notSupported = 0x0b, 0x0f
		outstation           = 1
		header               = 8 // bytes before the check sum
	)
	address := func(cookie uint64) uint16 { return uint16(cookie)&0x7fff | 2 }
	return Payload{
		Protocol: "dnp3", Title: "DNP3",
		Ports: []uint16{20000}, Answer: 10, Echoed: 14,
		Reference: "IEEE 1815 clause 9",
		Asks:      "outstation 1 for the status of the link",
		Safe:      "ends in the link layer; the application with its points is not reached",
		write: func(dst []byte, cookie uint64) []byte {
			at := len(dst)
			dst = append(append(dst, start...), request, outstation, 0)
			dst = binary.LittleEndian.AppendUint16(dst, address(cookie))
			return binary.LittleEndian.AppendUint16(dst, dnp3Sum(dst[at:]))
		},
		tell: func(b []byte, cookie uint64) bool {
			if len(b) < header+2 || !hasAt(b, 0, start) || dnp3Sum(b[:header]) != binary.LittleEndian.Uint16(b[header:]) {
				return false
			}
			function := b[3] & 0x4f // without the direction, which some set wrongly
			return (function == status || function == notSupported) && binary.LittleEndian.Uint16(b[4:]) == address(cookie)
		},
	}
}

// dnp3Sum is the check sum of a block.
func dnp3Sum(b []byte) uint16 {
	const polynomial = 0xa6bc // 0x3d65, bits reversed
	var sum uint16
	for _, c := range b {
		sum ^= uint16(c)
		for range 8 {
			low := sum & 1
			sum >>= 1
			sum ^= low * polynomial
		}
	}
	return ^sum
}

func knx() Payload {
	const (
		// Address 0.0.0.0, port 0: answer to where this came from.
		request  = "\x06\x10\x02\x03\x00\x0e\x08\x01\x00\x00\x00\x00\x00\x00"
		response = "\x06\x10\x02\x04"
	)
	return Payload{
		Protocol: "knxnet-ip", Title: "KNXnet/IP",
		Ports: []uint16{3671}, Answer: 70,
		Reference: "ISO 22510 (KNXnet/IP core), DESCRIPTION_REQUEST",
		Asks:      "for the device's description",
		Safe:      "opens no tunnel, so nothing gets onto the bus",
		write:     func(dst []byte, _ uint64) []byte { return append(dst, request...) },
		tell:      func(b []byte, _ uint64) bool { return hasAt(b, 0, response) && len(b) > 8 },
	}
}

func fins() Payload {
	const (
		head            = "\x80\x00\x02\x00\x00\x00\x00\xfa\x00" // command; local network; from node 250
		statusRead      = "\x06\x01"
		commandAt       = 10
		isResponse byte = 0x40
	)
	return Payload{
		Protocol: "fins", Title: "OMRON FINS",
		Ports: []uint16{9600}, Answer: 40, Echoed: 8,
		Reference: "OMRON W342, CONTROLLER STATUS READ",
		Asks:      "for the controller's status",
		Safe:      "reads; no memory area, no change of mode",
		write: func(dst []byte, cookie uint64) []byte {
			return append(append(append(dst, head...), byte(cookie)), statusRead...)
		},
		tell: func(b []byte, cookie uint64) bool {
			return len(b) >= commandAt+4 && b[0]&isResponse != 0 && b[9] == byte(cookie) && hasAt(b, commandAt, statusRead)
		},
	}
}

func lantronix() Payload {
	const request, response = "\x00\x00\x00\xf6", "\x00\x00\x00\xf7"
	return Payload{
		Protocol: "lantronix", Title: "Lantronix device server",
		Ports: []uint16{30718}, Answer: 30,
		Reference: "Lantronix UDS-10 user guide, chapter 8",
		Asks:      "for the firmware's version",
		Safe:      "reads; the setup record, which may hold a password, is not asked for",
		write:     func(dst []byte, _ uint64) []byte { return append(dst, request...) },
		tell:      func(b []byte, _ uint64) bool { return hasAt(b, 0, response) && len(b) >= 20 },
	}
}
