package feeds

import (
	"errors"
	"fmt"
	"io/fs"

	"reconshield/internal/atlas"
	"reconshield/internal/intel"
	"reconshield/internal/intel/epss"
	"reconshield/internal/intel/stix"
)

// Stored tells of a feed that is stored.
type Stored struct {
	Source  string
	Date    string // of the data, YYYY-MM-DD; may be empty
	Records int
	Origin  string // an address or the name of a file
	Fetched string // when it changed last, RFC 3339
	Checked string // when it was looked at last, RFC 3339
}

// Store reads what updates have stored. Each feed is read when it is asked for.
// Its methods may be called from several goroutines. A feed that was never
// stored is nil without an error; that of a file which was damaged is nil, too,
// with an error that says so in one line.
type Store struct {
	dir      string
	manifest manifest
}

// Open reads the manifest of a directory. One in which nothing was ever stored
// is an empty Store.
func Open(dir string) (*Store, error) {
	m, err := readManifest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return &Store{dir: dir}, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return &Store{dir: dir}, fmt.Errorf("the stored feeds in %s cannot be read and are not used: %w", dir, fs.ErrPermission)
	}
	if err != nil {
		return &Store{dir: dir}, fmt.Errorf("the stored feeds in %s are damaged and not used: %w", dir, err)
	}
	return &Store{dir: dir, manifest: m}, nil
}

// Stored lists the feeds, in the order of Sources.
func (s *Store) Stored() []Stored {
	var out []Stored
	for _, source := range Sources() {
		if e, ok := s.manifest.Sources[source.Name]; ok {
			out = append(out, Stored{source.Name, e.Date, e.Records, e.Origin, e.Fetched, e.Checked})
		}
	}
	return out
}

// Catalogue is CISA's, with its date.
func (s *Store) Catalogue() (c *intel.Catalogue, date string, err error) {
	stored, err := load(s, KEV, decode[catalogue])
	if stored == nil {
		return nil, "", err
	}
	return &stored.Catalogue, stored.Date, nil
}

// Scores are those of EPSS.
func (s *Store) Scores() (*epss.Scores, error) {
	scores, err := load(s, EPSS, epss.Decode)
	if scores == nil {
		return nil, err
	}
	return *scores, nil
}

// Vulnerabilities are those of DNS servers as the NVD has them.
func (s *Store) Vulnerabilities() (*intel.Data, error) { return load(s, NVD, decode[intel.Data]) }

// Registry gives IANA's rows and the date of the newest.
func (s *Store) Registry() (rows []atlas.Registration, date string, err error) {
	r, err := load(s, IANA, decode[registry])
	if r == nil {
		return nil, "", err
	}
	return r.Rows, r.Date, nil
}

// Names are those of ATT&CK.
func (s *Store) Names() (*stix.Names, error) { return load(s, ATTACK, decode[stix.Names]) }

// load reads a feed. When an update replaces it in the meantime, the new one is
// read.
func load[T any](s *Store, source string, read func([]byte) (T, error)) (*T, error) {
	m := s.manifest
	for again := false; ; again = true {
		e, ok := m.Sources[source]
		if !ok {
			return nil, nil //nolint:nilnil // it was never stored
		}
		data, err := readEntry(s.dir, e)
		if errors.Is(err, fs.ErrNotExist) && !again {
			if newer, errNew := readManifest(s.dir); errNew == nil {
				m = newer
				continue
			}
		}
		var value T
		if err == nil {
			value, err = read(data)
		}
		if err != nil {
			return nil, fmt.Errorf("the stored feed %s in %s is damaged and not used (%w): reconshield intel update --source %s", source, s.dir, err, source)
		}
		return &value, nil
	}
}

// Damaged says of each feed that is damaged what is wrong with it, by source.
func (s *Store) Damaged() map[string]error {
	out := map[string]error{}
	for _, k := range kinds() {
		if _, err := load(s, k.Name, func(b []byte) (struct{}, error) { return struct{}{}, k.check(b) }); err != nil {
			out[k.Name] = err
		}
	}
	return out
}
