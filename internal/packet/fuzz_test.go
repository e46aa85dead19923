package packet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"reconshield/internal/probe"
)

// seeds are one packet of each kind.
func seeds(tb testing.TB, key probe.Key) (all [][]byte) {
	tb.Helper()
	for name, s := range sides() {
		dead := map[string][2]int{"v4": {3, 3}, "v6": {1, 4}}[name]
		p := probe.Probe{Addr: s.host, Port: 80}
		c := key.Cookie(&p)
		all = append(all, ip(s.host, s.us, ProtoTCP, tcp(80, c.SourcePort(), 1, c.Seq()+1, SYN|ACK)))
		for _, kind := range []probe.Kind{probe.TCP, probe.UDP, probe.Echo} {
			packet := sent(tb, key, s.us, probe.Probe{Addr: s.host, Port: 80, Kind: kind})
			all = append(all, packet, failure(s.router, s.us, dead[0], dead[1], packet))
			if kind == probe.Echo {
				all = append(all, pong(s, packet, packet[len(packet)-echoData:]))
			}
		}
		p.Kind = probe.UDP
		all = append(all, ip(s.host, s.us, ProtoUDP, udp(80, key.Cookie(&p).SourcePort(), "answer")))
	}
	six := sides()["v6"]
	return append(all, extended(six, tcp(80, 40000, 1, 2, SYN|ACK), [2]uint8{extHopByHop, 0}, [2]uint8{extFragment, 0}, [2]uint8{extAuth, 1}))
}

func FuzzDecode(f *testing.F) {
	for _, p := range seeds(f, probe.NewKey(5)) {
		f.Add(p)
		f.Add(ether(typeOf(p), p))
		f.Add(ether(typeOf(p), p, etherQinQ, etherVLAN))
	}
	f.Add(ether(etherARP, append([]byte{0, 1, 8, 0, 6, 4, 0, 2}, make([]byte, 20)...)))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		var fresh, used Decoded
		used.Seq, used.Quote.Seq, used.Hardware = 1, 1, MAC{1}
		for _, decode := range []func(d *Decoded) bool{func(d *Decoded) bool { return d.Frame(b) }, func(d *Decoded) bool { return d.Packet(b) }} {
			ok := decode(&fresh)
			if again := decode(&used); again != ok || used.Header != fresh.Header || used.Quote != fresh.Quote || used.Hardware != fresh.Hardware {
				t.Fatalf("what was decoded before shows through: %+v, %+v", used, fresh)
			}
			if !ok {
				continue
			}
			if fresh.What == Other || len(fresh.Payload) > len(b) || !fresh.Src.IsValid() || fresh.Src.BitLen() != fresh.Dst.BitLen() {
				t.Fatalf("%+v", fresh)
			}
			if (fresh.What == Error) != fresh.Quote.Dst.IsValid() || (fresh.What == Neighbour) != fresh.Target.IsValid() {
				t.Fatalf("%+v", fresh)
			}
		}
		if !bytes.Equal(b, before) {
			t.Fatal("the packet was changed")
		}
	})
}

// proven looks for the cookie in the raw bytes: nothing matches without it.
func proven(b []byte, c probe.Cookie, r *probe.Reply) bool {
	has := func(v ...uint32) bool {
		for _, v := range v {
			if bytes.Contains(b, binary.BigEndian.AppendUint32(nil, v)) {
				return true
			}
		}
		return false
	}
	port := bytes.Contains(b, binary.BigEndian.AppendUint16(nil, c.SourcePort()))
	switch {
	case r.Kind == probe.TCP:
		return port && has(c.Seq(), c.Seq()+1)
	case r.Kind == probe.Echo:
		return port && has(uint32(c.SourcePort())<<16|c.Seq()&0xffff)
	case r.Answer == probe.Datagram:
		return port
	case r.Addr.Is4():
		id := binary.BigEndian.AppendUint16(nil, c.ID())
		return port && (bytes.Contains(b, id) || bytes.Contains(b, []byte{id[1], id[0]}))
	}
	label := c.FlowLabel()
	return port && bytes.Contains(b, []byte{byte(label >> 8), byte(label)})
}

func FuzzMatch(f *testing.F) {
	key := probe.NewKey(5)
	for _, p := range seeds(f, key) {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, d := Matcher{Key: key}, new(Decoded)
		if !d.Packet(b) {
			return
		}
		r, payload, ok := m.Match(d)
		if !ok {
			if payload != nil || m.Stray+m.Forged+m.Rewritten > 1 {
				t.Fatalf("%+v, payload %x", m, payload)
			}
			return
		}
		if !proven(b, key.Cookie(&r.Probe), &r) || !r.From.IsValid() || m != (Matcher{Key: key}) {
			t.Fatalf("%+v without its cookie, %+v", r, m)
		}
		// The same bytes mean nothing to a scan with another key.
		if other := (&Matcher{Key: probe.NewKey(6)}); r.Answer != probe.Datagram {
			if r, _, ok := other.Match(d); ok {
				t.Fatalf("%+v for another key", r)
			}
		}
	})
}

// FuzzSegment walks the fields that prove a SYN-ACK or reset.
func FuzzSegment(f *testing.F) {
	key := probe.NewKey(5)
	p := probe.Probe{Addr: netip.MustParseAddr("192.0.2.1"), Port: 53, Attempt: 3}
	c := key.Cookie(&p)
	f.Add(uint32(0xc0000201), uint16(53), c.SourcePort(), c.Seq()+1, uint8(SYN|ACK))
	f.Add(uint32(0xc0000201), uint16(53), c.SourcePort(), c.Seq(), uint8(RST))
	f.Fuzz(func(t *testing.T, addr uint32, port, to uint16, ack uint32, flags uint8) {
		src := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, addr)))
		p := probe.Probe{Addr: src, Port: port, Attempt: uint8(to & 7)}
		c := key.Cookie(&p)
		flags &= SYN | ACK | RST | FIN
		want := probe.Nothing
		switch {
		case c.SourcePort() != to:
		case flags == SYN|ACK && ack == c.Seq()+1:
			want = probe.SynAck
		case flags&^ACK == RST && (ack == c.Seq()+1 || ack == c.Seq()):
			want = probe.Reset
		}
		r, _, ok := match(&Matcher{Key: key}, ip(src, sides()["v4"].us, ProtoTCP, tcp(port, to, 0, ack, flags)))
		if r.Answer != want || ok != (want != probe.Nothing) || ok && r.Probe != p {
			t.Fatalf("%+v, want %v of %+v", r, want, p)
		}
	})
}
