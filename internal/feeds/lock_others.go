//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly || windows)

package feeds

import "os"

// lockFile does nothing on systems without advisory locks.
func lockFile(*os.File) error { return nil }
