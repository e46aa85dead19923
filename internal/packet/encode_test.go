package packet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"reconshield/internal/probe"
)

// Types of links in a capture file.
const (
	linkEthernet = 1
	linkRaw      = 101
)

// tcpdump is the oracle: what it prints of the packets, a line each.
func tcpdump(t *testing.T, link uint32, packets [][]byte) []string {
	t.Helper()
	program, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Fatal("install the Debian package tcpdump:", err)
	}
	var file bytes.Buffer
	for _, v := range []any{uint32(0xa1b2c3d4), uint16(2), uint16(4), uint64(0), uint32(1 << 16), link} {
		_ = binary.Write(&file, binary.LittleEndian, v)
	}
	for i, p := range packets {
		_ = binary.Write(&file, binary.LittleEndian, []uint32{uint32(i), 0, uint32(len(p)), uint32(len(p))})
		file.Write(p)
	}
	cmd := exec.CommandContext(t.Context(), program, "-nvv", "-e", "-t", "-r", "-")
	cmd.Stdin = &file
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tcpdump: %v\n%s", err, stderr.String())
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			lines[len(lines)-1] += " " + strings.TrimSpace(line)
		} else {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if len(lines) != len(packets) {
		t.Fatalf("tcpdump prints %d packets of %d:\n%s", len(lines), len(packets), out)
	}
	return lines
}

// complaints are what tcpdump says of a damaged packet.
func complaints(line string) (found []string) {
	for _, word := range []string{"incorrect", "bad cksum", "bad udp", "wrong", "invalid", "truncated", "[|", "malformed"} {
		if strings.Contains(line, word) {
			found = append(found, word)
		}
	}
	return found
}

