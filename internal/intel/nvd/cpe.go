package nvd

import (
	"strings"

	"reconshield/internal/exposure"
)

// cpe is what is used of a CPE name: its formatted string of version 2.3, NIST
// IR 7695 section 6.2.
type cpe struct {
	vendor, product, version, update, edition string
}

// preview is the software edition of BIND's Supported Preview releases, support
// that of the old releases with extended support.
const (
	preview = "supported_preview"
	support = "esv"
)

// parseCPE takes apart the name of an application.
func parseCPE(text string) (cpe, bool) {
	const (
		maxLength = 600
		prefix    = "cpe:2.3:a:"
		parts     = 10 // that follow
		editionAt = 6  // the sw_edition
	)
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok || len(text) > maxLength {
		return cpe{}, false
	}
	var fields []string
	var b strings.Builder
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; c {
		case '\\':
			if i++; i < len(rest) {
				b.WriteByte(rest[i])
			}
		case ':':
			fields = append(fields, b.String())
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	fields = append(fields, b.String())
	if len(fields) != parts {
		return cpe{}, false
	}
	return cpe{fields[0], fields[1], fields[2], fields[3], fields[editionAt]}, true
}

// release is the one release that the name means, as the product writes it.
func (c cpe) release(product exposure.Product) (string, bool) {
	switch c.update {
	case "*", "-", "":
		if product == exposure.BIND && c.edition == preview {
			return c.version + "-S1", true
		}
		return c.version, true
	}
	update := strings.ReplaceAll(strings.ToLower(c.update), "_", "-")
	if product != exposure.BIND {
		return c.version + "-" + update, true // rc1, beta2, alpha1
	}
	mark := strings.TrimRight(update, "0123456789")
	number := update[len(mark):]
	switch {
	case mark == "s" && number != "":
		return c.version + "-S" + number, true
	case mark == "p" && number != "":
		return c.version + "-P" + number, true
	case mark == "r" && number != "" && c.edition == support:
		return c.version + "-ESV-R" + number, true
	case mark == "rc", mark == "b", mark == "a":
		return c.version + update, true
	case mark == "beta":
		return c.version + "b" + number, true
	case mark == "alpha":
		return c.version + "a" + number, true
	case update == support:
		return c.version + "-ESV", true
	}
	return "", false
}
