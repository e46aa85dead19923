package portpage

import (
	"fmt"
	"strings"

	"reconshield/internal/atlas"
)

// Heading is the heading of a section by its key.
func Heading(section string) string {
	switch section {
	case "understanding":
		return "Understanding the port"
	case "security":
		return "What its exposure means"
	case "defence":
		return "How to defend it"
	case "why_scan":
		return "Why and how to scan it"
	case "threat_intelligence":
		return "Threat intelligence"
	case "vulnerabilities":
		return "Vulnerabilities"
	}
	return section
}

// Markdown is the whole page, with one heading of the first level.
func Markdown(e *atlas.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", e.Title, Summary(e))
	for name, text := range e.Sections.All() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", Heading(name), text)
	}
	b.WriteString("\n## Questions\n")
	for _, q := range e.FAQ {
		fmt.Fprintf(&b, "\n**%s**\n\n%s\n", q.Question, q.Answer)
	}
	if len(e.Related) > 0 {
		b.WriteString("\n## Related ports\n\n")
		for _, r := range e.Related {
			fmt.Fprintf(&b, "- **%d/%s** %s: %s\n", r.Port, r.Transport, r.Name, r.Relation)
		}
	}
	if len(e.Adjacent) > 0 {
		b.WriteString("\n## Neighbours\n\n")
		for _, n := range e.Adjacent {
			fmt.Fprintf(&b, "- **%d** %s: %s\n", n.Port, n.Name, n.Relation)
		}
	}
	b.WriteString("\n## Sources\n\n")
	for _, s := range e.Sources {
		if s.URL == "" {
			fmt.Fprintf(&b, "- %s\n", s.Title)
		} else {
			fmt.Fprintf(&b, "- [%s](%s)\n", s.Title, s.URL)
		}
	}
	return b.String()
}

// Summary is one line of facts.
func Summary(e *atlas.Entry) string {
	facts := []string{strings.Join(upper(e.Transports()), " and "), string(e.Class) + " port"}
	if n := e.Note; n != nil {
		facts = append(facts, string(n.Kind), ReachText(n.Reach))
	}
	if len(e.Malware) > 0 {
		facts = append(facts, threats(len(e.Malware)))
	}
	return strings.Join(facts, " · ")
}

// threats counts what is on record.
func threats(n int) string {
	if n == 1 {
		return "1 threat record"
	}
	return fmt.Sprintf("%d threat records", n)
}

func upper(transports []string) []string {
	out := make([]string, len(transports))
	for i, t := range transports {
		out[i] = strings.ToUpper(t)
	}
	return out
}

// ReachText says from where a port ought to be reachable, in words.
func ReachText(r atlas.Reach) string {
	switch r {
	case atlas.ReachInternet:
		return "public only where it is served on purpose"
	case atlas.ReachVPN:
		return "through a VPN only"
	case atlas.ReachLAN:
		return "inside one network only"
	case atlas.ReachHost:
		return "loopback only"
	case atlas.ReachNobody:
		return "ought not to run"
	}
	return string(r)
}
