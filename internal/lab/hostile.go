//go:build linux

package lab

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
)

// hostileKinds are name servers that no package provides: very old ones, and
// ones that want to harm or to mislead who asks them.
func hostileKinds() []Kind {
	return []Kind{
		{
			Name:  "short-refuser", // refuses with a header alone, as Unbound does
			start: responder(shortRefusal),
		},
		{
			Name:   "tc-only",
			Abused: "truncates every answer over UDP and does not listen on TCP",
			start:  tcOnly,
		},
		{
			Name:   "referral",
			Abused: "refers questions about names it does not know to the root",
			start:  responder(upwardReferral),
		},
		{
			Name:   "old-server",
			Abused: "does not know EDNS, and closes a TCP connection after one answer",
			start:  oldServer,
		},
		{
			Name:  "yes-man", // every opcode and name: success, no records, nothing changed
			start: responder(yesMan),
		},
		{
			Name:  "bind-old-update", // looks open to updates as BIND before 9.18.11 did, and refuses them
			start: responder(oldUpdate),
		},
		{
			Name:   "hostile-version",
			Abused: "puts terminal escapes, markup and formulas into its version",
			start:  responder(hostileVersion),
		},
		{
			Name:  "hostile-wire", // sends what breaks parsers
			start: responder(hostileWire),
		},
		{
			Name: "doq", needs: []string{"unbound-abused"},
			Abused: "refuses on port 53 and resolves for strangers over DNS over QUIC on 853",
			start:  doq,
		},
	}
}

func responder(fn func([]byte, netip.AddrPort) []byte) func(*setup) error {
	return func(s *setup) error { return s.respond(fn) }
}

// shortRefusal is a header and nothing else.
func shortRefusal(query []byte, _ netip.AddrPort) []byte {
	if len(query) < 12 || query[2]&0x80 != 0 {
		return nil
	}
	return []byte{query[0], query[1], 0x80 | query[2]&0x79, rcodeRefused, 0, 0, 0, 0, 0, 0, 0, 0}
}

func tcOnly(s *setup) error {
	return s.udp(53, func(query []byte) []byte {
		q, err := parseQuestion(query)
		if err != nil {
			return nil
		}
		return q.reply(flagAuthoritative | flagTruncated)
	})
}

// exampleAnswer is the truth about example.test as far as simple servers know.
func exampleAnswer(q question) []byte {
	switch {
	case q.name != "example.test":
		return q.reply(rcodeRefused)
	case q.kind == typeA:
		return q.reply(flagAuthoritative, addressRecord(netip.MustParseAddr("192.0.2.200")))
	case q.kind == typeSOA:
		soa := appendName(appendName(nil, "ns1.example.test"), "hostmaster.example.test")
		for _, n := range []uint32{Serial, 3600, 900, 604800, 300} {
			soa = binary.BigEndian.AppendUint32(soa, n)
		}
		return q.reply(flagAuthoritative, record(typeSOA, 300, soa))
	}
	return q.reply(flagAuthoritative)
}

// upwardReferral is authoritative for example.test only and answers the rest
// as servers did in the nineties.
func upwardReferral(query []byte, _ netip.AddrPort) []byte {
	q, err := parseQuestion(query)
	if err != nil {
		return nil
	}
	if q.name == "example.test" || q.class != classIN || q.opcode() != 0 {
		return exampleAnswer(q)
	}
	reply := q.reply(0)
	names := []string{"a.root-servers.net", "b.root-servers.net", "c.root-servers.net", "d.root-servers.net"}
	for _, server := range names {
		name := appendName(nil, server)
		reply = append(reply, 0) // owned by the root
		reply = binary.BigEndian.AppendUint16(reply, typeNS)
		reply = binary.BigEndian.AppendUint16(reply, classIN)
		reply = binary.BigEndian.AppendUint32(reply, 518400)
		reply = binary.BigEndian.AppendUint16(reply, uint16(len(name))) //nolint:gosec // constants
		reply = append(reply, name...)
	}
	binary.BigEndian.PutUint16(reply[8:], uint16(len(names))) //nolint:gosec // four
	return reply
}

