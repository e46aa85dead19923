package packet

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv6"

	"reconshield/internal/probe"
)

// compareAddresses lets cmp see into addresses.
func compareAddresses() cmp.Option {
	return cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
}

// One of each, every field.
func TestDecode(t *testing.T) {
	v4, v6 := sides()["v4"], sides()["v6"]
	quoted4 := sent(t, probe.NewKey(1), v4.us, probe.Probe{Addr: v4.host, Port: 80})
	at4 := Header{Src: v4.host, Dst: v4.us, HopLimit: 60, ID: 99}
	at6 := Header{Src: v6.host, Dst: v6.us, HopLimit: 60}
	with := func(h Header, change func(*Header)) Header { change(&h); return h }
	tests := []struct {
		name   string
		packet []byte
		want   Decoded
	}{
		{"TCP v4", ip(v4.host, v4.us, ProtoTCP, tcp(80, 40000, 1, 2, SYN|ACK)), Decoded{What: Segment, Header: with(at4, func(h *Header) {
			h.Protocol, h.SrcPort, h.DstPort, h.Seq, h.Ack, h.Flags = ProtoTCP, 80, 40000, 1, 2, SYN|ACK
		}), Payload: []byte{}}},
		{"TCP v6", ip(v6.host, v6.us, ProtoTCP, append(tcp(80, 40000, 1, 2, RST), 'x')), Decoded{What: Segment, Header: with(at6, func(h *Header) {
			h.Protocol, h.SrcPort, h.DstPort, h.Seq, h.Ack, h.Flags = ProtoTCP, 80, 40000, 1, 2, RST
		}), Payload: []byte("x")}},
		{"UDP v4", ip(v4.host, v4.us, ProtoUDP, udp(53, 40000, "answer")), Decoded{What: Datagram, Header: with(at4, func(h *Header) {
			h.Protocol, h.SrcPort, h.DstPort = ProtoUDP, 53, 40000
		}), Payload: []byte("answer")}},
		{"UDP v6", ip(v6.host, v6.us, ProtoUDP, udp(53, 40000, "")), Decoded{What: Datagram, Header: with(at6, func(h *Header) {
			h.Protocol, h.SrcPort, h.DstPort = ProtoUDP, 53, 40000
		}), Payload: []byte{}}},
		{"echo v6", message(v6.host, v6.us, ipv6.ICMPTypeEchoReply, 0, &icmp.Echo{ID: 40000, Seq: 5, Data: []byte("data")}), Decoded{What: EchoReply, Header: with(at6, func(h *Header) {
			h.Protocol, h.Type, h.EchoID, h.EchoSeq = ProtoICMPv6, 129, 40000, 5
		}), Payload: []byte("data")}},
		{"error v4", failure(v4.router, v4.us, 3, 1, quoted4[:28]), Decoded{What: Error, Header: with(at4, func(h *Header) {
			h.Src, h.Protocol, h.Type, h.Code = v4.router, ProtoICMP, 3, 1
		}), Quote: Header{
			Src: v4.us, Dst: v4.host, Protocol: ProtoTCP, HopLimit: 64, Partial: true, ID: binary.BigEndian.Uint16(quoted4[4:]),
			SrcPort: binary.BigEndian.Uint16(quoted4[20:]), DstPort: 80, Seq: binary.BigEndian.Uint32(quoted4[24:]),
		}}},
	}
	for _, tt := range tests {
		for tags := range 3 {
			d := Decoded{What: Error, Hardware: MAC{1}, Quote: Header{Seq: 1}} // left over from another packet
			frame := ether(typeOf(tt.packet), tt.packet, []uint16{etherQinQ, etherVLAN}[2-tags:]...)
			if !d.Frame(append(frame, "padding"...)) {
				t.Errorf("%s behind %d tags is not understood", tt.name, tags)
			}
			if diff := cmp.Diff(tt.want, d, compareAddresses()); diff != "" {
				t.Errorf("%s behind %d tags (-want +got):\n%s", tt.name, tags, diff)
			}
		}
	}
}

