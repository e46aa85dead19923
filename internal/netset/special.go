package netset

import (
	"errors"
	"fmt"
	"net/netip"

	"go4.org/netipx"
)

// block is a part of the address space with a special meaning.
type block struct {
	prefix netip.Prefix
	name   string
}

// refusedBlocks lists what is never scanned: no single host answers there.
func refusedBlocks() []block {
	return []block{
		{netip.PrefixFrom(netip.IPv4Unspecified(), 8), "this network (0.0.0.0/8)"},              // RFC 791 section 3.2
		{netip.PrefixFrom(netip.AddrFrom4([4]byte{224}), 4), "multicast (224.0.0.0/4)"},         // RFC 5771
		{netip.PrefixFrom(broadcast(), 32), "limited broadcast (255.255.255.255)"},              // RFC 919 section 7
		{netip.PrefixFrom(netip.IPv6Unspecified(), 128), "the unspecified address (::)"},        // RFC 4291 section 2.5.2
		{netip.PrefixFrom(mappedBase(), 96), "IPv4-mapped addresses (::ffff:0:0/96)"},           // RFC 4291 section 2.5.5.2
		{netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xff}), 8), "IPv6 multicast (ff00::/8)"}, // RFC 4291 section 2.7
	}
}

// loopbackBlocks lists the addresses of the machine itself.
func loopbackBlocks() []block {
	return []block{
		{netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8), "loopback (127.0.0.0/8)"}, // RFC 1122 section 3.2.1.3
		{netip.PrefixFrom(netip.IPv6Loopback(), 128), "loopback (::1)"},                // RFC 4291 section 2.5.3
	}
}

func broadcast() netip.Addr { return netip.AddrFrom4([4]byte{255, 255, 255, 255}) }

func mappedBase() netip.Addr {
	return netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff})
}

// refuse rejects a range that touches what is never scanned, or that holds
// loopback among other addresses: loopback must be named for itself.
func refuse(span netipx.IPRange) error {
	for _, b := range refusedBlocks() {
		if !span.Overlaps(netipx.RangeOfPrefix(b.prefix)) {
			continue
		}
		if b.prefix.Contains(span.From()) && b.prefix.Contains(span.To()) {
			return fmt.Errorf("%s cannot be scanned", b.name)
		}
		return fmt.Errorf("contains %s, which cannot be scanned; name smaller prefixes", b.name)
	}
	for _, b := range loopbackBlocks() {
		inside := b.prefix.Contains(span.From()) && b.prefix.Contains(span.To())
		if !inside && span.Overlaps(netipx.RangeOfPrefix(b.prefix)) {
			return fmt.Errorf("contains %s, which must be named for itself; name smaller prefixes", b.name)
		}
	}
	return nil
}

// refuseResolved rejects an address that a host name resolved to. Loopback
// counts as named only for localhost names.
func refuseResolved(host string, addr netip.Addr) error {
	if addr.Zone() != "" {
		return errors.New("resolves to an address with a zone; zones are not supported")
	}
	if err := refuse(netipx.IPRangeFrom(addr, addr)); err != nil {
		return fmt.Errorf("resolves to %s: %w", addr, err)
	}
	if addr.IsLoopback() && !isLocalhost(host) {
		return fmt.Errorf("resolves to loopback %s; name that address to scan this machine", addr)
	}
	return nil
}
