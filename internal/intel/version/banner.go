package version

import (
	"fmt"
	"strings"

	"reconshield/internal/exposure"
)

// name is one way in which a text names a product.
type name struct {
	words   string // in lower case; "-", "_" and blanks are one
	product exposure.Product
}

// names lists the words for products, longer ones before those they begin with.
func names() []name {
	return []name{
		{"dns server bind", exposure.BIND},
		{"isc bind 9", exposure.BIND},
		{"isc bind9", exposure.BIND},
		{"isc bind", exposure.BIND},
		{"bind 9", exposure.BIND},
		{"bind9", exposure.BIND},
		{"bind", exposure.BIND},
		{"named", exposure.BIND},
		{"nlnet labs unbound", exposure.Unbound},
		{"unbound", exposure.Unbound},
		{"nlnet labs nsd", exposure.NSD},
		{"nsd", exposure.NSD},
		{"knot resolver", exposure.KnotRes},
		{"kresd", exposure.KnotRes},
		{"knot dns", exposure.Knot},
		{"knotd", exposure.Knot},
		{"knot", exposure.Knot},
		{"powerdns authoritative server", exposure.PDNSAuth},
		{"powerdns authoritative", exposure.PDNSAuth},
		{"powerdns auth", exposure.PDNSAuth},
		{"pdns auth", exposure.PDNSAuth},
		{"pdns server", exposure.PDNSAuth},
		{"powerdns recursor", exposure.PDNSRec},
		{"pdns recursor", exposure.PDNSRec},
		{"powerdns dnsdist", Dnsdist},
		{"dnsdist", Dnsdist},
		{"dnsmasq pi hole", exposure.Dnsmasq},
		{"dnsmasq", exposure.Dnsmasq},
		{"coredns", exposure.CoreDNS},
		{"technitium dns server", Technitium},
		{"technitium dns", Technitium},
		{"technitium", Technitium},
		{"adguard home", AdGuardHome},
		{"adguardhome", AdGuardHome},
		{"adguard", AdGuardHome},
		{"pi hole ftl", PiHoleFTL},
		{"pihole ftl", PiHoleFTL},
		{"ftldns", PiHoleFTL},
		{"pi hole", PiHole},
		{"pihole", PiHole},
		{"maradns", MaraDNS},
		{"microsoft windows dns", exposure.WindowsDNS},
		{"microsoft dns", exposure.WindowsDNS},
		{"windows dns server", exposure.WindowsDNS},
		{"windows dns", exposure.WindowsDNS},
	}
}

// Product gives the canonical product for a name that a person types: "BIND",
// "bind9", "pdns-recursor", "PowerDNS Recursor". Its error wraps ErrProduct.
func Product(text string) (exposure.Product, error) {
	words := fold(text)
	for _, n := range names() {
		if words == n.words {
			return n.product, nil
		}
	}
	return "", fmt.Errorf("%q: %w; use one of bind, unbound, nsd, knot, knot-resolver, pdns-auth, pdns-recursor, dnsdist, dnsmasq, coredns, technitium, adguardhome, pihole, pihole-ftl, maradns, windows-dns", short(text), ErrProduct)
}

// Banner reads a text that names product and version, as the answer to
// version.bind or the output of a -v option does. A bare BIND release is read
// too, for BIND shows no name. Its error wraps ErrProduct when the text names
// no product, ErrVersion when it names one without a full release.
func Banner(text string) (Version, error) {
	text = strings.Trim(strings.TrimSpace(text), `"`)
	if len(text) > maxText {
		text = text[:maxText]
	}
	if bareBIND(text) {
		return Parse(exposure.BIND, text)
	}
	folded := fold(text)
	for _, n := range names() {
		rest, ok := strings.CutPrefix(folded, n.words)
		if !ok || rest != "" && !strings.ContainsRune(" :,", rune(rest[0])) && !versionMark(rest) {
			continue
		}
		// fold keeps the length, so what follows the words is found again
		// in the text itself.
		after := strip(text[len(n.words):])
		if after == "" {
			return Version{}, fmt.Errorf("%q names %s and no version: %w", short(text), n.product.Name(), ErrVersion)
		}
		v, err := Parse(n.product, after)
		if err == nil && n.words == "dnsmasq pi hole" {
			v.Builder = piHole()
		}
		return v, err
	}
	return Version{}, fmt.Errorf("%q: %w", short(text), ErrProduct)
}

// strip takes away what stands between a name and its version.
func strip(rest string) string {
	rest = strings.TrimLeft(rest, " -_/:,")
	for _, word := range []string{"version", "release"} {
		if len(rest) >= len(word) && strings.EqualFold(rest[:len(word)], word) {
			rest = strings.TrimLeft(rest[len(word):], " -_/:")
		}
	}
	return rest
}

// versionMark reports whether the text begins with the v of a version: v2.90.
func versionMark(s string) bool { return len(s) > 1 && s[0] == 'v' && digit(s[1]) }

// bareBIND reports whether the text begins with a number such as only BIND
// shows without a name: 9.x.y, 9.6-ESV, 8.3.4.
func bareBIND(text string) bool {
	s := scanner{rest: text}
	if !s.numbers() {
		return false
	}
	n := s.v.numbers
	esv := strings.HasPrefix(strings.TrimPrefix(s.rest, "."), "-ESV")
	return n[0] == 9 && n[1] <= 40 && (s.v.count == 3 || s.v.count == 2 && esv) || n[0] == 8 && n[1] >= 1 && n[1] <= 4 && s.v.count == 3
}

// fold lowers ASCII letters and makes separators blanks. Every byte keeps its
// place.
func fold(s string) string {
	b := []byte(s)
	for i, c := range b {
		switch {
		case c >= 'A' && c <= 'Z':
			b[i] = c | 0x20
		case c == '-', c == '_', c == '/':
			b[i] = ' '
		}
	}
	return string(b)
}