// Frames that a Linux 6 host sent itself over its loopback interface, captured
// on a packet socket: the TCP checksums are not filled in there.
func TestDecodeReal(t *testing.T) {
	const ether4, ether6 = "0000000000000000000000000800", "00000000000000000000000086dd"
	const one = "20010db8000000000000000000000001"
	tests := []struct {
		name, frame string
		want        func(d *Decoded) bool
	}{
		{"SYN-ACK v4", ether4 + "4500003c000040004006b6b9c0000201c00002011f90d678b42d57bf0d8f312ca012ffcb843100000204ffd70402080ae29d2da6f89a0c070103030a", func(d *Decoded) bool {
			return d.What == Segment && d.Flags == SYN|ACK && d.SrcPort == 8080 && d.DstPort == 54904 && d.Seq == 3022870463 && d.Ack == 227488044 && len(d.Payload) == 0
		}},
		{"reset v6", ether6 + "600cafa700140640" + one + one + "0051d13c00000000db2a345050140000" + "5b8e0000", func(d *Decoded) bool {
			return d.What == Segment && d.Flags == RST|ACK && d.SrcPort == 81 && d.DstPort == 53564 && d.Ack == 3676976208 && d.FlowLabel == 0xcafa7
		}},
		{"port v4", ether4 + "45c0003d184d00004001ddb0c0000201c000020103034b7000000000" + "45000021a957400040110d72c0000201c0000201e9820009000d842168656c6c6f", func(d *Decoded) bool {
			return d.What == Error && d.Type == 3 && d.Code == 3 && d.ID == 6221 && d.Quote.ID == 43351 && d.Quote.SrcPort == 59778 && d.Quote.DstPort == 9 && d.Quote.Protocol == ProtoUDP
		}},
		{"port v6", ether6 + "600962a8003d3a40" + one + one + "0104616a00000000" + "6005efe6000d1140" + one + one + "e57d0009000d5b9268656c6c6f", func(d *Decoded) bool {
			return d.What == Error && d.Type == 1 && d.Code == 4 && d.Quote.FlowLabel == 0x5efe6 && d.Quote.SrcPort == 58749 && d.Quote.DstPort == 9 && d.HopLimit == 64
		}},
	}
	for _, tt := range tests {
		b, err := hex.DecodeString(tt.frame)
		var d Decoded
		if err != nil || !d.Frame(b) || !tt.want(&d) {
			t.Errorf("%s: %v %+v", tt.name, err, d)
		}
	}
}

// TestNeighbour has every reason to refuse an advertisement or ARP reply.
func TestNeighbour(t *testing.T) {
	v4, v6 := sides()["v4"], sides()["v6"]
	mac := []byte{2, 0, 0, 0, 0, 9}
	arp := func(change func(b []byte)) []byte {
		b := append([]byte{0, 1, 8, 0, 6, 4, 0, 2}, mac...)
		b = append(append(b, v4.host.AsSlice()...), 2, 0, 0, 0, 0, 1)
		b = append(b, v4.us.AsSlice()...)
		change(b)
		return ether(etherARP, append(b, make([]byte, 18)...))
	}
	na := func(hops uint8, code int, flags byte, target netip.Addr, options ...byte) []byte {
		body := append([]byte{flags, 0, 0, 0}, target.AsSlice()...)
		b := message(v6.host, v6.us, ipv6.ICMPTypeNeighborAdvertisement, code, &icmp.RawBody{Data: append(body, options...)})
		b[7] = hops
		return ether(etherIP6, b)
	}
	option := append([]byte{2, 1}, mac...)
	nonce := []byte{14, 1, 1, 2, 3, 4, 5, 6}
	tests := []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"ARP reply", arp(func([]byte) {}), true},
		{"ARP request", arp(func(b []byte) { b[7] = 1 }), false},
		{"ARP of another link", arp(func(b []byte) { b[1] = 6 }), false},
		{"ARP of another protocol", arp(func(b []byte) { b[2] = 9 }), false},
		{"ARP with long addresses", arp(func(b []byte) { b[4] = 8 }), false},
		{"ARP to broadcast", arp(func(b []byte) { copy(b[8:], "\xff\xff\xff\xff\xff\xff") }), false},
		{"ARP to zero", arp(func(b []byte) { copy(b[8:], "\x00\x00\x00\x00\x00\x00") }), false},
		{"ARP cut off", arp(func([]byte) {})[:etherLen+arpLen-1], false},
		{"NA", na(255, 0, 0x60, v6.host, option...), true},
		{"NA after another option", na(255, 0, 0x40, v6.host, slices.Concat(nonce, option)...), true},
		{"NA of another target", na(255, 0, 0x40, v6.router, option...), true},
		{"NA routed", na(254, 0, 0x60, v6.host, option...), false},
		{"NA unsolicited", na(255, 0, 0x20, v6.host, option...), false},
		{"NA with a code", na(255, 1, 0x60, v6.host, option...), false},
		{"NA without address", na(255, 0, 0x60, v6.host), false},
		{"NA with a source address", na(255, 0, 0x60, v6.host, append([]byte{1, 1}, mac...)...), false},
		{"NA for a group", na(255, 0, 0x60, netip.MustParseAddr("ff02::1"), option...), false},
		{"NA with a group's hardware", na(255, 0, 0x60, v6.host, 2, 1, 0x33, 0x33, 0, 0, 0, 1), false},
		{"NA option without length", na(255, 0, 0x60, v6.host, slices.Concat(option, []byte{14, 0, 0, 0, 0, 0, 0, 0})...), false},
		{"NA option too long", na(255, 0, 0x60, v6.host, slices.Concat(option, []byte{14, 2, 0, 0, 0, 0, 0, 0})...), false},
		{"NA option cut off", na(255, 0, 0x60, v6.host, slices.Concat(option, []byte{14})...), false},
	}
	for _, tt := range tests {
		var d Decoded
		if got := d.Frame(tt.frame); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		} else if got && (d.What != Neighbour || d.Hardware != MAC(mac) || d.Target != v4.host && d.Target != v6.host && d.Target != v6.router) {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
	if line := tcpdump(t, linkEthernet, [][]byte{na(255, 0, 0x60, v6.host, option...)})[0]; complaints(line) != nil || !like(line, "…neighbor advertisement…[router, solicited]…") && !like(line, "…neighbor advertisement…[solicited, override]…") {
		t.Error("the test's own advertisement is wrong:", line)
	}
}

