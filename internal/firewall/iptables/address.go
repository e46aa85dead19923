package iptables

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"reconshield/internal/firewall"
)

// maxHoles bounds the bits missing inside a mask: each doubles the prefixes.
const maxHoles = 10

// addressSet is what follows -s or -d, without its commas.
type addressSet struct {
	set    firewall.Addrs
	prefix netip.Prefix // invalid when the mask has holes
}

func (a addressSet) everything() bool { return a.prefix.IsValid() && a.prefix.Bits() == 0 }

// parseAddress reads "10.0.0.0/8", "10/8", "10.0.0.1", "10.0.0.0/255.0.0.0",
// "2001:db8::/32". why says what is wrong, else it is empty.
func parseAddress(s string, f firewall.Family) (a addressSet, why string) {
	text, mask, masked := strings.Cut(s, "/")
	addr, ok := parseAddr(text, f)
	if !ok {
		if other, err := netip.ParseAddr(text); err == nil {
			return a, "address " + other.String() + " is not of this table's family"
		}
		return a, "host name " + strconv.Quote(clip(s, 64)) + " was looked up when the rules were loaded: write its addresses"
	}
	bits := addr.BitLen()
	if masked {
		if bits, ok = maskBits(mask, addr.BitLen()); !ok {
			return parseHoles(addr, mask)
		}
	}
	p := netip.PrefixFrom(addr, bits).Masked()
	return addressSet{set: firewall.NewSet(firewall.PrefixSpan(p)), prefix: p}, ""
}

// parseAddr reads one address; an IPv4 address may lack its last octets.
func parseAddr(s string, f firewall.Family) (netip.Addr, bool) {
	if f == firewall.IPv4 {
		for dots := strings.Count(s, "."); dots < 3; dots++ {
			s += ".0"
		}
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.Is4() != (f == firewall.IPv4) {
		return netip.Addr{}, false
	}
	return a, true
}

// maskBits reads "24" or a mask without holes.
func maskBits(s string, most int) (int, bool) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil {
		return int(n), int(n) <= most
	}
	m, err := netip.ParseAddr(s)
	if err != nil || m.BitLen() != most {
		return 0, false
	}
	bits := 0
	for _, b := range m.AsSlice() {
		for ; b&0x80 != 0; b <<= 1 {
			bits++
		}
		if b != 0 {
			return 0, false
		}
	}
	return bits, netip.PrefixFrom(m, bits).Masked().Addr() == m
}

// parseHoles reads a mask with holes: the addresses that equal addr where the
// mask is one.
func parseHoles(addr netip.Addr, mask string) (a addressSet, why string) {
	m, err := netip.ParseAddr(mask)
	if err != nil || m.BitLen() != addr.BitLen() || m.Zone() != "" {
		return a, "mask " + strconv.Quote(clip(mask, 64)) + " is not understood"
	}
	if addr.Is6() {
		return a, "mask " + mask + " has holes and is not followed for IPv6"
	}
	want, ones := be32(addr)&be32(m), be32(m)
	low := 0
	for low < 32 && ones&(1<<low) == 0 {
		low++
	}
	var free []int
	for bit := low; bit < 32; bit++ {
		if ones&(1<<bit) == 0 {
			free = append(free, bit)
		}
	}
	if len(free) > maxHoles {
		return a, "mask " + mask + " has too many holes"
	}
	spans := make([]firewall.Span[netip.Addr], 0, 1<<len(free))
	for n := range uint32(1) << len(free) {
		first := want
		for i, bit := range free {
			first |= n >> i & 1 << bit
		}
		last := first | uint32(uint64(1)<<low-1)
		spans = append(spans, firewall.Span[netip.Addr]{First: addr4(first), Last: addr4(last)})
	}
	return addressSet{set: firewall.NewSet(spans...)}, ""
}

func be32(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func addr4(v uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	return netip.AddrFrom4(b)
}

// parseRange reads "10.0.0.1-10.0.0.9" or one address.
func parseRange(s string, f firewall.Family) (first, last netip.Addr, ok bool) {
	from, to, ranged := strings.Cut(s, "-")
	if !ranged {
		to = from
	}
	first, ok1 := parseAddr(from, f)
	last, ok2 := parseAddr(to, f)
	return first, last, ok1 && ok2 && first.Compare(last) <= 0
}

// parsePort reads a number or a known service name.
func parsePort(s string) (uint16, bool) {
	if n, err := strconv.ParseUint(s, 0, 16); err == nil {
		return uint16(n), true
	}
	p, ok := portNames[s]
	return p, ok
}

// parsePorts reads "22", "22:80", ":80", "1024:".
func parsePorts(s string) (firewall.Span[firewall.Number], bool) {
	from, to, ranged := strings.Cut(s, ":")
	if !ranged {
		p, ok := parsePort(s)
		return firewall.Span[firewall.Number]{First: firewall.Number(p), Last: firewall.Number(p)}, ok
	}
	first, last, ok1, ok2 := uint16(0), uint16(65535), true, true
	if from != "" {
		first, ok1 = parsePort(from)
	}
	if to != "" {
		last, ok2 = parsePort(to)
	}
	return firewall.Span[firewall.Number]{First: firewall.Number(first), Last: firewall.Number(last)},
		ok1 && ok2 && first <= last
}

// parsePortList reads "22,80:90".
func parsePortList(s string) (firewall.Numbers, bool) {
	var spans []firewall.Span[firewall.Number]
	for part := range strings.SplitSeq(s, ",") {
		span, ok := parsePorts(part)
		if !ok {
			return firewall.Numbers{}, false
		}
		spans = append(spans, span)
	}
	return firewall.NewSet(spans...), true
}
