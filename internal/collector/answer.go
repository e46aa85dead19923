package collector

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"reconshield/internal/dnswire"
	"reconshield/internal/nonce"
)

const (
	headerLen = 12
	// plainUDP is the answer size without EDNS (RFC 1035 section 4.2.1).
	plainUDP = 512
	// ednsUDP is what we offer and the most we send over UDP (RFC 9715).
	ednsUDP = 1232
)

// respond gives the answer to one message; nil when there must be none. The
// input is not kept.
func (s *Server) respond(wire []byte, from netip.AddrPort, stream bool) []byte {
	if len(wire) < headerLen || wire[2]&0x80 != 0 {
		return nil // too short, or itself an answer: answering would make a loop
	}
	q, err := dnswire.Parse(wire)
	if err != nil {
		return nil
	}
	if q.Opcode != dnswire.OpQuery {
		return bare(wire, dnswire.RcodeNotImp)
	}
	if q.Malformed != nil || len(q.Question) != 1 || countOPT(q) > 1 {
		return bare(wire, dnswire.RcodeFormErr)
	}
	report := s.describe(q, from, stream)
	m := s.reply(q, report)
	out, err := pack(m, limit(q, stream))
	if err != nil {
		return bare(wire, dnswire.RcodeServFail)
	}
	cut := !stream && len(out) > len(wire) && !s.budget.take(from.Addr(), len(out), s.now())
	if cut {
		return truncated(wire)
	}
	s.journal.add(Query{
		Report: report, Name: dnswire.CanonicalName(q.Question[0].Name),
		Type: dnswire.TypeName(q.Question[0].Qtype), Rcode: dnswire.RcodeName(m.Rcode),
	})
	return out
}

// describe is the query as it arrived.
func (s *Server) describe(q *dnswire.Message, from netip.AddrPort, stream bool) nonce.Report {
	name := q.Question[0].Name
	r := nonce.Report{
		Source: from, ID: q.Id, Sequence: s.journal.next(), Time: s.now(), Stream: stream,
		Mixed: name != strings.ToLower(name) && name != strings.ToUpper(name),
	}
	opt := q.OPT()
	if opt == nil {
		return r
	}
	r.EDNS, r.DO = opt.UDPSize(), opt.Do()
	for _, o := range opt.Option {
		switch o := o.(type) {
		case *dnswire.Cookie:
			r.Cookie = true
		case *dnswire.Subnet:
			r.Subnet = subnet(o)
		}
	}
	return r
}

