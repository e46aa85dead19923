package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"reconshield/internal/intel"
)

// What of the lists of indicators is kept: fewer hosts are noise, and more
// families than these on one port tell a reader nothing.
const (
	fewestHosts     = 10
	mostObserved    = 25
	mostRules       = 12
	maltrailDate    = "2026-08-23"
	attackDate      = "2025-11-13"
	emergingDate    = "2020"
	carbonblackDate = "2022-11-28"
)

// threats reads the malware tables below dir.
func threats(dir string) (*intel.ThreatData, error) {
	out := &intel.ThreatData{Edition: maltrailDate, Names: map[string]string{}, Techniques: map[string]string{}}
	rows := map[uint16][]intel.Malware{}
	err := errors.Join(
		techniqueNames(dir, out),
		softwareNames(dir, out),
		attackRows(dir, out, rows),
		observed(dir, out, rows),
		servers(dir, out, rows))
	if err != nil {
		return nil, err
	}
	for port, list := range rows {
		slices.SortFunc(list, compareMalware)
		out.Ports = append(out.Ports, intel.PortThreats{First: port, Last: port, Malware: list})
	}
	slices.SortFunc(out.Ports, func(a, b intel.PortThreats) int {
		return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last))
	})
	return out, nil
}

// compareMalware puts what is documented before what was seen.
func compareMalware(a, b intel.Malware) int {
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Count, a.Count),
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.Technique, b.Technique), cmp.Compare(a.Citation, b.Citation))
}

func rank(m intel.Malware) int {
	return slices.Index([]string{sourceAttack, sourceCarbonblack, sourceMaltrail, sourceEmerging}, m.Source)
}

// Names of the sources, as reports show them.
const (
	sourceAttack      = "MITRE ATT&CK v18.1"
	sourceMaltrail    = "maltrail"
	sourceEmerging    = "Emerging Threats Open"
	sourceCarbonblack = "Carbon Black active C2"
)

// attackRow is a reviewed statement of ATT&CK that names a port.
type attackRow struct {
	ID        string   `json:"software_id"`
	Name      string   `json:"name"`
	Type      string   `json:"type"`
	URL       string   `json:"url"`
	Technique string   `json:"technique_id"`
	Title     string   `json:"technique"`
	Port      *uint16  `json:"port"`
	From      uint16   `json:"port_from"`
	To        uint16   `json:"port_to"`
	Transport string   `json:"transport"`
	Role      string   `json:"role"`
	Citations []string `json:"citations"`
}

func attackRows(dir string, out *intel.ThreatData, rows map[uint16][]intel.Malware) error {
	var file struct{ Rows []attackRow }
	if err := readJSON(filepath.Join(dir, "attack-software-ports.json"), &file); err != nil {
		return err
	}
	for _, r := range file.Rows {
		out.Techniques[r.Technique] = r.Title
		if _, known := out.Names[r.ID]; !known && r.Type != "campaign" {
			out.Names[r.ID] = r.Name
		}
		if r.Role == "mention" {
			continue
		}
		m := intel.Malware{
			Name: r.Name, ID: r.ID, Role: r.Role, Transport: r.Transport, Technique: r.Technique,
			Source: sourceAttack, AsOf: attackDate, Citation: strings.Join(append([]string{r.URL}, r.Citations...), "; "),
		}
		if r.Port == nil {
			out.Ports = append(out.Ports, intel.PortThreats{First: r.From, Last: r.To, Malware: []intel.Malware{m}})
			continue
		}
		if !slices.ContainsFunc(rows[*r.Port], func(o intel.Malware) bool {
			return o.ID == m.ID && o.Role == m.Role && o.Technique == m.Technique
		}) {
			rows[*r.Port] = append(rows[*r.Port], m)
		}
	}
	return nil
}

// sighting is a family or a rule on a port, in the merged list.
type sighting struct {
	Family    string `json:"family"`
	Hosts     int    `json:"hosts"`
	Source    string `json:"source"`
	Rule      int    `json:"rule"`
	Message   string `json:"msg"`
	Transport string `json:"transport"`
}

