package recog

import (
	"strings"

	"reconshield/internal/exposure"
)

// Match is what a fingerprint says of a text.
type Match struct {
	Description string
	// Fields hold Recog's own names: service.vendor, service.product,
	// service.version, service.cpe23, os.product …; templates are filled in.
	Fields map[string]string
}

// Product is the software as Recog names it, empty when the fingerprint
// deliberately asserts nothing.
func (m Match) Product() string { return m.Fields["service.product"] }

// Vendor is who makes the software.
func (m Match) Vendor() string { return m.Fields["service.vendor"] }

// Version is the software's version, without a distribution's suffix.
func (m Match) Version() string { return m.Fields["service.version"] }

// Name is vendor and product as people say them, without saying a word twice.
func (m Match) Name() string {
	vendor, product := m.Vendor(), m.Product()
	if vendor == "" || strings.Contains(strings.ToLower(product), strings.ToLower(vendor)) {
		return product
	}
	return vendor + " " + product
}

// CPE is the CPE 2.3 formatted string of the software (NISTIR 7695 section
// 6.2), empty when the fingerprint names none. An unknown version is "*".
func (m Match) CPE() string {
	parts := strings.SplitN(strings.TrimPrefix(m.Fields["service.cpe23"], "cpe:/"), ":", 4)
	if len(parts) < 3 || len(parts[0]) != 1 {
		return ""
	}
	version := ""
	if len(parts) > 3 {
		version = parts[3]
	}
	return FormatCPE(parts[0], parts[1], parts[2], version)
}

// FormatCPE builds a CPE 2.3 formatted string. Part is "a" or "o"; an empty
// version or "-" is "*", for what is unknown is not "not applicable".
func FormatCPE(part, vendor, product, version string) string {
	if version == "-" {
		version = ""
	}
	return "cpe:2.3:" + part + ":" + component(vendor) + ":" + component(product) + ":" + component(version) + ":*:*:*:*:*:*:*"
}

// component quotes what the formatted string reserves.
func component(s string) string {
	if s == "" {
		return "*"
	}
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '-', c == '_':
			b.WriteRune(c)
		case c > ' ' && c < 0x7f:
			b.WriteString(`\` + string(c))
		default:
			b.WriteByte('_')
		}
	}
	return b.String()
}

// DNSProduct maps the match to the product for which fixes are written, empty
// for other software. It is meant for the DNSVersion set.
func (m Match) DNSProduct() exposure.Product {
	switch m.Vendor() + "|" + m.Product() {
	case "ISC|BIND":
		return exposure.BIND
	case "NLnet Labs|unbound":
		return exposure.Unbound
	case "NLnet Labs|dnsd":
		return exposure.NSD
	case "cz.nic|Knot DNS":
		return exposure.Knot
	case "cz.nic|Knot Resolver":
		return exposure.KnotRes
	case "CoreDNS|CoreDNS":
		return exposure.CoreDNS
	case "PowerDNS|Authoritative Server":
		return exposure.PDNSAuth
	case "PowerDNS|Recursor":
		return exposure.PDNSRec
	case "Thekelleys|Dnsmasq", "Pi-hole|Pi-hole":
		return exposure.Dnsmasq
	case "Microsoft|DNS":
		return exposure.WindowsDNS
	}
	return ""
}

// fields fills the parameters from the groups of a match: position 0 is a
// constant, others are groups, and {name} stands for another field.
func (f fingerprint) fields(groups []string) map[string]string {
	out := make(map[string]string, len(f.params))
	for _, p := range f.params {
		switch {
		case p.Pos == 0:
			out[p.Name] = p.Value
		case p.Pos < len(groups) && groups[p.Pos] != "":
			out[p.Name] = groups[p.Pos]
		}
	}
	for name, value := range out {
		if strings.ContainsRune(value, '{') {
			out[name] = fill(value, out)
		}
	}
	return out
}

func fill(template string, fields map[string]string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		b.WriteString(before)
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return b.String()
		}
		if v, ok := fields[name]; ok && !strings.ContainsRune(v, '{') {
			b.WriteString(v)
		} else {
			b.WriteByte('-')
		}
		template = after
	}
}
