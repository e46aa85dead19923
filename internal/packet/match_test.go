package packet

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"reconshield/internal/probe"
)

// match decodes a packet and matches it.
func match(m *Matcher, b []byte) (r probe.Reply, payload []byte, ok bool) {
	var d Decoded
	if !d.Packet(b) {
		return r, nil, false
	}
	return m.Match(&d)
}

// pong answers an echo request of ours, with its data changed by the caller.
func pong(s side, request, data []byte) []byte {
	var typ icmp.Type = ipv4.ICMPTypeEchoReply
	l4 := request[20:]
	if s.us.Is6() {
		typ, l4 = ipv6.ICMPTypeEchoReply, request[40:]
	}
	id, seq := int(binary.BigEndian.Uint16(l4[4:])), int(binary.BigEndian.Uint16(l4[6:]))
	return message(s.host, s.us, typ, 0, &icmp.Echo{ID: id, Seq: seq, Data: data})
}

// What honest hosts say to every attempt of every kind finds its probe again.
func TestMatch(t *testing.T) {
	key := probe.NewKey(5)
	for name, s := range sides() {
		port, gone := [2]int{3, 3}, [2]int{11, 0}
		if s.us.Is6() {
			port, gone = [2]int{1, 4}, [2]int{3, 0}
		}
		for _, kind := range []probe.Kind{probe.TCP, probe.UDP, probe.Echo} {
			for attempt := range uint8(probe.Attempts) {
				p := probe.Probe{Addr: s.host, Port: 50000 + uint16(attempt), Kind: kind, Attempt: attempt}
				if kind == probe.Echo {
					p.Port = 0
				}
				c, packet := key.Cookie(&p), sent(t, key, s.us, p)
				header := len(packet) - len(packet[map[bool]int{true: 20, false: 40}[s.us.Is4()]:])
				tests := []struct {
					name   string
					kind   probe.Kind
					packet []byte
					want   probe.Answer
					from   netip.Addr
				}{
					{"SYN-ACK", probe.TCP, ip(s.host, s.us, ProtoTCP, tcp(p.Port, c.SourcePort(), 9, c.Seq()+1, SYN|ACK)), probe.SynAck, s.host},
					{"SYN-ACK of ECN", probe.TCP, ip(s.host, s.us, ProtoTCP, tcp(p.Port, c.SourcePort(), 9, c.Seq()+1, SYN|ACK|0x40)), probe.SynAck, s.host},
					{"reset", probe.TCP, ip(s.host, s.us, ProtoTCP, tcp(p.Port, c.SourcePort(), 0, c.Seq()+1, RST|ACK)), probe.Reset, s.host},
					{"reset not counting the SYN", probe.TCP, ip(s.host, s.us, ProtoTCP, tcp(p.Port, c.SourcePort(), 0, c.Seq(), RST|ACK)), probe.Reset, s.host},
					{"reset without ACK", probe.TCP, ip(s.host, s.us, ProtoTCP, tcp(p.Port, c.SourcePort(), 0, c.Seq()+1, RST)), probe.Reset, s.host},
					{"datagram", probe.UDP, ip(s.host, s.us, ProtoUDP, udp(p.Port, c.SourcePort(), "yes")), probe.Datagram, s.host},
					{"pong", probe.Echo, pong(s, packet, binary.BigEndian.AppendUint64(nil, uint64(c))), probe.EchoReply, s.host},
					{"pong with more", probe.Echo, pong(s, packet, append(binary.BigEndian.AppendUint64(nil, uint64(c)), 1, 2)), probe.EchoReply, s.host},
					{"error of the host", kind, failure(s.host, s.us, port[0], port[1], packet), probe.PortUnreachable, s.host},
					{"error of a router, short", kind, failure(s.router, s.us, gone[0], gone[1], packet[:header+8]), probe.TimeExceeded, s.router},
				}
				for _, tt := range tests {
					if tt.kind != kind {
						continue
					}
					m := Matcher{Key: key}
					r, payload, ok := match(&m, tt.packet)
					want := probe.Reply{Probe: p, Answer: tt.want, From: tt.from, HopLimit: 60}
					if diff := cmp.Diff(want, r, compareAddresses()); !ok || diff != "" {
						t.Errorf("%s %s of attempt %d: %v (-want +got):\n%s", name, tt.name, attempt, ok, diff)
					}
					if wantPayload := map[probe.Answer]string{probe.Datagram: "yes"}[tt.want]; string(payload) != wantPayload {
						t.Errorf("%s %s: payload %q", name, tt.name, payload)
					}
					if m.Stray+m.Forged+m.Rewritten != 0 {
						t.Errorf("%s %s: counted as bad: %+v", name, tt.name, m)
					}
				}
			}
		}
	}
}

