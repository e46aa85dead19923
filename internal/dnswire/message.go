package dnswire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// headerLen is the size of the header (RFC 1035 section 4.1.1).
const headerLen = 12

// ErrNotDNS is returned by Parse for bytes that cannot be a DNS message.
var ErrNotDNS = errors.New("not a DNS message")

// Message is a received message. The header is always valid; when the body did
// not parse to its end, Malformed says so and the sections hold what was read.
type Message struct {
	dns.Msg
	Size      int   // bytes on the wire without stream framing
	Malformed error // nil for a clean message
}

// Parse reads a message. It fails only on fewer than 12 bytes; a body that
// breaks off or lies leaves Malformed set. The input is not kept.
func Parse(b []byte) (*Message, error) {
	if len(b) < headerLen {
		return nil, fmt.Errorf("%w: %d bytes, a header has 12", ErrNotDNS, len(b))
	}
	m := &Message{Size: len(b)}
	m.Malformed = m.Unpack(b)
	return m, nil
}

// Answers reports whether wire is DNS-shaped and answers the packed query: QR
// set, the ID and opcode of the query, and its question or no question at all
// (refusals of 12 bytes carry none). It allocates only when a question has to be
// compared.
func Answers(wire, query []byte) bool {
	if len(wire) < headerLen || len(query) < headerLen || wire[2]&0x80 == 0 {
		return false
	}
	if wire[0] != query[0] || wire[1] != query[1] || wire[2]&0x78 != query[2]&0x78 {
		return false
	}
	if binary.BigEndian.Uint16(wire[4:]) == 0 {
		return true
	}
	qn, qrest, err := question(query)
	if err != nil {
		return false
	}
	rn, rrest, err := question(wire)
	return err == nil && strings.EqualFold(qn, rn) && slices.Equal(qrest, rrest)
}

func question(wire []byte) (name string, typeClass []byte, err error) {
	name, off, err := dns.UnpackDomainName(wire, headerLen)
	if err != nil {
		return "", nil, err
	}
	if off+4 > len(wire) {
		return "", nil, dns.ErrBuf
	}
	return name, wire[off : off+4], nil
}

// LooksLikeResponse reports whether b could be a DNS response to anything:
// header present, QR set, counts that fit the size.
func LooksLikeResponse(b []byte) bool {
	if len(b) < headerLen || b[2]&0x80 == 0 {
		return false
	}
	const smallestRR, smallestQuestion = 11, 5
	qd := int(binary.BigEndian.Uint16(b[4:]))
	rrs := int(binary.BigEndian.Uint16(b[6:])) + int(binary.BigEndian.Uint16(b[8:])) + int(binary.BigEndian.Uint16(b[10:]))
	truncated := b[2]&0x02 != 0
	return truncated || qd*smallestQuestion+rrs*smallestRR <= len(b)-headerLen
}

// OPT is the EDNS record of the message, nil when it has none.
func (m *Message) OPT() *OPT { return m.IsEdns0() }

// RcodeName is the (extended) response code in words.
func (m *Message) RcodeName() string { return RcodeName(m.Rcode) }

// TXT joins the strings of every TXT record in the answer section, one entry a record.
func (m *Message) TXT() []string {
	var out []string
	for _, rr := range m.Answer {
		if t, ok := rr.(*dns.TXT); ok {
			out = append(out, strings.Join(t.Txt, ""))
		}
	}
	return out
}

// Has reports whether the section holds a record of the type.
func Has(section []RR, rrtype uint16) bool {
	return slices.ContainsFunc(section, func(rr RR) bool { return rr.Header().Rrtype == rrtype })
}

// Summary is one line for evidence: "NOERROR aa ra, 1 answer, 0 authority,
// 1 additional, 58 bytes: example.net. 3600 IN A 192.0.2.1".
func (m *Message) Summary() string {
	var b strings.Builder
	b.WriteString(m.RcodeName())
	for _, f := range []struct {
		on   bool
		name string
	}{{m.Authoritative, "aa"}, {m.Truncated, "tc"}, {m.RecursionAvailable, "ra"}, {m.AuthenticatedData, "ad"}, {m.CheckingDisabled, "cd"}} {
		if f.on {
			b.WriteString(" " + f.name)
		}
	}
	fmt.Fprintf(&b, ", %d answer, %d authority, %d additional, %d bytes", len(m.Answer), len(m.Ns), len(m.Extra), m.Size)
	if m.Malformed != nil {
		b.WriteString(", malformed")
	}
	if rr := m.telling(); rr != nil {
		line := strings.Join(strings.Fields(rr.String()), " ")
		const longest = 200
		if len(line) > longest {
			line = line[:longest] + "…"
		}
		b.WriteString(": " + line)
	}
	return b.String()
}

func (m *Message) telling() RR {
	if len(m.Answer) > 0 {
		return m.Answer[0]
	}
	if len(m.Ns) > 0 {
		return m.Ns[0]
	}
	return nil
}
