package policy

import (
	"net/netip"
	"strings"
)

// address reads one address of a list.
func (d *decoder) address(what string, it item) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(it.text)
	switch {
	case err != nil && strings.Contains(it.text, "/"):
		d.add(it.at, "write one address", "%s %s is a prefix, not an address", what, quoted(it.text))
	case err != nil:
		d.add(it.at, `write an address such as 192.0.2.53 or "2001:db8::53"`, "%s %s is not an address", what, quoted(it.text))
	case addr.Zone() != "":
		d.add(it.at, "write "+addr.WithZone("").String(), "%s %s names an interface", what, quoted(it.text))
	case addr.Is4In6():
		d.add(it.at, "write "+addr.Unmap().String(), "%s %s is IPv4 in the form of IPv6", what, quoted(it.text))
	case addr.IsUnspecified() || addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		d.add(it.at, "write the address of one host", "%s %s is no host's address", what, quoted(it.text))
	default:
		return addr, true
	}
	return netip.Addr{}, false
}

// prefix reads a network; a lone address is the network of itself.
func (d *decoder) prefix(what string, it item) (netip.Prefix, bool) {
	if !strings.Contains(it.text, "/") {
		addr, ok := d.address(what, it)
		if !ok {
			return netip.Prefix{}, false
		}
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	p, err := netip.ParsePrefix(it.text)
	switch {
	case err != nil:
		d.add(it.at, `write a network such as 10.0.0.0/16 or "2001:db8::/48"`, "%s %s is not a network", what, quoted(it.text))
	case p.Addr().Is4In6():
		d.add(it.at, "write it as IPv4", "%s %s is IPv4 in the form of IPv6", what, quoted(it.text))
	case p != p.Masked():
		d.add(it.at, "write "+p.Masked().String(), "%s %s has bits beyond its length", what, quoted(it.text))
	default:
		return p, true
	}
	return netip.Prefix{}, false
}

// prefixes reads a list of networks, each once and none of everything.
func (d *decoder) prefixes(f field) []netip.Prefix {
	var out []netip.Prefix
	seen := map[netip.Prefix]bool{}
	for _, it := range d.items(f, `write a list of networks, such as [10.0.0.0/16, "2001:db8::/48"]`) {
		p, ok := d.prefix(f.key+":", it)
		switch {
		case !ok:
		case p.Bits() == 0:
			d.add(it.at, "name the networks that are meant", "%s: %s is every address there is", f.key, p)
		case seen[p]:
			d.add(it.at, "keep one of them", "%s: %s stands twice", f.key, p)
		default:
			seen[p] = true
			out = append(out, p)
		}
	}
	return out
}
