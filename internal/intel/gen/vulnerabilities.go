package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"reconshield/internal/exposure"
	"reconshield/internal/intel"
	"reconshield/internal/intel/version"
)

// gathered is the table as it was gathered, dns-server-cves.json.
type gathered struct {
	Meta struct {
		AsOf map[string]string `json:"data_as_of"`
	} `json:"meta"`
	Entries []gatheredRow `json:"entries"`
}

type gatheredRow struct {
	ID         string        `json:"id"`
	Product    string        `json:"product"`
	Ranges     []intel.Range `json:"ranges"`
	FixedIn    []string      `json:"fixed_in"`
	Confidence string        `json:"range_confidence"`
	CVSS       *intel.Score  `json:"cvss"`
	CWE        []string      `json:"cwe"`
	Published  *string       `json:"published"`
	Title      string        `json:"title"`
}

// correction is one entry of corrections.json: what is given replaces what was
// gathered.
type correction struct {
	ID         string           `json:"id"`
	Product    exposure.Product `json:"product"`
	Why        string           `json:"why"`
	Drop       bool             `json:"drop"`
	Disputed   bool             `json:"disputed"`
	Confidence string           `json:"range_confidence"`
	Ranges     []intel.Range    `json:"ranges"`
	FixedIn    []string         `json:"fixed_in"`
	CVSS       *intel.Score     `json:"cvss"`
	Split      []struct {
		Product exposure.Product `json:"product"`
		Ranges  []intel.Range    `json:"ranges"`
	} `json:"split"`
}

type key struct {
	id      string
	product exposure.Product
}

// told is a line of titles.tsv.
type told struct{ needs, title string }

// vulnerabilities makes the table of ranges out of the files below dir.
func vulnerabilities(dir string) (*intel.Data, error) {
	var in gathered
	if err := readJSON(filepath.Join(dir, "dns-server-cves.json"), &in); err != nil {
		return nil, err
	}
	var fixes struct {
		Corrections []correction `json:"corrections"`
	}
	if err := readJSON(filepath.Join(dir, "corrections.json"), &fixes); err != nil {
		return nil, err
	}
	titles, err := readTitles(filepath.Join(dir, "titles.tsv"))
	if err != nil {
		return nil, err
	}
	out := &intel.Data{Date: newest(in.Meta.AsOf)}
	for _, g := range in.Entries {
		out.Rows = append(out.Rows, row(g, titles))
	}
	if out.Rows, err = correct(out.Rows, fixes.Corrections); err != nil {
		return nil, err
	}
	slices.SortFunc(out.Rows, func(a, b intel.Affected) int {
		return cmp.Or(cmp.Compare(a.Product, b.Product), cmp.Compare(a.ID, b.ID))
	})
	return out, errors.Join(problems(out.Rows)...)
}

// newest is the latest full date among the sources' dates.
func newest(dates map[string]string) string {
	var latest string
	for _, d := range dates {
		if _, err := time.Parse(time.DateOnly, d); err == nil {
			latest = max(latest, d)
		}
	}
	return latest
}

func row(g gatheredRow, titles map[string]told) intel.Affected {
	a := intel.Affected{
		ID: g.ID, Product: product(g.Product), Title: g.Title, FixedIn: g.FixedIn,
		Confidence: exposure.Confidence(g.Confidence), CVSS: g.CVSS, CWE: g.CWE,
	}
	if t, ok := titles[g.ID]; ok {
		a.Title, a.Needs = t.title, strings.Trim(t.needs, "-")
	}
	if g.Published != nil {
		a.Published = *g.Published
	}
	// Windows is updated as a whole: its builds do not show in DNS.
	if a.Product != exposure.WindowsDNS {
		a.Ranges = tidy(g.Ranges)
	}
	return a
}

// product maps the gathered names to the product's own.
func product(name string) exposure.Product {
	switch name {
	case "powerdns-auth":
		return exposure.PDNSAuth
	case "powerdns-recursor":
		return exposure.PDNSRec
	}
	return exposure.Product(name)
}

