// Command gen makes the embedded data of the atlas from the files that are
// committed beside it. go generate runs it, in the folder of the atlas.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"reconshield/internal/atlas"
)

func main() {
	if err := run(".", os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "atlas/gen:", err)
		os.Exit(1)
	}
}

// run reads the sources and notes below dir, writes data below it, and tells
// what it wrote. The data depend on nothing but these files.
func run(dir string, told io.Writer) error {
	registrations, edition, err := readRegistry(filepath.Join(dir, "sources"))
	if err != nil {
		return err
	}
	packed, err := atlas.Pack(registrations, edition)
	if err != nil {
		return err
	}
	if err := write(told, filepath.Join(dir, "data", "registry.bin"), packed); err != nil {
		return err
	}
	notes, err := readNotes(filepath.Join(dir, "notes"))
	if err != nil {
		return err
	}
	if packed, err = packNotes(notes); err != nil {
		return err
	}
	return write(told, filepath.Join(dir, "data", "notes.json.gz"), packed)
}

func write(told io.Writer, path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o644); err != nil { //nolint:gosec // for everybody to read
		return err
	}
	_, err := fmt.Fprintf(told, "%s: %d bytes\n", path, len(data))
	return err
}

// packNotes compresses notes, without a time stamp.
func packNotes(notes []atlas.Note) ([]byte, error) {
	text, err := json.Marshal(notes)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	err = z.Close()
	return packed.Bytes(), err
}
