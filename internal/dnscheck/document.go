package dnscheck

import (
	"fmt"
	"strings"

	"reconshield/internal/exposure"
)

// Description is a check as the JSON catalogue shows it.
type Description struct {
	ID         string               `json:"id"`
	Title      string               `json:"title"`
	Finds      string               `json:"finds"`
	Why        string               `json:"why"`
	Severity   exposure.Severity    `json:"severity"`
	Rationale  string               `json:"rationale"`
	Safety     Safety               `json:"safety"`
	OptIn      bool                 `json:"opt_in"`
	Fixes      []exposure.Fix       `json:"fixes"`
	References []exposure.Reference `json:"references"`
}

// Describe gives the checks as data.
func Describe(checks []Check) []Description {
	out := make([]Description, len(checks))
	for i, c := range checks {
		out[i] = Description{
			ID: c.ID, Title: c.Title, Finds: c.Finds, Why: c.Why, Severity: c.Severity, Rationale: c.Rationale,
			Safety: c.Safety, OptIn: c.OptIn, Fixes: c.Fixes.For(""), References: c.References,
		}
	}
	return out
}

// CatalogueMarkdown is the whole catalogue as a document with a heading and a table.
func CatalogueMarkdown() string {
	checks := Catalogue()
	var b strings.Builder
	b.WriteString(`# The checks

Each check is proven by what the server answers, never by a version. A check says
` + "`pass`" + ` only when it was really carried out and the server did the right thing;
what could not be carried out is ` + "`not-tested`" + `, with the reason. This page is
generated from the code; ` + "`reconshield checks ID`" + ` shows the same.

| id | finds | severity | profile |
| --- | --- | --- | --- |
`)
	for _, c := range checks {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s |\n", c.ID, anchor(c), c.Title, c.Severity, c.mode())
	}
	return b.String() + "\n" + Markdown(checks)
}

// anchor is the fragment that Markdown renderers give the check's heading.
func anchor(c Check) string {
	var b strings.Builder
	for _, r := range strings.ToLower(c.ID + ": " + c.Title) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-', r == '_', r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		}
	}
	return b.String()
}

// mode is the profile that runs the check.
func (c Check) mode() string {
	if c.OptIn {
		return "by name"
	}
	return string(c.Safety)
}

// Markdown is the checks as sections of a document.
func Markdown(checks []Check) string {
	var b strings.Builder
	for i, c := range checks {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "## %s: %s\n\n", c.ID, c.Title)
		fmt.Fprintf(&b, "**Finds.** %s\n\n**Why it matters.** %s\n\n", c.Finds, c.Why)
		fmt.Fprintf(&b, "**Severity: %s.** %s\n\n**Sends:** %s.\n", c.Severity, c.Rationale, sends(c))
		for _, f := range c.Fixes.For("") {
			fmt.Fprintf(&b, "\n**Fix, %s.** %s\n", f.For, f.Text)
			if f.Lines != "" {
				fmt.Fprintf(&b, "\n```\n%s\n```\n", strings.TrimRight(f.Lines, "\n"))
			}
		}
		b.WriteString("\n**References**\n\n")
		for _, r := range c.References {
			if r.URL == "" {
				fmt.Fprintf(&b, "- %s\n", r.Title)
				continue
			}
			fmt.Fprintf(&b, "- [%s](%s)\n", r.Title, r.URL)
		}
	}
	return b.String()
}

func sends(c Check) string {
	text := map[Safety]string{
		Safe:      "what any client sends (profile safe and up)",
		Standard:  "unusual messages that change nothing (profile standard and up)",
		Intrusive: "traffic that a server may log as an attack (profile intrusive, or by name)",
	}[c.Safety]
	if c.OptIn {
		return "intrusive; runs only when named with --check"
	}
	return text
}