// extended puts extension headers of the given types between IPv6 and TCP; a
// type's second number is the header's length field.
func extended(s side, last []byte, headers ...[2]uint8) []byte {
	next, body := uint8(ProtoTCP), last
	for _, h := range slices.Backward(headers) {
		length := (int(h[1]) + 1) * 8
		switch h[0] {
		case extAuth:
			length = (int(h[1]) + 2) * 4
		case extFragment:
			length = 8
		}
		ext := make([]byte, length)
		ext[0], ext[1] = next, h[1]
		next, body = h[0], append(ext, body...)
	}
	return ip(s.host, s.us, next, body)
}

func TestIPv6Extensions(t *testing.T) {
	s, seg := sides()["v6"], tcp(80, 40000, 1, 2, SYN|ACK)
	all := [][2]uint8{{extHopByHop, 0}, {extDestination, 1}, {extRouting, 2}, {extFragment, 0}, {extAuth, 4}, {extMobility, 0}, {extHIP, 0}, {extShim6, 0}}
	fragment := func(field uint16) []byte {
		b := extended(s, seg, [2]uint8{extFragment, 0})
		binary.BigEndian.PutUint16(b[42:], field)
		return b
	}
	tests := []struct {
		name          string
		packet        []byte
		want, partial bool
	}{
		{"none", extended(s, seg), true, false},
		{"each", extended(s, seg, all...), true, false},
		{"nine", extended(s, seg, append(all, [2]uint8{extDestination, 0})...), false, false},
		{"first fragment", fragment(1), true, true},
		{"atomic fragment", fragment(0), true, false},
		{"second fragment", fragment(8), false, false},
		{"last fragment", fragment(0xfff8), false, false},
		{"encrypted", ip(s.host, s.us, 50, seg), false, false},
		{"nothing behind", ip(s.host, s.us, 59, nil), false, false},
		{"header cut off", ip(s.host, s.us, extDestination, []byte{ProtoTCP}), false, false},
		{"header too long", ip(s.host, s.us, extDestination, append([]byte{ProtoTCP, 9, 0, 0, 0, 0, 0, 0}, seg...)), false, false},
		{"no header", ip(s.host, s.us, extRouting, nil), false, false},
		{"mapped source", ip(netip.MustParseAddr("::ffff:192.0.2.1"), s.us, ProtoTCP, seg), false, false},
	}
	for _, tt := range tests {
		var d Decoded
		if got := d.Packet(tt.packet); got != tt.want || got && (d.Partial != tt.partial || d.Ack != 2) {
			t.Errorf("%s: %v, %+v", tt.name, got, d)
		}
	}
}

