package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"reconshield/internal/atlas"
	"reconshield/internal/atlas/iana"
)

// readRegistry reads IANA's file and what changed since then. The edition is
// the date of the change.
func readRegistry(dir string) (rows []atlas.Registration, edition string, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "service-names-port-numbers.csv")) //nolint:gosec // a file of this repository
	if err != nil {
		return nil, "", err
	}
	file, err := iana.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, "", err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "delta-*.json"))
	if err != nil {
		return nil, "", err
	}
	rows, edition = file.Rows, file.Newest
	slices.Sort(paths) // by date
	for _, path := range paths {
		if rows, err = applyDelta(rows, path); err != nil {
			return nil, "", fmt.Errorf("%s: %w", path, err)
		}
		edition = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "delta-"), ".json")
	}
	return rows, edition, nil
}

// delta is what a later state of the registry has that the file has not.
type delta struct {
	Added []struct {
		Port                         uint16
		Transport, Name, Description string
	}
	Changed []struct {
		Key string   // "7123/udp"
		New []string // name and description
		Old [][]string
	}
}

func applyDelta(rows []atlas.Registration, path string) ([]atlas.Registration, error) {
	text, err := os.ReadFile(path) //nolint:gosec // a file of this repository
	if err != nil {
		return nil, err
	}
	var d delta
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, err
	}
	for _, c := range d.Changed {
		if len(c.New) != 2 { //nolint:mnd // name and description
			return nil, fmt.Errorf("%s: not a name and a description", c.Key)
		}
		if err := change(rows, c.Key, c.New[0], c.New[1]); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Key, err)
		}
	}
	for _, added := range d.Added {
		if held(rows, added.Port, added.Transport) {
			return nil, fmt.Errorf("%d/%s is in the registry already", added.Port, added.Transport)
		}
		rows = append(rows, atlas.Registration{
			First: added.Port, Last: added.Port, Transport: added.Transport, Name: added.Name, Description: added.Description,
		})
	}
	return rows, nil
}

// change replaces what the only row of a port says.
func change(rows []atlas.Registration, key, name, description string) error {
	number, transport, _ := strings.Cut(key, "/")
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return err
	}
	same := func(r atlas.Registration) bool {
		return r.First == uint16(port) && r.Last == r.First && r.Transport == transport
	}
	i := slices.IndexFunc(rows, same)
	if i < 0 || slices.ContainsFunc(rows[i+1:], same) {
		return errors.New("not one row of the registry")
	}
	rows[i] = atlas.Registration{First: rows[i].First, Last: rows[i].Last, Transport: transport, Name: name, Description: description}
	return nil
}

func held(rows []atlas.Registration, port uint16, transport string) bool {
	return slices.ContainsFunc(rows, func(r atlas.Registration) bool {
		return r.First <= port && port <= r.Last && r.Transport == transport
	})
}
