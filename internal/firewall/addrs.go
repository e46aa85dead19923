package firewall

import (
	"net/netip"

	"go4.org/netipx"
)

// PrefixSpan is the first and last address of a prefix.
func PrefixSpan(p netip.Prefix) Span[netip.Addr] {
	r := netipx.RangeOfPrefix(p)
	return Span[netip.Addr]{r.From(), r.To()}
}

// AllOf is every address of the families.
func AllOf(f Family) Addrs {
	var prefixes []netip.Prefix
	if f&IPv4 != 0 {
		prefixes = append(prefixes, netip.PrefixFrom(netip.IPv4Unspecified(), 0))
	}
	if f&IPv6 != 0 {
		prefixes = append(prefixes, netip.PrefixFrom(netip.IPv6Unspecified(), 0))
	}
	return AddrsOf(prefixes...)
}

// Prefixes gives the fewest prefixes that make up the set, in ascending order.
func Prefixes(s Addrs) []netip.Prefix {
	var out []netip.Prefix
	for _, r := range s.Spans() {
		out = netipx.IPRangeFrom(r.First, r.Last).AppendPrefixes(out)
	}
	return out
}
