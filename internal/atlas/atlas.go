package atlas

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"
)

//go:generate go run ./gen

//go:embed data/registry.bin
var embeddedRegistry string

//go:embed data/notes.json.gz
var embeddedNotes []byte

// Atlas is a registry and the notes. It is immutable and safe for concurrent
// use. Make one with Default or New.
type Atlas struct {
	registry registry
	notes    func() []Note         // by port
	index    func() []document     // of Search
	words    func() []callableName // of Nearest
}

// Default is the Atlas of the embedded data. It costs nothing until it is
// asked.
func Default() *Atlas { return embedded() }

//nolint:gochecknoglobals // made once, read only
var embedded = sync.OnceValue(func() *Atlas { return open(embeddedRegistry, notes) })

//nolint:gochecknoglobals // decoded once, read only
var notes = sync.OnceValue(func() []Note {
	read, err := readNotes(embeddedNotes)
	if err != nil {
		panic("atlas: the embedded notes: " + err.Error()) // a test reads them
	}
	return read
})

// New is an Atlas of another registry, with the embedded notes. The edition
// says of when the registry is.
func New(registrations []Registration, edition string) (*Atlas, error) {
	packed, err := Pack(registrations, edition)
	if err != nil {
		return nil, err
	}
	return open(string(packed), notes), nil
}

func open(packed string, notes func() []Note) *Atlas {
	a := &Atlas{registry: openRegistry(packed), notes: notes}
	a.index = sync.OnceValue(a.documents)
	a.words = sync.OnceValue(a.callable)
	return a
}

// maxNotes bounds what the notes may unpack to.
const maxNotes = 32 << 20

func readNotes(packed []byte) ([]Note, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(z, maxNotes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxNotes {
		return nil, errors.New("too long")
	}
	var read []Note
	return read, json.Unmarshal(text, &read)
}

// Edition is the date of the registry, YYYY-MM-DD.
func (a *Atlas) Edition() string { return a.registry.edition }

// note is what was written of a port; nil when nobody did. It is shared: not to
// be changed.
func (a *Atlas) note(port uint16) *Note {
	all := a.notes()
	i, ok := slices.BinarySearchFunc(all, port, func(n Note, port uint16) int { return int(n.Port) - int(port) })
	if !ok {
		return nil
	}
	return &all[i]
}

// Handwritten lists the ports with a note, in order. The slice is the caller's.
func (a *Atlas) Handwritten() []uint16 {
	all := a.notes()
	ports := make([]uint16, 0, len(all))
	for i := range all {
		ports = append(ports, all[i].Port)
	}
	return ports
}