// oldServer answers queries that look like those of 1987 and calls everything
// else a format error.
func oldServer(s *setup) error {
	answer := func(query []byte) []byte {
		q, err := parseQuestion(query)
		switch {
		case err != nil:
			return nil
		case binary.BigEndian.Uint16(query[10:]) != 0:
			return q.reply(rcodeFormErr)
		case q.opcode() != 0:
			return q.reply(rcodeNotImp)
		}
		return exampleAnswer(q)
	}
	if err := s.udp(53, answer); err != nil {
		return err
	}
	return s.both(53, func(c net.Conn) {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, query); err != nil {
			return
		}
		if reply := answer(query); reply != nil {
			_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)) //nolint:gosec // short
		}
	})
}

// yesMan says yes to everything and does nothing.
func yesMan(query []byte, _ netip.AddrPort) []byte {
	q, err := parseQuestion(query)
	if err != nil {
		return nil
	}
	return q.reply(flagAuthoritative)
}

// oldUpdate looks at prerequisites before it looks at who asks, and has
// nothing against an update that changes nothing.
func oldUpdate(query []byte, _ netip.AddrPort) []byte {
	q, err := parseQuestion(query)
	if err != nil {
		return nil
	}
	prerequisites, updates := binary.BigEndian.Uint16(query[6:]), binary.BigEndian.Uint16(query[8:])
	switch {
	case q.opcode() == opcodeUpdate && q.name != "example.test":
		return q.reply(rcodeNotAuth)
	case q.opcode() == opcodeUpdate && updates != 0:
		return q.reply(rcodeRefused)
	case q.opcode() == opcodeUpdate && prerequisites != 0:
		return q.reply(rcodeYXDomain)
	case q.opcode() == opcodeUpdate:
		return q.reply(0)
	case q.opcode() != 0:
		return q.reply(rcodeNotImp)
	case q.class == classCH && q.kind == typeTXT && q.name == "version.bind":
		return q.reply(flagAuthoritative, chaos("9.11.5-P4-5.1-Debian"))
	case q.class != classIN:
		return q.reply(rcodeRefused)
	}
	return exampleAnswer(q)
}

// chaos is a TXT record of class CHAOS owned by the question's name.
func chaos(texts ...string) []byte {
	var data []byte
	for _, text := range texts {
		data = append(append(data, byte(len(text))), text...)
	}
	answer := record(typeTXT, 0, data)
	binary.BigEndian.PutUint16(answer[4:], classCH)
	return answer
}

// hostileVersion answers every CHAOS question with text that must never reach
// a terminal, a spreadsheet or a page as it is.
func hostileVersion(query []byte, _ netip.AddrPort) []byte {
	q, err := parseQuestion(query)
	if err != nil {
		return nil
	}
	if q.class == classIN {
		return exampleAnswer(q)
	}
	return q.reply(flagAuthoritative, chaos(
		"\x1b]0;owned\x07\x1b[2J\x1b[31mBIND 9.18.1\x1b[0m", "=cmd|' /C calc'!A0",
		"<script>alert(1)</script>", "\xff\xfe\x00\r\n\u202e", strings.Repeat("A", 255),
	))
}

// hostileWire answers with a different kind of broken message for every type
// asked: pointer loops, lengths beyond the end, counts without records.
func hostileWire(query []byte, _ netip.AddrPort) []byte {
	q, err := parseQuestion(query)
	if err != nil {
		return nil
	}
	reply := q.reply(flagAuthoritative)
	start := len(reply)
	switch q.kind % 5 {
	case 0: // an owner that points to itself
		reply = append(reply, 0xc0|byte(start>>8), byte(start), 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4)
		reply[7] = 1
	case 1: // data longer than the message
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4)
		reply[7] = 1
	case 2: // counts without records
		copy(reply[4:], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	case 3: // cut inside the question
		reply = reply[:min(len(reply), 15)]
	case 4: // a pointer beyond the end
		reply = append(reply, 0xff, 0xff, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4)
		reply[7] = 1
	}
	return reply
}
