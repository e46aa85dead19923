package payload

import "encoding/binary"

// small are the oldest services, which any datagram makes answer.
func small() []Payload {
	return []Payload{
		echo(),
		anyDatagram(13, "daytime", "Daytime", "RFC 867", 26, isDaytime),
		anyDatagram(17, "qotd", "Quote of the day", "RFC 865", 120, isText),
		anyDatagram(19, "chargen", "Character generator", "RFC 864", 1024, isLongText),
		anyDatagram(37, "time", "Time", "RFC 868", 4, func(b []byte) bool { return len(b) == 4 }),
	}
}

func echo() Payload {
	return Payload{
		Protocol: "echo", Title: "Echo",
		Ports: []uint16{7}, Answer: 8, Echoed: 64,
		Reference: "RFC 862",
		Asks:      "to send 8 bytes back",
		Safe:      "the answer is the question",
		write:     binary.BigEndian.AppendUint64,
		tell:      func(b []byte, cookie uint64) bool { return len(b) == 8 && has64(b, 0, cookie) },
	}
}

// anyDatagram is a service that answers whatever it gets. Nothing is echoed.
func anyDatagram(port uint16, protocol, title, reference string, answer int, tell func([]byte) bool) Payload {
	return Payload{
		Protocol: protocol, Title: title,
		Ports: []uint16{port}, Answer: answer,
		Reference: reference,
		Asks:      "nothing: the datagram is empty",
		Safe:      "every datagram, whatever is in it, brings the same answer; none can be smaller",
		write:     func(dst []byte, _ uint64) []byte { return dst },
		tell:      func(b []byte, _ uint64) bool { return tell(b) },
	}
}

// isDaytime reports a line with digits and no more than a line.
func isDaytime(b []byte) bool {
	const longest = 100 // bytes; no format is prescribed
	if len(b) > longest || !isText(b) {
		return false
	}
	digits := 0
	for _, c := range b {
		if '0' <= c && c <= '9' {
			digits++
		}
	}
	return digits >= 4
}

// isLongText reports characters as a generator makes them. RFC 864 leaves
// their number open, but nobody sends few.
func isLongText(b []byte) bool { return len(b) >= 32 && isText(b) }
