// Command gen makes the embedded data of intel from the files that are
// committed in sources. go generate runs it, in the folder of intel. It reaches
// no network, and its output depends on nothing but those files.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if err := run(".", os.Stdout); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "intel/gen:", err)
		os.Exit(1)
	}
}

// run reads sources below dir, writes data below it, and tells what it wrote.
func run(dir string, told io.Writer) error {
	sources := filepath.Join(dir, "sources")
	vulnerable, err := vulnerabilities(sources)
	if err != nil {
		return fmt.Errorf("vulnerabilities: %w", err)
	}
	exploited, err := catalogue(sources)
	if err != nil {
		return fmt.Errorf("known exploited vulnerabilities: %w", err)
	}
	malicious, err := threats(sources)
	if err != nil {
		return fmt.Errorf("threats: %w", err)
	}
	for _, file := range []struct {
		name    string
		content any
	}{
		{"vulnerabilities.json.gz", vulnerable},
		{"kev.json.gz", exploited},
		{"threats.json.gz", malicious},
	} {
		size, err := write(filepath.Join(dir, "data", file.name), file.content)
		if err != nil {
			return fmt.Errorf("%s: %w", file.name, err)
		}
		if _, err := fmt.Fprintf(told, "%s: %d bytes\n", file.name, size); err != nil {
			return err
		}
	}
	return nil
}

// write stores content as compressed JSON, without a time stamp.
func write(path string, content any) (size int, err error) {
	text, err := json.Marshal(content)
	if err != nil {
		return 0, err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return 0, err
	}
	if _, err := z.Write(text); err != nil {
		return 0, err
	}
	if err := z.Close(); err != nil {
		return 0, err
	}
	return packed.Len(), os.WriteFile(path, packed.Bytes(), 0o644) //nolint:gosec // for everybody to read
}

// readJSON decodes one file, whole.
func readJSON(path string, into any) error {
	text, err := os.ReadFile(path) //nolint:gosec // a file of this repository
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return nil
}
