package packet

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"reconshield/internal/probe"
)

// The addresses of the tests, a host to probe and a router before it; of both
// families.
type side struct{ us, host, router netip.Addr }

func sides() map[string]side {
	return map[string]side{
		"v4": {netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("203.0.113.1")},
		"v6": {netip.MustParseAddr("2001:db8::10"), netip.MustParseAddr("2001:db8:1::7"), netip.MustParseAddr("2001:db8:2::1")},
	}
}

func testPath(source netip.Addr, link probe.Link) *probe.Path {
	p := &probe.Path{Name: "test0", Link: link, MTU: 1500, Source: source}
	if link == probe.Ethernet {
		p.Hardware, p.NextHop = net.HardwareAddr{2, 0, 0, 0, 0, 1}, net.HardwareAddr{2, 0, 0, 0, 0, 2}
	}
	return p
}

func template(tb testing.TB, path *probe.Path, kind probe.Kind) *Template {
	tb.Helper()
	tmpl, err := NewTemplate(path, kind)
	if err != nil {
		tb.Fatal(err)
	}
	return tmpl
}

// sent is the packet of the probe, beginning at the IP header.
func sent(tb testing.TB, key probe.Key, us netip.Addr, p probe.Probe) []byte {
	tb.Helper()
	if p.Kind == probe.Echo {
		p.Port = 0
	}
	tmpl, b, c := template(tb, testPath(us, probe.Bare), p.Kind), make([]byte, 1500), key.Cookie(&p)
	switch p.Kind {
	case probe.TCP:
		return b[:tmpl.SYN(b, &p, c, 7)]
	case probe.UDP:
		return b[:tmpl.UDP(b, &p, c, []byte("a question"))]
	case probe.Echo:
		return b[:tmpl.Echo(b, &p, c)]
	}
	tb.Fatalf("kind %d", p.Kind)
	return nil
}

// ip wraps a transport's bytes the slow way, with the hop limit 60.
func ip(src, dst netip.Addr, protocol uint8, payload []byte) []byte {
	if src.Is6() {
		b := make([]byte, 40, 40+len(payload))
		b[0], b[6], b[7] = 0x60, protocol, 60
		binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
		copy(b[8:], src.AsSlice())
		copy(b[24:], dst.AsSlice())
		return append(b, payload...)
	}
	h := ipv4.Header{
		Version: 4, Len: 20, TotalLen: 20 + len(payload), ID: 99, TTL: 60,
		Protocol: int(protocol), Src: src.AsSlice(), Dst: dst.AsSlice(),
	}
	b, err := h.Marshal()
	if err != nil {
		panic(err)
	}
	return append(seal4(b), payload...)
}

// seal4 sets the checksum of an IPv4 header, options included.
func seal4(h []byte) []byte {
	h[10], h[11] = 0, 0
	var s uint32
	for i := 0; i < int(h[0]&15)*4; i += 2 {
		s += uint32(h[i])<<8 | uint32(h[i+1])
	}
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	binary.BigEndian.PutUint16(h[10:], ^uint16(s))
	return h
}

// tcp is an answer's segment without options.
func tcp(srcPort, dstPort uint16, seq, ack uint32, flags uint8) []byte {
	b := make([]byte, 20)
	binary.BigEndian.PutUint16(b, srcPort)
	binary.BigEndian.PutUint16(b[2:], dstPort)
	binary.BigEndian.PutUint32(b[4:], seq)
	binary.BigEndian.PutUint32(b[8:], ack)
	b[12], b[13] = 0x50, flags
	return b
}

func udp(srcPort, dstPort uint16, payload string) []byte {
	b := make([]byte, 8, 8+len(payload))
	binary.BigEndian.PutUint16(b, srcPort)
	binary.BigEndian.PutUint16(b[2:], dstPort)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	return append(b, payload...)
}

// message is an ICMP packet as another library encodes it.
func message(src, dst netip.Addr, typ icmp.Type, code int, body icmp.MessageBody) []byte {
	var pseudo []byte
	protocol := uint8(ProtoICMP)
	if src.Is6() {
		pseudo, protocol = icmp.IPv6PseudoHeader(src.AsSlice(), dst.AsSlice()), ProtoICMPv6
	}
	b, err := (&icmp.Message{Type: typ, Code: code, Body: body}).Marshal(pseudo)
	if err != nil {
		panic(err)
	}
	return ip(src, dst, protocol, b)
}

// failure is an ICMP error by its numbers that quotes data.
func failure(src, dst netip.Addr, typ, code int, data []byte) []byte {
	var t icmp.Type = ipv4.ICMPType(typ)
	if src.Is6() {
		t = ipv6.ICMPType(typ)
	}
	return message(src, dst, t, code, &icmp.RawBody{Data: append(make([]byte, 4), data...)})
}

// ether puts a packet or ARP message into a frame, behind VLAN tags.
func ether(ethertype uint16, b []byte, tags ...uint16) []byte {
	f := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	for _, tag := range tags {
		f = append(f, byte(tag>>8), byte(tag), 0x20, 100)
	}
	return append(append(f, byte(ethertype>>8), byte(ethertype)), b...)
}

// typeOf is the EtherType of an IP packet.
func typeOf(b []byte) uint16 {
	if b[0]>>4 == 6 {
		return etherIP6
	}
	return etherIP4
}
