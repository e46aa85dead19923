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
func AllOf(f Family) Addrs { return everyAddr[f&(IPv4|IPv6)] }

//nolint:gochecknoglobals // read-only table, by family
var everyAddr = [4]Addrs{
	IPv4:        AddrsOf(netip.PrefixFrom(netip.IPv4Unspecified(), 0)),
	IPv6:        AddrsOf(netip.PrefixFrom(netip.IPv6Unspecified(), 0)),
	IPv4 | IPv6: AddrsOf(netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)),
}

// Prefixes gives the fewest prefixes that make up the set, in ascending order.
func Prefixes(s Addrs) []netip.Prefix {
	var out []netip.Prefix
	for _, r := range s.Spans() {
		out = netipx.IPRangeFrom(r.First, r.Last).AppendPrefixes(out)
	}
	return out
}