// subnet is the network of a client subnet option; invalid when it is nonsense.
func subnet(o *dnswire.Subnet) netip.Prefix {
	addr, ok := netip.AddrFromSlice(o.Address)
	const familyIPv4 = 1 // RFC 7871 section 6: IANA address family numbers
	if ok && o.Family == familyIPv4 {
		addr = addr.Unmap()
	}
	p, err := addr.Prefix(int(o.SourceNetmask))
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// reply builds the answer to a well-formed query.
func (s *Server) reply(q *dnswire.Message, r nonce.Report) *dnswire.Msg {
	m := &dnswire.Msg{Question: q.Question}
	m.Id, m.Response, m.RecursionDesired, m.CheckingDisabled, m.Compress = q.Id, true, q.RecursionDesired, q.CheckingDisabled, true
	opt := q.OPT()
	if opt != nil {
		m.Extra = append(m.Extra, replyOPT(opt))
		if opt.Version() != 0 {
			m.Rcode = dnswire.RcodeBadVers
			return m
		}
	}
	ask := q.Question[0]
	name := dnswire.CanonicalName(ask.Name)
	if ask.Qclass != dnswire.ClassIN || !dnswire.IsSubdomain(s.apex, name) || refused(ask.Qtype) ||
		wrongFamily(s.zone, name, r.Source.Addr()) {
		m.Rcode = dnswire.RcodeRefused
		return m
	}
	m.Authoritative = true
	s.fill(m, ask, name, r)
	return m
}

// refused lists the types that make no sense of a computed zone: transfers,
// and bare signatures.
func refused(qtype uint16) bool {
	return qtype == dnswire.TypeAXFR || qtype == dnswire.TypeIXFR || qtype == dnswire.TypeRRSIG || qtype == dnswire.TypeOPT
}

// fill puts records, or proof of their absence, into the answer.
func (s *Server) fill(m *dnswire.Msg, ask dnswire.Question, name string, r nonce.Report) {
	signed := s.key != nil && r.DO
	records, exists := s.node(ask.Name, name, r)
	if answer := choose(records, ask.Qtype); len(answer) > 0 {
		m.Answer = answer
		if signed {
			m.Answer = s.withSignature(answer, spoilt(s.zone, name))
		}
		return
	}
	if ask.Qtype == dnswire.TypeNSEC && exists && signed {
		m.Answer = s.withSignature([]dnswire.RR{atName(ask.Name, records, s.key != nil)}, false)
		return
	}
	if !exists {
		m.Rcode = dnswire.RcodeNXDomain
	}
	soa := []dnswire.RR{s.soa(s.apex)}
	if !signed {
		m.Ns = soa
		return
	}
	m.Ns = s.withSignature(soa, false)
	for _, nsec := range s.denial(name, records, exists) {
		m.Ns = append(m.Ns, s.withSignature([]dnswire.RR{nsec}, false)...)
	}
}

// choose takes the records of the type; for ANY those of one type only (RFC
// 8482 section 4.1).
func choose(records []dnswire.RR, qtype uint16) []dnswire.RR {
	if qtype == dnswire.TypeANY && len(records) > 0 {
		qtype = records[0].Header().Rrtype
	}
	var out []dnswire.RR
	for _, rr := range records {
		if rr.Header().Rrtype == qtype {
			out = append(out, rr)
		}
	}
	return out
}

// replyOPT echoes DO (RFC 3225) and a client subnet with scope 0: the answer
// is the same for every network (RFC 7871 section 7.2.1).
func replyOPT(asked *dnswire.OPT) *dnswire.OPT {
	o := &dnswire.OPT{Hdr: dnswire.RRHeader{Name: ".", Rrtype: dnswire.TypeOPT}}
	o.SetUDPSize(ednsUDP)
	if asked.Do() {
		o.SetDo()
	}
	for _, opt := range asked.Option {
		if sub, ok := opt.(*dnswire.Subnet); ok {
			echo := *sub
			echo.SourceScope = 0
			o.Option = append(o.Option, &echo)
			break
		}
	}
	return o
}

func countOPT(q *dnswire.Message) int {
	n := 0
	for _, rr := range q.Extra {
		if rr.Header().Rrtype == dnswire.TypeOPT {
			n++
		}
	}
	return n
}

// limit is the most bytes that may be sent back.
func limit(q *dnswire.Message, stream bool) int {
	const maxMessage = 65535
	if stream {
		return maxMessage
	}
	opt := q.OPT()
	if opt == nil {
		return plainUDP
	}
	return max(plainUDP, min(int(opt.UDPSize()), ednsUDP))
}

// pack gives the wire form, cut to question and OPT with TC when it is larger
// than most.
func pack(m *dnswire.Msg, most int) ([]byte, error) {
	out, err := m.Pack()
	if err != nil || len(out) <= most {
		return out, err
	}
	short := *m
	short.Truncated, short.Answer, short.Ns = true, nil, nil
	return short.Pack()
}

// bare is a refusal of header size, which no asker can turn into a larger answer.
func bare(wire []byte, rcode int) []byte {
	const qr, opcodeAndRD, cd = 0x80, 0x79, 0x10
	out := make([]byte, headerLen)
	copy(out, wire[:2])
	out[2] = qr | wire[2]&opcodeAndRD
	out[3] = wire[3]&cd | byte(rcode)&0x0f //nolint:gosec // plain rcodes have four bits
	return out
}

// truncated sends the asker to TCP, where its address is proven, with an
// answer no longer than the question.
func truncated(wire []byte) []byte {
	const tc = 0x02
	out := bare(wire, dnswire.RcodeNoError)
	out[2] |= tc
	end := headerLen
	for end < len(wire) && wire[end] != 0 {
		end += int(wire[end]) + 1
	}
	const typeAndClass = 5 // with the root label
	if end += typeAndClass; end <= len(wire) {
		out = append(out, wire[headerLen:end]...)
		binary.BigEndian.PutUint16(out[4:], 1)
	}
	return out
}
