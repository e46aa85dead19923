package atlas

import (
	"fmt"
	"slices"
	"strings"

	"reconshield/internal/intel"
)

// sections gives the whole text: what was written, or what derives from the
// data, and below it what the data add.
func (e *Entry) sections() Sections {
	var text Sections
	if e.Note != nil {
		text = e.Note.Sections
	} else {
		text = e.derived()
	}
	return Sections{
		Understanding:      paragraphs(text.Understanding, e.registered(), e.classText(), e.uses(), e.seen()),
		Security:           paragraphs(text.Security, e.traits()),
		Defence:            paragraphs(text.Defence, e.ruleText()),
		WhyScan:            paragraphs(text.WhyScan, e.commandText()),
		ThreatIntelligence: paragraphs(text.ThreatIntelligence, e.malwareText(), e.techniqueText()),
		Vulnerabilities:    paragraphs(text.Vulnerabilities, e.cveText()),
	}
}

// paragraphs joins what is not empty.
func paragraphs(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "\n\n")
}

// registered says what the registry says, row by row.
func (e *Entry) registered() string {
	var b strings.Builder
	for _, r := range e.Registrations {
		if b.Len() == 0 {
			b.WriteString("In IANA's registry:\n\n")
		}
		fmt.Fprintf(&b, "- %s\n", rowText(r))
	}
	if b.Len() == 0 {
		over := ""
		if e.Transport != "" {
			over = " over " + strings.ToUpper(e.Transport)
		}
		return "IANA's registry has no row for this port" + over + "."
	}
	return b.String()
}

func rowText(r Registration) string {
	var b strings.Builder
	if r.Transport != "" {
		b.WriteString(strings.ToUpper(r.Transport) + ": ")
	}
	switch {
	case r.Name != "":
		fmt.Fprintf(&b, "`%s`", r.Name)
		if r.Description != "" && !strings.EqualFold(r.Description, r.Name) {
			b.WriteString(", " + escape(r.Description))
		}
	case r.Description != "":
		b.WriteString(escape(r.Description))
	default:
		b.WriteString("a row without a name")
	}
	if r.First != r.Last {
		fmt.Fprintf(&b, " (ports %d to %d)", r.First, r.Last)
	}
	if r.Reference != "" {
		b.WriteString("; " + escape(r.Reference))
	}
	if r.Registered != "" {
		b.WriteString("; registered " + r.Registered)
	}
	if r.Modified != "" {
		b.WriteString("; last changed " + r.Modified)
	}
	if r.Unauthorized != "" {
		b.WriteString("; unauthorised use reported: " + escape(r.Unauthorized))
	}
	if r.Notes != "" {
		b.WriteString("; note: " + escape(r.Notes))
	}
	return b.String()
}

// escape keeps the registry's text from being taken for Markdown or HTML, and
// in one line.
func escape(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer("<", "&lt;", ">", "&gt;", "*", "\\*", "_", "\\_", "`", "'", "[", "\\[", "]", "\\]", "|", "\\|").Replace(s)
}

func (e *Entry) classText() string {
	switch e.Class {
	case System:
		if e.Port == 0 {
			return "0 counts among the system ports (0 to 1023), and is the one of them that is never assigned."
		}
		return fmt.Sprintf("%d is a system port (0 to 1023): IANA assigns it after review, and on most systems a program needs privileges to listen there.", e.Port)
	case User:
		return fmt.Sprintf("%d is a user port (1024 to 49151): IANA registers it on request, and any program may listen there.", e.Port)
	case Dynamic:
	}
	return fmt.Sprintf("%d is a dynamic port (49152 to 65535): it belongs to no service, and systems hand it out for a while to whoever asks.", e.Port)
}

func (e *Entry) uses() string {
	if e.Note == nil || len(e.Note.Uses) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("Also met here, registered or not:\n\n")
	for _, u := range e.Note.Uses {
		fmt.Fprintf(&b, "- **%s** (%s): %s\n", u.Name, strings.ToUpper(u.Transport), u.About)
	}
	return b.String()
}

func (e *Entry) seen() string {
	if e.Note == nil || len(e.Note.Seen) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("How often it is seen, as published:\n\n")
	for _, f := range e.Note.Seen {
		fmt.Fprintf(&b, "- %s: %s (%s, [%s](%s))\n", f.What, f.Value, f.AsOf, f.Source, f.URL)
	}
	return b.String()
}

func (e *Entry) traits() string {
	if e.Note == nil {
		return ""
	}
	t := e.Note.Traits
	var b strings.Builder
	b.WriteString("In short:\n\n")
	for _, line := range [][2]string{
		{"Authentication", t.Authentication},
		{"Encryption", t.Encryption},
		{"Default credentials", t.Credentials},
		{"Unpatched services", t.Patching},
		{"Typical abuse", t.Abuse},
	} {
		fmt.Fprintf(&b, "- **%s**: %s\n", line[0], line[1])
	}
	if a := e.Note.Amplification; a != nil {
		fmt.Fprintf(&b, "- **Amplification**: an answer %s times the size of the request ([%s](%s))\n", a.Factor, a.Source, a.URL)
	}
	return b.String()
}

