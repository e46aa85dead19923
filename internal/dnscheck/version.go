package dnscheck

import (
	"strconv"
	"strings"
)

// bindBelow reports whether a version such as "9.11.5-P4" is certainly lower
// than 9.minor.patch; an unreadable version is not.
func bindBelow(version string, minor, patch int) bool {
	want := [3]int{9, minor, patch}
	parts := strings.SplitN(version, ".", len(want))
	for i, w := range want {
		if i >= len(parts) {
			return i > 1 && w > 0
		}
		digits := len(parts[i]) - len(strings.TrimLeft(parts[i], "0123456789"))
		n, err := strconv.Atoi(parts[i][:digits])
		if err != nil {
			return false
		}
		if n != w {
			return n < w
		}
	}
	return false
}
