//go:build linux

package pair

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Question is a TCP SYN or a UDP datagram that arrived at the peer.
type Question struct {
	Src, Dst         netip.Addr
	Protocol         uint8 // unix.IPPROTO_TCP or unix.IPPROTO_UDP
	SrcPort, DstPort uint16
	Seq              uint32 // of the SYN
	Raw              []byte // the IP packet; only valid during the call
}

// Manner is how a hostile peer answers: the IP packets to send for a question,
// see the functions of this package that return one.
type Manner func(Question) [][]byte

// Respond answers SYNs and datagrams for the prefixes, which the peer must not
// own by Addresses (its kernel would answer too), in all the given manners. It
// returns the number of questions seen so far.
func (p *Pair) Respond(prefixes []string, manners ...Manner) (questions func() int64) {
	p.tb.Helper()
	var theirs []netip.Prefix
	for _, text := range prefixes {
		own, err := netip.ParsePrefix(text)
		p.must(err)
		theirs = append(theirs, own)
	}
	fd := -1
	p.must(p.Peer.Do(func() (err error) {
		fd, err = packetSocket()
		return err
	}))
	stop := make(chan struct{})
	seen := new(atomic.Int64)
	p.serving.Go(func() { respond(fd, stop, theirs, manners, seen) })
	p.tb.Cleanup(func() { close(stop) })
	return seen.Load
}

// packetSocket opens a socket for whole IP packets on the peer's interface.
// Reading ends after a short wait, so that its goroutine sees the end.
func packetSocket() (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(bigEndian(unix.ETH_P_ALL)))
	if err != nil {
		return -1, err
	}
	index, err := interfaceIndex(fd)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: index})
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	}
	// Beyond the usual limit for root, up to it for others.
	if err == nil && unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20) != nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 8<<20)
	}
	if err == nil {
		wait := unix.Timeval{Usec: 20_000}
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func interfaceIndex(fd int) (int, error) {
	request, err := unix.NewIfreq(Interface)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		return 0, err
	}
	return int(request.Uint32()), nil
}

// bigEndian is htons.
func bigEndian(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

func respond(fd int, stop <-chan struct{}, theirs []netip.Prefix, manners []Manner, seen *atomic.Int64) {
	defer func() { _ = unix.Close(fd) }()
	buffer := make([]byte, 65536)
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, from, err := unix.Recvfrom(fd, buffer, 0)
		link, ok := from.(*unix.SockaddrLinklayer)
		if err != nil || !ok {
			continue
		}
		q, ok := parseQuestion(buffer[:n])
		if !ok || !within(q.Dst, theirs) {
			continue
		}
		seen.Add(1)
		for _, manner := range manners {
			for _, answer := range manner(q) {
				to := *link // the frame goes back where the question came from
				to.Protocol = bigEndian(unix.ETH_P_IP)
				if q.Dst.Is6() {
					to.Protocol = bigEndian(unix.ETH_P_IPV6)
				}
				_ = unix.Sendto(fd, answer, 0, &to)
			}
		}
	}
}

func within(addr netip.Addr, prefixes []netip.Prefix) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseQuestion reads an IP packet without options or extension headers.
func parseQuestion(packet []byte) (q Question, ok bool) {
	if len(packet) < 20 {
		return q, false
	}
	var rest []byte
	switch {
	case packet[0] == 0x45:
		q.Src, q.Dst = netip.AddrFrom4([4]byte(packet[12:16])), netip.AddrFrom4([4]byte(packet[16:20]))
		q.Protocol, rest = packet[9], packet[20:]
	case packet[0]>>4 == 6 && len(packet) >= 40:
		q.Src, q.Dst = netip.AddrFrom16([16]byte(packet[8:24])), netip.AddrFrom16([16]byte(packet[24:40]))
		q.Protocol, rest = packet[6], packet[40:]
	default:
		return q, false
	}
	if len(rest) < 8 {
		return q, false
	}
	q.SrcPort, q.DstPort = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	q.Raw = packet
	switch q.Protocol {
	case unix.IPPROTO_UDP:
		return q, true
	case unix.IPPROTO_TCP:
		if len(rest) < 20 || rest[13]&0x17 != flagSYN { // of FIN, SYN, RST and ACK
			return q, false
		}
		q.Seq = binary.BigEndian.Uint32(rest[4:])
		return q, true
	}
	return q, false
}
