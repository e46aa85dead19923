// Package kev reads CISA's catalogue of known exploited vulnerabilities in the
// form in which CISA publishes it, known_exploited_vulnerabilities.json. It
// fetches nothing.
package kev

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"reconshield/internal/intel"
	"reconshield/internal/intel/feed"
)

// MaxBytes is the longest catalogue that is read. That of 2026 has 1.6 MB and
// 1,653 entries.
const MaxBytes = 32 << 20

const (
	maxEntries = 50_000
	maxEntry   = 64 << 10
	maxName    = 300
)

// Catalogue is what was read.
type Catalogue struct {
	Version  string // "2026.07.23"
	Released string // YYYY-MM-DD
	Entries  []intel.Exploited
}

// record is an entry as CISA writes it. What is not used is not read.
type record struct {
	ID         string `json:"cveID"`
	Vendor     string `json:"vendorProject"`
	Product    string `json:"product"`
	Name       string `json:"vulnerabilityName"`
	Added      string `json:"dateAdded"`
	Ransomware string `json:"knownRansomwareCampaignUse"`
}

// Parse reads a catalogue. On an error nothing that was read can be relied on.
func Parse(r io.Reader) (Catalogue, error) {
	var (
		c     Catalogue
		count = -1
		seen  = map[string]bool{}
	)
	header := func(key string, value json.RawMessage) error {
		switch key {
		case "catalogVersion":
			return text(value, &c.Version)
		case "dateReleased":
			return text(value, &c.Released)
		case "count":
			return json.Unmarshal(value, &count)
		}
		return nil
	}
	member := func(_ string, value json.RawMessage) error {
		e, err := entry(value)
		if err == nil && !seen[e.ID] {
			seen[e.ID] = true
			c.Entries = append(c.Entries, e)
		}
		return err
	}
	limits := feed.Limits{Bytes: MaxBytes, Members: maxEntries, Member: maxEntry}
	if err := feed.Document(r, "vulnerabilities", limits, header, member); err != nil {
		return Catalogue{}, fmt.Errorf("KEV catalogue: %w", err)
	}
	if len(c.Entries) == 0 {
		return Catalogue{}, errors.New("KEV catalogue: it has no entries")
	}
	if count >= 0 && count != len(c.Entries) {
		return Catalogue{}, fmt.Errorf("KEV catalogue: it says that it has %d entries and has %d", count, len(c.Entries))
	}
	if c.Released = feed.Date(c.Released); c.Released == "" {
		if c.Released = feed.Date(c.Version); c.Released == "" {
			return Catalogue{}, errors.New("KEV catalogue: it has no date: dateReleased is missing")
		}
	}
	return c, nil
}

func entry(value json.RawMessage) (intel.Exploited, error) {
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return intel.Exploited{}, err
	}
	if _, _, ok := feed.CVE(r.ID); !ok {
		return intel.Exploited{}, fmt.Errorf("%.30q is no CVE identifier", r.ID)
	}
	e := intel.Exploited{
		ID: r.ID, Added: feed.Date(r.Added), Ransomware: strings.EqualFold(r.Ransomware, "known"),
		Vendor: feed.Line(r.Vendor, maxName), Product: feed.Line(r.Product, maxName), Name: feed.Line(r.Name, maxName),
	}
	if e.Added == "" {
		return e, fmt.Errorf("%s: dateAdded %.20q is no date", e.ID, r.Added)
	}
	return e, nil
}

func text(value json.RawMessage, into *string) error {
	const most = 40
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	*into = feed.Line(s, most)
	return nil
}
