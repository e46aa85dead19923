package dnscheck

import (
	"strconv"
	"strings"
)

// versionBelow reports whether a dotted version is certainly lower than
// major.minor; an unreadable version is not.
func versionBelow(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, errA := strconv.Atoi(parts[0])
	b, errB := strconv.Atoi(parts[1])
	if errA != nil || errB != nil {
		return false
	}
	return a < major || a == major && b < minor
}