// tidy drops repeated ranges and writes "from the first" in one way.
func tidy(ranges []intel.Range) []intel.Range {
	var out []intel.Range
	for _, r := range ranges {
		if strings.Trim(r.Introduced, "0.") == "" {
			r.Introduced = ""
		}
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

// correct applies the corrections; one that fits no row is an error.
func correct(rows []intel.Affected, fixes []correction) ([]intel.Affected, error) {
	byKey := map[key]correction{}
	for _, c := range fixes {
		if c.Why == "" {
			return nil, fmt.Errorf("the correction of %s does not say why", c.ID)
		}
		byKey[key{c.ID, c.Product}] = c
	}
	var out []intel.Affected
	for _, a := range rows {
		c, ok := byKey[key{a.ID, a.Product}]
		if !ok {
			out = append(out, a)
			continue
		}
		delete(byKey, key{a.ID, a.Product})
		if c.Drop {
			continue
		}
		out = append(out, corrected(a, c)...)
	}
	for k := range byKey {
		return nil, fmt.Errorf("the correction of %s for %s fits no row", k.id, k.product)
	}
	return out, nil
}

func corrected(a intel.Affected, c correction) []intel.Affected {
	if c.Ranges != nil {
		a.Ranges = tidy(c.Ranges)
	}
	if c.FixedIn != nil {
		a.FixedIn = c.FixedIn
	}
	a.Confidence = exposure.Confidence(cmp.Or(c.Confidence, string(a.Confidence)))
	a.Disputed = c.Disputed
	a.CVSS = cmp.Or(c.CVSS, a.CVSS)
	out := []intel.Affected{a}
	for _, s := range c.Split {
		b := a
		b.Product, b.Ranges, b.FixedIn = s.Product, tidy(s.Ranges), nil
		out = append(out, b)
	}
	return out
}

// problems says what of the rows cannot be used, so that nothing is lost
// without a word.
func problems(rows []intel.Affected) []error {
	var found []error
	seen := map[key]bool{}
	for _, a := range rows {
		k := key{a.ID, a.Product}
		if seen[k] {
			found = append(found, fmt.Errorf("%s for %s: twice", a.ID, a.Product))
		}
		seen[k] = true
		if strings.ContainsAny(a.Title, "…<") || a.Title == "" {
			found = append(found, fmt.Errorf("%s for %s: the title %q needs a line in titles.tsv", a.ID, a.Product, a.Title))
		}
		for _, r := range a.Ranges {
			if r.Fixed == "" && r.LastAffected == "" {
				found = append(found, fmt.Errorf("%s for %s: a range without an end", a.ID, a.Product))
			}
			for _, end := range []string{r.Introduced, r.Fixed, r.LastAffected} {
				if end == "" {
					continue
				}
				if _, err := version.Endpoint(a.Product, end); err != nil {
					found = append(found, fmt.Errorf("%s for %s: %w", a.ID, a.Product, err))
				}
			}
		}
		for _, f := range a.FixedIn {
			if _, err := version.Endpoint(a.Product, f); err != nil {
				found = append(found, fmt.Errorf("%s for %s: fixed in: %w", a.ID, a.Product, err))
			}
		}
	}
	return found
}

// readTitles reads titles.tsv: id, needs, title, set apart by tabs.
func readTitles(path string) (map[string]told, error) {
	text, err := os.ReadFile(path) //nolint:gosec // a file of this repository
	if err != nil {
		return nil, err
	}
	out := map[string]told{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 3 || strings.Trim(fields[1], "VRAHTQUKWDNCLO-") != "" {
			return nil, fmt.Errorf("titles.tsv: %q has not the three fields id, needs, title", line)
		}
		if _, again := out[fields[0]]; again {
			return nil, fmt.Errorf("titles.tsv: %s twice", fields[0])
		}
		out[fields[0]] = told{fields[1], fields[2]}
	}
	return out, nil
}

// catalogue reads CISA's catalogue.
func catalogue(dir string) (*intel.Catalogue, error) {
	var in struct {
		Version string `json:"catalogVersion"`
		Count   int    `json:"count"`
		Entries []struct {
			ID         string `json:"cveID"`
			Vendor     string `json:"vendorProject"`
			Product    string `json:"product"`
			Name       string `json:"vulnerabilityName"`
			Added      string `json:"dateAdded"`
			Ransomware string `json:"knownRansomwareCampaignUse"`
		} `json:"vulnerabilities"`
	}
	if err := readJSON(filepath.Join(dir, "known_exploited_vulnerabilities.json"), &in); err != nil {
		return nil, err
	}
	if in.Count != len(in.Entries) {
		return nil, fmt.Errorf("it says %d entries and has %d", in.Count, len(in.Entries))
	}
	out := &intel.Catalogue{Version: in.Version}
	for _, e := range in.Entries {
		out.Entries = append(out.Entries, intel.Exploited{
			ID: e.ID, Added: e.Added, Ransomware: e.Ransomware == "Known", Vendor: e.Vendor, Product: e.Product, Name: e.Name,
		})
	}
	slices.SortFunc(out.Entries, func(a, b intel.Exploited) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}