// Every kind of frame, as tcpdump reads it.
func TestFrames(t *testing.T) {
	const cookie = probe.Cookie(0x1234_5678_9abc_def2) // source port 0xd678 = 54904
	v4, v6 := sides()["v4"], sides()["v6"]
	syn := func(s side, link probe.Link) []byte {
		b := make([]byte, 128)
		return b[:template(t, testPath(s.us, link), probe.TCP).SYN(b, &probe.Probe{Addr: s.host, Port: 443}, cookie, 77)]
	}
	datagram := func(s side, payload string) []byte {
		b := make([]byte, 2000)
		p := probe.Probe{Addr: s.host, Port: 7, Kind: probe.UDP}
		return b[:template(t, testPath(s.us, probe.Ethernet), probe.UDP).UDP(b, &p, cookie, []byte(payload))]
	}
	echo := func(s side) []byte {
		b := make([]byte, 128)
		p := probe.Probe{Addr: s.host, Kind: probe.Echo}
		return b[:template(t, testPath(s.us, probe.Ethernet), probe.Echo).Echo(b, &p, cookie)]
	}
	reset := func(s side) []byte {
		var d Decoded
		if !d.Packet(ip(s.host, s.us, ProtoTCP, tcp(443, 54904, 1, 0x9abcdef3, SYN|ACK))) {
			t.Fatal("the SYN-ACK is not understood")
		}
		b := make([]byte, 128)
		return b[:template(t, testPath(s.us, probe.Ethernet), probe.TCP).RST(b, &d)]
	}
	solicit := func(s side) []byte {
		b := bytes.Repeat([]byte{0xff}, SolicitLen)
		return b[:Solicit(b, MAC{2, 0, 0, 0, 0, 1}, s.us, s.host)]
	}
	const link = "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype "
	tests := []struct {
		name  string
		frame []byte
		want  string // with … for anything
	}{
		{"SYN v4", syn(v4, probe.Ethernet), link + "IPv4 (0x0800), length 74: (tos 0x0, ttl 64, id 4660, offset 0, flags [DF], proto TCP (6), length 60) 192.0.2.10.54904 > 198.51.100.7.443: Flags [S], cksum …(correct), seq 2596069106, win 64240, options [mss 1460,sackOK,TS val 77 ecr 0,nop,wscale 7], length 0"},
		{"SYN v6", syn(v6, probe.Ethernet), link + "IPv6 (0x86dd), length 94: (flowlabel 0x42468, hlim 64, next-header TCP (6) payload length: 40) 2001:db8::10.54904 > 2001:db8:1::7.443: Flags [S], cksum …(correct), seq 2596069106, win 64240, options [mss 1440,sackOK,TS val 77 ecr 0,nop,wscale 7], length 0"},
		{"UDP v4", datagram(v4, "odd"), link + "IPv4 (0x0800), length 45: (tos 0x0, ttl 64, id 4660, offset 0, flags [DF], proto UDP (17), length 31) 192.0.2.10.54904 > 198.51.100.7.7: [udp sum ok] UDP, length 3"},
		{"UDP v6", datagram(v6, "even"), link + "IPv6 (0x86dd), length 66: (flowlabel 0x42468, hlim 64, next-header UDP (17) payload length: 12) 2001:db8::10.54904 > 2001:db8:1::7.7: [udp sum ok] UDP, length 4"},
		{"no payload", datagram(v4, ""), link + "…[udp sum ok] UDP, length 0"},
		{"longest", datagram(v4, strings.Repeat("x", 1472)), link + "IPv4 (0x0800), length 1514: …[udp sum ok] UDP, length 1472"},
		{"echo v4", echo(v4), link + "IPv4 (0x0800), length 50: (tos 0x0, ttl 64, id 4660, offset 0, flags [DF], proto ICMP (1), length 36) 192.0.2.10 > 198.51.100.7: ICMP echo request, id 54904, seq 57074, length 16"},
		{"echo v6", echo(v6), link + "IPv6 (0x86dd), length 70: (flowlabel 0x42468, hlim 64, next-header ICMPv6 (58) payload length: 16) 2001:db8::10 > 2001:db8:1::7: [icmp6 sum ok] ICMP6, echo request, id 54904, seq 57074"},
		{"reset v4", reset(v4), link + "IPv4 (0x0800), length 54: (tos 0x0, ttl 64, id 1, offset 0, flags [DF], proto TCP (6), length 40) 192.0.2.10.54904 > 198.51.100.7.443: Flags [R], cksum …(correct), seq 2596069107, win 0, length 0"},
		{"reset v6", reset(v6), link + "IPv6 (0x86dd), length 74: (flowlabel 0x00001, hlim 64, next-header TCP (6) payload length: 20) 2001:db8::10.54904 > 2001:db8:1::7.443: Flags [R], cksum …(correct), seq 2596069107, win 0, length 0"},
		{"ARP", solicit(v4), "02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: Ethernet (len 6), IPv4 (len 4), Request who-has 198.51.100.7 tell 192.0.2.10, length 28"},
		{"NS", solicit(v6), "02:00:00:00:00:01 > 33:33:ff:00:00:07, ethertype IPv6 (0x86dd), length 86: (hlim 255, next-header ICMPv6 (58) payload length: 32) 2001:db8::10 > ff02::1:ff00:7: [icmp6 sum ok] ICMP6, neighbor solicitation, length 32, who has 2001:db8:1::7 source link-address option (1), length 8 (1): 02:00:00:00:00:01 …"},
	}
	var frames [][]byte
	for _, tt := range tests {
		frames = append(frames, tt.frame)
	}
	for i, line := range tcpdump(t, linkEthernet, frames) {
		if !like(line, tests[i].want) || complaints(line) != nil {
			t.Errorf("%s:\n got %s\nwant %s", tests[i].name, line, tests[i].want)
		}
	}
	for i, line := range tcpdump(t, linkRaw, [][]byte{syn(v4, probe.Bare), syn(v6, probe.Loopback)}) {
		if !strings.Contains(line, "(correct)") || complaints(line) != nil {
			t.Errorf("without a link header %d: %s", i, line)
		}
	}
}

// like compares with a pattern in which … stands for anything.
func like(s, pattern string) bool {
	parts := strings.Split(pattern, "…")
	last := len(parts) - 1
	if last == 0 {
		return s == pattern
	}
	if !strings.HasPrefix(s, parts[0]) || !strings.HasSuffix(s, parts[last]) {
		return false
	}
	for _, part := range parts[:last] {
		_, after, ok := strings.Cut(s, part)
		if !ok {
			return false
		}
		s = after
	}
	return true
}

