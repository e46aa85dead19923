package feeds

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// findFiles looks for the files of the sources in a directory: all of the NVD,
// whose answers come in pages, and the last by name of the others.
func findFiles(dir string, kinds []kind, all bool) (map[string][]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such directory", dir)
	}
	if err != nil {
		return nil, err
	}
	found := map[string][]string{}
	var wanted []string
	for _, k := range kinds {
		for _, e := range entries {
			if matches(k, e.Name()) {
				found[k.Name] = append(found[k.Name], filepath.Join(dir, e.Name()))
			}
		}
		if n := len(found[k.Name]); n > 1 && k.Name != NVD {
			found[k.Name] = found[k.Name][n-1:]
		}
		if len(found[k.Name]) == 0 && all {
			return nil, fmt.Errorf("%s: no file for %s; it must be named %s", dir, k.Name, strings.Join(k.Files, " or "))
		}
		wanted = append(wanted, k.Files[0])
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no file of a feed; looked for %s", dir, strings.Join(wanted, ", "))
	}
	return found, nil
}

func matches(k kind, name string) bool {
	return slices.ContainsFunc(k.Files, func(pattern string) bool {
		ok, err := filepath.Match(pattern, name)
		return ok && err == nil
	})
}

// local reads the files of a source.
func (u *updater) local(k kind, paths []string) (fetched, error) {
	var readers []io.Reader
	for _, path := range paths {
		u.opts.Progress(Progress{Source: k.Name, Doing: "reading " + path})
		f, err := os.Open(path)
		if err != nil {
			return fetched{}, err
		}
		defer func() { _ = f.Close() }()
		info, err := f.Stat()
		if err != nil {
			return fetched{}, err
		}
		if !info.Mode().IsRegular() {
			return fetched{}, fmt.Errorf("%s is not a file", path)
		}
		if info.Size() > k.maxBytes {
			return fetched{}, fmt.Errorf("%s: %w", path, tooLong(k.maxBytes))
		}
		var r io.Reader = f
		if strings.HasSuffix(path, ".gz") {
			if r, err = gzip.NewReader(f); err != nil {
				return fetched{}, fmt.Errorf("%s: %w", path, err)
			}
		}
		readers = append(readers, r)
	}
	c, err := k.read(readers)
	if err != nil {
		return fetched{}, fmt.Errorf("%s: %w", filepath.Base(paths[len(paths)-1]), err)
	}
	return fetched{content: c, origin: filepath.Base(paths[0])}, nil
}