func TestIPv4Header(t *testing.T) {
	s := sides()["v4"]
	syn := func(change func(b []byte)) []byte {
		b := ip(s.host, s.us, ProtoTCP, tcp(80, 40000, 1, 2, SYN|ACK))
		change(b)
		return seal4(b)
	}
	options := ip(s.host, s.us, ProtoTCP, append([]byte{1, 1, 1, 0}, tcp(80, 40000, 1, 2, SYN|ACK)...))
	options[0] = 0x46
	flip := ip(s.host, s.us, ProtoTCP, tcp(80, 40000, 1, 2, SYN|ACK))
	flip[8]++
	tests := []struct {
		name          string
		packet        []byte
		want, partial bool
	}{
		{"plain", syn(func([]byte) {}), true, false},
		{"options", seal4(options), true, false},
		{"don't fragment", syn(func(b []byte) { b[6] = 0x40 }), true, false},
		{"first fragment", syn(func(b []byte) { b[6] = 0x20 }), true, true},
		{"second fragment", syn(func(b []byte) { b[7] = 1 }), false, false},
		{"longer than it is", syn(func(b []byte) { b[3]++ }), true, true},
		{"shorter than a segment", syn(func(b []byte) { b[3]-- }), false, false},
		{"shorter than its header", syn(func(b []byte) { b[3] = 19 }), false, false},
		{"header too short", syn(func(b []byte) { b[0] = 0x44 }), false, false},
		{"wrong checksum", flip, false, false},
		{"version 5", syn(func(b []byte) { b[0] = 0x55 }), false, false},
		{"ICMPv6 in IPv4", syn(func(b []byte) { b[9] = ProtoICMPv6 }), false, false},
		{"another protocol", syn(func(b []byte) { b[9] = 47 }), false, false},
		{"data offset too small", syn(func(b []byte) { b[32] = 0x40 }), false, false},
		{"data offset too large", syn(func(b []byte) { b[32] = 0x60 }), false, false},
		{"UDP without length", ip(s.host, s.us, ProtoUDP, make([]byte, 8)), false, false},
		{"UDP longer than it is", ip(s.host, s.us, ProtoUDP, []byte{0, 1, 0, 1, 0, 9, 0, 0}), false, false},
	}
	for _, tt := range tests {
		var d Decoded
		if got := d.Packet(tt.packet); got != tt.want || got && (d.Partial != tt.partial || d.Ack != 2) {
			t.Errorf("%s: %v, %+v", tt.name, got, d)
		}
	}
}

// No packet, cut off anywhere, is more than it was.
func TestCutOff(t *testing.T) {
	for name, s := range sides() {
		quote := sent(t, probe.NewKey(1), s.us, probe.Probe{Addr: s.host, Port: 80})
		types := map[string][2]int{"v4": {3, 3}, "v6": {1, 4}}[name]
		for _, p := range [][]byte{
			ip(s.host, s.us, ProtoTCP, tcp(80, 40000, 1, 2, SYN|ACK)),
			ip(s.host, s.us, ProtoUDP, udp(53, 40000, "answer")),
			failure(s.host, s.us, types[0], types[1], quote),
		} {
			for n := range p {
				var d Decoded
				if d.Packet(p[:n:n]) && !d.Partial {
					t.Errorf("%s: %d bytes of %x pass for the whole", name, n, p)
				}
			}
		}
	}
}

func TestICMPChecksum(t *testing.T) {
	for name, s := range sides() {
		types := map[string][2]int{"v4": {3, 3}, "v6": {1, 4}}[name]
		p := failure(s.router, s.us, types[0], types[1], sent(t, probe.NewKey(1), s.us, probe.Probe{Addr: s.host, Port: 80}))
		var d Decoded
		if !d.Packet(p) {
			t.Errorf("%s: a right packet is refused", name)
		}
		p[len(p)-1] ^= 1
		if d.Packet(p) {
			t.Errorf("%s: a damaged packet is accepted", name)
		}
	}
}
