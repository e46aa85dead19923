package netset

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"go4.org/netipx"
)

// notUnderstood is the verdict on text that is none of the accepted forms.
const notUnderstood = "not an address, prefix, range or host name"

// clip bounds text that is repeated inside a message and keeps it printable.
func clip(text string) string {
	quoted := quote(text)
	if inner, ok := strings.CutSuffix(quoted, `"`); ok {
		return inner[1:]
	}
	return quoted
}

// hostHint explains text that is not a host name, naming the likely slip.
func hostHint(text string) error {
	switch {
	case strings.Contains(text, "://"):
		return errors.New(notUnderstood + " (a URL; write only its host)")
	case strings.ContainsAny(text, " \t,;"):
		return errors.New(notUnderstood + " (write each target as its own argument or line)")
	case strings.Contains(text, "*"):
		return errors.New(notUnderstood + " (write a prefix such as 192.0.2.0/24 instead of a wildcard)")
	case strings.Contains(text, "@"):
		return errors.New(notUnderstood + " (write a server without @)")
	case strings.HasPrefix(text, "-"):
		return errors.New(notUnderstood + " (it looks like an option)")
	}
	if host, port, ok := strings.Cut(text, ":"); ok && isDigits(port) {
		return fmt.Errorf("%s (a target carries no port; write %s and choose ports separately)",
			notUnderstood, clip(host))
	}
	if hint := dottedHint(text); hint != "" {
		return errors.New(notUnderstood + " (" + hint + ")")
	}
	return errors.New(notUnderstood)
}

// dottedHint explains a near miss of a dotted IPv4 address; "" when text is
// nothing of the kind.
func dottedHint(text string) string {
	octets := strings.Split(text, ".")
	for _, octet := range octets {
		if !isDigits(octet) {
			return ""
		}
	}
	for _, octet := range octets {
		n, err := strconv.ParseUint(octet, 10, 64)
		switch {
		case err != nil || n > 255:
			return clip(octet) + " is over 255"
		case len(octet) > 1 && octet[0] == '0':
			return clip(octet) + " has a leading zero; numbers are decimal"
		}
	}
	if len(octets) != 4 {
		return fmt.Sprintf("an IPv4 address has 4 numbers, not %d", len(octets))
	}
	return ""
}

// prefixHint explains an expression with a slash whose left side is no address.
func prefixHint(before, bits string) error {
	if strings.Contains(before, ":/") || strings.HasSuffix(before, ":") {
		return hostHint(before + "/" + bits)
	}
	if hint := dottedHint(before); hint != "" {
		return errors.New("not a prefix (" + hint + ")")
	}
	if _, _, ok := cutRange(before); ok {
		return errors.New("a range has no prefix length; write either a range or a prefix")
	}
	if _, err := parseHost(before); err == nil {
		return errors.New("a prefix needs an address before the slash, not a host name")
	}
	return hostHint(before)
}

// lengthHint explains a prefix length that is not a plain number.
func lengthHint(addr netip.Addr, bits string) error {
	if mask, err := netip.ParseAddr(bits); err == nil && addr.Is4() && mask.Is4() {
		if n, ok := maskLength(mask); ok {
			return fmt.Errorf("write the prefix length, %s/%d, instead of a mask", addr, n)
		}
	}
	return fmt.Errorf("prefix length %s is not a number from 0 to %d", quote(bits), addr.BitLen())
}

// maskLength gives the number of leading ones of a contiguous netmask.
func maskLength(mask netip.Addr) (int, bool) {
	for n := range 33 {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), n)
		if prefix.Masked().Addr() == mask {
			return n, true
		}
	}
	return 0, false
}

// linkLocalWarning says that IPv6 link-local addresses need the zone that this
// package refuses; "" for every other range.
func linkLocalWarning(span netipx.IPRange) string {
	if span.From().Is6() && span.From().IsLinkLocalUnicast() {
		return "link-local addresses cannot be reached without a zone and will not be measured"
	}
	return ""
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}