// Many probes at random, all with right checksums: those that fold over more
// than once, and UDP's that would be 0, are among them.
func TestChecksums(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var packets [][]byte
	var bytes16 [16]byte
	for i := range 6000 {
		s := sides()[[]string{"v4", "v6"}[i%2]]
		for j := range bytes16 {
			v := rnd.Uint32() // mostly ones, so that sums carry
			bytes16[j] = byte(v | v>>8 | v>>16)
		}
		host, c := netip.AddrFrom4([4]byte(bytes16[:4])), probe.Cookie(rnd.Uint64()|rnd.Uint64())
		if s.us.Is6() {
			bytes16[0] = 0x20
			host = netip.AddrFrom16(bytes16)
		}
		p := probe.Probe{Addr: host, Port: 7, Kind: probe.Kind(i / 2 % 3)}
		tmpl, b := template(t, testPath(s.us, probe.Bare), p.Kind), make([]byte, 200)
		switch p.Kind {
		case probe.TCP:
			b = b[:tmpl.SYN(b, &p, c, rnd.Uint32())]
		case probe.UDP:
			payload := make([]byte, 2+rnd.IntN(50))
			n := tmpl.UDP(b, &p, c, payload)
			if i%3 == 0 { // make the checksum 0 by adding what it lacks
				copy(payload, b[tmpl.l4+6:tmpl.l4+8])
				n = tmpl.UDP(b, &p, c, payload)
				if got := binary.BigEndian.Uint16(b[tmpl.l4+6:]); got != 0xffff {
					t.Fatalf("a checksum of 0 is sent as %#x", got)
				}
			}
			b = b[:n]
		case probe.Echo:
			b = b[:tmpl.Echo(b, &p, c)]
		}
		packets = append(packets, b)
	}
	for i, line := range tcpdump(t, linkRaw, packets) {
		said := strings.Contains(line, "(correct)") || strings.Contains(line, "sum ok]") || strings.Contains(line, "ICMP echo request")
		if complaints(line) != nil || !said {
			t.Fatalf("%x: %s", packets[i], line)
		}
	}
}

// The same buffer is used again and again; nothing of the last packet stays.
func TestBufferReuse(t *testing.T) {
	for name, s := range sides() {
		for _, kind := range []probe.Kind{probe.TCP, probe.UDP, probe.Echo} {
			fresh := sent(t, probe.NewKey(1), s.us, probe.Probe{Addr: s.host, Port: 53, Kind: kind})
			p := probe.Probe{Addr: s.host, Port: 53, Kind: kind}
			if kind == probe.Echo {
				p.Port = 0
			}
			tmpl, b, c := template(t, testPath(s.us, probe.Bare), kind), bytes.Repeat([]byte{0xa5}, 200), probe.NewKey(1).Cookie(&p)
			n := max(tmpl.SYN(b, &p, c, 7), tmpl.UDP(b, &p, c, []byte("a question")), tmpl.Echo(b, &p, c))
			if !bytes.Equal(b[:n], fresh) {
				t.Errorf("%s kind %d: %x, want %x", name, kind, b[:n], fresh)
			}
		}
	}
}

func TestSetDestination(t *testing.T) {
	s := sides()["v4"]
	for _, link := range []probe.Link{probe.Ethernet, probe.Bare} {
		tmpl, b := template(t, testPath(s.us, link), probe.TCP), make([]byte, 128)
		b = b[:tmpl.SYN(b, &probe.Probe{Addr: s.host}, 1, 1)]
		before := bytes.Clone(b)
		tmpl.SetDestination(b, MAC{2, 9, 9, 9, 9, 9})
		want := before
		if link == probe.Ethernet {
			copy(want, []byte{2, 9, 9, 9, 9, 9})
		}
		if !bytes.Equal(b, want) {
			t.Errorf("link %d: %x", link, b)
		}
	}
}

