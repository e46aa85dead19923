package netset

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"go4.org/netipx"
)

// kind says in which words an error speaks of an expression.
type kind string

const (
	target    kind = "target"
	exclusion kind = "exclusion"
)

// entry is one parsed expression: either a host name or a range of addresses.
type entry struct {
	expr   string
	host   string         // normalised, without trailing dot; "" for addresses
	span   netipx.IPRange // zero for host names
	single bool           // one address, written as such
}

// ParseTargets reads target expressions:
//
//	192.0.2.1   2001:db8::1   [2001:db8::1]     one address
//	192.0.2.0/28   2001:db8::/120               a prefix
//	192.0.2.1-192.0.2.9   192.0.2.1-9           a range, both ends included
//	ns1.example.net   bücher.example.           a host name
//
// An IPv4-mapped IPv6 address counts as the IPv4 address. A prefix with host
// bits set is masked and leaves a warning. Unspecified, multicast, limited
// broadcast and 0.0.0.0/8 addresses are refused; loopback is accepted when the
// expression lies inside it. The error is for the first expression that cannot
// be used. Nothing is resolved here.
func ParseTargets(exprs []string) (Spec, error) {
	return parseAll(target, exprs)
}

// ParseExclusions reads the same expressions as ParseTargets for use with
// Spec.Without. As they only ever take addresses away, no address is refused.
func ParseExclusions(exprs []string) (Spec, error) {
	return parseAll(exclusion, exprs)
}

func parseAll(k kind, exprs []string) (Spec, error) {
	var s Spec
	for _, expr := range exprs {
		if err := s.parse(k, expr); err != nil {
			return Spec{}, fmt.Errorf("%s %s: %w", k, quote(expr), err)
		}
	}
	return s, nil
}

// parse adds one expression to s.
func (s *Spec) parse(k kind, expr string) error {
	e, warning, err := parseEntry(expr)
	if err != nil {
		return err
	}
	if k == target && e.host == "" {
		if err := refuse(e.span); err != nil {
			return err
		}
	}
	s.entries = append(s.entries, e)
	if warning != "" {
		s.Warnings = append(s.Warnings, Warning{Expr: expr, Text: warning})
	}
	return nil
}

// parseEntry reads one expression. The warning is empty when there is none.
func parseEntry(expr string) (e entry, warning string, err error) {
	text := strings.TrimSpace(expr)
	switch {
	case text == "":
		return entry{}, "", errors.New("empty; name an address, prefix, range or host name")
	case len(text) > MaxExpression:
		return entry{}, "", fmt.Errorf("longer than %d bytes", MaxExpression)
	case hasZone(text):
		return entry{}, "", errors.New("zones are not supported; write the address without %zone")
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		return parseBracketed(expr, inner)
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		e := addressEntry(expr, addr)
		return e, linkLocalWarning(e.span), nil
	}
	if before, bits, ok := strings.Cut(text, "/"); ok {
		return parsePrefix(expr, before, bits)
	}
	if from, to, ok := cutRange(text); ok {
		return parseRange(expr, from, to)
	}
	host, err := parseHost(text)
	if err != nil {
		return entry{}, "", err
	}
	return entry{expr: expr, host: host}, "", nil
}

// hasZone reports an address followed by a zone, in any of the forms.
func hasZone(text string) bool {
	before, _, ok := strings.Cut(text, "%")
	_, err := netip.ParseAddr(strings.TrimPrefix(before, "["))
	return ok && err == nil
}

func addressEntry(expr string, addr netip.Addr) entry {
	addr = addr.Unmap()
	return entry{expr: expr, span: netipx.IPRangeFrom(addr, addr), single: true}
}

// parseBracketed reads what follows an opening bracket: an IPv6 address and
// the closing bracket.
func parseBracketed(expr, inner string) (entry, string, error) {
	inside, rest, ok := strings.Cut(inner, "]")
	addr, err := netip.ParseAddr(inside)
	switch {
	case !ok:
		return entry{}, "", errors.New("closing bracket is missing")
	case err != nil || !addr.Is6():
		return entry{}, "", errors.New("brackets hold no IPv6 address")
	case strings.HasPrefix(rest, ":"):
		return entry{}, "", fmt.Errorf("a target carries no port; write %s and choose ports separately", addr)
	case rest != "":
		return entry{}, "", fmt.Errorf("unexpected text after the bracket; write %s%s without brackets", addr, clip(rest))
	}
	e := addressEntry(expr, addr)
	return e, linkLocalWarning(e.span), nil
}

func parsePrefix(expr, before, bits string) (entry, string, error) {
	addr, err := netip.ParseAddr(before)
	if err != nil {
		return entry{}, "", prefixHint(before, bits)
	}
	n, err := strconv.Atoi(bits)
	if err != nil || bits != strconv.Itoa(n) || n < 0 {
		return entry{}, "", lengthHint(addr, bits)
	}
	if n > addr.BitLen() {
		return entry{}, "", fmt.Errorf("prefix length %d is over %d", n, addr.BitLen())
	}
	if addr.Is4In6() && n >= 96 {
		addr, n = addr.Unmap(), n-96
	}
	prefix := netip.PrefixFrom(addr, n)
	masked := prefix.Masked()
	e := entry{expr: expr, span: netipx.RangeOfPrefix(masked), single: masked.IsSingleIP()}
	if masked != prefix {
		return e, fmt.Sprintf("host bits are set; taken as %s", masked), nil
	}
	return e, linkLocalWarning(e.span), nil
}

// cutRange splits a range. A hyphen also occurs in host names, therefore text
// is a range only with an address before its first hyphen and no letter of a
// host name after it.
func cutRange(text string) (from netip.Addr, to string, ok bool) {
	before, after, ok := strings.Cut(text, "-")
	if !ok {
		return netip.Addr{}, "", false
	}
	before, after = strings.TrimSpace(before), strings.TrimSpace(after)
	from, err := netip.ParseAddr(before)
	if err != nil {
		return netip.Addr{}, "", false
	}
	digits := strings.Trim(after, "0123456789.-,") == ""
	if !digits && !strings.Contains(after, ":") {
		return netip.Addr{}, "", false
	}
	return from.Unmap(), after, true
}

func parseRange(expr string, from netip.Addr, text string) (entry, string, error) {
	to, err := rangeEnd(from, text)
	if err != nil {
		return entry{}, "", err
	}
	switch {
	case from.Is4() != to.Is4():
		return entry{}, "", errors.New("the ends of a range must be of the same family")
	case to.Less(from):
		return entry{}, "", fmt.Errorf("range ends before it starts; write %s-%s", to, from)
	}
	e := entry{expr: expr, span: netipx.IPRangeFrom(from, to), single: from == to}
	return e, linkLocalWarning(e.span), nil
}

// rangeEnd reads the end of a range: an address, or for IPv4 the last octet.
func rangeEnd(from netip.Addr, text string) (netip.Addr, error) {
	if to, err := netip.ParseAddr(text); err == nil {
		return to.Unmap(), nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return netip.Addr{}, fmt.Errorf("range ends in %s, which is not an address", quote(text))
	case !from.Is4():
		return netip.Addr{}, errors.New("the end of an IPv6 range must be a whole address")
	case n > 255:
		return netip.Addr{}, fmt.Errorf("range ends in %d, which is over 255", n)
	}
	octets := from.As4()
	octets[3] = byte(n)
	return netip.AddrFrom4(octets), nil
}
