package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// namedFile is a file that a flag names.
type namedFile struct{ flag, path string }

// distinct reports flags that name one and the same file to be written. Devices
// and pipes may be named more than once.
func distinct(files ...namedFile) error {
	for i, a := range files {
		for _, b := range files[:i] {
			if a.path != "" && a.path != "-" && b.path != "" && b.path != "-" && sameFile(a.path, b.path) {
				return fmt.Errorf("%s and %s name the same file, %s: give each its own", b.flag, a.flag, b.path)
			}
		}
	}
	return nil
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return infoA.Mode().IsRegular() && os.SameFile(infoA, infoB)
	}
	return errA != nil && errB != nil && resolved(a) == resolved(b)
}

// resolved is where a file would come to be: its links followed, also one that
// leads to a file that is not there.
func resolved(path string) string {
	const most = 16
	for range most {
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		dir = filepath.Dir(path)
	}
	if whole, err := filepath.Abs(filepath.Join(dir, filepath.Base(path))); err == nil {
		return whole
	}
	return path
}
