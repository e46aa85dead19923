package dnswire

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// Query is one message to send. The zero value with a Name and Type is an
// ordinary QUERY of class IN with RD clear and no EDNS.
type Query struct {
	Name   string
	Type   uint16
	Class  uint16 // 0 means IN
	Opcode int
	RD     bool
	CD     bool
	AD     bool
	Z      bool // the reserved header bit (RFC 1035 section 4.1.1)
	EDNS   *EDNS
	// Answer is the prerequisite section of an UPDATE (RFC 2136 section 2.4),
	// or the SOA that a NOTIFY may carry.
	Answer []RR
	// Authority carries the client's SOA in an IXFR (RFC 1995 section 3).
	Authority []RR
}

// EDNS is the OPT record of a query (RFC 6891).
type EDNS struct {
	UDPSize uint16
	Version uint8
	DO      bool
	Flags   uint16 // further bits of the flags field beside DO
	Options []Option
}

// Pack gives the wire form with the ID.
func (q Query) Pack(id uint16) ([]byte, error) {
	m := dns.Msg{MsgHdr: dns.MsgHdr{
		Id: id, Opcode: q.Opcode, RecursionDesired: q.RD,
		CheckingDisabled: q.CD, AuthenticatedData: q.AD, Zero: q.Z,
	}}
	m.Question = []dns.Question{{Name: dns.Fqdn(q.Name), Qtype: q.Type, Qclass: q.class()}}
	m.Answer, m.Ns = q.Answer, q.Authority
	if q.EDNS != nil {
		m.Extra = append(m.Extra, q.EDNS.record())
	}
	wire, err := m.Pack()
	if err != nil {
		return nil, fmt.Errorf("pack query %s: %w", q, err)
	}
	return wire, nil
}

func (q Query) class() uint16 {
	if q.Class == 0 {
		return ClassIN
	}
	return q.Class
}

func (e *EDNS) record() *dns.OPT {
	o := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: e.UDPSize}}
	const doBit = 1 << 15
	flags := uint32(e.Flags)
	if e.DO {
		flags |= doBit
	}
	o.Hdr.Ttl = uint32(e.Version)<<16 | flags
	o.Option = e.Options
	return o
}

// String is the query in dig's manner: "example.net SOA", "version.bind TXT CH",
// "example.net ANY +edns=4096 +do". It is also the identity under which
// answers are remembered, so everything that changes the wire shows in it.
func (q Query) String() string {
	var b strings.Builder
	if q.Opcode != OpQuery {
		b.WriteString(OpcodeName(q.Opcode) + " ")
	}
	b.WriteString(dns.Fqdn(q.Name) + " " + TypeName(q.Type))
	if c := q.class(); c != ClassIN {
		b.WriteString(" " + ClassName(c))
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{q.RD, "+rd"}, {q.CD, "+cd"}, {q.AD, "+ad"}, {q.Z, "+z"}} {
		if f.on {
			b.WriteString(" " + f.name)
		}
	}
	if q.EDNS != nil {
		b.WriteString(q.EDNS.String())
	}
	for _, rr := range q.Answer {
		b.WriteString(" [" + strings.Join(strings.Fields(rr.String()), " ") + "]")
	}
	for _, rr := range q.Authority {
		b.WriteString(" [authority " + strings.Join(strings.Fields(rr.String()), " ") + "]")
	}
	return b.String()
}

// String is the EDNS part of Query.String.
func (e *EDNS) String() string {
	var b strings.Builder
	b.WriteString(" +edns=" + strconv.Itoa(int(e.UDPSize)))
	if e.Version != 0 {
		b.WriteString(" +version=" + strconv.Itoa(int(e.Version)))
	}
	if e.DO {
		b.WriteString(" +do")
	}
	if e.Flags != 0 {
		fmt.Fprintf(&b, " +flags=0x%04x", e.Flags)
	}
	for _, o := range e.Options {
		fmt.Fprintf(&b, " +opt%d=%s", o.Option(), o.String())
	}
	return b.String()
}

// SetID overwrites the ID of a packed message.
func SetID(wire []byte, id uint16) { binary.BigEndian.PutUint16(wire, id) }

func itoa(n int) string { return strconv.Itoa(n) }
