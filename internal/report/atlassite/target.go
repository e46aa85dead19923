package atlassite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// PlaceError is a folder that a site cannot be written to.
type PlaceError struct {
	Dir string
	Why string
}

func (e *PlaceError) Error() string { return e.Dir + ": " + e.Why }

// target is a folder that is going to be replaced by another beside it.
type target struct {
	dir  string // absolute, links followed
	temp string
	kept []string // names in dir that no export wrote
	old  bool     // dir exists
}

// newTarget looks at dir and makes the folder beside it.
func newTarget(dir string, force bool) (*target, error) {
	fail := func(format string, args ...any) (*target, error) {
		return nil, &PlaceError{dir, fmt.Sprintf(format, args...)}
	}
	if dir == "" {
		return fail("name a folder")
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if followed, err := filepath.EvalSymlinks(path); err == nil {
		path = followed
	}
	t := &target{dir: path}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fail("%s", reason(err))
	case !info.IsDir():
		return fail("is a file; name a folder")
	default:
		t.old = true
	}
	if within(path) {
		return fail("you are in it; name another folder, or leave it first")
	}
	if t.old {
		if err := t.look(force); err != nil {
			return fail("%s", reason(err))
		}
	}
	parent := filepath.Dir(path)
	if t.temp, err = os.MkdirTemp(parent, "."+filepath.Base(path)+"-"); err != nil {
		return fail("cannot write beside it: %s", reason(err))
	}
	const listable = 0o755
	if err := os.Chmod(t.temp, listable); err != nil { //nolint:gosec // a web server reads it
		t.abandon()
		return nil, err
	}
	return t, nil
}

// within reports whether the process stands in dir or below it.
func within(dir string) bool {
	here, err := os.Getwd()
	if err != nil {
		return false
	}
	if followed, err := filepath.EvalSymlinks(here); err == nil {
		here = followed
	}
	rel, err := filepath.Rel(dir, here)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// look reads what is in the folder.
func (t *target) look(force bool) error {
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return err
	}
	ours := exported(t.dir)
	if len(entries) > 0 && !ours && !force {
		return errors.New("holds files that no export wrote; name an empty folder, or give --force to write among them")
	}
	for _, e := range entries {
		if !made(e.Name()) {
			t.kept = append(t.kept, e.Name())
		}
	}
	return nil
}

// exported reports whether dir is an earlier export.
func exported(dir string) bool {
	const mostManifest = 64 << 10
	path := filepath.Join(dir, manifestName)
	if info, err := os.Stat(path); err != nil || info.Size() > mostManifest {
		return false
	}
	text, err := os.ReadFile(path) //nolint:gosec // within the folder that was named
	var m manifest
	return err == nil && json.Unmarshal(text, &m) == nil && m.Site == siteName
}

// made reports whether an export writes a file or folder of this name.
func made(name string) bool {
	switch name {
	case "index.html", "404.html", "style.css", "robots.txt", manifestName, "ports", "blocks", "licences", "sitemap.xml":
		return true
	}
	return strings.HasPrefix(name, "sitemap-") && strings.HasSuffix(name, ".xml")
}

// commit puts the new folder in the place of the old one.
func (t *target) commit() error {
	if !t.old {
		return os.Rename(t.temp, t.dir)
	}
	before := t.temp + ".old"
	if err := os.Rename(t.dir, before); err != nil {
		return err
	}
	for _, name := range t.kept {
		if err := os.Rename(filepath.Join(before, name), filepath.Join(t.temp, name)); err != nil {
			return errors.Join(err, t.restore(before))
		}
	}
	if err := os.Rename(t.temp, t.dir); err != nil {
		return errors.Join(err, t.restore(before))
	}
	return os.RemoveAll(before)
}

// restore undoes a commit that failed half way.
func (t *target) restore(before string) error {
	for _, name := range t.kept {
		// Those that were not moved yet stay where they are.
		_ = os.Rename(filepath.Join(t.temp, name), filepath.Join(before, name))
	}
	return os.Rename(before, t.dir)
}

// abandon removes what was written.
func (t *target) abandon() { _ = os.RemoveAll(t.temp) }

// reason is an error without the path, which the caller names.
func reason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}
