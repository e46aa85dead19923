package intel

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
)

//go:generate go run ./gen

// ThreatData is what the generator writes and an update replaces.
type ThreatData struct {
	Edition string `json:"edition"` // date of the newest source
	// Ports holds single ports and ranges, in order.
	Ports      []PortThreats     `json:"ports"`
	Techniques map[string]string `json:"techniques"` // ATT&CK: id to name
	Names      map[string]string `json:"names"`      // ATT&CK: id of software or group to name
}

// PortThreats is what is known of a port or of a range of ports.
type PortThreats struct {
	First   uint16    `json:"first"`
	Last    uint16    `json:"last"`
	Malware []Malware `json:"malware"`
}

// Threats says which malicious software meets which port. Immutable and safe
// for concurrent use.
type Threats struct {
	data   ThreatData
	single map[uint16][]Malware
	ranges []PortThreats
}

// NewThreats indexes data, which it keeps.
func NewThreats(data ThreatData) *Threats {
	t := &Threats{data: data, single: make(map[uint16][]Malware, len(data.Ports))}
	for _, p := range data.Ports {
		if p.First == p.Last {
			t.single[p.First] = append(t.single[p.First], p.Malware...)
		} else {
			t.ranges = append(t.ranges, p)
		}
	}
	return t
}

//go:embed data/threats.json.gz
var threatBytes []byte

//nolint:gochecknoglobals // decoded once, when first asked for
var defaultThreats = sync.OnceValue(func() *Threats {
	var data ThreatData
	if err := unpack(threatBytes, &data); err != nil {
		panic("the embedded table of threats is damaged: " + err.Error()) // a fault of the build
	}
	return NewThreats(data)
})

// DefaultThreats is the embedded table.
func DefaultThreats() *Threats { return defaultThreats() }

func unpack(compressed []byte, into any) error {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// Edition is the date of the newest source.
func (t *Threats) Edition() string { return t.data.Edition }

// Data gives the table to those who write it. It must not be changed.
func (t *Threats) Data() *ThreatData { return &t.data }

// OnPort gives what meets a port, the documented first; nil when nothing is
// known. The caller must not change it.
func (t *Threats) OnPort(port uint16) []Malware {
	found := t.single[port]
	for _, r := range t.ranges {
		if port >= r.First && port <= r.Last {
			found = append(slices.Clip(found), r.Malware...)
		}
	}
	return found
}

// TechniqueName is ATT&CK's name of a technique; empty when it is not known. A
// sub-technique is named with its parent.
func (t *Threats) TechniqueName(id string) string {
	name := t.data.Techniques[id]
	parent, _, sub := strings.Cut(id, ".")
	if over := t.data.Techniques[parent]; sub && over != "" && name != "" && !strings.Contains(name, ": ") {
		return over + ": " + name
	}
	return name
}

// TechniqueBase is where ATT&CK describes techniques.
const TechniqueBase = "https://attack.mitre.org/techniques/"

// TechniqueURL is where ATT&CK describes a technique.
func TechniqueURL(id string) string {
	return TechniqueBase + strings.ReplaceAll(id, ".", "/") + "/"
}
