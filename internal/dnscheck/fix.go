package dnscheck

import "reconshield/internal/exposure"

// configure is a fix by configuration lines for a product.
func configure(p exposure.Product, text, lines string) exposure.Fix {
	return exposure.Fix{Kind: "configuration", For: ProductName(p), Text: text, Lines: lines}
}

// advice is a fix in words, for every product that has no lines of its own.
func advice(text string) exposure.Fix {
	return exposure.Fix{Kind: "advice", For: "any server", Text: text}
}

// ProductName is the product as people write it.
func ProductName(p exposure.Product) string {
	switch p {
	case exposure.BIND:
		return "BIND 9"
	case exposure.Unbound:
		return "Unbound"
	case exposure.Knot:
		return "Knot DNS"
	case exposure.KnotRes:
		return "Knot Resolver"
	case exposure.NSD:
		return "NSD"
	case exposure.PDNSAuth:
		return "PowerDNS Authoritative"
	case exposure.PDNSRec:
		return "PowerDNS Recursor"
	case exposure.Dnsmasq:
		return "dnsmasq"
	case exposure.WindowsDNS:
		return "Windows DNS"
	case exposure.CoreDNS:
		return "CoreDNS"
	}
	return string(p)
}

func rfc(number, section, what string) exposure.Reference {
	title := "RFC " + number
	if section != "" {
		title += " section " + section
	}
	return exposure.Reference{Title: title + ": " + what, URL: "https://www.rfc-editor.org/rfc/rfc" + number}
}
