package firewall

import (
	"cmp"
	"net/netip"
	"slices"

	"reconshield/internal/exposure"
	"reconshield/internal/netset"
)

// Closure shuts ports of one address to every source but the trusted ones.
type Closure struct {
	Addr    netip.Addr
	Ports   []netset.Port
	Trusted []netip.Prefix // sources that keep access; of Addr's family
}

// Close builds the closure of the ports of addr. With trusted nil the private
// prefixes of the address's family keep access (RFC 1918, RFC 4193, link-local).
func Close(addr netip.Addr, ports []netset.Port, trusted []netip.Prefix) Closure {
	addr = addr.Unmap().WithZone("")
	if trusted == nil {
		trusted = private()
	}
	c := Closure{Addr: addr}
	for _, p := range trusted {
		if p.Addr().Is4() == addr.Is4() {
			c.Trusted = append(c.Trusted, p)
		}
	}
	for _, p := range ports {
		p.Transport = p.Transport.Base()
		if !slices.Contains(c.Ports, p) {
			c.Ports = append(c.Ports, p)
		}
	}
	slices.SortFunc(c.Ports, func(a, b netset.Port) int {
		return cmp.Or(cmp.Compare(a.Transport, b.Transport), cmp.Compare(a.Number, b.Number))
	})
	return c
}

// Numbers are the ports of one transport in ascending order.
func (c Closure) Numbers(t exposure.Transport) []uint16 {
	var out []uint16
	for _, p := range c.Ports {
		if p.Transport == t {
			out = append(out, p.Number)
		}
	}
	return out
}

func private() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("fc00::/7"),
		netip.MustParsePrefix("fe80::/10"),
	}
}