// What cannot be sent is 0 bytes long.
func TestNotEncoded(t *testing.T) {
	v4, v6, b := sides()["v4"], sides()["v6"], make([]byte, 2000)
	of := func(s side, kind probe.Kind) *Template { return template(t, testPath(s.us, probe.Bare), kind) }
	to4, to6 := &probe.Probe{Addr: v4.host}, &probe.Probe{Addr: v6.host}
	synAck := &Decoded{What: Segment, Header: Header{Src: v4.host, Dst: v4.us, Flags: SYN | ACK}}
	plain := &Decoded{What: Segment, Header: Header{Src: v4.host, Dst: v4.us, Flags: ACK}}
	tests := []struct {
		name string
		got  int
	}{
		{"SYN of UDP", of(v4, probe.UDP).SYN(b, to4, 0, 0)},
		{"SYN v4 to v6", of(v4, probe.TCP).SYN(b, to6, 0, 0)},
		{"SYN v6 to v4", of(v6, probe.TCP).SYN(b, to4, 0, 0)},
		{"UDP of TCP", of(v4, probe.TCP).UDP(b, to4, 0, nil)},
		{"UDP v6 to v4", of(v6, probe.UDP).UDP(b, to4, 0, nil)},
		{"UDP over the MTU", of(v4, probe.UDP).UDP(b, to4, 0, make([]byte, 1473))},
		{"Echo of UDP", of(v4, probe.UDP).Echo(b, to4, 0)},
		{"Echo v4 to v6", of(v4, probe.Echo).Echo(b, to6, 0)},
		{"RST of UDP", of(v4, probe.UDP).RST(b, synAck)},
		{"RST for another", of(v6, probe.TCP).RST(b, synAck)},
		{"RST for an ACK", of(v4, probe.TCP).RST(b, plain)},
		{"solicit across", Solicit(b, MAC{}, v4.us, v6.host)},
	}
	for _, tt := range tests {
		if tt.got != 0 {
			t.Errorf("%s: %d bytes", tt.name, tt.got)
		}
	}
}

func TestNewTemplateErrors(t *testing.T) {
	v4, v6 := sides()["v4"].us, sides()["v6"].us
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	tests := []struct {
		path probe.Path
		kind probe.Kind
		want string
	}{
		{probe.Path{Name: "a", Link: probe.Bare, MTU: 1500}, probe.TCP, "interface a has no source address for the path"},
		{probe.Path{Name: "a", Link: probe.Bare, MTU: 67, Source: v4}, probe.TCP, "interface a has an MTU of 67 bytes, less than the 68 that the address family needs"},
		{probe.Path{Name: "a", Link: probe.Bare, MTU: 1279, Source: v6}, probe.TCP, "interface a has an MTU of 1279 bytes, less than the 1280 that the address family needs"},
		{probe.Path{Name: "a", Link: probe.Bare, MTU: 1500, Source: v4}, 9, "no packet is known for probes of kind 9"},
		{probe.Path{Name: "a", MTU: 1500, Source: v4}, probe.TCP, "interface a has no Ethernet address"},
		{probe.Path{Name: "a", MTU: 1500, Source: v4, Hardware: mac, NextHop: mac[:5]}, probe.TCP, "the next hop's hardware address (02 00 00 00 00) is not an Ethernet address"},
		{probe.Path{Name: "a", MTU: 1500, Source: v4, Hardware: mac}, probe.TCP, "<nil>"},
	}
	for _, tt := range tests {
		if _, err := NewTemplate(&tt.path, tt.kind); fmt.Sprint(err) != tt.want {
			t.Errorf("%+v: %v, want %s", tt.path, err, tt.want)
		}
	}
}

func TestMSS(t *testing.T) {
	tests := []struct {
		family    string
		mtu, want int
	}{{"v4", 1500, 1460}, {"v6", 1500, 1440}, {"v4", 1420, 1380}, {"v6", 1280, 1220}, {"v4", 65536, 65495}, {"v6", 65536, 65475}, {"v4", 68, 28}}
	for _, tt := range tests {
		path := testPath(sides()[tt.family].us, probe.Ethernet)
		path.MTU = tt.mtu
		tmpl := template(t, path, probe.TCP)
		if got := int(binary.BigEndian.Uint16(tmpl.frame[tmpl.l4+22:])); got != tt.want {
			t.Errorf("%s MTU %d: MSS %d, want %d", tt.family, tt.mtu, got, tt.want)
		}
	}
}

func BenchmarkSYN(b *testing.B) {
	for name, s := range sides() {
		b.Run(name, func(b *testing.B) {
			tmpl, buf := template(b, testPath(s.us, probe.Ethernet), probe.TCP), make([]byte, 128)
			p, c := probe.Probe{Addr: s.host, Port: 80}, probe.Cookie(1)
			for b.Loop() {
				c += 0x123456789
				tmpl.SYN(buf, &p, c, uint32(c))
			}
		})
	}
}
