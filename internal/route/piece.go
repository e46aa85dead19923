package route

import (
	"bytes"
	"net/netip"
	"slices"

	"go4.org/netipx"

	"reconshield/internal/probe"
)

// boundaries gives, sorted, every address at which one of the prefixes begins
// or has just ended.
func boundaries(prefixes []netip.Prefix) []netip.Addr {
	var starts []netip.Addr
	for _, p := range prefixes {
		starts = append(starts, p.Masked().Addr())
		if after := netipx.PrefixLastIP(p).Next(); after.IsValid() {
			starts = append(starts, after)
		}
	}
	slices.SortFunc(starts, netip.Addr.Compare)
	return slices.Compact(starts)
}

// split cuts a range before each start inside it.
func split(r netipx.IPRange, starts []netip.Addr) []netipx.IPRange {
	var pieces []netipx.IPRange
	from := r.From()
	i, found := slices.BinarySearchFunc(starts, from, netip.Addr.Compare)
	if found {
		i++
	}
	for ; i < len(starts) && starts[i].Compare(r.To()) <= 0; i++ {
		pieces = append(pieces, netipx.IPRangeFrom(from, starts[i].Prev()))
		from = starts[i]
	}
	return append(pieces, netipx.IPRangeFrom(from, r.To()))
}

// extend appends a path, or lengthens the last one when p continues it with
// the same answer.
func extend(paths []probe.Path, p probe.Path) []probe.Path {
	if n := len(paths); n > 0 && paths[n-1].To.Next() == p.From && same(paths[n-1], p) {
		paths[n-1].To = p.To
		return paths
	}
	return append(paths, p)
}

// same reports whether two paths differ in nothing but their addresses.
func same(a, b probe.Path) bool {
	return a.Interface == b.Interface && a.Name == b.Name && a.Link == b.Link && a.MTU == b.MTU &&
		bytes.Equal(a.Hardware, b.Hardware) && a.Source == b.Source && a.Gateway == b.Gateway &&
		bytes.Equal(a.NextHop, b.NextHop) && a.Unreachable == b.Unreachable
}

// special lists the prefixes that the kernel treats on their own without a
// route saying so.
func special(v6 bool) []netip.Prefix {
	list := []string{"0.0.0.0/32", "0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32"}
	if v6 {
		list = []string{"::/128", "fe80::/10", "ff00::/8"}
	}
	return parse(list)
}

// labels lists the prefixes of the default table of RFC 6724 section 2.1 and
// of Linux: the choice of an IPv6 source address depends on them.
func labels() []netip.Prefix {
	return parse([]string{
		"::1/128", "::/96", "::ffff:0:0/96", "2001::/32", "2001:10::/28", "2002::/16", "3ffe::/16", "fc00::/7", "fec0::/10",
	})
}

func parse(list []string) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(list))
	for i, text := range list {
		prefixes[i] = netip.MustParsePrefix(text)
	}
	return prefixes
}

// nests gives the prefixes of all lengths up to bits around an address of
// ours: the longest common one decides between our addresses (RFC 6724
// section 5, rule 8).
func nests(own netip.Prefix) []netip.Prefix {
	var prefixes []netip.Prefix
	for bits := 1; bits <= own.Bits(); bits++ {
		prefixes = append(prefixes, netip.PrefixFrom(own.Addr(), bits).Masked())
	}
	return prefixes
}
