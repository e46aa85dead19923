//go:build linux

package lab

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
)

// DNS numbers (RFC 1035 section 3.2) that the lab's own servers need.
const (
	typeA      = 1
	typeNS     = 2
	typeSOA    = 6
	typePTR    = 12
	typeTXT    = 16
	typeAAAA   = 28
	typeDNSKEY = 48
	classIN    = 1
	classCH    = 3

	opcodeUpdate = 5

	flagResponse      = 1 << 15
	flagAuthoritative = 1 << 10
	flagTruncated     = 1 << 9
	flagDesired       = 1 << 8
	flagAvailable     = 1 << 7

	rcodeFormErr  = 1
	rcodeServFail = 2
	rcodeNXDomain = 3
	rcodeNotImp   = 4
	rcodeRefused  = 5
	rcodeYXDomain = 6
	rcodeNotAuth  = 9
)

// newQuery builds a recursive query for a name and one of the types above.
func newQuery(name, kind string) []byte {
	types := map[string]uint16{"A": typeA, "NS": typeNS, "SOA": typeSOA, "TXT": typeTXT, "DNSKEY": typeDNSKEY}
	query := binary.BigEndian.AppendUint16(nil, 0x1ab5)
	query = binary.BigEndian.AppendUint16(query, flagDesired)
	query = append(query, 0, 1, 0, 0, 0, 0, 0, 0)
	query = appendName(query, name)
	query = binary.BigEndian.AppendUint16(query, types[kind])
	return binary.BigEndian.AppendUint16(query, classIN)
}

func appendName(b []byte, name string) []byte {
	for label := range strings.SplitSeq(strings.Trim(name, "."), ".") {
		if label != "" {
			b = append(append(b, byte(len(label))), label...)
		}
	}
	return append(b, 0)
}

// question is what the lab's own servers need to know of a query.
type question struct {
	id, flags   uint16
	name        string // lower case, with dots, without the final one
	kind, class uint16
	raw         []byte // the question section as it came
}

// parseQuestion reads header and first question of a query.
func parseQuestion(message []byte) (question, error) {
	if len(message) < 12 {
		return question{}, errors.New("no DNS header")
	}
	q := question{id: binary.BigEndian.Uint16(message), flags: binary.BigEndian.Uint16(message[2:])}
	if q.flags&flagResponse != 0 || binary.BigEndian.Uint16(message[4:]) != 1 {
		return question{}, errors.New("not a query with one question")
	}
	rest := message[12:]
	var labels []string
	for {
		if len(rest) == 0 || int(rest[0]) >= len(rest) || rest[0] > 63 {
			return question{}, errors.New("bad name")
		}
		size := int(rest[0])
		if size == 0 {
			rest = rest[1:]
			break
		}
		labels = append(labels, string(rest[1:1+size]))
		rest = rest[1+size:]
	}
	if len(rest) < 4 {
		return question{}, errors.New("question cut short")
	}
	q.name = strings.ToLower(strings.Join(labels, "."))
	q.kind, q.class = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	q.raw = message[12 : len(message)-len(rest)+4]
	return q, nil
}

func (q question) opcode() int { return int(q.flags >> 11 & 0x0f) }

// reply builds an answer to the question with the given flags and records in
// the answer section; records come from record.
func (q question) reply(flags uint16, answers ...[]byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, q.id)
	b = binary.BigEndian.AppendUint16(b, flagResponse|q.flags&(0x7800|flagDesired)|flags)
	b = binary.BigEndian.AppendUint16(b, 1)
	b = binary.BigEndian.AppendUint16(b, uint16(len(answers))) //nolint:gosec // a handful
	b = append(b, 0, 0, 0, 0)
	b = append(b, q.raw...)
	for _, answer := range answers {
		b = append(b, answer...)
	}
	return b
}

// record builds a resource record owned by the question's name.
func record(kind uint16, ttl uint32, data []byte) []byte {
	b := []byte{0xc0, 12} // pointer to the name in the question
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, classIN)
	b = binary.BigEndian.AppendUint32(b, ttl)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data))) //nolint:gosec // the lab's own data
	return append(b, data...)
}

// addressRecord is an A or AAAA record owned by the question's name.
func addressRecord(addr netip.Addr) []byte {
	if addr.Is4() {
		return record(typeA, 60, addr.AsSlice())
	}
	return record(typeAAAA, 60, addr.AsSlice())
}
