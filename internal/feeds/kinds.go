package feeds

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"reconshield/internal/atlas"
	"reconshield/internal/atlas/iana"
	"reconshield/internal/intel"
	"reconshield/internal/intel/epss"
	"reconshield/internal/intel/kev"
	"reconshield/internal/intel/nvd"
	"reconshield/internal/intel/stix"
)

// kind is a source with how its files are read.
type kind struct {
	Source
	maxBytes int64  // of one file
	ending   string // of the stored file
	// read turns the files of the source, one for all but the NVD, into what is
	// stored.
	read func(files []io.Reader) (content, error)
	// check reads what is stored back.
	check func(data []byte) error
}

// content is what a feed says, ready to be stored.
type content struct {
	data    []byte
	records int
	date    string
}

// stored is the form of a registry on disk.
type registry struct {
	Date string               `json:"date"`
	Rows []atlas.Registration `json:"rows"`
}

func kinds() []kind {
	readers := map[string]kind{
		KEV:    {maxBytes: kev.MaxBytes, ending: "json.gz", read: one(readKEV), check: decodes[catalogue]},
		EPSS:   {maxBytes: epss.MaxBytes, ending: "bin", read: one(readEPSS), check: func(b []byte) error { _, err := epss.Decode(b); return err }},
		NVD:    {maxBytes: nvd.MaxBytes, ending: "json.gz", read: readNVD, check: decodes[intel.Data]},
		IANA:   {maxBytes: iana.MaxBytes, ending: "json.gz", read: one(readIANA), check: decodes[registry]},
		ATTACK: {maxBytes: stix.MaxBytes, ending: "json.gz", read: one(readATTACK), check: decodes[stix.Names]},
	}
	var out []kind
	for _, s := range Sources() {
		k := readers[s.Name]
		k.Source = s
		out = append(out, k)
	}
	return out
}

func one(read func(io.Reader) (content, error)) func([]io.Reader) (content, error) {
	return func(files []io.Reader) (content, error) {
		if len(files) != 1 {
			return content{}, fmt.Errorf("%d files where one is needed", len(files))
		}
		return read(files[0])
	}
}

// catalogue is the form of CISA's catalogue on disk.
type catalogue struct {
	Date string `json:"date"`
	intel.Catalogue
}

func readKEV(r io.Reader) (content, error) {
	c, err := kev.Parse(r)
	if err != nil {
		return content{}, err
	}
	data, err := encode(catalogue{c.Released, intel.Catalogue{Version: c.Version, Entries: c.Entries}})
	return content{data, len(c.Entries), c.Released}, err
}

func readEPSS(r io.Reader) (content, error) {
	s, err := epss.Parse(r)
	if err != nil {
		return content{}, err
	}
	return content{s.Encode(), s.Len(), s.Date()}, nil
}

func readIANA(r io.Reader) (content, error) {
	f, err := iana.Parse(r)
	if err != nil {
		return content{}, err
	}
	data, err := encode(registry{f.Newest, f.Rows})
	return content{data, len(f.Rows), f.Newest}, err
}

func readATTACK(r io.Reader) (content, error) {
	n, err := stix.Parse(r)
	if err != nil {
		return content{}, err
	}
	data, err := encode(n)
	return content{data, n.Len(), n.Modified}, err
}

// readNVD joins the pages; a CVE of several products may be on several.
func readNVD(files []io.Reader) (content, error) {
	var pages collected
	for _, f := range files {
		p, err := nvd.Parse(f)
		if err != nil {
			return content{}, err
		}
		pages.add(p)
	}
	return pages.content()
}

// collected is what was read of the NVD so far.
type collected struct {
	date string
	rows []intel.Affected
}

func (c *collected) add(p nvd.Page) {
	c.date = max(c.date, p.Date)
	c.rows = append(c.rows, p.Rows...)
}

func (c *collected) content() (content, error) {
	if len(c.rows) == 0 {
		return content{}, errors.New("NVD: there is no CVE of a DNS server in it")
	}
	order := func(a, b intel.Affected) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Product, b.Product))
	}
	slices.SortStableFunc(c.rows, order)
	rows := slices.CompactFunc(c.rows, func(a, b intel.Affected) bool { return order(a, b) == 0 })
	data, err := encode(intel.Data{Date: c.date, Rows: rows})
	return content{data, len(rows), c.date}, err
}

// encode is compressed JSON, the same for the same value.
func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(value); err != nil {
		return nil, err
	}
	err := z.Close()
	return b.Bytes(), err
}

// maxStored bounds what a stored file may unpack to.
const maxStored = 64 << 20

func decode[T any](data []byte) (T, error) {
	var value T
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return value, err
	}
	limited := &io.LimitedReader{R: z, N: maxStored + 1}
	text, err := io.ReadAll(limited)
	if err == nil && limited.N <= 0 {
		err = fmt.Errorf("it unpacks to more than %d bytes", maxStored)
	}
	if err != nil {
		return value, err
	}
	return value, json.Unmarshal(text, &value)
}

func decodes[T any](data []byte) error {
	_, err := decode[T](data)
	return err
}