// observed takes the families that were seen on a port and the detection rules
// written for it.
func observed(dir string, out *intel.ThreatData, rows map[uint16][]intel.Malware) error {
	var file struct {
		Ports map[uint16][]sighting `json:"ports"`
	}
	if err := readJSON(filepath.Join(dir, "by-port.json"), &file); err != nil {
		return err
	}
	for port, list := range file.Ports {
		var seen, rules int
		slices.SortStableFunc(list, func(a, b sighting) int {
			return cmp.Or(cmp.Compare(b.Hosts, a.Hosts), cmp.Compare(a.Family, b.Family), cmp.Compare(a.Rule, b.Rule))
		})
		for _, r := range list {
			switch {
			case r.Source == "maltrail" && r.Hosts >= fewestHosts && seen < mostObserved && !vague(r.Family):
				seen++
				name, id := named(out, r.Family)
				rows[port] = append(rows[port], intel.Malware{
					Name: name, ID: id, Role: roleOf(r.Family), Count: r.Hosts,
					Source: sourceMaltrail, AsOf: maltrailDate,
					Citation: "https://github.com/stamparm/maltrail, trail " + r.Family,
				})
			case r.Source == "et-open" && rules < mostRules:
				rules++
				rows[port] = append(rows[port], intel.Malware{
					Name: r.Family, Role: "rule", Transport: r.Transport, Source: sourceEmerging, AsOf: emergingDate,
					Citation: fmt.Sprintf("sid %d: %s", r.Rule, r.Message),
				})
			}
		}
	}
	return nil
}

// vague tells labels that name no family.
func vague(family string) bool {
	for _, s := range []string{"generic", "pua", "unclassified", "sinkhole", "bad_", "fakeapp", "c2_panel"} {
		if strings.Contains(family, s) {
			return true
		}
	}
	return false
}

// roleOf says what the indicators of a family are.
func roleOf(family string) string {
	if family == "rogue_dns" || family == "ghostdns" || family == "extenbro" {
		return "rogue-resolver"
	}
	return "observed"
}

// named gives a family's name and id as ATT&CK has them, when the list's label
// is that very name; else the label and no id: the ids that lists of aliases
// lead to are often another family's.
func named(out *intel.ThreatData, label string) (name, id string) {
	what := ""
	for prefix, kind := range map[string]string{
		"apt_": "group", "elf_": "Linux", "android_": "Android", "osx_": "macOS", "ek_": "exploit kit",
	} {
		if rest, ok := strings.CutPrefix(label, prefix); ok {
			label, what = rest, " ("+kind+")"
		}
	}
	for _, id := range slices.Sorted(maps.Keys(out.Names)) {
		if plain(out.Names[id]) == plain(label) {
			return out.Names[id], id
		}
	}
	return strings.ReplaceAll(label, "_", " ") + what, ""
}

// plain is a name without what spellings differ in.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// servers takes the counts of command-and-control servers that were found by
// asking them.
func servers(dir string, out *intel.ThreatData, rows map[uint16][]intel.Malware) error {
	var file struct {
		Families map[string][]struct {
			Port     uint16 `json:"port"`
			Protocol string `json:"protocol"`
			Servers  int    `json:"servers"`
		} `json:"families"`
	}
	if err := readJSON(filepath.Join(dir, "carbonblack-c2-ports.json"), &file); err != nil {
		return err
	}
	type key struct {
		port   uint16
		family string
	}
	sums, protocols := map[key]int{}, map[key][]string{}
	for family, list := range file.Families {
		for _, r := range list {
			k := key{r.Port, family}
			sums[k] += r.Servers
			if r.Protocol != "" && !slices.Contains(protocols[k], r.Protocol) {
				protocols[k] = append(protocols[k], r.Protocol)
			}
		}
	}
	for k, n := range sums {
		citation := "https://github.com/carbonblack/active_c2_ioc_public"
		if p := protocols[k]; len(p) > 0 {
			slices.Sort(p)
			citation += ", over " + strings.Join(p, ", ")
		}
		name, id := named(out, k.family)
		rows[k.port] = append(rows[k.port], intel.Malware{
			Name: name, ID: id, Role: "c2-server", Count: n, Source: sourceCarbonblack, AsOf: carbonblackDate, Citation: citation,
		})
	}
	return nil
}

// softwareNames reads the names of the software and groups that ATT&CK knows to
// use DNS, proxies or unusual ports.
func softwareNames(dir string, out *intel.ThreatData) error {
	var named []struct{ ID, Name, Type string }
	if err := readJSON(filepath.Join(dir, "attack-c2-technique-users.json"), &named); err != nil {
		return err
	}
	for _, r := range named {
		if r.Type != "campaign" {
			out.Names[r.ID] = r.Name
		}
	}
	return nil
}

// techniqueNames reads the names of the techniques that notes refer to.
func techniqueNames(dir string, out *intel.ThreatData) error {
	return readJSON(filepath.Join(dir, "techniques.json"), &out.Techniques)
}