// What is refused, and how it is counted.
func TestNoMatch(t *testing.T) {
	key := probe.NewKey(5)
	const none, stray, forged, rewritten = "none", "stray", "forged", "rewritten"
	for name, s := range sides() {
		dead, reply := [2]int{3, 3}, uint8(icmp4EchoReply)
		fragment := func(p, _ []byte) { p[7] = 1 }
		if s.us.Is6() {
			dead, reply = [2]int{1, 4}, icmp6EchoReply
			fragment = func(p, l4 []byte) { p[6] = extFragment; copy(l4, []byte{ProtoTCP, 0, 0, 8}) }
		}
		quoted := func(kind probe.Kind, change func(packet, l4 []byte)) []byte {
			p := sent(t, key, s.us, probe.Probe{Addr: s.host, Port: 53, Kind: kind})
			change(p, transport(p))
			return failure(s.router, s.us, dead[0], dead[1], p)
		}
		wire := map[probe.Kind]probe.Cookie{}
		for _, kind := range []probe.Kind{probe.TCP, probe.UDP, probe.Echo} {
			p := probe.Probe{Addr: s.host, Port: 53, Kind: kind}
			if kind == probe.Echo {
				p.Port = 0
			}
			wire[kind] = key.Cookie(&p)
		}
		t0, u, e := wire[probe.TCP], wire[probe.UDP], wire[probe.Echo]
		segment := func(src netip.Addr, port, to uint16, ack uint32, flags uint8) []byte {
			return ip(src, s.us, ProtoTCP, tcp(port, to, 0, ack, flags))
		}
		ping := sent(t, key, s.us, probe.Probe{Addr: s.host, Kind: probe.Echo})
		tests := []struct {
			name   string
			packet []byte
			count  string
		}{
			{"SYN-ACK without counting", segment(s.host, 53, t0.SourcePort(), t0.Seq(), SYN|ACK), forged},
			{"SYN-ACK too far", segment(s.host, 53, t0.SourcePort(), t0.Seq()+2, SYN|ACK), forged},
			{"SYN-ACK of another attempt", segment(s.host, 53, t0.SourcePort()^1, t0.Seq()+1, SYN|ACK), stray},
			{"SYN-ACK to another port", segment(s.host, 53, t0.SourcePort()^0x100, t0.Seq()+1, SYN|ACK), stray},
			{"SYN-ACK below our ports", segment(s.host, 53, t0.SourcePort()&0x7fff, t0.Seq()+1, SYN|ACK), stray},
			{"SYN-ACK from another port", segment(s.host, 54, t0.SourcePort(), t0.Seq()+1, SYN|ACK), stray},
			{"SYN-ACK from another host", segment(s.router, 53, t0.SourcePort(), t0.Seq()+1, SYN|ACK), stray},
			{"SYN", segment(s.host, 53, t0.SourcePort(), t0.Seq()+1, SYN), none},
			{"ACK", segment(s.host, 53, t0.SourcePort(), t0.Seq()+1, ACK), none},
			{"SYN-ACK-RST", segment(s.host, 53, t0.SourcePort(), t0.Seq()+1, SYN|ACK|RST), none},
			{"FIN-RST", segment(s.host, 53, t0.SourcePort(), t0.Seq()+1, FIN|RST), none},
			{"reset of nothing", segment(s.host, 53, t0.SourcePort(), 0, RST), forged},
			{"reset one too low", segment(s.host, 53, t0.SourcePort(), t0.Seq()-1, RST|ACK), forged},
			{"datagram to another port", ip(s.host, s.us, ProtoUDP, udp(53, u.SourcePort()^8, "x")), stray},
			{"datagram from another host", ip(s.router, s.us, ProtoUDP, udp(53, u.SourcePort(), "x")), stray},
			{"datagram of TCP's port", ip(s.host, s.us, ProtoUDP, udp(53, t0.SourcePort(), "x")), stray},
			{"pong with other data", pong(s, ping, binary.BigEndian.AppendUint64(nil, uint64(e)^1)), forged},
			{"pong with little data", pong(s, ping, make([]byte, 7)), forged},
			{"quoted TCP, other seq", quoted(probe.TCP, func(_, l4 []byte) { l4[7] ^= 1 }), forged},
			{"quoted TCP, other port", quoted(probe.TCP, func(_, l4 []byte) { l4[1] ^= 8 }), stray},
			{"quoted TCP, other host", quoted(probe.TCP, func(p, _ []byte) { p[len(p)-len(transport(p))-1] ^= 1 }), stray},
			{"quoted UDP, other port", quoted(probe.UDP, func(_, l4 []byte) { l4[1] ^= 8 }), stray},
			{"quoted UDP, other label", quoted(probe.UDP, func(p, _ []byte) { p[2] ^= 1; p[4] ^= 1; p[5] ^= 3 }), rewritten},
			{"quoted echo, other seq", quoted(probe.Echo, func(_, l4 []byte) { l4[7] ^= 1 }), forged},
			{"quoted echo reply", quoted(probe.Echo, func(_, l4 []byte) { l4[0] = reply }), none},
			{"quoted protocol", quoted(probe.Echo, func(p, _ []byte) { p[map[bool]int{true: 9, false: 6}[s.us.Is4()]] = 47 }), none},
			{"quoted, of no version", quoted(probe.TCP, func(p, _ []byte) { p[0] ^= 0x70 }), none},
			{"quoted fragment", quoted(probe.TCP, fragment), none},
		}
		for _, tt := range tests {
			m := Matcher{Key: key}
			r, payload, ok := match(&m, tt.packet)
			if ok || payload != nil || cmp.Diff(r, probe.Reply{}, compareAddresses()) != "" {
				t.Errorf("%s %s matches %+v", name, tt.name, r)
			}
			want := map[string]Matcher{none: {}, stray: {Stray: 1}, forged: {Forged: 1}, rewritten: {Rewritten: 1}}[tt.count]
			want.Key = key
			if m != want {
				t.Errorf("%s %s: counted %d stray, %d forged, %d rewritten", name, tt.name, m.Stray, m.Forged, m.Rewritten)
			}
		}
	}
}

