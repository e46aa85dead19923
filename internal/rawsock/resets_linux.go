package rawsock

import (
	"golang.org/x/sys/unix"

	"reconshield/internal/packet"
	"reconshield/internal/probe"
)

// resets ends the half-open connections that SYN probes leave behind when this
// machine's kernel may not: normally it answers a SYN-ACK that no socket
// expects with a reset. A SYN-ACK that comes again says that it did not.
type resets struct {
	routes *routes
	seen   [4096]mark // by the acknowledged number; later ones overwrite
	frame  [128]byte
}

type mark struct {
	who   uint64
	times uint8
}

// mostResets bounds what one probe's answers can make us send.
const mostResets = 4

// heard notes a proven SYN-ACK and answers its repetitions.
func (r *resets) heard(in *intake, p *received, d *packet.Decoded) {
	who := uint64(d.Ack)<<16 | uint64(d.DstPort)
	m := &r.seen[d.Ack%uint32(len(r.seen))]
	if m.who != who {
		*m = mark{who, 1}
		return
	}
	if m.times > mostResets {
		return
	}
	m.times++
	way := r.routes.find(d.Src)
	if way == nil || way.Unreachable != "" || way.Link == probe.Loopback {
		return
	}
	t := way.templates[probe.TCP]
	n := t.RST(r.frame[:], d)
	if n == 0 {
		return
	}
	t.SetDestination(r.frame[:], packet.MAC(p.from))
	// One more lost reset is no harm: the other side gives up by itself.
	_ = unix.Sendto(in.fd, r.frame[:n], unix.MSG_DONTWAIT, &unix.SockaddrLinklayer{
		Ifindex: in.ifindex, Protocol: network(p.ether), Halen: 0,
	})
}
