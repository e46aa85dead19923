package packet

import (
	"encoding/binary"
	"math/bits"

	"reconshield/internal/probe"
)

// Matcher tells answers to this scan's probes from everything else. One
// goroutine uses it at a time.
type Matcher struct {
	Key probe.Key
	// Stray counts packets to or about a port that no probe to that address
	// and port left from: other programs' traffic, and blind forgeries.
	Stray uint64
	// Forged counts packets that had the port right and the rest wrong.
	Forged uint64
	// Rewritten counts ICMP errors about a UDP packet from the right port with
	// an identification or flow label that is not ours. They are refused: 12
	// keyed bits alone are no proof.
	Rewritten uint64
}

// Match finds the probe that d, just decoded, answers. ok is false when it
// answers none. A Datagram's payload is returned: it is proven by 12 keyed bits
// of the port only, and the caller must look for the cookie in it. The reply's
// At and Protocol are left to the caller; of Probe the Patience is not set.
//
// A segment is an answer when it acknowledges the cookie's sequence number
// plus one. A reset may acknowledge the number itself, too: some stacks forget
// that a SYN counts (RFC 9293 section 3.10.7.1 wants it counted). Its ACK flag
// does not matter, since who can name the number has seen the probe.
func (m *Matcher) Match(d *Decoded) (r probe.Reply, payload []byte, ok bool) {
	switch d.What {
	case Segment:
		r.Answer, ok = m.segment(d, &r.Probe)
	case Datagram:
		r.Answer, payload = probe.Datagram, d.Payload
		ok = m.datagram(d, &r.Probe)
	case EchoReply:
		r.Answer = probe.EchoReply
		ok = m.echo(d, &r.Probe)
	case Error:
		if r.Answer = d.meaning(); r.Answer != probe.Nothing {
			ok = m.quote(&d.Quote, &r.Probe)
		}
	case Neighbour, Other:
	}
	if !ok {
		return probe.Reply{}, nil, false
	}
	r.From, r.HopLimit = d.Src, d.HopLimit
	return r, payload, true
}

// cookie fills in the attempt that the source port names and computes the
// probe's cookie; ok is false, and the packet stray, when the cookie does not
// want that port.
func (m *Matcher) cookie(p *probe.Probe, port uint16) (c probe.Cookie, ok bool) {
	p.Attempt = probe.AttemptOf(port)
	c = m.Key.Cookie(p)
	if c.SourcePort() != port {
		m.Stray++
		return c, false
	}
	return c, true
}

func (m *Matcher) segment(d *Decoded, p *probe.Probe) (a probe.Answer, ok bool) {
	switch d.Flags & (SYN | RST | ACK | FIN) {
	case SYN | ACK:
		a = probe.SynAck
	case RST, RST | ACK:
		a = probe.Reset
	default:
		return probe.Nothing, false
	}
	*p = probe.Probe{Addr: d.Src, Port: d.SrcPort, Kind: probe.TCP}
	c, ok := m.cookie(p, d.DstPort)
	if !ok {
		return a, false
	}
	if past := d.Ack - c.Seq(); past != 1 && (past != 0 || a != probe.Reset) {
		m.Forged++
		return a, false
	}
	return a, true
}

func (m *Matcher) datagram(d *Decoded, p *probe.Probe) bool {
	*p = probe.Probe{Addr: d.Src, Port: d.SrcPort, Kind: probe.UDP}
	if _, ok := m.cookie(p, d.DstPort); !ok {
		return false
	}
	// On this machine's own loopback a probe of ours arrives like an answer.
	own := probe.Probe{Addr: d.Dst, Port: d.DstPort, Kind: probe.UDP, Attempt: probe.AttemptOf(d.SrcPort)}
	c := m.Key.Cookie(&own)
	return c.SourcePort() != d.SrcPort || !labelled(&d.Header, c)
}

func (m *Matcher) echo(d *Decoded, p *probe.Probe) bool {
	*p = probe.Probe{Addr: d.Src, Kind: probe.Echo}
	c, ok := m.cookie(p, d.EchoID)
	if !ok {
		return false
	}
	// The data comes back whole (RFC 1122 section 3.2.2.6, RFC 4443 section 4.2).
	if d.EchoSeq != echoSeq(c) || len(d.Payload) < echoData || binary.BigEndian.Uint64(d.Payload) != uint64(c) {
		m.Forged++
		return false
	}
	return true
}

// quote finds the probe that an ICMP error is about.
func (m *Matcher) quote(q *Header, p *probe.Probe) bool {
	*p = probe.Probe{Addr: q.Dst, Port: q.DstPort}
	switch {
	case q.Protocol == ProtoTCP:
		p.Kind = probe.TCP
		c, ok := m.cookie(p, q.SrcPort)
		if ok && q.Seq != c.Seq() {
			m.Forged++
			return false
		}
		return ok
	case q.Protocol == ProtoUDP:
		p.Kind = probe.UDP
		c, ok := m.cookie(p, q.SrcPort)
		if ok && !labelled(q, c) {
			m.Rewritten++
			return false
		}
		return ok
	case q.Code != 0 || q.Type != icmp4Echo && q.Type != icmp6Echo:
		return false
	}
	p.Kind = probe.Echo
	c, ok := m.cookie(p, q.EchoID)
	if ok && q.EchoSeq != echoSeq(c) {
		m.Forged++
		return false
	}
	return ok
}

// labelled reports that the packet carries the cookie in its IP header. Some
// systems quote the identification in the wrong byte order.
func labelled(h *Header, c probe.Cookie) bool {
	if h.Dst.Is4() {
		return h.ID == c.ID() || h.ID == bits.ReverseBytes16(c.ID())
	}
	return h.FlowLabel == c.FlowLabel()
}

// meaning translates an ICMP error; Nothing for one that is no verdict.
func (d *Decoded) meaning() probe.Answer {
	if d.Src.Is6() {
		return meaning6(d.Type, d.Code)
	}
	switch d.Type {
	case icmp4Unreachable:
		return unreachable4(d.Code)
	case icmp4TimeExceeded:
		if d.Code == 0 { // 1 is about fragments
			return probe.TimeExceeded
		}
	}
	return probe.Nothing
}

// unreachable4 reads the codes of RFC 792, RFC 1122 section 3.2.2.1 and RFC 1812
// section 5.2.7.1.
func unreachable4(code uint8) probe.Answer {
	switch code {
	case 0, 5, 6, 11: // net; source route failed; unknown; for this service
		return probe.NetUnreachable
	case 1, 7, 8, 12: // host; unknown; isolated source; for this service
		return probe.HostUnreachable
	case 2:
		return probe.ProtocolUnreachable
	case 3:
		return probe.PortUnreachable
	case 9, 10, 13, 14, 15: // net, host, all prohibited; precedence
		return probe.AdminProhibited
	}
	return probe.Nothing // 4: fragmentation needed
}

// meaning6 reads the codes of RFC 4443 section 3.
func meaning6(typ, code uint8) probe.Answer {
	switch typ {
	case icmp6Unreachable:
		switch code {
		case 0, 2: // no route; beyond scope of source
			return probe.NetUnreachable
		case 1, 5, 6: // prohibited; source address failed policy; reject route
			return probe.AdminProhibited
		case 3:
			return probe.HostUnreachable
		case 4:
			return probe.PortUnreachable
		}
	case icmp6TimeExceeded:
		if code == 0 { // 1 is about fragments
			return probe.TimeExceeded
		}
	case icmp6Parameter:
		if code == 1 { // unrecognized next header
			return probe.ProtocolUnreachable
		}
	}
	return probe.Nothing
}