func (e *Entry) ruleText() string {
	var b strings.Builder
	b.WriteString("Rules for a Linux host. They drop what comes from the Internet and leave your own networks alone; edit those first. They guard the host itself: ports of containers that are published by forwarding need the same in the forward chain.\n")
	for _, r := range e.Rules {
		fmt.Fprintf(&b, "\n%s: %s\n\n```\n%s```\n", r.Dialect, r.For, r.Text)
	}
	return b.String()
}

func (e *Entry) commandText() string {
	var b strings.Builder
	b.WriteString("From outside, with an address of your own in place of " + example + ":\n\n```\n")
	for _, c := range e.Commands {
		fmt.Fprintf(&b, "# %s\n%s\n", c.For, c.Line)
	}
	b.WriteString("```")
	return b.String()
}

// mostMalware bounds the list in the text; the data have all.
const mostMalware = 20

func (e *Entry) malwareText() string {
	if len(e.Malware) == 0 {
		return "None of the sources that ship with this release names malicious software for this port. That is no proof of innocence."
	}
	var b strings.Builder
	b.WriteString("On record for this port (a report says that a family *uses* it, a list of indicators only that it was *observed* here):\n\n")
	for _, m := range e.Malware[:min(len(e.Malware), mostMalware)] {
		fmt.Fprintf(&b, "- %s\n", malwareLine(m))
	}
	if more := len(e.Malware) - mostMalware; more > 0 {
		fmt.Fprintf(&b, "- and %d more on record\n", more)
	}
	return b.String()
}

func malwareLine(m intel.Malware) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**", escape(m.Name))
	if m.ID != "" {
		b.WriteString(" (" + m.ID + ")")
	}
	b.WriteString(": " + roleText(m))
	if m.Transport != "" {
		b.WriteString(" over " + strings.ToUpper(m.Transport))
	}
	if m.Technique != "" {
		b.WriteString(", " + m.Technique)
	}
	fmt.Fprintf(&b, "; %s, %s", m.Source, m.AsOf)
	if m.Role == "rule" {
		b.WriteString(", " + escape(m.Citation))
	}
	return b.String()
}

// roleText says what a source claims, no more.
func roleText(m intel.Malware) string {
	switch m.Role {
	case "c2":
		return "uses the port for command and control"
	case "c2-proxy":
		return "relays command and control through it"
	case "c2-server":
		return counted(m.Count, "command-and-control server") + " found here"
	case "knock-trigger":
		return "wakes on packets to it"
	case "scan-target":
		return "scans for it"
	case "firewall-change":
		return "changes the firewall for it"
	case "exfiltration":
		return "carries data out through it"
	case "lateral-movement":
		return "spreads through it"
	case "remote-shell":
		return "opens a shell on it"
	case "bruteforce-target":
		return "guesses passwords on it"
	case "dos-target":
		return "attacks it"
	case "observed":
		return "observed here at " + counted(m.Count, "host")
	case "rogue-resolver":
		return counted(m.Count, "rogue resolver") + " observed here"
	case "rule":
		return "a detection rule names it"
	}
	return m.Role
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func (e *Entry) techniqueText() string {
	var b strings.Builder
	b.WriteString("Techniques of MITRE ATT&CK that apply:\n\n")
	for _, t := range e.Techniques {
		name := t.Name
		if name != "" {
			name = " " + name
		}
		fmt.Fprintf(&b, "- [%s](%s)%s: %s\n", t.ID, intel.TechniqueURL(t.ID), name, t.Why)
	}
	return b.String()
}

func (e *Entry) cveText() string {
	if len(e.CVEs) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("Vulnerabilities of software that listens here:\n\n")
	for _, v := range e.CVEs {
		fmt.Fprintf(&b, "- %s\n", cveLine(v))
	}
	if slices.ContainsFunc(e.CVEs, func(v intel.Vulnerability) bool { return v.KEV }) {
		b.WriteString("\n*exploited* means listed in CISA's catalogue of known exploited vulnerabilities (KEV).\n")
	}
	return b.String()
}

func cveLine(v intel.Vulnerability) string {
	var marks []string
	if v.Product != "" {
		marks = append(marks, v.Product)
	}
	if v.CVSS > 0 {
		marks = append(marks, fmt.Sprintf("CVSS %.1f", v.CVSS))
	}
	if v.EPSS > 0 {
		marks = append(marks, fmt.Sprintf("EPSS %.1f %%", 100*v.EPSS))
	}
	if v.KEV {
		marks = append(marks, "*exploited*")
	}
	line := "**" + v.ID + "**"
	if len(marks) > 0 {
		line += " (" + strings.Join(marks, ", ") + ")"
	}
	return line + ": " + v.Title
}
