package feeds

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

const (
	manifestName = "manifest.json"
	lockName     = "lock"
	scratchName  = ".new-*" // of files that are being written
	layout       = 1        // version of the manifest
)

// manifest says which files are the feeds. It is written last, so that those of
// an update which was interrupted are as if they had never been there.
type manifest struct {
	Layout  int              `json:"layout"`
	Sources map[string]entry `json:"sources"`
}

// entry is a stored feed.
type entry struct {
	File    string `json:"file"`
	SHA256  string `json:"sha256"`
	Bytes   int64  `json:"bytes"`
	Records int    `json:"records"`
	Date    string `json:"date"` // of the data, YYYY-MM-DD; may be empty
	Origin  string `json:"origin"`
	Fetched string `json:"fetched"` // when it changed last, RFC 3339
	Checked string `json:"checked"` // when it was looked at last
	validators
}

func (m manifest) clone() manifest {
	out := manifest{Layout: layout, Sources: map[string]entry{}}
	maps.Copy(out.Sources, m.Sources)
	return out
}

// disk is the directory, locked against other updates.
type disk struct {
	dir  string
	lock *os.File
}

// StoreError says that the directory of the feeds cannot be used.
type StoreError struct {
	Dir string
	Err error
}

func (e *StoreError) Error() string {
	if errors.Is(e.Err, errLocked) {
		return fmt.Sprintf("another update is writing to %s: wait until it is done", e.Dir)
	}
	return fmt.Sprintf("cannot keep feeds in %s: %v", e.Dir, e.Err)
}

func (e *StoreError) Unwrap() error { return e.Err }

// openDisk makes the directory if need be and locks it. Its error is a
// *StoreError.
func openDisk(dir string) (*disk, error) {
	const perm, lockPerm = 0o755, 0o644
	if err := os.MkdirAll(dir, perm); err != nil {
		return nil, &StoreError{dir, err}
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, lockPerm)
	if err != nil {
		return nil, &StoreError{dir, err}
	}
	if err := lockFile(lock); err != nil {
		_ = lock.Close()
		return nil, &StoreError{dir, err}
	}
	return &disk{dir: dir, lock: lock}, nil
}

// errNewer says that what is stored is not to be touched.
var errNewer = errors.New("a newer version of this program has written it: update with that one, or name another directory")

// errLocked says that somebody else holds the lock.
var errLocked = errors.New("locked")

func (d *disk) close() { _ = d.lock.Close() }

func (d *disk) readManifest() (manifest, error) { return readManifest(d.dir) }

// readManifest reads and checks the manifest; the error is fs.ErrNotExist when
// nothing was ever stored.
func readManifest(dir string) (manifest, error) {
	const most = 1 << 20
	data, err := readFile(dir, manifestName, most)
	if err != nil {
		return manifest{}, err
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return manifest{}, errors.New("its manifest cannot be read")
	}
	if m.Layout > layout {
		return manifest{}, errNewer
	}
	if m.Layout != layout {
		return manifest{}, fmt.Errorf("its layout is %d and this program knows %d", m.Layout, layout)
	}
	for name, e := range m.Sources {
		if !storedName(name).MatchString(e.File) {
			return manifest{}, errors.New("its manifest names files that no update writes")
		}
	}
	return m, nil
}

// storedName is how the file of a source is named.
func storedName(source string) *regexp.Regexp {
	return regexp.MustCompile(`^` + regexp.QuoteMeta(source) + `-[0-9a-f]{16}\.(json\.gz|bin)$`)
}

// readFile reads a file of the directory and of no other.
func readFile(dir, name string, most int64) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", name)
	case info.Size() > most:
		return nil, fmt.Errorf("%s is longer than %d bytes", name, most)
	}
	data := make([]byte, 0, info.Size()+1)
	b := bytes.NewBuffer(data)
	_, err = io.Copy(b, io.LimitReader(f, most))
	return b.Bytes(), err
}

// readEntry reads a stored feed, and only if it is what was stored.
func readEntry(dir string, e entry) ([]byte, error) {
	data, err := readFile(dir, e.File, maxStored)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != e.SHA256 {
		return nil, errors.New("the file was changed after it was stored")
	}
	return data, nil
}

func (d *disk) intact(k kind, e entry) bool {
	data, err := readEntry(d.dir, e)
	return err == nil && k.check(data) == nil
}

// scratch is a file for what is being fetched. done removes it.
func (d *disk) scratch() (f *os.File, done func(), err error) {
	f, err = os.CreateTemp(d.dir, scratchName)
	if err != nil {
		return nil, nil, err
	}
	return f, func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}, nil
}

// store writes a feed under a name of its own, beside the old one.
func (d *disk) store(k kind, got fetched) (entry, error) {
	if len(got.data) > maxStored {
		return entry{}, fmt.Errorf("there is more in it than the %d bytes that can be stored", maxStored)
	}
	if err := k.check(got.data); err != nil {
		return entry{}, fmt.Errorf("what was read cannot be stored: %w", err)
	}
	sum := sha256.Sum256(got.data)
	hash := hex.EncodeToString(sum[:])
	const short = 16
	e := entry{
		File: k.Name + "-" + hash[:short] + "." + k.ending, SHA256: hash, Bytes: int64(len(got.data)),
		Records: got.records, Date: got.date, Origin: got.origin, validators: got.validators,
	}
	return e, d.write(e.File, got.data)
}

// write replaces a file at once: whoever reads sees the old or the new, also
// after the power failed.
func (d *disk) write(name string, data []byte) (err error) {
	f, done, err := d.scratch()
	if err != nil {
		return err
	}
	defer done()
	const perm = 0o644
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Chmod(perm); err != nil && runtime.GOOS != "windows" {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(d.dir, name)); err != nil {
		return err
	}
	return d.sync()
}

// sync makes names durable, where a system lets a directory be synced.
func (d *disk) sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (d *disk) writeManifest(m manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return d.write(manifestName, append(data, '\n'))
}

// clean removes what interrupted updates left, and, when m is the manifest that
// was just written, the feeds that it does not name; a nil m keeps all of them.
// What another program may have put there stays.
func (d *disk) clean(m *manifest) {
	keep := map[string]bool{}
	if m != nil {
		for _, e := range m.Sources {
			keep[e.File] = true
		}
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		name := e.Name()
		stale := strings.HasPrefix(name, strings.TrimSuffix(scratchName, "*"))
		for _, s := range Sources() {
			stale = stale || m != nil && !keep[name] && storedName(s.Name).MatchString(name)
		}
		if stale && e.Type() == fs.FileMode(0) {
			_ = os.Remove(filepath.Join(d.dir, name))
		}
	}
}