// transport is a probe's packet from its transport's header on.
func transport(p []byte) []byte {
	if p[0]>>4 == 6 {
		return p[40:]
	}
	return p[20:]
}

// Systems that quote the identification in their own byte order.
func TestSwappedID(t *testing.T) {
	key, s := probe.NewKey(5), sides()["v4"]
	p := sent(t, key, s.us, probe.Probe{Addr: s.host, Port: 53, Kind: probe.UDP})
	p[4], p[5] = p[5], p[4]
	m := Matcher{Key: key}
	if _, _, ok := match(&m, failure(s.host, s.us, 3, 3, p)); !ok {
		t.Errorf("refused: %+v", m)
	}
}

// On the loopback interface the probes to ports like ours come in, too.
func TestOwnProbe(t *testing.T) {
	key := probe.NewKey(5)
	for name, s := range sides() {
		own, found := 0, 0
		for port := uint16(32768); port != 0; port++ {
			b := sent(t, key, s.us, probe.Probe{Addr: s.us, Port: port, Kind: probe.UDP})
			c := key.Cookie(&probe.Probe{Addr: s.us, Port: binary.BigEndian.Uint16(transport(b)), Kind: probe.UDP, Attempt: probe.AttemptOf(port)})
			if c.SourcePort() == port {
				own++ // looks like the answer to another probe of ours
			}
			if _, _, ok := match(&Matcher{Key: key}, b); ok {
				found++
			}
		}
		if own == 0 || found != 0 {
			t.Errorf("%s: %d of our own probes of %d that look like answers are taken for one", name, found, own)
		}
	}
}

// The whole tables of types and codes.
func TestMeaning(t *testing.T) {
	const (
		net, host, proto, port = probe.NetUnreachable, probe.HostUnreachable, probe.ProtocolUnreachable, probe.PortUnreachable
		admin, gone, nothing   = probe.AdminProhibited, probe.TimeExceeded, probe.Nothing
	)
	want4 := map[uint8][]probe.Answer{
		3:  {net, host, proto, port, nothing, net, net, host, host, admin, admin, net, host, admin, admin, admin},
		11: {gone},
	}
	want6 := map[uint8][]probe.Answer{1: {net, admin, net, host, port, admin, admin}, 3: {gone}, 4: {nothing, proto}}
	for name, want := range map[string]map[uint8][]probe.Answer{"v4": want4, "v6": want6} {
		s := sides()[name]
		packet := sent(t, probe.NewKey(5), s.us, probe.Probe{Addr: s.host, Port: 80})
		for typ := range 256 {
			for code := range 256 {
				expected := nothing
				if codes := want[uint8(typ)]; code < len(codes) {
					expected = codes[code]
				}
				r, _, ok := match(&Matcher{Key: probe.NewKey(5)}, failure(s.router, s.us, typ, code, packet))
				if r.Answer != expected || ok != (expected != nothing) {
					t.Errorf("%s type %d code %d: %d, want %d", name, typ, code, r.Answer, expected)
				}
			}
		}
	}
}

