//go:build linux

package wirelab_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"reconshield/internal/lab"
	"reconshield/internal/probe"
)

// TCP flags (RFC 9293 section 3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	_
	flagACK
)

// far is a host whose answers take time and which lies about nothing: the port
// modulo four says how it answers.
type far struct {
	conn  net.PacketConn
	host  netip.Addr
	delay time.Duration
}

// late is a segment that arrived.
type late struct {
	at   time.Time
	tcp  [20]byte
	from net.Addr
}

// serve answers until the socket is closed.
func (f *far) serve() {
	queue := make(chan late, 1<<16)
	go func() {
		defer close(queue)
		buf := make([]byte, 2048)
		for {
			n, from, err := f.conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if n >= 20 && buf[13] == flagSYN {
				queue <- late{at: time.Now().Add(f.delay), tcp: [20]byte(buf[:20]), from: from}
			}
		}
	}()
	for s := range queue {
		<-time.After(time.Until(s.at))
		switch binary.BigEndian.Uint16(s.tcp[2:]) % 4 {
		case 0:
			f.answer(s, flagRST|flagACK, 0)
		case 1: // open, and ended before anybody can look
			f.answer(s, flagSYN|flagACK, 0)
			f.answer(s, flagRST|flagACK, 1)
		case 2: // open, and closed at once
			f.answer(s, flagSYN|flagACK, 0)
			f.answer(s, flagFIN|flagACK, 1)
		}
	}
}

// answer sends a segment; later is how far its sequence number is on.
func (f *far) answer(s late, flags byte, later uint32) {
	const first = 0x01020304
	seq := binary.BigEndian.Uint32(s.tcp[4:])
	b := make([]byte, 20)
	copy(b[0:2], s.tcp[2:4])
	copy(b[2:4], s.tcp[0:2])
	binary.BigEndian.PutUint32(b[4:], first+later)
	binary.BigEndian.PutUint32(b[8:], seq+1)
	b[12], b[13] = 5<<4, flags
	binary.BigEndian.PutUint16(b[14:], 65535)
	ip, ok := s.from.(*net.IPAddr)
	if !ok {
		return
	}
	pseudo := append(f.host.AsSlice(), ip.IP.To4()...)
	pseudo = append(pseudo, 0, 6, 0, 20)
	binary.BigEndian.PutUint16(b[16:], checksum(append(pseudo, b...)))
	f.conn.WriteTo(b, s.from)
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// Answers that take their time go another way through the wire than those that
// are there at once.
func TestFarHost(t *testing.T) {
	h := lab.New(t, lab.Options{}).Host(t, "far")
	const ttl = "77" // tells our own resets from those of the host's kernel
	h.NFT(t, "table inet f {\nchain o {\ntype filter hook output priority 0\nip ttl != "+ttl+" tcp flags & rst == rst drop\n}\n}\n")
	conn, err := h.ListenPacket("ip4:tcp", h.V4.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := ipv4.NewPacketConn(conn).SetTTL(77); err != nil {
		t.Fatal(err)
	}
	f := &far{conn: conn, host: h.V4, delay: 30 * time.Millisecond}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		f.serve()
	}()
	w := openWire(t)
	const ports = 8192
	answers := map[uint16]probe.Answer{}
	start := time.Now()
	for attempt := range uint8(3) { // the raw socket may lose some
		var probes []probe.Probe
		for port := range uint16(ports) {
			if _, ok := answers[port]; !ok && port%4 != 3 {
				probes = append(probes, probe.Probe{Addr: h.V4, Port: port, Attempt: attempt, Patience: patience})
			}
		}
		sent := time.Now()
		for p, replies := range askAll(t, w, probes) {
			if r := replies[0]; len(replies) != 1 || r.From != h.V4 || r.At.Sub(sent) < f.delay {
				t.Errorf("port %d: %+v after %s", p.Port, replies, r.At.Sub(sent))
			}
			answers[p.Port] = replies[0].Answer
		}
	}
	t.Logf("%d answers in %s", len(answers), time.Since(start))
	want := []probe.Answer{probe.Reset, probe.SynAck, probe.SynAck}
	wrong := 0
	for port := range uint16(ports) {
		if port%4 != 3 && answers[port] != want[port%4] {
			if wrong++; wrong < 10 {
				t.Errorf("port %d: %s", port, answers[port].Reason(""))
			}
		}
	}
	silent := []probe.Probe{{Addr: h.V4, Port: 3, Patience: 100 * time.Millisecond}}
	if seen := askAll(t, w, silent); len(seen) != 0 {
		t.Errorf("a silent port: %+v", seen)
	}
}
