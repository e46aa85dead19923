package oracle

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
)

// World draws everything from one seed.
type World struct{ *rand.Rand }

// New is the world of a seed.
func New(seed uint64) World { return World{rand.New(rand.NewPCG(seed, 53))} }

// pick draws one of the texts.
func (w World) pick(from ...string) string { return from[w.IntN(len(from))] }

// chance is true once in n draws.
func (w World) chance(n int) bool { return w.IntN(n) == 0 }

// length draws how many rules a chain has: few, and now and then so many that
// the evaluator sorts them before it looks at them.
func (w World) length(few int) int {
	if w.chance(12) {
		return 30 + w.IntN(30)
	}
	return 1 + w.IntN(few)
}

// The stage of every world: a host with an outside, an inside and containers.
const (
	Outside    = "eth0"
	Inside     = "eth1"
	Containers = "docker0"
)

// Own are the host's addresses, by interface.
func Own() map[string][]netip.Prefix {
	return map[string][]netip.Prefix{
		Outside:    {netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8:a::1/64")},
		Inside:     {netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("2001:db8:b::1/64")},
		Containers: {netip.MustParsePrefix("172.17.0.1/16"), netip.MustParsePrefix("2001:db8:c::1/64")},
	}
}

// Behind are the hosts that others reach through it, by interface.
func Behind() map[string][]netip.Addr {
	return map[string][]netip.Addr{
		Inside:     {netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("2001:db8:b::9")},
		Containers: {netip.MustParseAddr("172.17.0.2"), netip.MustParseAddr("2001:db8:c::2")},
	}
}

// source draws where a packet may come from.
func (w World) source(six bool) netip.Addr {
	if six {
		return netip.MustParseAddr(w.pick("2001:db8:a::7", "2001:db8:f::7", "2001:db8:f::8", "2001:db8:f:1::1", "2001:db8:b::7"))
	}
	return netip.MustParseAddr(w.pick("192.0.2.7", "198.51.100.7", "198.51.100.8", "198.51.100.200", "203.0.113.9", "10.0.0.7"))
}

// target draws where to.
func (w World) target(six bool) netip.Addr {
	if six {
		return netip.MustParseAddr(w.pick("2001:db8:a::1", "2001:db8:a::1", "2001:db8:b::1", "2001:db8:b::9", "2001:db8:c::2"))
	}
	return netip.MustParseAddr(w.pick("192.0.2.1", "192.0.2.1", "10.0.0.1", "10.0.0.9", "172.17.0.2"))
}

// prefix draws a text for a rule: an address or a prefix around one.
func (w World) prefix(a netip.Addr) string {
	if w.chance(2) {
		return a.String()
	}
	bits := a.BitLen() - []int{0, 1, 3, 8, 16}[w.IntN(5)]
	return netip.PrefixFrom(a, bits).Masked().String()
}

// Ports are few, so that rules and packets meet.
func (w World) port() int { return []int{22, 53, 80, 443, 853, 8080}[w.IntN(6)] }

func (w World) portRange(dash string) string {
	a, b := w.port(), w.port()
	if a == b || w.chance(2) {
		return fmt.Sprint(a)
	}
	return fmt.Sprintf("%d%s%d", min(a, b), dash, max(a, b))
}

func (w World) link() string { return w.pick(Outside, Inside, Containers) }

// Packet is the first of a conversation, as text and values.
type Packet struct {
	Link       string // where it comes from
	Source     netip.Addr
	SourcePort uint16
	Target     netip.Addr
	Port       uint16
	Protocol   uint8  // 6, 17, or an ICMP echo request
	Flags      uint8  // of TCP
	ICMP       uint16 // type<<8|code
}

// Packet draws one.
func (w World) Packet(six bool) Packet {
	p := Packet{Link: w.pick(Outside, Outside, Inside), Source: w.source(six), Target: w.target(six)}
	if p.Target == netip.MustParseAddr("10.0.0.9") || p.Target == netip.MustParseAddr("2001:db8:b::9") {
		p.Link = Outside // from inside it would not pass the host
	}
	p.SourcePort = []uint16{53, 40000, 40001, 123}[w.IntN(4)]
	p.Port = uint16(w.port())
	switch w.IntN(8) {
	case 0:
		p.Protocol, p.ICMP = 1, 8<<8
		if six {
			p.Protocol, p.ICMP = 58, 128<<8
		}
		p.Port, p.SourcePort = 0, 0
	case 1, 2, 3:
		p.Protocol = 17
	default:
		p.Protocol, p.Flags = 6, 0x02
		if w.chance(6) {
			p.Flags = []uint8{0x10, 0x04, 0x12, 0x0a, 0x22, 0xc2}[w.IntN(6)]
		}
	}
	return p
}

// lines joins lines.
func lines(all []string) string { return strings.Join(all, "\n") + "\n" }
