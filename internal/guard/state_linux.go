package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Names of files in the directory.
const (
	stateFile  = "change.json"
	lockFile   = "lock"
	socketFile = "guard.sock"
	logFile    = "guard.log"
)

// state is what the file holds.
type state struct {
	Change
	Began time.Time // zero: not yet
}

// prepare makes the directory private, or refuses one that is not.
func prepare(dir string) error {
	const private = 0o700
	if err := os.MkdirAll(dir, private); err != nil {
		return fmt.Errorf("make the directory of the guard: %w", err)
	}
	var s unix.Stat_t
	if err := unix.Lstat(dir, &s); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if s.Mode&unix.S_IFMT != unix.S_IFDIR || int(s.Uid) != os.Geteuid() || s.Mode&0o077 != 0 {
		return fmt.Errorf("%s: must be a directory that belongs to this user alone (mode 0700)", dir)
	}
	const longest = 107 // of sun_path, unix(7)
	if len(filepath.Join(dir, socketFile)) > longest {
		return fmt.Errorf("%s: the name is too long for a socket in it", dir)
	}
	return nil
}

// lock takes the lock of a directory; it lasts until all copies of the file are
// closed. A *BusyError says that somebody has it.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600) //nolint:gosec // the directory is private
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { //nolint:gosec // a descriptor
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &BusyError{dir}
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return f, nil
}

// store writes the state so that it survives what can be survived.
func (s *state) store(dir string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, stateFile)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func load(dir string) (*state, error) {
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s: is no state of a guard (%w): look at the rules that are loaded, then remove it", filepath.Join(dir, stateFile), err)
	}
	return &s, nil
}

// forget removes the state: there is nothing left to take back.
func forget(dir string) error {
	if err := os.Remove(filepath.Join(dir, stateFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return syncDir(dir)
}
