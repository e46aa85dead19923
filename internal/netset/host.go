package netset

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

// Bounds of host names in their text form without the trailing dot,
// RFC 1035 section 2.3.4.
const (
	maxHost  = 253
	maxLabel = 63
)

// parseHost checks a host name and gives the form used for look-ups: ASCII
// (IDNA, RFC 5891), lower case, no trailing dot. A name whose last label is a
// number is refused: resolvers disagree whether it is an address.
func parseHost(text string) (string, error) {
	host := strings.TrimSuffix(text, ".")
	if !isASCII(host) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", fmt.Errorf("%s (not an internationalised name)", notUnderstood)
		}
		host = strings.TrimSuffix(ascii, ".")
	}
	host = strings.ToLower(host)
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if !isLabel(label) {
			return "", hostHint(text)
		}
	}
	if isNumber(labels[len(labels)-1]) {
		return "", hostHint(text)
	}
	if len(host) > maxHost {
		return "", fmt.Errorf("host name is %d bytes long, the limit is %d", len(host), maxHost)
	}
	for _, label := range labels {
		if len(label) > maxLabel {
			return "", fmt.Errorf("label %s is %d bytes long, the limit is %d", quote(label), len(label), maxLabel)
		}
	}
	return host, nil
}

// isLabel accepts letters, digits and inner hyphens (RFC 1123 section 2.1),
// and the underscore, which hosts carry in practice. Length is not its matter.
func isLabel(label string) bool {
	if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	for _, c := range []byte(label) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// isNumber reports a label that a C library may take for part of an address.
func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return isDigits(label)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// isLocalhost reports names that mean loopback by definition, RFC 6761
// section 6.3.
func isLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// ErrNoAddress reports a host name that has neither A nor AAAA records.
var ErrNoAddress = errors.New("no address")

var errNoLookup = errors.New("host names cannot be resolved here; write addresses")
