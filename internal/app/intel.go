package app

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"reconshield/internal/atlas"
	"reconshield/internal/exposure"
	"reconshield/internal/feeds"
	"reconshield/internal/intel"
	"reconshield/internal/intel/epss"
)

// IntelDir is where updated feeds are kept when nothing else is said: in
// $XDG_DATA_HOME, or where the system has the data of a user's programs.
func IntelDir() (string, error) {
	own := filepath.Join("reconshield", "intel")
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, own), nil
	}
	if dir := os.Getenv("LocalAppData"); runtime.GOOS == "windows" && filepath.IsAbs(dir) {
		return filepath.Join(dir, own), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("this user has no home directory to keep feeds in: name one with --dir")
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", own), nil
	}
	return filepath.Join(home, ".local", "share", own), nil
}

// Intel is the embedded data with the updated feeds over them. Each part is read
// when it is first asked for. It is safe for concurrent use.
type Intel struct {
	store   *feeds.Store
	table   func() *intel.Table
	threats func() *intel.Threats
	ports   func() *atlas.Atlas

	mu       sync.Mutex
	warnings []string
}

// OpenIntel opens the feeds that are kept in dir, IntelDir when empty. It does
// not fail: what is damaged is in Warnings, and the embedded data are used.
func OpenIntel(dir string) *Intel {
	in := &Intel{}
	var err error
	if dir == "" {
		if dir, err = IntelDir(); err != nil {
			dir = "" // an empty store
		}
	}
	in.store, err = feeds.Open(dir)
	in.warn(err)
	in.table = sync.OnceValue(in.readTable)
	in.threats = sync.OnceValue(in.readThreats)
	in.ports = sync.OnceValue(in.readPorts)
	return in
}

// Table is the table of vulnerabilities.
func (in *Intel) Table() *intel.Table { return in.table() }

// Threats is the table of malicious software, with ATT&CK's newest names.
func (in *Intel) Threats() *intel.Threats { return in.threats() }

// Atlas is the reference of ports, with the newest registry.
func (in *Intel) Atlas() *atlas.Atlas { return in.ports() }

// Reference is what is known of ports, by all of the data.
func (in *Intel) Reference() *Reference {
	return &Reference{Atlas: in.Atlas(), Knowledge: atlas.Knowledge{Threats: in.Threats(), Vulnerabilities: in.Table()}}
}

// Warnings says what of the stored feeds could not be used, a line each, as far
// as they were asked for.
func (in *Intel) Warnings() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.warnings)
}

func (in *Intel) warn(err error) {
	if err == nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.warnings = append(in.warnings, err.Error())
}

func (in *Intel) readTable() *intel.Table {
	base := intel.DefaultTable()
	data, err := in.store.Vulnerabilities()
	in.warn(err)
	stored, date, err := in.store.Catalogue()
	in.warn(err)
	scores, err := in.store.Scores()
	in.warn(err)
	if data == nil && stored == nil && scores == nil {
		return base
	}
	if data != nil {
		data = newer(base.Data(), data)
	}
	if stored != nil {
		stored = united(base.Catalogue(), stored, date)
	}
	return base.With(data, stored, probabilities(base, data, stored, scores))
}

// newer prepares rows to be put over those of base. Where base is newer, only
// those that it lacks are taken. Editions of BIND of which a row does not speak
// keep the ranges that are known for them.
func newer(base, data *intel.Data) *intel.Data {
	type place struct {
		id      string
		product exposure.Product
	}
	known := map[place]*intel.Affected{}
	for i := range base.Rows {
		known[place{base.Rows[i].ID, base.Rows[i].Product}] = &base.Rows[i]
	}
	outdated := data.Date < base.Date
	out := &intel.Data{Date: data.Date}
	for _, row := range data.Rows {
		old := known[place{row.ID, row.Product}]
		if old != nil && outdated {
			continue
		}
		if old != nil && row.Product == exposure.BIND && len(row.Ranges) > 0 {
			row.Ranges = withEditions(row.Ranges, old.Ranges)
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// withEditions adds the old ranges of the editions that the new ones lack.
func withEditions(ranges, old []intel.Range) []intel.Range {
	out := slices.Clone(ranges)
	for _, mark := range []string{"-S", "-ESV"} {
		of := func(r intel.Range) bool { return strings.Contains(r.Introduced+" "+r.Fixed+" "+r.LastAffected, mark) }
		if slices.ContainsFunc(ranges, of) {
			continue
		}
		for _, r := range old {
			if of(r) {
				out = append(out, r)
			}
		}
	}
	return out
}

// united is a catalogue with the entries of both: CISA adds and hardly ever
// takes away, and a missing warning is worse than an old one.
func united(base, stored *intel.Catalogue, date string) *intel.Catalogue {
	out := &intel.Catalogue{Version: base.Version, Entries: slices.Clone(stored.Entries)}
	if date >= strings.ReplaceAll(base.Version, ".", "-") {
		out.Version = stored.Version
	}
	seen := map[string]bool{}
	for _, e := range stored.Entries {
		seen[e.ID] = true
	}
	for _, e := range base.Entries {
		if !seen[e.ID] {
			out.Entries = append(out.Entries, e)
		}
	}
	return out
}

// probabilities picks the scores of the CVEs that are known; nil when there are
// no scores.
func probabilities(base *intel.Table, data *intel.Data, stored *intel.Catalogue, scores *epss.Scores) *intel.Probabilities {
	if scores == nil {
		return nil
	}
	out := &intel.Probabilities{Date: scores.Date(), Scores: map[string]float64{}}
	take := func(id string) {
		if p, ok := scores.Of(id); ok {
			out.Scores[id] = p
		}
	}
	for _, d := range []*intel.Data{base.Data(), data} {
		if d != nil {
			for i := range d.Rows {
				take(d.Rows[i].ID)
			}
		}
	}
	for _, c := range []*intel.Catalogue{base.Catalogue(), stored} {
		if c != nil {
			for i := range c.Entries {
				take(c.Entries[i].ID)
			}
		}
	}
	return out
}

func (in *Intel) readThreats() *intel.Threats {
	base := intel.DefaultThreats()
	names, err := in.store.Names()
	in.warn(err)
	if names == nil {
		return base
	}
	data := *base.Data()
	data.Techniques, data.Names = maps.Clone(data.Techniques), maps.Clone(data.Names)
	maps.Copy(data.Techniques, names.Techniques)
	for _, more := range []map[string]string{names.Software, names.Groups, names.Campaigns} {
		maps.Copy(data.Names, more)
	}
	data.Ports = slices.Clone(data.Ports)
	for i := range data.Ports {
		data.Ports[i].Malware = slices.Clone(data.Ports[i].Malware)
		for j := range data.Ports[i].Malware {
			if name, ok := data.Names[data.Ports[i].Malware[j].ID]; ok {
				data.Ports[i].Malware[j].Name = name
			}
		}
	}
	return intel.NewThreats(data)
}

func (in *Intel) readPorts() *atlas.Atlas {
	base := atlas.Default()
	rows, date, err := in.store.Registry()
	in.warn(err)
	if rows == nil || date < base.Edition() {
		return base
	}
	newer, err := atlas.New(rows, date)
	if err != nil {
		in.warn(err)
		return base
	}
	return newer
}
