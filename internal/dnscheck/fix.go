package dnscheck

import "reconshield/internal/exposure"

// configure is a fix by configuration lines for a product.
func configure(p exposure.Product, text, lines string) exposure.Fix {
	return exposure.Fix{Kind: "configuration", For: p.Name(), Text: text, Lines: lines}
}

// advice is a fix in words, for every product that has no lines of its own.
func advice(text string) exposure.Fix {
	return exposure.Fix{Kind: "advice", For: "any server", Text: text}
}

// adviseFor is a fix in words for one product.
func adviseFor(p exposure.Product, text string) exposure.Fix {
	return exposure.Fix{Kind: "advice", For: p.Name(), Text: text}
}

func rfc(number, section, what string) exposure.Reference {
	title := "RFC " + number
	if section != "" {
		title += " section " + section
	}
	return exposure.Reference{Title: title + ": " + what, URL: "https://www.rfc-editor.org/rfc/rfc" + number}
}