// Quotes may hold what was put into the packet on its way.
func TestQuoteWithOptions(t *testing.T) {
	key := probe.NewKey(5)
	four, six := sides()["v4"], sides()["v6"]
	p4 := sent(t, key, four.us, probe.Probe{Addr: four.host, Port: 80})
	p4 = append(append(append([]byte{}, p4[:20]...), 7, 3, 4, 0), p4[20:]...) // an empty record route
	p4[0] = 0x46
	p6 := sent(t, key, six.us, probe.Probe{Addr: six.host, Port: 80})
	p6 = append(append(append([]byte{}, p6[:40]...), ProtoTCP, 0, 1, 4, 0, 0, 0, 0), p6[40:]...)
	p6[6] = extDestination
	for _, b := range [][]byte{failure(four.router, four.us, 3, 1, p4), failure(six.router, six.us, 1, 3, p6)} {
		if r, _, ok := match(&Matcher{Key: key}, b); !ok || r.Answer != probe.HostUnreachable || r.Port != 80 {
			t.Errorf("%x: %v %+v", b, ok, r)
		}
	}
	// An error quotes a packet of its own family.
	if _, _, ok := match(&Matcher{Key: key}, failure(four.router, four.us, 3, 1, sent(t, key, six.us, probe.Probe{Addr: six.host, Port: 80}))); ok {
		t.Error("an ICMP error about an IPv6 packet matches")
	}
}

func TestNoAllocs(t *testing.T) {
	key := probe.NewKey(5)
	for name, s := range sides() {
		p := probe.Probe{Addr: s.host, Port: 80}
		c, path, buf := key.Cookie(&p), testPath(s.us, probe.Ethernet), make([]byte, 256)
		syn, datagram, echo := template(t, path, probe.TCP), template(t, path, probe.UDP), template(t, path, probe.Echo)
		answer := ip(s.host, s.us, ProtoTCP, tcp(80, c.SourcePort(), 9, c.Seq()+1, SYN|ACK))
		frame := ether(typeOf(answer), answer)
		typ := map[string]int{"v4": 3, "v6": 1}[name]
		failed := failure(s.router, s.us, typ, 1, sent(t, key, s.us, p))
		m, d, payload, matched := Matcher{Key: key}, new(Decoded), []byte("a question"), 0
		tests := []struct {
			name string
			run  func()
		}{
			{"SYN", func() { syn.SYN(buf, &p, key.Cookie(&p), 1) }},
			{"UDP", func() { datagram.UDP(buf, &p, c, payload) }},
			{"Echo", func() { echo.Echo(buf, &p, c) }},
			{"Solicit", func() { Solicit(buf, MAC{2}, s.us, s.host) }},
			{"Match", func() {
				d.Frame(frame)
				if _, _, ok := m.Match(d); ok {
					matched++
				}
			}},
			{"RST", func() { syn.RST(buf, d) }},
			{"Match an error", func() {
				d.Packet(failed)
				if _, _, ok := m.Match(d); ok {
					matched++
				}
			}},
		}
		for _, tt := range tests {
			if n := testing.AllocsPerRun(100, tt.run); n != 0 {
				t.Errorf("%s %s: %v allocations", name, tt.name, n)
			}
		}
		if matched != 202 {
			t.Errorf("%s: %d packets match", name, matched)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	key := probe.NewKey(5)
	for name, s := range sides() {
		p := probe.Probe{Addr: s.host, Port: 80}
		c := key.Cookie(&p)
		answer := ip(s.host, s.us, ProtoTCP, tcp(80, c.SourcePort(), 9, c.Seq()+1, RST|ACK))
		typ := map[string]int{"v4": 3, "v6": 1}[name]
		failed := failure(s.router, s.us, typ, 1, sent(b, key, s.us, p))
		for kind, packet := range map[string][]byte{"reset": answer, "error": failed} {
			frame, m, d := ether(typeOf(packet), packet), Matcher{Key: key}, new(Decoded)
			b.Run(kind+"/"+name, func(b *testing.B) {
				for b.Loop() {
					if d.Frame(frame) {
						if _, _, ok := m.Match(d); !ok {
							b.Fatal("no match")
						}
					}
				}
			})
		}
	}
}
