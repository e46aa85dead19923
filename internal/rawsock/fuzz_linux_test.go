//go:build linux

package rawsock

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"reconshield/internal/packet"
	"reconshield/internal/payload"
	"reconshield/internal/probe"
)

// FuzzReceive feeds what the filter might let through to the receiver: nothing
// panics, and nothing that was not sent with the key proves to be an answer.
// UDP is proven by its content; its port alone has 12 bits.
func FuzzReceive(f *testing.F) {
	path := probe.Path{
		Link: probe.Ethernet, MTU: 1500, Hardware: []byte{2, 0, 0, 0, 0, 1}, NextHop: []byte{2, 0, 0, 0, 0, 2},
		Source: probeAt(0).Addr, Name: "near0",
	}
	other := probe.NewKey(2)
	for kind := range probe.Echo + 1 {
		t, err := packet.NewTemplate(&path, kind)
		if err != nil {
			f.Fatal(err)
		}
		frame := make([]byte, 2048)
		p := probeAt(5)
		p.Kind = kind
		switch kind {
		case probe.TCP:
			f.Add(answer4(frame[:t.SYN(frame, &p, other.Cookie(&p), 1)], synAck, 1), true)
		case probe.UDP:
			f.Add(frame[:t.UDP(frame, &p, other.Cookie(&p), []byte("content"))], true)
		case probe.Echo:
			f.Add(frame[14:t.Echo(frame, &p, other.Cookie(&p))], false)
		}
	}
	table := payload.New()
	f.Fuzz(func(t *testing.T, b []byte, ether bool) {
		r := &receiver{
			matcher: packet.Matcher{Key: probe.NewKey(1)}, payloads: table, elsewhere: []uint16{69},
			neighbours: newNeighbours(8), resets: &resets{routes: &routes{}},
		}
		in := &intake{fd: -1, ether: ether}
		p := received{bytes: b, ether: unix.ETH_P_IP}
		if len(b) > 0 && b[0]>>4 == 6 {
			p.ether = unix.ETH_P_IPV6
		}
		r.packet(in, &p, time.Now())
		for _, reply := range r.replies {
			if reply.Answer != probe.Datagram || reply.Protocol != "" {
				t.Errorf("%x proves to be %+v", b, reply)
			}
		}
		if len(r.neighbours.table) > 0 {
			t.Error("a neighbour was believed that nobody asked")
		}
	})
}
