package packet

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"reconshield/internal/probe"
)

// Template is a packet ready but for the probe: for one path, one kind of
// probe and the path's family. It is not changed after New, so that any number
// of goroutines may use it.
type Template struct {
	kind   probe.Kind
	v6     bool
	source netip.Addr
	ip     int // where the IP header begins: behind the link's header
	l4     int // where the transport's header begins
	size   int // of the frame without a payload
	mtu    int
	ipSum  uint64 // the IPv4 header but for length, identification, destination
	l4Sum  uint64 // the pseudo-header and the transport's constant fields
	frame  [maxHead]byte
}

// maxHead is the longest head: Ethernet, IPv6 and a SYN with its options.
const maxHead = etherLen + ip6Len + tcpLen + optionsLen

// Limits of packets: the smallest MTU of RFC 791 and of RFC 8200 section 5, the
// longest packet of IPv4.
const (
	minMTU4   = 68
	minMTU6   = 1280
	maxPacket = 65535
)

// NewTemplate prepares packets for the path, from its source address. On
// Ethernet the destination is the path's NextHop where that is known, else it
// must be set with SetDestination. Path.From and Path.To are not looked at.
func NewTemplate(path *probe.Path, kind probe.Kind) (*Template, error) {
	t := &Template{kind: kind, source: path.Source.Unmap().WithZone(""), mtu: min(path.MTU, maxPacket)}
	t.v6 = t.source.Is6()
	least := minMTU4
	if t.v6 {
		least = minMTU6
	}
	switch {
	case !t.source.IsValid():
		return nil, fmt.Errorf("interface %s has no source address for the path", path.Name)
	case path.MTU < least:
		return nil, fmt.Errorf("interface %s has an MTU of %d bytes, less than the %d that the address family needs", path.Name, path.MTU, least)
	case kind > probe.Echo:
		return nil, fmt.Errorf("no packet is known for probes of kind %d", kind)
	}
	if path.Link == probe.Ethernet {
		if err := t.ethernet(path); err != nil {
			return nil, err
		}
	}
	if t.v6 {
		t.header6()
	} else {
		t.header4()
	}
	t.transport()
	return t, nil
}

// Size is the length of a frame without its payload; for TCP and Echo of the
// whole frame.
func (t *Template) Size() int { return t.size }

// SetDestination gives a frame the hardware address of its next station. It
// does nothing on a link without such addresses.
func (t *Template) SetDestination(frame []byte, to MAC) {
	if t.ip == etherLen {
		copy(frame, to[:])
	}
}

func (t *Template) ethernet(path *probe.Path) error {
	if len(path.Hardware) != len(MAC{}) {
		return fmt.Errorf("interface %s has no Ethernet address", path.Name)
	}
	if n := len(path.NextHop); n != 0 && n != len(MAC{}) {
		return fmt.Errorf("the next hop's hardware address (% x) is not an Ethernet address", path.NextHop)
	}
	copy(t.frame[0:], path.NextHop)
	copy(t.frame[6:], path.Hardware)
	ethertype := uint16(etherIP4)
	if t.v6 {
		ethertype = etherIP6
	}
	binary.BigEndian.PutUint16(t.frame[12:], ethertype)
	t.ip = etherLen
	return nil
}

// defaultHops is the TTL or hop limit that probes leave with.
const defaultHops = 64

func (t *Template) header4() {
	t.l4 = t.ip + ip4Len
	h := t.frame[t.ip:t.l4]
	h[0] = 0x45 // version 4, five words
	h[6] = 0x40 // don't fragment
	h[8] = defaultHops
	h[9] = t.protocol()
	src := t.source.As4()
	copy(h[12:], src[:])
	t.ipSum = sum(0, h)
	t.l4Sum = sum(0, src[:]) + uint64(t.protocol())
}

func (t *Template) header6() {
	t.l4 = t.ip + ip6Len
	h := t.frame[t.ip:t.l4]
	h[0] = 0x60 // version 6
	h[6] = t.protocol()
	h[7] = defaultHops
	src := t.source.As16()
	copy(h[8:], src[:])
	t.l4Sum = sum(0, src[:]) + uint64(t.protocol())
}

func (t *Template) protocol() uint8 {
	switch {
	case t.kind == probe.TCP:
		return ProtoTCP
	case t.kind == probe.UDP:
		return ProtoUDP
	case t.v6:
		return ProtoICMPv6
	}
	return ProtoICMP
}

// The options of a SYN: MSS, SACK permitted, timestamps, NOP, window scale
// (RFC 9293 section 3.1, RFC 2018, RFC 7323), in the order and number that
// ordinary systems send, since bare SYNs are dropped by many networks.
const (
	optionsLen = 20
	synWindow  = 64240
	synScale   = 7
	maxMSS     = 65495 // what Linux offers on its loopback interface
)

// transport writes the constant fields behind the IP header.
func (t *Template) transport() {
	h := t.frame[t.l4:]
	switch t.kind {
	case probe.TCP:
		t.size = t.l4 + tcpLen + optionsLen
		h[12] = (tcpLen + optionsLen) / 4 << 4
		h[13] = SYN
		binary.BigEndian.PutUint16(h[14:], synWindow)
		mss := min(t.mtu-(t.l4-t.ip)-tcpLen, maxMSS)
		copy(h[20:], []byte{2, 4, byte(mss >> 8), byte(mss), 4, 2, 8, 10})
		copy(h[36:], []byte{1, 3, 3, synScale})
		t.l4Sum += tcpLen + optionsLen
	case probe.UDP:
		t.size = t.l4 + udpLen
	case probe.Echo:
		t.size = t.l4 + icmpLen + echoData
		h[0] = icmp4Echo
		if t.v6 {
			h[0] = icmp6Echo
			t.l4Sum += icmpLen + echoData
		} else {
			t.l4Sum = 0 // ICMP has no pseudo-header
		}
	}
	t.l4Sum = sum(t.l4Sum, t.frame[t.l4:t.size])
}
