package atlassite

import (
	"embed"
	"strings"

	"reconshield/internal/atlas"
	"reconshield/internal/intel"
)

//go:embed licences/*.txt
var licenceTexts embed.FS

// origin is a source of the site's content and the terms that it comes with.
type origin struct {
	Name, What, URL, AsOf, Licence, Notice string
	Text                                   string // the licence, where it must be kept with every copy
}

// origins lists the sources with their editions; those that k lacks are left out.
func origins(a *atlas.Atlas, k atlas.Knowledge) []origin {
	out := []origin{
		{
			Name: "ReconShield", What: "The texts of the ports that are marked as written by hand, and all derived text.",
			Licence: "Apache License 2.0", Notice: "Copyright the ReconShield authors", URL: "https://www.apache.org/licenses/LICENSE-2.0",
		},
		{
			Name: "IANA Service Name and Transport Protocol Port Number Registry", What: "Registered names, descriptions, references and dates.",
			URL: "https://www.iana.org/assignments/service-names-port-numbers/", AsOf: a.Edition(), Licence: "CC0 1.0",
			Notice: "Shortened: without assignees and contacts.",
		},
	}
	if k.Threats != nil {
		out = append(out, threatOrigins(k.Threats)...)
	}
	if k.Vulnerabilities != nil {
		out = append(out,
			origin{
				Name: "CVE Program", What: "Identifiers and descriptions of vulnerabilities of DNS servers; affected versions and fixes after the makers' own advisories and release notes.",
				URL: "https://www.cve.org/", AsOf: k.Vulnerabilities.Date(), Licence: "CVE terms of use",
				Notice: "Copyright © 1999-2026, The MITRE Corporation. CVE is a registered trademark of The MITRE Corporation.", Text: licence("cve"),
			},
			origin{
				Name: "CISA Known Exploited Vulnerabilities Catalog", What: "Which vulnerabilities are marked as exploited.",
				URL: "https://www.cisa.gov/known-exploited-vulnerabilities-catalog", AsOf: k.Vulnerabilities.CatalogueVersion(), Licence: "CC0 1.0",
				Notice: "CISA does not endorse this site.",
			})
		if day := k.Vulnerabilities.EPSSDate(); day != "" {
			out = append(out, origin{
				Name: "EPSS", What: "Probabilities of exploitation.", URL: "https://www.first.org/epss/", AsOf: day,
				Licence: "free to use with attribution", Notice: "Scores by FIRST, https://www.first.org/epss.",
			})
		}
	}
	return out
}

// threatOrigins are the sources of the table of malicious software.
func threatOrigins(t *intel.Threats) []origin {
	return []origin{
		{
			Name: "MITRE ATT&CK", What: "Techniques, and software and groups that are documented to use a port.",
			URL: "https://attack.mitre.org/", AsOf: newest(t, "MITRE ATT&CK"), Licence: "ATT&CK terms of use",
			Notice: "© 2025 The MITRE Corporation. This work is reproduced and distributed with the permission of The MITRE Corporation.", Text: licence("attack"),
		},
		{
			Name: "maltrail", What: "How many hosts of a family of malicious software were observed on a port; counts only, no addresses.",
			URL: "https://github.com/stamparm/maltrail", AsOf: newest(t, "maltrail"), Licence: "MIT", Text: licence("maltrail"),
		},
		{
			Name: "Carbon Black active C2", What: "How many command-and-control servers were found on a port; counts only, no addresses.",
			URL: "https://github.com/carbonblack/active_c2_ioc_public", AsOf: newest(t, "Carbon Black"), Licence: "MIT", Text: licence("carbonblack"),
		},
		{
			Name: "Emerging Threats Open", What: "Ports, numbers and titles of detection rules.",
			URL: "https://rules.emergingthreats.net/", AsOf: newest(t, "Emerging Threats"), Licence: "BSD-3-Clause", Text: licence("et-open"),
		},
	}
}

// newest is the date of what a source gave last.
func newest(t *intel.Threats, source string) string {
	date := ""
	for _, p := range t.Data().Ports {
		for _, m := range p.Malware {
			if strings.HasPrefix(m.Source, source) {
				date = max(date, m.AsOf)
			}
		}
	}
	return date
}

// licence reads an embedded text; a test sees that it is there.
func licence(name string) string {
	text, err := licenceTexts.ReadFile("licences/" + name + ".txt")
	if err != nil {
		return ""
	}
	return string(text)
}
